"""A constant rate for the model, whatever the source's: grids of instants, and the frame shown at each.

The model was trained at about 25 frames a second and is told the true rate. Above 32 frames a second every second
(third, ...) frame is made, and the others take the nearest picture, moved along with the head. Below 10, frames are
shown to it more than once.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from jaxtyping import Int64

from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import Span

MAX_RATE = Fraction(32)
"""Frames a second up to which every frame is made."""

MIN_RATE = Fraction(10)
"""Frames a second that are made at least."""

DEFAULT_RATE = Fraction(25)
"""Frames a second where nothing is known."""


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """``count`` instants from ``start`` on at ``rate``; ``shown[g]`` is the frame index of the clip nearest to
    instant ``g``."""

    start: Fraction
    rate: Fraction
    shown: Int64[np.ndarray, " count"]

    @property
    def count(self) -> int:
        """How many instants."""
        return len(self.shown)

    def near(self, instant: Fraction) -> int:
        """The number of the instant nearest to ``instant``; an end if outside."""
        return min(max(floor((instant - self.start) * self.rate + Fraction(1, 2)), 0), self.count - 1)

    def span(self, first: int, stop: int) -> Span:
        """The time of instants ``[first, stop)``, which may lie beyond the last."""
        return Span(self.start + first / self.rate, self.start + stop / self.rate)


def times_or_default(times: FrameTimes | None, frames: int) -> FrameTimes:
    """``times``, or those of ``frames`` frames at 25 a second."""
    return FrameTimes(np.arange(frames, dtype=np.int64), 1 / DEFAULT_RATE) if times is None else times


def grid(times: FrameTimes, span: Span, fed: range) -> FrameGrid:
    """The grid over ``span`` for a model that may be shown the frames ``fed`` (indices of the clip, not empty)."""
    rate = generated_rate(times, fed)
    count = max(1, ceil(span.duration * rate))
    shown = [nearest_frame(times, span.start + g / rate, fed) for g in range(count)]
    return FrameGrid(span.start, rate, np.array(shown, np.int64))


def generated_rate(times: FrameTimes, frames: range) -> Fraction:
    """Frames a second at which pictures are made for ``frames``: their own rate, or if that varies, the one of the
    usual step between them; divided or multiplied until it is from ``MIN_RATE`` to ``MAX_RATE``."""
    last = min(frames.stop, len(times))
    part = FrameTimes(times.pts[frames.start : last], times.time_base, times.last)
    if len(part) < 2:
        part = times
    rate = part.constant_rate
    if rate is None:
        rate = 1 / (int(np.median(np.diff(part.pts))) * times.time_base)
    return rate / ceil(rate / MAX_RATE) if rate > MAX_RATE else rate * ceil(MIN_RATE / rate)


def nearest_frame(times: FrameTimes, instant: Fraction, frames: range) -> int:
    """Which of ``frames`` appears nearest to ``instant``; the earlier of two that are as near."""
    index = times.at(instant)
    if index + 1 < len(times) and times.instant(index + 1) - instant < abs(instant - times.instant(index)):
        index += 1
    return min(max(index, frames.start), frames.stop - 1)


def windows(whole: FrameGrid, frames: int, overlap: int) -> tuple[range, ...]:
    """Ranges of the grid that are made at once: all of one length, at most ``frames`` long and holding at most so
    many frames of the clip, each overlapping the next by at least ``overlap``; together they are the whole grid."""
    length = frames
    while True:
        found = _even(whole.count, length, min(overlap, length // 3))
        shown = max(int(whole.shown[w[-1]]) - int(whole.shown[w[0]]) + 1 for w in found)
        if shown <= frames or length <= 9:
            return found
        length -= 8


def _even(count: int, length: int, overlap: int) -> tuple[range, ...]:
    if count <= length:
        return (range(count),)
    number = ceil(Fraction(count - overlap, length - overlap))
    each = min(length, padded(ceil(Fraction(count + (number - 1) * overlap, number))))
    starts = [(count - each) * i // (number - 1) for i in range(number)]
    return tuple(range(start, start + each) for start in starts)


def padded(count: int) -> int:
    """The least 8 k + 1 that is not less than ``count``, and at least 9."""
    return max(9, (count + 6) // 8 * 8 + 1)
