"""Reads the latents of pairs: a ``.precomputed`` folder in the layout of the public trainer.

Folders ``latents``, ``audio_latents``, ``reference_latents``, ``reference_audio_latents`` and ``conditions`` hold one
``.pt`` file for each item, with the same name in all of them; ``video_masks`` and ``audio_masks`` may be missing.
``lipdub.json`` beside them, and each file for itself, say by which checkpoint they were made: latents of another one
are refused. It also says which items are held out ("split"), and what the data say of themselves ("card").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from lipdub.disk.json_text import parse_json
from lipdub.engines.ltx.tokens import TEMPORAL, audio_latent_count
from lipdub.errors import InputError, WeightsError
from lipdub.train.training_loss import TrainingSample

PRECOMPUTED, MARKER = ".precomputed", "lipdub.json"
NEEDED = ("latents", "audio_latents", "reference_latents", "reference_audio_latents", "conditions")
MASKS = ("video_masks", "audio_masks")
_AGAIN = "Make the latents again: lipdub train prepare"
_SLACK = 2
"""Audio latents by which a sound may be longer or shorter than its picture."""


@dataclass(frozen=True, eq=False)
class TextCondition:
    """The text of an item: ``video`` and ``audio`` (words, width), and which words are valid (``mask``).

    ``encoded``: they are contexts of the transformer already; else they must go through the connectors first.
    """

    video: Tensor
    audio: Tensor
    mask: Tensor
    encoded: bool


@dataclass(frozen=True, eq=False)
class LatentItem:
    """One pair that was read; ``sample.context`` is empty until the ``text`` was encoded."""

    name: str
    sample: TrainingSample
    text: TextCondition


@dataclass(frozen=True, eq=False)
class LatentFolder:
    """The items of a folder: names for training and for validation, and the data card (what the data say of
    themselves)."""

    folder: Path
    training: tuple[str, ...]
    validation: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    background: float = 0.1
    digest: str = ""

    @classmethod
    def open(cls, folder: Path, digest: str, *, unchecked: bool = False, background: float = 0.1) -> "LatentFolder":
        """The items of ``folder``, made by the checkpoint with ``digest``.

        Raises ``InputError`` if it is no such folder, or an item lacks a file; ``WeightsError`` for latents that were
        made by another checkpoint, or do not say by which, unless they may be ``unchecked``.
        """
        place = folder / PRECOMPUTED if (folder / PRECOMPUTED).is_dir() else folder
        if not (place / "latents").is_dir():
            raise InputError("there are no latents here", file=folder, remedy=_AGAIN)
        marker = _marker(place / MARKER)
        _check_digest(place / MARKER, marker.get("checkpoint"), digest, unchecked)
        names = tuple(
            sorted(
                path.relative_to(place / "latents").with_suffix("").as_posix()
                for path in (place / "latents").rglob("*.pt")
            )
        )
        for name in names:
            for part in NEEDED:
                if not (place / part / f"{name}.pt").is_file():
                    raise InputError(f"the item '{name}' has no file in {part}", file=place, remedy=_AGAIN)
        split = marker.get("split", {})
        held_out = tuple(name for name in names if split.get(name) == "validation")
        training = tuple(name for name in names if name not in set(held_out))
        if not training:
            raise InputError("there is no item to learn from", file=folder, remedy=_AGAIN)
        return cls(place, training, held_out, marker.get("card", {}), background, digest)

    def check(self) -> tuple[int, ...]:
        """Read the shapes of all items and return their numbers of tokens, references included.

        Raises ``InputError`` that names the first file that does not fit.
        """
        counts = []
        for name in (*self.training, *self.validation):
            sample = self.read(name, values=False).sample
            latents = (sample.video, sample.reference_video)
            counts.append(sum(one[0, 0].numel() for one in latents))
        return tuple(counts)

    def read(self, name: str, *, values: bool = True) -> LatentItem:
        """The item ``name``. With ``values`` its numbers are checked too. Raises ``InputError``."""
        parts = {part: self._load(part, name) for part in NEEDED}
        latents = {part: self._latent(part, name, parts[part], values) for part in NEEDED[:4]}
        video, reference = latents["latents"], latents["reference_latents"]
        rate = self._rate(name, parts)
        downscale = video.shape[3] // reference.shape[3]
        fits = downscale >= 1 and tuple(n * downscale for n in reference.shape[3:]) == tuple(video.shape[3:])
        if video.shape[2] != reference.shape[2] or not fits:
            raise self._wrong("reference_latents", name, f"{_size(reference)} beside a target of {_size(video)}")
        frames = (video.shape[2] - 1) * TEMPORAL + 1
        expected, found = audio_latent_count(frames, rate), latents["audio_latents"].shape[2]
        if abs(found - expected) > _SLACK:
            seconds = f"{found / 25:.2f} s of sound beside {float(frames / rate):.2f} s of picture"
            raise self._wrong("audio_latents", name, seconds)
        empty = torch.zeros(1, 0, 0)
        sample = TrainingSample(
            video,
            latents["audio_latents"],
            reference,
            latents["reference_audio_latents"],
            (empty, empty),
            rate,
            downscale,
            self._weight("video_masks", name, video[:, 0]),
            self._weight("audio_masks", name, latents["audio_latents"][:, 0, :, 0]),
        )
        return LatentItem(name, sample, self._text(name, parts["conditions"]))

    def _load(self, part: str, name: str) -> dict[str, Any]:
        path = self.folder / part / f"{name}.pt"
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
            why = " ".join(str(error).split())[:120]
            raise InputError(f"the file cannot be read ({why})", file=path, remedy=_AGAIN) from error
        if not isinstance(loaded, dict):
            raise InputError("the file holds no named tensors", file=path, remedy=_AGAIN)
        _check_digest(path, loaded.get("checkpoint", self.digest), self.digest, unchecked=True)
        return loaded

    def _latent(self, part: str, name: str, loaded: dict[str, Any], values: bool) -> Tensor:
        """The latent with a batch of one, in float32. It may be stored flat in space: (channels, cells)."""
        latent = loaded.get("latents")
        dimensions = 3 if "audio" in part else 4
        if not isinstance(latent, Tensor) or latent.dim() != dimensions or not latent.is_floating_point():
            raise self._wrong(part, name, f"no tensor 'latents' of {dimensions} dimensions")
        if values and not bool(latent.isfinite().all()):
            raise self._wrong(part, name, "numbers that are not finite")
        return latent[None].float() if values else latent[None]

    def _rate(self, name: str, parts: dict[str, dict[str, Any]]) -> Fraction:
        rates = []
        for part in ("latents", "reference_latents"):
            exact, about = parts[part].get("rate"), parts[part].get("fps")
            if isinstance(exact, list | tuple) and len(exact) == 2 and all(isinstance(n, int) and n > 0 for n in exact):
                rates.append(Fraction(exact[0], exact[1]))
            elif isinstance(about, int | float | Tensor) and float(about) > 0:
                rates.append(Fraction(float(about)).limit_denominator(1001))
            else:
                raise self._wrong(part, name, "no rate of frames (fps)")
        if abs(rates[0] - rates[1]) > Fraction(1, 100):
            told = " and ".join(f"{float(rate):g}" for rate in rates)
            raise self._wrong("reference_latents", name, f"another rate than the target's: {told} frames a second")
        return rates[0]

    def _weight(self, part: str, name: str, cells: Tensor) -> Tensor | None:
        """Each cell's weight in the loss: the mask's (1 at the face), but at least ``background``; None without."""
        if not (self.folder / part / f"{name}.pt").is_file():
            return None
        mask = self._load(part, name).get("mask")
        if not isinstance(mask, Tensor) or tuple(mask.shape) != tuple(cells.shape[1:]):
            found = list(mask.shape) if isinstance(mask, Tensor) else "nothing"
            raise self._wrong(part, name, f"a mask of {found}, and the latent has {list(cells.shape[1:])}")
        return mask[None].float().clamp(self.background, 1)

    def _text(self, name: str, loaded: dict[str, Any]) -> TextCondition:
        both = [loaded.get(f"{modality}_prompt_embeds") for modality in ("video", "audio")]
        if not all(isinstance(one, Tensor) and one.dim() == 2 for one in both):
            raise self._wrong("conditions", name, "no texts for picture and sound")
        video, audio = (one[None] for one in both if isinstance(one, Tensor))
        mask = loaded.get("prompt_attention_mask")
        mask = mask[None] if isinstance(mask, Tensor) else torch.ones(video.shape[:2])
        return TextCondition(video, audio, mask, bool(loaded.get("after_connectors", False)))

    def _wrong(self, part: str, name: str, what: str) -> InputError:
        return InputError(f"the item does not fit: {what}", file=self.folder / part / f"{name}.pt", remedy=_AGAIN)


def _marker(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty if there is no such file. Raises ``InputError`` if it is damaged."""
    if not path.is_file():
        return {}
    try:
        table = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"it cannot be read ({error})", file=path, remedy=_AGAIN) from error
    if not isinstance(table, dict):
        raise InputError("it does not describe latents", file=path, remedy=_AGAIN)
    return table


def _check_digest(path: Path, made_by: Any, digest: str, unchecked: bool) -> None:
    """Raise ``WeightsError`` unless ``made_by`` is ``digest``, or is not said and may be ``unchecked``."""
    if made_by == digest:
        return
    if made_by is not None:
        what = f"these latents were made by another checkpoint ({str(made_by)[:12]}, not {digest[:12]})"
        raise WeightsError(what, file=path, remedy=_AGAIN)
    if not unchecked:
        raise WeightsError(
            "these latents do not say by which checkpoint they were made",
            file=path.parent,
            remedy="If you know that it was this one, set data.unchecked = true",
        )


def _size(latent: Tensor) -> str:
    frames, height, width = latent.shape[2:]
    return f"{frames} x {height} x {width} cells"
