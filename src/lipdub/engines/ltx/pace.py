"""Measures how long windows take, and says how long the rest of the work will take.

The time of a window grows nearly in proportion to its frames, so seconds per generated frame are measured. The first
window is slower than the others (a GPU's kernels are loaded and chosen then); it counts only until there is a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

from lipdub.engines.ltx.frame_grid import make_grid, padded_length, split_windows
from lipdub.engines.ltx.options import LtxOptions
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.weights import Say, log

SAY_AGAIN = 300.0
"""Seconds after which the time that is left is said again."""


@dataclass(frozen=True, slots=True)
class WindowSize:
    """A window of ``frames`` at ``rate``, generated in ``steps``; the next window shares ``overlap`` of the frames."""

    frames: int
    rate: Fraction
    overlap: int
    steps: str = "8 + 3"


class WindowPace:
    """Counts the frames that are still to be generated, and times those that are."""

    def __init__(self, say: Say = log, now: Callable[[], float] = time.monotonic) -> None:
        """``say`` takes the lines for the user; ``now`` is a clock in seconds."""
        self._say, self._now = say, now
        self._left = 0
        self._timed: list[tuple[int, float]] = []  # (frames, seconds) of each window
        self._said = 0.0

    @property
    def frames_left(self) -> int:
        """Frames that are still to be generated, as far as is known."""
        return self._left

    @property
    def seconds_per_frame(self) -> float:
        """Measured seconds for one generated frame; 0 before the first window."""
        timed = self._timed[1:] or self._timed
        return sum(seconds for _, seconds in timed) / max(1, sum(frames for frames, _ in timed))

    @property
    def seconds_left(self) -> float:
        """About how long the rest takes; 0 before the first window."""
        return self._left * self.seconds_per_frame

    def expect(self, frames: int) -> None:
        """From now on, so many ``frames`` are to be generated; what was expected before is forgotten."""
        self._left = frames

    def skip(self, frames: int) -> None:
        """So many ``frames`` need not be generated, because they are kept."""
        self._left = max(0, self._left - frames)

    @contextmanager
    def window(self, size: WindowSize) -> Iterator[None]:
        """Time the block, which generates one window; say what it took if that is news."""
        begun = self._now()
        yield
        ended = self._now()
        self._timed.append((size.frames, ended - begun))
        self.skip(size.frames)
        first = len(self._timed) == 1
        if first or (self._left and ended - self._said >= SAY_AGAIN):
            self._said = ended
            self._say(self._first_line(size) if first else self._left_text())

    def _first_line(self, size: WindowSize) -> str:
        seconds = self._timed[0][1]
        each = seconds / float((size.frames - size.overlap) / size.rate)
        took = f"the first window of {size.frames} frames took {seconds:.1f} s ({size.steps} steps)"
        line = f"LTX: {took}, {each:.1f} s for a second of film"
        return f"{line}; {self._left_text().removeprefix('LTX: ')}" if self._left else line

    def _left_text(self) -> str:
        return f"LTX: {duration_text(self.seconds_left)} left"


def frames_of_cue(cue: Cue, times: FrameTimes, options: LtxOptions) -> int:
    """About how many frames are generated for ``cue``: those of all windows, if its whole span is shown."""
    shown = times.within(cue.span)
    if not len(shown):
        return 0
    windows = split_windows(make_grid(times, cue.span, shown), options.frames, options.overlap)
    return sum(padded_length(len(window)) for window in windows)


def duration_text(seconds: float) -> str:
    """``about 40 seconds``, ``about 7 minutes``, ``about 2.5 hours``."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} second{'s' if round(seconds) > 1 else ''}"
    return f"about {round(seconds / 60)} minutes" if seconds < 5400 else f"about {seconds / 3600:.1f} hours"
