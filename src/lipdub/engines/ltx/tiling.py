"""Encoding and decoding with the video VAE in tiles, so that memory does not grow with the clip.

Tiles are on the latent grid and overlap. Where they do, each has trapezoid weights that rise by (k + 1) / (n + 1)
over the n shared samples, and the weights of all tiles are normalised to the sum 1. In time, every tile but the first
takes one more frame, or latent, before it. The first latent of a tile stands for one frame alone; so that latent is
dropped, and the rest is as if encoded in one piece. (diffusers' own temporal tiling drops the last frame of later tiles
instead of the first, so that they are one frame off.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from jaxtyping import Float, Float32
from torch import Tensor

from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, LatentGrid, VideoLatent, latent_grid

Pixels = Float[Tensor, "1 3 _frames _height _width"]
"""RGB in -1..1."""

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


@torch.no_grad()
def encode(vae: AutoencoderKLLTX2Video, pixels: Pixels, tiling: Tiling = ENCODING) -> VideoLatent:
    """The normalised latent (means, no sampling), float32. Raises ``ValueError`` unless there are 8 k + 1 frames.

    Rows and columns beyond a multiple of 32 are cut off at the bottom and right, as in the reference implementation.
    """
    frames, height, width = pixels.shape[2:]
    if frames % TEMPORAL != 1:
        raise ValueError(f"{frames} frames are not 8 k + 1")
    grid = (frames // TEMPORAL + 1, height // SPATIAL, width // SPATIAL)
    axes = tiling.axes(grid)
    out = torch.zeros(1, vae.config["latent_channels"], *grid, device=vae.device)
    for time, row, column in product(*(axis.tiles() for axis in axes)):
        lead = int(time.start > 0)
        t, y, x = (axis.samples(tile.start, tile.stop) for axis, tile in zip(axes, (time, row, column), strict=True))
        piece = pixels[:, :, t.start - lead : t.stop, y, x].to(vae.device, vae.dtype)
        latent = vae.encode(piece, return_dict=False)[0].mode()[:, :, lead:].float()
        weight = _volume(time.latent_weights, row.latent_weights, column.latent_weights).to(out)
        out[:, :, time.start : time.stop, row.start : row.stop, column.start : column.stop] += latent * weight
    mean, std = _statistics(vae)
    return (out - mean) / std


@torch.no_grad()
def decode(vae: AutoencoderKLLTX2Video, latent: VideoLatent, tiling: Tiling) -> Iterator[Pixels]:
    """The pixels of a normalised latent, float32, not clamped, in groups of frames in order."""
    mean, std = _statistics(vae)
    latent = (latent.to(vae.device).float() * std + mean).to(vae.dtype)
    times, rows, columns = tiling.axes(latent_grid(latent))
    height, width = rows.samples(0, rows.latents).stop, columns.samples(0, columns.latents).stop
    slices = times.tiles()
    done, open_frames = 0, torch.zeros(1, 3, 0, height, width, device=vae.device)
    for i, time in enumerate(slices):
        span = times.samples(time.start, time.stop)
        more = torch.zeros(1, 3, span.stop - done - open_frames.shape[2], height, width, device=vae.device)
        open_frames = torch.cat([open_frames, more], 2)
        here = open_frames[:, :, span.start - done :]
        lead = int(time.start > 0)
        for row, column in product(rows.tiles(), columns.tiles()):
            tile = latent[:, :, time.start - lead : time.stop, row.start : row.stop, column.start : column.stop]
            weight = _volume(time.sample_weights, row.sample_weights, column.sample_weights).to(open_frames)
            y, x = rows.samples(row.start, row.stop), columns.samples(column.start, column.stop)
            here[..., y, x] += vae.decode(tile, return_dict=False)[0][:, :, lead:].float() * weight
        settled = span.stop if i == len(slices) - 1 else times.samples(slices[i + 1].start, slices[i + 1].stop).start
        yield open_frames[:, :, : settled - done]
        done, open_frames = settled, open_frames[:, :, settled - done :]


def _volume(
    time: Float32[Tensor, " frames"], row: Float32[Tensor, " height"], column: Float32[Tensor, " width"]
) -> Float32[Tensor, "frames height width"]:
    return time[:, None, None] * row[:, None] * column


def _statistics(vae: AutoencoderKLLTX2Video) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the latent's channels, in a shape that broadcasts over it."""
    return vae.latents_mean.view(1, -1, 1, 1, 1), vae.latents_std.view(1, -1, 1, 1, 1)


@torch.no_grad()
def upsample(vae: AutoencoderKLLTX2Video, upsampler: torch.nn.Module, latent: VideoLatent) -> VideoLatent:
    """A normalised latent at twice the height and width.

    The upsampler itself works on latents that are not normalised.
    """
    mean, std = _statistics(vae)
    dtype = next(upsampler.parameters()).dtype
    large = upsampler((latent.float() * std + mean).to(dtype))
    return ((large.float() - mean) / std).to(latent.dtype)
