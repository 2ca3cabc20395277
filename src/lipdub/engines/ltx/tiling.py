"""Encoding and decoding with the video VAE in tiles (``tiles``), so that memory does not grow with the clip."""

from collections.abc import Iterator
from itertools import product

import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from jaxtyping import Float32
from torch import Tensor

from lipdub.engines.ltx.tiles import ENCODING, Tiling
from lipdub.engines.ltx.tokens import SPATIAL, TEMPORAL, VideoLatent, latent_grid
from lipdub.engines.ltx.video_pixels import Pixels


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
