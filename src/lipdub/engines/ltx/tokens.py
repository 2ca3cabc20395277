"""Latents as sequences of tokens: their order, their positions in time and picture, and which of them are noised.

A sequence is [target | reference]: the target tokens are generated; the reference tokens are the source clip, without
noise or nearly so. The source's sound has positions *before* time zero, so that it differs from the generated sound.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from jaxtyping import Float, Float32
from torch import Tensor

AUDIO_RATE = 25
"""Audio latents per second: 16 kHz, one mel frame every 160 samples, four mel frames to a latent."""

TEMPORAL, SPATIAL = 8, 32
"""Frames and pixels per video latent; the first latent stands for one frame alone."""

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

    ``latent``: tokens to which noise is added (0 at the reference). ``clean``: values of fixed tokens. ``mask``: how
    far each token is generated, from 0 (fixed) to 1. ``target``: the number of target tokens. ``frozen``: the sequence
    is given, not generated, and takes part with sigma 0.
    """

    latent: Tokens
    clean: Tokens
    mask: Float32[Tensor, "batch tokens 1"]
    positions: Positions
    target: int
    frozen: bool = False

    def joined(self, reference: "TokenSequence") -> "TokenSequence":
        """This target sequence followed by ``reference``."""
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
        """The same tokens, all of them fixed."""
        return replace(self, mask=torch.zeros_like(self.mask), frozen=True)

    def noised(self, noise: Tokens, scale: float = 1.0) -> Tokens:
        """The tokens from which denoising starts: ``latent`` mixed with ``noise`` by ``scale`` where the mask is 1."""
        x = torch.lerp(self.latent.float(), noise.float(), scale)
        return torch.lerp(self.clean.float(), x, self.mask).to(self.latent.dtype)


def target_sequence(tokens: Tokens, positions: Positions, frozen: bool = False) -> TokenSequence:
    """A target sequence that starts from ``tokens``; if ``frozen`` they stay as they are."""
    ones = torch.ones(*tokens.shape[:2], 1, device=tokens.device)
    whole = TokenSequence(tokens, tokens, ones, positions, tokens.shape[1])
    return whole.pinned() if frozen else whole


def reference_sequence(tokens: Tokens, positions: Positions, strength: float = 1.0) -> TokenSequence:
    """A reference sequence of clean ``tokens``; ``strength`` 1 fixes them, less lets them be denoised too."""
    mask = torch.full((*tokens.shape[:2], 1), 1.0 - strength, device=tokens.device)
    return TokenSequence(torch.zeros_like(tokens), tokens, mask, positions, 0)


def latent_grid(latent: VideoLatent) -> LatentGrid:
    """Frames, rows and columns of a latent."""
    return latent.shape[2], latent.shape[3], latent.shape[4]


def pack_video(latent: VideoLatent) -> Tokens:
    """One token for each cell of the latent, in the order frame, row, column."""
    return latent.flatten(2).transpose(1, 2)


def unpack_video(tokens: Tokens, grid: LatentGrid) -> VideoLatent:
    """The video latent of ``grid`` (frames, rows, columns) from its tokens."""
    return tokens.transpose(1, 2).unflatten(2, grid)


def pack_audio(latent: AudioLatent) -> Tokens:
    """One token for each latent frame: its channels, each with its frequency bins."""
    return latent.transpose(1, 2).flatten(2)


def unpack_audio(tokens: Tokens, bins: int) -> AudioLatent:
    """The audio latent with ``bins`` frequency bins from its tokens."""
    return tokens.unflatten(2, (-1, bins)).transpose(1, 2)


def audio_latent_count(frames: int, rate: Fraction) -> int:
    """The number of audio latents beside ``frames`` video frames at ``rate``."""
    return round(frames / rate * AUDIO_RATE)


def video_positions(grid: LatentGrid, rate: Fraction, downscale: int = 1) -> Positions:
    """Positions of video tokens on ``grid`` (latent frames, rows, columns), float32, batch 1.

    The first latent lasts one frame. ``downscale``: how many times smaller than the target the latent's picture is.
    """
    starts = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in grid), indexing="ij")
    start = torch.stack([axis.flatten() for axis in starts])
    bounds = torch.stack([start, start + 1], -1)
    bounds *= torch.tensor([TEMPORAL, SPATIAL * downscale, SPATIAL * downscale]).view(3, 1, 1)
    bounds[0] = (bounds[0] + 1 - TEMPORAL).clamp(min=0) / float(rate)
    return bounds[None]


def audio_positions(count: int) -> Positions:
    """Positions of ``count`` audio tokens in time from zero on, float32, batch 1."""
    edges = torch.arange(count + 1, dtype=torch.float32) * _MEL_FRAMES
    seconds = (edges + 1 - _MEL_FRAMES).clamp(min=0) * _MEL_HOP / _MEL_RATE
    return torch.stack([seconds[:-1], seconds[1:]], -1)[None, None]


def shift_before_zero(positions: Positions) -> Positions:
    """The same times, moved so that the last ends one latent before zero: the positions of reference sound."""
    return positions - positions[..., -1:, 1:] - _GAP
