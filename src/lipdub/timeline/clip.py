"""A clip: its file, frame times, and shots."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lipdub.timeline.retiming import SAME_CLOCK, Retiming
from lipdub.timeline.time import Span


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """When each frame of a picture is shown: presentation time stamps in units of ``time_base`` seconds.

    ``pts`` strictly increases. ``last`` is how long the final frame is shown, in the same units (>= 1). Time 0 is the
    zero of the container's own clock.
    """

    pts: Int64[np.ndarray, " frames"]
    time_base: Fraction
    last: int = 1

    def __post_init__(self) -> None:
        assert len(self.pts) == 0 or bool(np.all(np.diff(self.pts) > 0)), "time stamps must increase"
        assert self.last >= 1

    def __len__(self) -> int:
        return len(self.pts)

    def instant(self, index: int) -> Fraction:
        """When frame ``index`` appears (s)."""
        return int(self.pts[index]) * self.time_base

    def span(self, first: int, stop: int) -> Span:
        """From when frame ``first`` appears until frame ``stop`` would appear; ``first < stop <= len``."""
        assert 0 <= first < stop <= len(self)
        end = self.instant(stop) if stop < len(self) else self.instant(len(self) - 1) + self.last * self.time_base
        return Span(self.instant(first), end)

    @property
    def whole(self) -> Span:
        """From when the first frame appears to the end of the last."""
        return self.span(0, len(self))

    def at(self, instant: Fraction) -> int:
        """Index of the frame that is shown at ``instant`` (s); the first or last one if outside."""
        units = instant / self.time_base
        index = int(np.searchsorted(self.pts, units.numerator // units.denominator, side="right")) - 1
        return min(max(index, 0), len(self) - 1)

    def within(self, span: Span) -> range:
        """Indices of the frames that appear inside ``span``."""
        return range(self._first_not_before(span.start), self._first_not_before(span.end))

    def _first_not_before(self, instant: Fraction) -> int:
        units = instant / self.time_base
        return int(np.searchsorted(self.pts, -(-units.numerator // units.denominator), side="left"))

    def seconds(self) -> Float64[np.ndarray, " frames"]:
        """Times of appearance as floats; for signal processing only, never to address a frame."""
        return self.pts * float(self.time_base)

    @property
    def constant_rate(self) -> Fraction | None:
        """Frames per second if all frames are shown equally long (within one unit of rounding), else None."""
        if len(self) < 2:
            return 1 / (self.last * self.time_base)
        steps = np.diff(self.pts)
        if steps.max() - steps.min() > 1:
            return None
        mean = Fraction(int(self.pts[-1] - self.pts[0]), len(self) - 1) * self.time_base
        return 1 / mean


@dataclass(frozen=True, eq=False)
class FileFrames:
    """Which frames of its file a clip shows, where it does not show each of them once, at its own time.

    ``order`` is the index of the file's frame for every frame of the clip. ``times`` and ``rate`` are the file's own.
    ``clock`` tells which instants of the clip belong to those of the file.
    """

    order: Int64[np.ndarray, " frames"]
    times: FrameTimes
    rate: Fraction
    clock: Retiming = SAME_CLOCK

    def __post_init__(self) -> None:
        inside = len(self.order) == 0 or (self.order.min() >= 0 and self.order.max() < len(self.times))
        assert inside, "the file has no such frame"

    @property
    def all_in_order(self) -> bool:
        """True if every frame of the file is shown once, in the file's order."""
        return np.array_equal(self.order, np.arange(len(self.times)))


@dataclass(frozen=True, eq=False)
class Clip:
    """A source file, and the measured properties of its picture stream.

    ``size`` is (width, height) as displayed: upright, square pixels. ``rate`` is the stream's stated average.
    ``stream`` is the index of the picture stream, counted from 0. ``start`` is where players start (s): the earliest
    start of any picture or sound stream; a dub track begins there. ``sound`` is the index of the sound stream, counted
    from 0 (None: the one that players play). ``matched_by_order``: decoded frames are matched by their order alone,
    because their time stamps had to be repaired. ``warnings`` are sentences for the report on what the file states and
    does not hold. ``filmed`` tells which frames of the file are shown, where they are not shown as the file shows them;
    then ``times`` and ``rate`` are those of the clip.
    """

    path: Path
    times: FrameTimes
    size: tuple[int, int]
    rate: Fraction
    has_sound: bool
    start: Fraction = Fraction(0)
    stream: int = 0
    sound: int | None = None
    matched_by_order: bool = False
    warnings: tuple[str, ...] = ()
    filmed: FileFrames | None = None

    @property
    def span(self) -> Span:
        """From when the first frame appears to the end of the last."""
        return self.times.whole

    def __len__(self) -> int:
        return len(self.times)

    @property
    def file_times(self) -> FrameTimes:
        """When the file itself shows its frames."""
        return self.times if self.filmed is None else self.filmed.times

    @property
    def clock(self) -> Retiming:
        """Which instants of the clip belong to those of its file."""
        return SAME_CLOCK if self.filmed is None else self.filmed.clock

    @property
    def retimed(self) -> bool:
        """True if instants of the file are other instants of the clip: see ``instant``."""
        return bool(self.clock.points)

    def instant(self, at: Fraction, *, end: bool = False) -> Fraction:
        """The instant of the clip for the instant ``at`` of its file (s): see ``Retiming.instant``."""
        return self.clock.instant(at, end=end)

    def file_instant(self, at: Fraction) -> Fraction:
        """The instant of the file for the instant ``at`` of the clip (s)."""
        return self.clock.file_instant(at)

    @property
    def first_shown(self) -> Bool[np.ndarray, " frames"]:
        """True for frames that show a frame of the file for the first time."""
        if self.filmed is None or not len(self):
            return np.ones(len(self), bool)
        latest = np.maximum.accumulate(self.filmed.order)
        return np.concatenate(([True], np.diff(latest) > 0))

    @property
    def own_frames(self) -> int:
        """How many frames at the beginning are those of the file, each at its own time."""
        if self.filmed is None:
            return len(self)
        own, count = self.filmed.times, min(len(self), len(self.filmed.times))
        if own.time_base != self.times.time_base or self.filmed.clock.outside != 1:
            return 0
        same = (self.filmed.order[:count] == np.arange(count)) & (self.times.pts[:count] == own.pts[:count])
        return count if bool(same.all()) else int(np.argmin(same))

    def file_frame(self, index: int) -> int:
        """The index of the file's frame that is shown as frame ``index``."""
        return index if self.filmed is None else int(self.filmed.order[index])

    def as_filmed(self) -> "Clip":
        """The clip as the file shows it."""
        if self.filmed is None:
            return self
        return replace(self, times=self.filmed.times, rate=self.filmed.rate, filmed=None)


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames ``[first, stop)`` between two cuts."""

    first: int
    stop: int

    def __post_init__(self) -> None:
        assert 0 <= self.first < self.stop

    def __contains__(self, index: int) -> bool:
        return self.first <= index < self.stop

    def __len__(self) -> int:
        return self.stop - self.first
