"""A picture made longer or shorter, frame by frame, so that it ends with a sound: held, bounced, slowed, or cut.

No function touches pixels. Each returns a ``Clip`` that shows frames of the same file in another order or at other
times. ``until`` is the instant (s) on the clip's clock at which the picture shall end; it ends there or less than one
frame later.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from jaxtyping import Int64

from lipdub.timeline.clip import Clip, FileFrames, FrameTimes

_FINENESS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Largest denominators of the distance between two frames of a slowed picture; the first one that is exact enough is
taken, because some programs do not like very fine time bases."""

_EXACT = Fraction(1, 10_000)
"""Seconds by which the end of a slowed picture may be wrong."""

_FINEST_RATE = 1_000_000
"""The largest denominator of a frame rate."""

_USUAL_TIMESCALE = 1_000_000
"""Units per second that are fine enough for the start of a picture."""

_LARGEST_TIMESCALE = 2**31 - 1
"""The most units per second of mp4 and mov (ISO/IEC 14496-12, 8.4.2: 32 bits)."""


@dataclass(frozen=True, slots=True)
class LengthChange:
    """How the length of the picture was fitted to a dub track that is ``seconds`` longer (shorter if negative).

    ``kind``: the last frame is held, the end bounces, the whole picture is slowed, or its end is cut. ``frames`` were
    added (removed if negative); the picture is shown ``slower`` times as slowly.
    """

    kind: Literal["hold", "bounce", "slow", "cut"]
    seconds: Fraction
    frames: int = 0
    slower: Fraction = Fraction(1)

    def sentence(self, *, would: bool = False) -> str:
        """What was done, for a report; ``would``: what would be done."""
        differ = f"{float(abs(self.seconds)):.3f} s {'longer' if self.seconds > 0 else 'shorter'} than the picture"
        count = f"{abs(self.frames)} frame{'' if abs(self.frames) == 1 else 's'}"
        is_, are = ("is", "was" if abs(self.frames) == 1 else "were") if not would else ("would be", "would be")
        match self.kind:
            case "hold":
                done = f"the last frame {is_} held, {count} {are} added"
            case "bounce":
                done = f"the end of the picture {is_} played backwards and forwards, {count} {are} added"
            case "slow":
                done = f"the picture {is_} shown {float(self.slower):.4f} times as slowly"
            case "cut":
                done = f"{count} {are} cut from the end of the picture"
        return f"the dub is {differ}: {done}"


def held(clip: Clip, until: Fraction) -> Clip:
    """``clip`` with its last frame shown again and again.

    The steps between the added frames are those of a constant rate; of a variable rate, the median step.
    """
    times, last = clip.times, len(clip) - 1
    step = _constant_step(times)
    if step is None:
        step = Fraction(round(float(np.median(np.diff(times.pts)))))
    pts, end = _regular(times, step, _missing(times, until))
    return _longer(clip, np.full(len(pts), last), pts, end)


def bounced(clip: Clip, until: Fraction, first: int) -> Clip:
    """``clip`` whose frames from ``first`` to the end are played backwards, forwards, backwards and so on.

    The added frames follow each other at the constant rate; with a variable rate, each lasts as long as when it was
    shown first.
    """
    assert 0 <= first < len(clip)
    times, missing = clip.times, _missing(clip.times, until)
    step = _constant_step(times)
    if first == len(clip) - 1:
        return held(clip, until)
    if step is not None:
        pts, last = _regular(times, step, missing)
        return _longer(clip, _there_and_back(first, len(clip), len(pts)), pts, last)
    lengths = np.append(np.diff(times.pts), times.last)
    once = _there_and_back(first, len(clip), 2 * (len(clip) - 1 - first))
    rounds = -(-missing // int(lengths[once].sum())) if missing > 0 else 0
    order = np.tile(once, rounds)
    ends = np.cumsum(lengths[order])
    count = int(np.searchsorted(ends, missing)) + 1 if rounds else 0
    order, ends = order[:count], ends[:count]
    starts = int(times.pts[-1]) + times.last + np.concatenate(([0], ends[:-1]))[:count]
    return _longer(clip, order, starts, int(lengths[order[-1]]) if count else times.last)


def slowed(clip: Clip, until: Fraction) -> Clip:
    """``clip`` with all its frames, each shown longer by the same factor; time 0 of that is ``clip.start``.

    The unit of time is chosen so that all time stamps are whole and exactly in proportion; the end of the picture is
    exact to .1 ms.
    """
    assert until > clip.span.end
    slower = (until - clip.start) / (clip.span.end - clip.start)
    times = clip.times
    offsets = times.pts - times.pts[0]
    whole = int(np.gcd.reduce(np.append(offsets, times.last)))
    unit = _rounded(whole * times.time_base * slower, (int(offsets[-1]) + times.last) // whole)
    first = clip.start + (times.instant(0) - clip.start) * slower
    scale = math.lcm(unit.denominator, first.denominator)
    if scale > _LARGEST_TIMESCALE:
        scale = unit.denominator * max(1, _USUAL_TIMESCALE // unit.denominator)
    step = int(unit * scale)
    pts = round(first * scale) + offsets // whole * step
    longer = FrameTimes(pts, Fraction(1, scale), times.last // whole * step)
    rate = (clip.rate / slower).limit_denominator(_FINEST_RATE)
    filmed = FileFrames(np.arange(len(clip)), times, clip.rate, slower)
    return replace(clip, times=longer, rate=rate, filmed=filmed)


def cut_short(clip: Clip, until: Fraction) -> Clip:
    """``clip`` without the frames that appear at ``until`` or later; the first one stays."""
    times = clip.times
    units = until / times.time_base
    count = max(1, int(np.searchsorted(times.pts, math.ceil(units), side="left")))
    if count >= len(clip):
        return clip
    shorter = FrameTimes(times.pts[:count], times.time_base, int(times.pts[count] - times.pts[count - 1]))
    return replace(clip, times=shorter, filmed=FileFrames(np.arange(count), times, clip.rate))


def _rounded(unit: Fraction, count: int) -> Fraction:
    """``unit`` seconds with the smallest denominator with which ``count`` of them are exact enough."""
    choices = [unit.limit_denominator(finest) for finest in _FINENESS]
    return next((one for one in choices if abs(one - unit) * count <= _EXACT), choices[-1])


def _missing(times: FrameTimes, until: Fraction) -> int:
    """Units from the end of the picture to ``until``, rounded up; 0 if it does not end before."""
    return max(0, math.ceil((until - times.whole.end) / times.time_base))


def _constant_step(times: FrameTimes) -> Fraction | None:
    """Units between two frames of a constant rate; None if the rate varies."""
    rate = times.constant_rate
    return None if rate is None else 1 / (rate * times.time_base)


def _regular(times: FrameTimes, step: Fraction, missing: int) -> tuple[Int64[np.ndarray, " added"], int]:
    """Time stamps of frames that follow the last one every ``step`` units, enough to fill ``missing`` units, and how
    long the last of them is shown."""
    begin, count = int(times.pts[-1]) + times.last, math.ceil(missing / step)
    borders = [begin + int(k * step) for k in range(count + 1)]
    return np.array(borders[:-1], np.int64), borders[-1] - borders[-2] if count else times.last


def _there_and_back(first: int, stop: int, count: int) -> Int64[np.ndarray, " count"]:
    """``count`` indices from ``stop - 2`` down to ``first``, up to ``stop - 1``, down again, and so on."""
    period = stop - 1 - first
    return stop - 1 - np.abs((np.arange(count) + 1 + period) % (2 * period) - period)


def _longer(clip: Clip, order: np.ndarray, pts: np.ndarray, last: int) -> Clip:
    """``clip`` with more frames at its end: those of ``order``, at ``pts``; the very last one lasts ``last`` units."""
    if not len(order):
        return clip
    times = FrameTimes(np.concatenate((clip.times.pts, pts)).astype(np.int64), clip.times.time_base, last)
    shown = np.concatenate((np.arange(len(clip)), order)).astype(np.int64)
    return replace(clip, times=times, filmed=FileFrames(shown, clip.times, clip.rate))
