"""Latents of training pairs, made with the networks of the engine ``ltx``: pictures, sounds, captions and masks.

The networks are read when they are first needed, and never all at once: first the text encoder, for all captions, then
the autoencoders. The checkpoint may be any of LTX-2.3 (training begins with the one that is not distilled, or with the
distilled one).
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nn
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from lipdub.engines.ltx import audio_latents, tiling, video_pixels
from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.checkpoint_digest import checkpoint_digest
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.text_encoder import TextEncoder, read_text_encoder
from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, audio_latent_count
from lipdub.engines.ltx.weights_folder import scan_folder, text_encoder_shape
from lipdub.errors import WeightsError
from lipdub.timeline.sound import Sound

FACE_DIFFERENCE = 0.1
"""Mean change of a latent cell's channels from which it belongs to the mouth; from the configuration that came with
JUST-DUB-IT (arXiv 2601.22143)."""

Frames = UInt8[np.ndarray, "_frames _height _width 3"]
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """The ``checkpoint`` and the folder of the ``text_encoder`` of LTX-2.3."""

    checkpoint: Path
    text_encoder: Path


def find_training_files(folder: Path, checkpoint: Path | None = None) -> TrainingFiles:
    """The files in ``folder`` for making latents. ``checkpoint`` names one that is elsewhere, or one of several.

    Raises ``WeightsError`` if one is missing, or there are several checkpoints and none is named.
    """
    if not folder.is_dir():
        raise WeightsError("there is no such folder of LTX-2.3 files", file=folder, remedy=_WHERE)
    found = scan_folder(folder)
    encoders = [find.path for find in found if find.kind == "text encoder" and not find.fault]
    checkpoints = [find.path for find in found if find.kind == "checkpoint" and not find.fault]
    if checkpoint is None and len(checkpoints) > 1:
        names = ", ".join(path.name for path in checkpoints)
        raise WeightsError(
            f"there are several checkpoints ({names})", file=folder, remedy="Name one: --checkpoint FILE"
        )
    if checkpoint is None and not checkpoints:
        faults = [f"{find.path.name}: {find.fault}" for find in found if find.kind == "checkpoint"]
        raise WeightsError(f"no checkpoint of LTX-2.3 is here{_told(faults)}", file=folder, remedy=_WHERE)
    if not encoders:
        faults = [f"{find.path.name}: {find.fault}" for find in found if find.kind == "text encoder"]
        raise WeightsError(f"no text encoder is here{_told(faults)}", file=folder, remedy=_WHERE)
    return TrainingFiles(checkpoint or checkpoints[0], encoders[0])


def _told(faults: list[str]) -> str:
    return f" ({'; '.join(faults[:3])})" if faults else ""


_WHERE = "docs/ltx.md says what to download, what to accept and where to put it."


@dataclass(eq=False)
class PairEncoder:
    """Makes latents on ``device`` and gives them in ``dtype``; on a CPU the autoencoders work in float32."""

    files: TrainingFiles
    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    _vaes: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def digest(self) -> str:
        """The digest of the checkpoint."""
        return checkpoint_digest(self.files.checkpoint)

    @property
    def text_digest(self) -> str:
        """A digest of the text encoder's weights."""
        shards = sorted(self.files.text_encoder.glob("*.safetensors"))
        return ",".join(checkpoint_digest(shard)[:16] for shard in shards)

    def captions(self, captions: list[str]) -> Iterator[Values]:
        """Each caption as the text connectors take it. The text encoder is read once and released at the end."""
        placement = WeightPlacement(self.device, self.dtype)
        _, width, states = text_encoder_shape(self.files.text_encoder)
        connectors: Any = read_modules(self.files.checkpoint, ["connectors"], width, placement)["connectors"]
        expected = connectors.config["text_proj_in_factor"]
        if expected != states:
            what = f"it gives {states} hidden states and the checkpoint wants {expected}"
            raise WeightsError(f"another text encoder than the checkpoint's: {what}", file=self.files.text_encoder)
        encoder = read_text_encoder(self.files.text_encoder, placement)
        for caption in captions:
            yield _before_connectors(encoder, connectors, caption)
        del encoder, connectors
        gc.collect()

    def picture(self, frames: Frames, rate: Fraction) -> Values:
        """The latent of 8 k + 1 frames, whose height and width are multiples of 32."""
        latent = self._video_latent(frames)[0]
        _, count, height, width = latent.shape
        return {
            "latents": latent.to(self.dtype).cpu(),
            "num_frames": count,
            "height": height,
            "width": width,
            "fps": float(rate),
            "rate": (rate.numerator, rate.denominator),
        }

    def sound(self, sound: Sound, frames: int, rate: Fraction, *, whole: bool) -> Values:
        """The latent of a sound beside ``frames`` pictures; unless it is taken ``whole``, it is cut, or zeros follow,
        so that it is as long as they are. Raises ``NoSound`` if it is too short."""
        mel = audio_latents.mel_of_sound(sound)
        latent = audio_latents.encode(self._vae("audio_vae"), mel)
        latent = latent if whole else audio_latents.fit_length(latent, audio_latent_count(frames, rate))
        return {
            "latents": latent[0].to(self.dtype).cpu(),
            "num_time_steps": latent.shape[2],
            "frequency_bins": latent.shape[3],
            "duration": float(frames / rate),
        }

    def mask(self, mask: Bool[np.ndarray, "frames height width"]) -> Values:
        """The cells of the latent that show the mouth, of the pixels that do.

        Those are the cells whose latent changes by ``FACE_DIFFERENCE`` or more if the pixels are white instead of
        black, because the autoencoder mixes neighbouring cells; and every cell with such a pixel in it.
        """
        painted = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=3)
        difference = (self._video_latent(painted) - self._video_latent(np.zeros_like(painted))).abs().mean(1)[0]
        inside = touched_cells(torch.from_numpy(mask))
        return {"mask": ((difference.cpu() >= FACE_DIFFERENCE) | inside).float()}

    def _video_latent(self, frames: Frames) -> Float[Tensor, "1 channels f h w"]:
        pixels = video_pixels.fit_frames(frames, *frames.shape[1:3])
        return tiling.encode(self._vae("video_vae"), pixels)

    def _vae(self, name: Any) -> Any:
        if name not in self._vaes:
            dtype = torch.float32 if self.device == "cpu" else self.dtype  # convolutions in 16 bits take minutes there
            placement = WeightPlacement(self.device, dtype)
            self._vaes |= read_modules(self.files.checkpoint, [name], placement=placement)
        return self._vaes[name]


def touched_cells(mask: Bool[Tensor, "frames height width"]) -> Bool[Tensor, "f h w"]:
    """The cells of a video latent that have a pixel of ``mask`` in them. The first cell in time is one frame, each
    other one is eight."""
    pixels = mask.float()
    first = nn.max_pool2d(pixels[:1], SPATIAL)
    rest = nn.max_pool3d(pixels[None, 1:], (TEMPORAL, SPATIAL, SPATIAL))[0] if len(mask) > TEMPORAL else first[:0]
    return torch.cat([first, rest]) > 0


def _before_connectors(encoder: TextEncoder, connectors: Any, caption: str) -> Values:
    """What the connectors' own transformers are given: the hidden states of every layer, normalised and projected."""
    ids, mask = encoder.tokens(caption)
    weight = connectors.video_text_proj_in.weight
    states = encoder.states(ids, mask).to(weight.device, weight.dtype)
    given: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, values, name=name: given.__setitem__(name, values[0]))
        for name, module in (("video", connectors.video_connector), ("audio", connectors.audio_connector))
    ]
    try:
        with torch.no_grad():
            connectors(states, mask.to(weight.device))
    finally:
        for hook in hooks:
            hook.remove()
    return {
        "video_prompt_embeds": given["video"][0].cpu(),
        "audio_prompt_embeds": given["audio"][0].cpu(),
        "prompt_attention_mask": mask[0].cpu(),
    }
