"""Latents as sequences of tokens: their order, their places in time and picture, and which of them are noised.

A sequence is [target | reference]: the target is what is generated, the reference is the source clip, clean or
nearly so. The source's sound lies *before* time zero, so that it is never mistaken for the sound to be made.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from jaxtyping import Float, Float32
from torch import Tensor

AUDIO_RATE = 25
"""Audio latents per second: 16 kHz, one mel frame every 160 samples, four mel frames to a latent."""

TEMPORAL, SPATIAL = 8, 32
"""Frames and pixels to one video latent; the first latent is one frame alone."""

_MEL_FRAMES, _MEL_HOP, _MEL_RATE = 4, 160, 16_000
_GAP = 0.04
"""Seconds between the end of the reference sound and time zero: one audio latent."""

VideoLatent = Float[Tensor, "_batch _channels _frames _height _width"]
LatentGrid = tuple[int, int, int]
"""Frames, rows and columns of a video latent."""

AudioLatent = Float[Tensor, "_batch _channels _frames _bins"]
Tokens = Float[Tensor, "_batch _tokens _channels"]
Positions = Float32[Tensor, "_batch _axes _tokens 2"]
"""[start, end) of each token: seconds, and for video also rows and columns in pixels of the target."""


@dataclass(frozen=True, eq=False)
class TokenSequence:
    """The tokens of one modality before denoising, target first.

    ``latent`` is what noise is laid over (0 at the reference), ``clean`` what the tokens are pinned to, ``mask``
    how far each is free: 1 generated, 0 pinned. ``target`` counts the tokens to be kept. ``frozen`` sequences are
    given, not made: they take part with noise level 0.
    """

    latent: Tokens
    clean: Tokens
    mask: Float32[Tensor, "batch tokens 1"]
    positions: Positions
    target: int
    frozen: bool = False

    def joined(self, reference: "TokenSequence") -> "TokenSequence":
        """This target followed by ``reference``."""
        if self.frozen:
            reference = reference.pinned()
        return TokenSequence(
            torch.cat([self.latent, reference.latent], 1),
            torch.cat([self.clean, reference.clean], 1),
            torch.cat([self.mask, reference.mask], 1),
            torch.cat([self.positions, reference.positions], 2),
            self.target,
            self.frozen,
        )

    def pinned(self) -> "TokenSequence":
        """The same tokens, none of them free."""
        return replace(self, mask=torch.zeros_like(self.mask), frozen=True)

    def noised(self, noise: Tokens, scale: float = 1.0) -> Tokens:
        """Where denoising starts: ``latent`` towards ``noise`` by ``scale``, as far as the mask allows."""
        x = torch.lerp(self.latent.float(), noise.float(), scale)
        return torch.lerp(self.clean.float(), x, self.mask).to(self.latent.dtype)


def target_sequence(tokens: Tokens, positions: Positions, frozen: bool = False) -> TokenSequence:
    """Tokens to be generated from ``tokens`` on, or to be taken as they are if ``frozen``."""
    ones = torch.ones(*tokens.shape[:2], 1, device=tokens.device)
    whole = TokenSequence(tokens, tokens, ones, positions, tokens.shape[1])
    return whole.pinned() if frozen else whole


def reference_sequence(tokens: Tokens, positions: Positions, strength: float = 1.0) -> TokenSequence:
    """Clean tokens to be followed; ``strength`` 1 pins them, less lets them drift."""
    mask = torch.full((*tokens.shape[:2], 1), 1.0 - strength, device=tokens.device)
    return TokenSequence(torch.zeros_like(tokens), tokens, mask, positions, 0)


def latent_grid(latent: VideoLatent) -> LatentGrid:
    """The latent's frames, rows and columns."""
    return latent.shape[2], latent.shape[3], latent.shape[4]


def pack_video(latent: VideoLatent) -> Tokens:
    """One token for each cell, in the order frame, row, column."""
    return latent.flatten(2).transpose(1, 2)


def unpack_video(tokens: Tokens, grid: LatentGrid) -> VideoLatent:
    """Back to a latent of ``grid`` (frames, rows, columns)."""
    return tokens.transpose(1, 2).unflatten(2, grid)


def pack_audio(latent: AudioLatent) -> Tokens:
    """One token for each latent frame: its channels, each with its bins."""
    return latent.transpose(1, 2).flatten(2)


def unpack_audio(tokens: Tokens, bins: int) -> AudioLatent:
    """Back to a latent with ``bins`` frequency bins."""
    return tokens.unflatten(2, (-1, bins)).transpose(1, 2)


def audio_latent_count(frames: int, rate: Fraction) -> int:
    """Audio latents beside ``frames`` video frames at ``rate``."""
    return round(frames / rate * AUDIO_RATE)


def video_positions(grid: LatentGrid, rate: Fraction, downscale: int = 1) -> Positions:
    """Places of video tokens on ``grid`` (latent frames, rows, columns), float32, batch 1.

    Time starts with one frame alone. ``downscale`` spreads a smaller reference over the target's picture.
    """
    starts = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in grid), indexing="ij")
    start = torch.stack([axis.flatten() for axis in starts])
    bounds = torch.stack([start, start + 1], -1)
    bounds *= torch.tensor([TEMPORAL, SPATIAL * downscale, SPATIAL * downscale]).view(3, 1, 1)
    bounds[0] = (bounds[0] + 1 - TEMPORAL).clamp(min=0) / float(rate)
    return bounds[None]


def audio_positions(count: int) -> Positions:
    """Places of ``count`` audio tokens in time from zero on, float32, batch 1."""
    edges = torch.arange(count + 1, dtype=torch.float32) * _MEL_FRAMES
    seconds = (edges + 1 - _MEL_FRAMES).clamp(min=0) * _MEL_HOP / _MEL_RATE
    return torch.stack([seconds[:-1], seconds[1:]], -1)[None, None]


def shift_before_zero(positions: Positions) -> Positions:
    """The same times, moved so that the last ends one latent before zero: the place of reference sound."""
    return positions - positions[..., -1:, 1:] - _GAP
