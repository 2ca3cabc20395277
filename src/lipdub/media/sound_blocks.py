"""The sound of a file in blocks, for files that are too long to be held in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float32

from lipdub.media.container import open_input, sound_stream
from lipdub.media.sound_read import gapless_blocks

Block = Float32[np.ndarray, "channels _samples"]


@dataclass(frozen=True)
class SoundFormat:
    """``rate`` in samples per second, and the names of the ``channels`` in order, as in FFmpeg."""

    rate: int
    channels: tuple[str, ...]


_USUAL = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""The usual channels for each number of channels, for files that do not name them."""


def sound_format(path: Path, stream: int | None = None) -> SoundFormat:
    """Rate and channels of sound stream ``stream`` (counted from 0; None: the one that players play) of ``path``.

    Raises ``InputError``, ``NotMedia`` or ``NoSound``.
    """
    with open_input(path) as container:
        context = sound_stream(container, path, stream).codec_context
        names = tuple(channel.name for channel in context.layout.channels)
        if len(set(names)) < len(names) or any(name in ("NONE", "UNK", "?") for name in names):
            names = _USUAL.get(len(names), tuple(f"{i}" for i in range(len(names))))
        return SoundFormat(context.sample_rate, names)


def sound_blocks(
    path: Path, *, rate: int | None = None, start: Fraction = Fraction(0), stream: int | None = None
) -> Iterator[Block]:
    """Sound stream ``stream`` of ``path`` from the time ``start`` (s) of its own clock on, in blocks.

    Blocks are (channels, samples) of any length, in the file's channels, at ``rate`` (default: its own; libsoxr, high
    quality). Sound that begins later has silence before it; earlier sound is left out. Gaps are silence. Raises
    ``InputError``, ``NotMedia`` or ``NoSound``.
    """
    with open_input(path) as container:
        audio = sound_stream(container, path, stream)
        own, channels = audio.codec_context.sample_rate, audio.codec_context.channels
        wanted = rate or own
        resampler = soxr.ResampleStream(own, wanted, channels, dtype="float32", quality="HQ") if wanted != own else None
        ahead: int | None = None
        for at, block in gapless_blocks(container, audio):
            if ahead is None:
                ahead = round((at - start) * wanted)
                if ahead > 0:
                    yield from _silence(channels, ahead)
            if resampler is not None:
                block = resampler.resample_chunk(np.ascontiguousarray(block.T)).T
            skipped = min(max(0, -ahead), block.shape[1])
            ahead = min(0, ahead + skipped)
            if block.shape[1] > skipped:
                yield block[:, skipped:]
        if resampler is not None and ahead is not None:
            yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True).T[:, max(0, -ahead) :]


def _silence(channels: int, samples: int) -> Iterator[Block]:
    while samples > 0:
        size = min(samples, 1 << 15)
        yield np.zeros((channels, size), np.float32)
        samples -= size
