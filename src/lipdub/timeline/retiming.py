"""Two clocks, that of a file and that of a clip which shows it more slowly: as a whole, in places, or standing still.

The clip's clock is a piecewise linear function of the file's, in exact fractions, and is never faster than it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter

from lipdub.timeline.time import Span

_file, _clip = attrgetter("file"), attrgetter("clip")


@dataclass(frozen=True, slots=True)
class AddedTime:
    """A clip shall last ``seconds`` longer because of what happens in ``span`` of its file."""

    span: Span
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class ClockPoint:
    """The instant ``file`` of a file is the instant ``clip`` of the clip (s)."""

    file: Fraction
    clip: Fraction


@dataclass(frozen=True, slots=True)
class ClockPiece:
    """What a file shows in the span ``file``, a clip shows in the span ``clip``, at one pace. An empty ``file``: it
    stands still."""

    file: Span
    clip: Span

    @property
    def shifted(self) -> bool:
        """True if the pace is that of the file."""
        return self.file.duration == self.clip.duration


@dataclass(frozen=True, slots=True)
class Retiming:
    """Which instants of a clip belong to those of its file.

    Between two of the ``points``, which are in order, the clip's clock goes at one pace; it stands still where two of
    them have the same instant of the file. Before the first and after the last point it is ``outside`` (>= 1) times as
    slow as the file's. Without points, both clocks are the same.
    """

    points: tuple[ClockPoint, ...] = ()
    outside: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        assert self.outside == 1 if not self.points else self.outside >= 1
        for one, other in pairwise(self.points):
            assert one.file <= other.file, "the points are in order"
            assert one.clip < other.clip, "the clip's clock always goes on"
            assert other.file - one.file <= other.clip - one.clip, "the clip is not faster than its file"

    @classmethod
    def slowed_from(cls, start: Fraction, slower: Fraction) -> "Retiming":
        """Everything ``slower`` times as slow; ``start`` (s) is the same instant on both clocks."""
        return cls((ClockPoint(start, start),), slower)

    @classmethod
    def through(cls, points: Iterable[ClockPoint]) -> "Retiming":
        """The clock through ``points``, which are in order; those that are given twice in a row count once."""
        return cls(tuple(dict.fromkeys(points)))

    @property
    def slowest(self) -> Fraction:
        """How many times as slow as the file the clip is at most, where it does not stand still (>= 1)."""
        moving = [(b.clip - a.clip) / (b.file - a.file) for a, b in pairwise(self.points) if a.file < b.file]
        return max([self.outside, *moving])

    @property
    def still(self) -> tuple[Span, ...]:
        """When the file stands still, on the clip's clock."""
        return tuple(Span(a.clip, b.clip) for a, b in pairwise(self.points) if a.file == b.file)

    def instant(self, at: Fraction, *, end: bool = False) -> Fraction:
        """The instant of the clip for the instant ``at`` of the file (s). What begins where the file stands still
        begins after that; what ends there (``end``) ends before it."""
        if not self.points:
            return at
        after = (bisect_left if end else bisect_right)(self.points, at, key=_file)
        if 0 < after < len(self.points):
            a, b = self.points[after - 1], self.points[after]
            return a.clip + (at - a.file) * (b.clip - a.clip) / (b.file - a.file)
        near = self.points[max(after - 1, 0)]
        return near.clip + (at - near.file) * self.outside

    def file_instant(self, at: Fraction) -> Fraction:
        """The instant of the file for the instant ``at`` of the clip (s)."""
        if not self.points:
            return at
        after = bisect_right(self.points, at, key=_clip)
        if 0 < after < len(self.points):
            a, b = self.points[after - 1], self.points[after]
            return a.file + (at - a.clip) * (b.file - a.file) / (b.clip - a.clip)
        near = self.points[max(after - 1, 0)]
        return near.file + (at - near.clip) / self.outside

    def span(self, span: Span) -> Span:
        """The span of the clip for a ``span`` of the file: it begins after a pause at its start, and ends before one at
        its end."""
        start = self.instant(span.start)
        return Span(start, max(start, self.instant(span.end, end=True)))

    def file_span(self, span: Span) -> Span:
        """The span of the file for a ``span`` of the clip."""
        return Span(self.file_instant(span.start), self.file_instant(span.end))

    def pieces(self, span: Span) -> Iterator[ClockPiece]:
        """``span`` of the file in pieces of one pace, in order, with where it stands still between its ends. They have
        no gaps on either clock."""
        first = ClockPoint(span.start, self.instant(span.start))
        last = ClockPoint(span.end, self.instant(span.end, end=True))
        between = (point for point in self.points if first.clip < point.clip < last.clip)
        for a, b in pairwise((first, *between, last)):
            if a.clip < b.clip:
                yield ClockPiece(Span(a.file, b.file), Span(a.clip, b.clip))


SAME_CLOCK = Retiming()
"""The clip shows everything when its file does."""
