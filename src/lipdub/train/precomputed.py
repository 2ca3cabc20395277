"""Latents of training pairs on the disk, in the layout of LTX's own trainer: ``.precomputed/KIND/ID.pt``.

The file ``lipdub.json`` beside them says which checkpoint made them, and so does each file: latents of another one are
never taken for these, and are not replaced unless that is allowed. A pair's file in ``latents`` is written last, so
that each pair listed there is complete. LTX's trainer ignores what it does not know, and reads these files as its own.

    latents, reference_latents              latents (C, F, H, W); num_frames, height, width of the latent; fps; rate
    audio_latents, reference_audio_latents  latents (C, T, bins); num_time_steps, frequency_bins; duration in seconds
    conditions                              video_prompt_embeds and audio_prompt_embeds (1024, width), as the text
                                            connectors take them; prompt_attention_mask (1024,)
    video_masks                             mask (F, H, W): 1 where the mouth is, 0 elsewhere
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lipdub.disk.json_text import parse_json
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import atomic_output, write_text
from lipdub.errors import InputError, OutputError, WeightsError

LatentKind = Literal[
    "conditions", "reference_latents", "audio_latents", "reference_audio_latents", "video_masks", "latents"
]

KINDS: tuple[LatentKind, ...] = (
    "conditions",
    "reference_latents",
    "audio_latents",
    "reference_audio_latents",
    "video_masks",
    "latents",
)
"""All kinds, in the order in which they are written."""

FOLDER, MARKER = ".precomputed", "lipdub.json"
_AGAIN = "Make them again: lipdub train prepare --weights, with the checkpoint of the training"


@dataclass(frozen=True)
class LatentsMarker:
    """What ``lipdub.json`` says: digests of the ``checkpoint`` and of the ``text_encoder``; on which side of the
    ``split`` each pair is ("train", "validation"), its ``prompts``, and the data ``card``."""

    checkpoint: str
    text_encoder: str
    split: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "LatentsMarker | None":
        """That of the latents below ``root``; None if there are none. Raises ``InputError`` if it is damaged."""
        path = root / FOLDER / MARKER
        try:
            told = parse_json(path.read_text("utf-8"))
            about = (told["split"], told["prompts"], told["card"])
            return cls(str(told["checkpoint"]), str(told["text_encoder"]), *about)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise InputError("this file is damaged", file=path, remedy=_AGAIN) from wrong

    def write(self, root: Path) -> None:
        """Write it, unless it is there already. Raises ``OutputError``."""
        path = root / FOLDER / MARKER
        told = {name: getattr(self, name) for name in ("checkpoint", "text_encoder", "split", "prompts", "card")}
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        _make_folder(path.parent)
        if not path.is_file() or path.read_text("utf-8") != text:
            write_text(path, text)


class PrecomputedFolder:
    """The latents below ``root``, made by the ``checkpoint`` with that digest. torch is imported when a file is read or
    written."""

    def __init__(self, root: Path, checkpoint: str) -> None:
        """``root`` holds the folder ``.precomputed``, which is made when the first file is written."""
        self.root, self.checkpoint = root, checkpoint

    def path(self, kind: LatentKind, pair: str) -> Path:
        """Where latents of a ``kind`` lie, of the pair with the id ``pair``."""
        return self.root / FOLDER / kind / f"{pair}.pt"

    def holds(self, kind: LatentKind, pair: str) -> bool:
        """True if the file is there, whole, and made by this checkpoint."""
        try:
            return _load(self.path(kind, pair)).get("checkpoint") == self.checkpoint
        except (OSError, InputError):
            return False

    def read(self, kind: LatentKind, pair: str) -> dict[str, Any]:
        """The tensors and numbers of a file. Raises ``InputError`` if it is missing or damaged, and ``WeightsError`` if
        it was made by another checkpoint."""
        path = self.path(kind, pair)
        try:
            values = _load(path)
        except OSError as refused:
            cause = cause_of(refused)
            raise InputError(f"the latents cannot be read: {cause.what}", file=path, remedy=_AGAIN) from refused
        if values.pop("checkpoint", None) != self.checkpoint:
            raise WeightsError("these latents were made by another checkpoint", file=path, remedy=_AGAIN)
        return values

    def write(self, kind: LatentKind, pair: str, values: Mapping[str, Any]) -> None:
        """Write a file; it appears when it is complete. Raises ``OutputError``."""
        import torch

        path = self.path(kind, pair)
        whole = io.BytesIO()
        torch.save({**values, "checkpoint": self.checkpoint}, whole)
        _make_folder(path.parent)
        with atomic_output(path, overwrite=True) as part:
            part.write_bytes(whole.getbuffer())

    def remove_others(self, pairs: frozenset[str]) -> None:
        """Remove the files of all pairs but ``pairs``, those in ``latents`` first."""
        for kind in reversed(KINDS):
            for path in sorted((self.root / FOLDER / kind).glob("*.pt")):
                if path.stem not in pairs:
                    path.unlink(missing_ok=True)


def check_replaceable(root: Path, checkpoint: str, *, overwrite: bool) -> None:
    """Raise ``OutputError`` if latents of another checkpoint are below ``root`` and may not be replaced."""
    there = LatentsMarker.read(root)
    if there is not None and there.checkpoint != checkpoint and not overwrite:
        raise OutputError(
            f"latents of another checkpoint are here ({there.checkpoint[:12]}, not {checkpoint[:12]})",
            file=root / FOLDER,
            remedy="Name another folder, or add --overwrite to make them anew",
        )


def _load(path: Path) -> dict[str, Any]:
    """Raises ``OSError`` if there is no such file, ``InputError`` if it is damaged."""
    import pickle

    import torch

    try:
        values = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as damaged:
        raise InputError(f"these latents are damaged ({damaged})", file=path, remedy=_AGAIN) from damaged
    if not isinstance(values, dict):
        raise InputError("these are no latents", file=path, remedy=_AGAIN)
    return values


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"the folder cannot be made: {cause.what}", file=folder, remedy=cause.remedy) from refused
