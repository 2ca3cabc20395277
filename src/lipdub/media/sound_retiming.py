"""The sound of a file on the clock of a clip that shows its picture more slowly: stretched with the picture, and silent
while the picture stands still."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.retiming import ClockPiece

Block = Float32[np.ndarray, "channels _samples"]

Stretch = Callable[[Block, int], Block]
"""Makes a sound as many samples long, at the same pitch."""

FADE = 480
"""Samples over which the sound fades out before a pause and in after it, and over which it passes to stretched sound
and back (10 ms at 48 kHz)."""

_QUIET = 1 << 15


@dataclass(frozen=True, slots=True)
class SoundPart:
    """Samples ``first`` to ``stop`` of a sound become ``size`` samples: stretched ones, or silence if there are none of
    them."""

    first: int
    stop: int
    size: int


def sound_parts(pieces: Iterable[ClockPiece], zero: Fraction, rate: int) -> tuple[SoundPart, ...]:
    """The parts of a sound that do not stay as they are. ``pieces`` are those of the clock from ``zero`` on, the
    instant of the sound's first sample in its file (s); ``rate`` is in samples per second.

    Sound between them keeps all its samples; each part ends with its picture to within a sample.
    """
    parts, begin, made = [], None, 0
    for piece in pieces:
        begin = piece.clip.start if begin is None else begin
        first, stop = (round((at - zero) * rate) for at in (piece.file.start, piece.file.end))
        if piece.shifted:
            made += stop - first
            continue
        size = max(0, round((piece.clip.end - begin) * rate) - made)
        parts.append(SoundPart(first, stop, size))
        made += size
    return tuple(parts)


def retimed_blocks(
    blocks: Iterable[Block], parts: Sequence[SoundPart], stretch: Stretch, fade: int = FADE
) -> Iterator[Block]:
    """The sound of ``blocks`` with each of ``parts``, which are in order, in its new length. The rest stays as it is,
    except for ``fade`` samples at the borders. Only one part is held in memory at once."""
    sound, rising = _Waiting(iter(blocks)), False
    for part in parts:
        still = part.first == part.stop
        if rising:
            yield _faded(sound.take(min(fade, part.first - sound.at)), fade, rising=True)
        while sound.at < part.first - fade and (block := sound.some(part.first - fade - sound.at)) is not None:
            yield block
        before = sound.take(part.first - sound.at)
        yield _faded(before, fade) if still and sound.goes_on() else before
        if not sound.goes_on():
            return
        rising = still
        if not still:
            yield _stretched(sound.take(part.stop - part.first), part, stretch, fade)
            continue
        for quiet in range(0, part.size, _QUIET):
            yield np.zeros((len(before), min(_QUIET, part.size - quiet)), np.float32)
    if rising:
        yield _faded(sound.take(fade), fade, rising=True)
    while (block := sound.some(_QUIET)) is not None:
        yield block


@dataclass(eq=False)
class _Waiting:
    """Sound that is taken piece by piece; ``at`` samples were taken."""

    blocks: Iterator[Block]
    kept: Block | None = None
    at: int = 0

    def goes_on(self) -> bool:
        """True if a sample is left."""
        while self.kept is None or not self.kept.shape[1]:
            following = next(self.blocks, None)
            if following is None:
                return False
            self.kept = following
        return True

    def some(self, most: int) -> Block | None:
        """The next samples as they come, not more than ``most`` (> 0); None at the end."""
        if not self.goes_on():
            return None
        assert self.kept is not None
        block, self.kept = self.kept[:, :most], self.kept[:, most:]
        self.at += block.shape[1]
        return block

    def take(self, size: int) -> Block:
        """The next ``size`` samples; fewer at the end."""
        self.goes_on()
        parts = [np.zeros((1 if self.kept is None else len(self.kept), 0), np.float32)]
        until = self.at + size
        while self.at < until and (block := self.some(until - self.at)) is not None:
            parts.append(block)
        return np.concatenate(parts, axis=1)


def _faded(block: Block, fade: int, *, rising: bool = False) -> Block:
    """``block`` that fades out over its last ``fade`` samples, or in over its first ones."""
    size, block = min(fade, block.shape[1]), block.copy()
    if rising:
        block[:, :size] *= np.linspace(0, 1, size, dtype=np.float32)
    elif size:
        block[:, -size:] *= np.linspace(1, 0, size, dtype=np.float32)
    return block


def _stretched(block: Block, part: SoundPart, stretch: Stretch, fade: int) -> Block:
    """``block``, which is ``part`` or its beginning, stretched; at both ends it passes from the sound as it is and back
    to it."""
    size = round(Fraction(part.size * block.shape[1], part.stop - part.first))
    out = stretch(block, size)
    border = min(fade, block.shape[1] // 2, size // 2)
    if border:
        share = np.linspace(0, 1, border, dtype=np.float32)
        out[:, :border] = block[:, :border] * (1 - share) + out[:, :border] * share
        out[:, -border:] = out[:, -border:] * (1 - share) + block[:, -border:] * share
    return out
