"""Where a film is cut into segments: between changed ranges, and where the source can be copied.

All functions count frames. Cuts follow a fixed grid of frame numbers where they can, so that a change in one place
leaves the cuts elsewhere as they are.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.take import Segment


@dataclass(frozen=True, slots=True)
class SegmentLengths:
    """Lengths in frames: a segment has about ``usual``, at least ``least`` and at most ``most``, if the changed ranges
    let it. A run of fewer than ``worth_copying`` frames is not copied."""

    least: int
    usual: int
    most: int
    worth_copying: int

    @classmethod
    def at_rate(cls, rate: Fraction) -> "SegmentLengths":
        """Segments of 4 s (2 to 8 s), copied runs of 2/3 s or more, at ``rate`` frames per second.

        Every join costs one more IDR picture, which takes about as many bits as 5 to 10 predicted ones, and starts an
        encoder. Two thirds of a second of copied frames save more than that, and are less than the GOP of a second that
        many cameras write.
        """
        return cls(*(max(1, round(seconds * rate)) for seconds in (2, 4, 8, Fraction(2, 3))))


def check_changed(changed: Sequence[range], frames: int) -> None:
    """Assert that the ranges are not empty, sorted, disjoint, and inside a clip of ``frames``."""
    reached = 0
    for part in changed:
        assert part.step == 1, "changed ranges are consecutive frames"
        assert reached <= part.start < part.stop <= frames, "changed ranges must be sorted, disjoint and in the clip"
        reached = part.stop


def cut_segments(
    frames: int, changed: Sequence[range], joins: Sequence[int], lengths: SegmentLengths
) -> tuple[Segment, ...]:
    """Segments that cover ``frames`` in order. No changed range is divided between two.

    ``joins`` are the sorted frames at which copied and encoded packets may meet: the first frames of closed GOPs, and
    the end of what can be copied. Empty if nothing may be copied.
    """
    check_changed(changed, frames)
    segments: list[Segment] = []
    at = 0
    for run in _copied_runs(frames, changed, joins, lengths.worth_copying):
        segments += _encoded(at, run.start, changed, lengths)
        segments.append(Segment(run.start, run.stop, copied=True))
        at = run.stop
    return (*segments, *_encoded(at, frames, changed, lengths))


def _copied_runs(frames: int, changed: Sequence[range], joins: Sequence[int], least: int) -> Iterator[range]:
    """Runs of whole GOPs without a changed frame, ``least`` frames or longer."""
    at = 0
    for part in (*changed, range(frames, frames + 1)):
        first, last = bisect_left(joins, at), bisect_right(joins, part.start) - 1
        if first < last and joins[last] - joins[first] >= least:
            yield range(joins[first], joins[last])
        at = min(part.stop, frames)


def _encoded(start: int, stop: int, changed: Sequence[range], lengths: SegmentLengths) -> Iterator[Segment]:
    """Encoded segments of the region ``[start, stop)``."""
    place = bisect_left(changed, start + 1, key=lambda part: part.stop)
    at = start
    while at < stop:
        cut = _grid(at, lengths)
        while place < len(changed) and changed[place].stop <= cut:
            place += 1
        if place < len(changed) and changed[place].start < cut:
            before, after = changed[place].start, changed[place].stop
            cut = before if before - at >= lengths.least else after
        whole = stop - at <= lengths.usual or (stop - cut < lengths.least and stop - at <= lengths.most)
        cut = stop if whole else min(cut, stop)
        yield Segment(at, cut)
        at = cut


def _grid(at: int, lengths: SegmentLengths) -> int:
    """The first multiple of the usual length that is at least the least length after ``at``."""
    return -(-(at + lengths.least) // lengths.usual) * lengths.usual
