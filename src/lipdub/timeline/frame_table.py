"""When players show each frame of a picture, and its timecode: what a page needs to step from frame to frame."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.clip import FrameTimes


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The frames of a picture: ``times`` on the file's own clock, and ``start``, where players begin (s).

    ``rate`` is that of timecodes, in frames per second. ``constant``: frame k appears k / rate seconds after the first;
    else a frame has the timecode that is nearest to when it appears. ``timecode`` is that of the first frame
    (``01:00:00:00``; "": none is known, and they count from 0), ``drop`` whether its labels are drop-frame.
    """

    times: FrameTimes
    start: Fraction
    rate: Fraction
    constant: bool
    timecode: str = ""
    drop: bool = False

    def __len__(self) -> int:
        return len(self.times)

    @property
    def pts(self) -> Float64[np.ndarray, " frames_and_end"]:
        """When each frame appears, in seconds from where players begin, and when the last one ends."""
        units = self._units
        base = self.times.time_base
        return units * base.numerator / base.denominator - float(self.start)

    @property
    def _units(self) -> np.ndarray:
        return np.append(self.times.pts, self.times.pts[-1] + self.times.last)

    def at(self, seconds: Fraction) -> int:
        """The frame that players show at ``seconds`` from where they begin; the first or last one outside."""
        return self.times.at(seconds + self.start)

    def told(self) -> dict[str, Any]:
        """The table as JSON: ``pts`` in seconds to the microsecond, ``rate``, ``timecode``, ``drop``, ``constant``."""
        return {"pts": np.round(self.pts, 6).tolist(), **self._labels}

    def told_short(self) -> dict[str, Any]:
        """The table as shorter JSON, exact: ``first`` and ``steps`` in units of ``unit`` ([seconds, per]) seconds;
        [step, count] where a step repeats. ``start`` as here, in seconds. What else ``told`` has, too."""
        unit = self.times.time_base
        if (self.start / unit).denominator > 1:
            unit /= (self.start / unit).denominator
        finer = int(self.times.time_base / unit)
        units = self._units * finer - int(self.start / unit)
        runs = ((step, sum(1 for _ in equal)) for step, equal in groupby(np.diff(units).tolist()))
        steps = [[step, count] if count > 1 else step for step, count in runs]
        whole = {"unit": [unit.numerator, unit.denominator], "first": int(units[0]), "steps": steps}
        return {**whole, "start": round(float(self.start), 6), **self._labels}

    @property
    def _labels(self) -> dict[str, Any]:
        rate = f"{self.rate.numerator}/{self.rate.denominator}"
        return {"rate": rate, "timecode": self.timecode, "drop": self.drop, "constant": self.constant}
