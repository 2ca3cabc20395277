"""Frame rates for the model: a grid of instants at a constant rate, and the frame of the clip shown at each.

The model was trained at about 25 frames a second and gets the true rate as an input. Above 32 frames a second, only
every second (third, ...) frame is generated, and the frames between show the nearest generated picture, moved along
with the head. Below 10 frames a second, the model is shown frames more than once. A variable rate becomes constant in
the same way.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from jaxtyping import Int64

from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import Span

MAX_RATE = Fraction(32)
"""Frames a second up to which every frame is generated."""

MIN_RATE = Fraction(10)
"""Lowest number of frames a second that are generated."""

DEFAULT_RATE = Fraction(25)
"""Frames a second if no times are known."""


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """Instants ``start + i / rate``; ``frames[i]`` is the index in the clip of the frame that is nearest to it."""

    start: Fraction
    rate: Fraction
    frames: Int64[np.ndarray, " count"]

    @property
    def count(self) -> int:
        """The number of instants."""
        return len(self.frames)

    def nearest(self, instant: Fraction) -> int:
        """The number ``i`` of the grid's instant that is nearest to ``instant``."""
        return min(max(floor((instant - self.start) * self.rate + Fraction(1, 2)), 0), self.count - 1)

    def span(self, first: int, stop: int) -> Span:
        """The time of the instants ``[first, stop)``; ``stop`` may be greater than ``count``."""
        return Span(self.start + first / self.rate, self.start + stop / self.rate)


def times_or_default(times: FrameTimes | None, frames: int) -> FrameTimes:
    """``times``, or those of ``frames`` frames at ``DEFAULT_RATE`` if ``times`` is None."""
    return FrameTimes(np.arange(frames, dtype=np.int64), 1 / DEFAULT_RATE) if times is None else times


def make_grid(times: FrameTimes, span: Span, frames: range) -> FrameGrid:
    """The grid over ``span``, of at least one instant; ``frames`` (indices in the clip, not empty) may be shown."""
    rate = generated_rate(times, frames)
    count = max(1, ceil(span.duration * rate))
    shown = [nearest_frame(times, span.start + i / rate, frames) for i in range(count)]
    return FrameGrid(span.start, rate, np.array(shown, np.int64))


def generated_rate(times: FrameTimes, frames: range) -> Fraction:
    """Frames a second at which pictures are generated for ``frames``.

    That is their own rate, or one over the median step between them if it varies; divided or multiplied by a whole
    number so that it is between ``MIN_RATE`` and ``MAX_RATE``.
    """
    last = min(frames.stop, len(times))
    part = FrameTimes(times.pts[frames.start : last], times.time_base, times.last)
    if len(part) < 2:
        part = times
    rate = part.constant_rate
    if rate is None:
        rate = 1 / (int(np.median(np.diff(part.pts))) * times.time_base)
    return rate / ceil(rate / MAX_RATE) if rate > MAX_RATE else rate * ceil(MIN_RATE / rate)


def nearest_frame(times: FrameTimes, instant: Fraction, frames: range) -> int:
    """Which of ``frames`` is shown nearest to ``instant``; the earlier one of two at the same distance."""
    index = times.at(instant)
    if index + 1 < len(times) and times.instant(index + 1) - instant < abs(instant - times.instant(index)):
        index += 1
    return min(max(index, frames.start), frames.stop - 1)


def split_windows(grid: FrameGrid, frames: int, overlap: int) -> tuple[range, ...]:
    """Ranges of the grid that are generated at once; together they are the whole grid.

    All have the same length: at most ``frames`` instants, which show at most so many frames of the clip. Each overlaps
    the next by at least ``overlap`` (or a third of the length, if that is less).
    """
    length = frames
    while True:
        ranges = _equal_ranges(grid.count, length, min(overlap, length // 3))
        shown = max(int(grid.frames[w[-1]]) - int(grid.frames[w[0]]) + 1 for w in ranges)
        if shown <= frames or length <= 9:
            return ranges
        length -= 8


def _equal_ranges(count: int, length: int, overlap: int) -> tuple[range, ...]:
    if count <= length:
        return (range(count),)
    number = ceil(Fraction(count - overlap, length - overlap))
    each = min(length, padded_length(ceil(Fraction(count + (number - 1) * overlap, number))))
    starts = [(count - each) * i // (number - 1) for i in range(number)]
    return tuple(range(start, start + each) for start in starts)


def padded_length(count: int) -> int:
    """The smallest number 8 k + 1 that is at least ``count`` and at least 9."""
    return max(9, (count + 6) // 8 * 8 + 1)
