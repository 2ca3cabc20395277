"""The tiles in which the video VAE encodes and decodes.

Tiles are on the latent grid and overlap. Where they do, each has trapezoid weights that rise by (k + 1) / (n + 1)
over the n shared samples, and the weights of all tiles are normalised to the sum 1. In time, every tile but the first
takes one more frame, or latent, before it. The first latent of a tile stands for one frame alone; so that latent is
dropped, and the rest is as if encoded in one piece. (diffusers' own temporal tiling drops the last frame of later tiles
instead of the first, so that they are one frame off.)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, LatentGrid

_LONG_SIDE = 768
_OVERLAP = 64
_MIN_SIDE = 96  # pixels of the shorter side of a tile: more than the overlap


@dataclass(frozen=True, slots=True)
class Tiling:
    """(size, overlap) of tiles along each axis, in frames and in pixels."""

    frames: tuple[int, int] = (80, 24)
    height: tuple[int, int] = (_LONG_SIDE, 64)
    width: tuple[int, int] = (_LONG_SIDE, 64)

    @classmethod
    def of(cls, height: int, width: int, tiles: "TileSize | None" = None) -> "Tiling":
        """For decoding ``height`` x ``width`` pixels: the longer side as in ``tiles``, the other in proportion."""
        tiles = TileSize() if tiles is None else tiles
        longer = max(height, width)
        sides = [max(_MIN_SIDE, round(tiles.side * side / longer / SPATIAL) * SPATIAL) for side in (height, width)]
        return cls(tiles.frames, (sides[0], _OVERLAP), (sides[1], _OVERLAP))

    def axes(self, grid: LatentGrid) -> "list[_TiledAxis]":
        """The axes time, rows and columns of a latent of ``grid``."""
        steps = (TEMPORAL, SPATIAL, SPATIAL)
        sizes = (self.frames, self.height, self.width)
        return [
            _TiledAxis(latents, size // step, overlap // step, step, causal=step == TEMPORAL)
            for latents, (size, overlap), step in zip(grid, sizes, steps, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class TileSize:
    """How large a tile may be: its longer ``side`` in pixels, and ``frames`` = (size, overlap).

    Smaller tiles need less memory and more time. The defaults are those of the reference implementation; other sizes
    give slightly different pixels where tiles meet.
    """

    side: int = _LONG_SIDE
    frames: tuple[int, int] = (80, 24)

    @property
    def encoding(self) -> Tiling:
        """The tiling for encoding pictures of any size."""
        return Tiling(self.frames, (self.side, _OVERLAP), (self.side, _OVERLAP))


ENCODING = Tiling()
"""The tiling with which the reference implementation encodes."""


@dataclass(frozen=True, eq=False)
class _TileSlice:
    """Latents ``[start, stop)`` of one axis, with the weight of each latent and of each sample decoded from it."""

    start: int
    stop: int
    latent_weights: Float32[Tensor, " latents"]
    sample_weights: Float32[Tensor, " samples"]


@dataclass(frozen=True, slots=True)
class _TiledAxis:
    """``latents`` along one axis, cut into tiles of ``size`` that share ``overlap``; ``step`` samples per latent.

    If ``causal``, the first latent is one sample.
    """

    latents: int
    size: int
    overlap: int
    step: int
    causal: bool

    def samples(self, start: int, stop: int) -> slice:
        """The samples that belong to latents ``[start, stop)``."""
        if self.causal:
            return slice(max(0, (start - 1) * self.step + 1), (stop - 1) * self.step + 1)
        return slice(start * self.step, stop * self.step)

    def tiles(self) -> list[_TileSlice]:
        """Tiles from the first latent to the last, the last one perhaps shorter."""
        if self.overlap >= self.size:
            raise ValueError(f"tiles of {self.size} latents cannot overlap by {self.overlap}")
        count = max(1, -(-(self.latents - self.overlap) // (self.size - self.overlap)))
        starts = [i * (self.size - self.overlap) for i in range(count)]
        bounds = [slice(start, min(start + self.size, self.latents)) for start in starts]
        samples = [self.samples(bound.start, bound.stop) for bound in bounds]
        return [
            _TileSlice(bound.start, bound.stop, *weights)
            for bound, *weights in zip(
                bounds, _trapezoids(bounds, self.overlap), _trapezoids(samples, self.overlap * self.step), strict=True
            )
        ]


def _trapezoids(bounds: list[slice], overlap: int) -> list[Float32[Tensor, " _samples"]]:
    """The weights of each slice: ramps over the ``overlap`` with its neighbours; the sum is 1 everywhere."""
    ramp = torch.arange(1, overlap + 1) / (overlap + 1)
    total = torch.zeros(bounds[-1].stop)
    weights = []
    for i, bound in enumerate(bounds):
        weight = torch.ones(bound.stop - bound.start)
        shared = min(overlap, len(weight))
        if i > 0:
            weight[:shared] *= ramp[:shared]
        if i < len(bounds) - 1:
            weight[len(weight) - shared :] *= ramp.flip(0)[overlap - shared :]
        total[bound] += weight
        weights.append(weight)
    return [weight / total[bound] for weight, bound in zip(weights, bounds, strict=True)]
