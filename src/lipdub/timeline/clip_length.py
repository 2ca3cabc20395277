"""A picture made longer or shorter, frame by frame, so that a sound fits: held, bounced, slowed, or cut.

No function touches pixels. Each returns a ``Clip`` that shows frames of the same file in another order or at other
times. ``until`` is the instant (s) on the clip's clock at which the picture shall end; it ends there or less than one
frame later.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Int64

from lipdub.timeline.clip import Clip, FileFrames, FrameTimes
from lipdub.timeline.retiming import SAME_CLOCK, AddedTime, ClockPoint, Retiming
from lipdub.timeline.time import Span

_FINENESS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Largest denominators of the distance between two frames of a slowed picture; the first one that is exact enough is
taken, because some programs do not like very fine time bases."""

_EXACT = Fraction(1, 10_000)
"""Seconds by which the end of a slowed picture may be wrong."""

_COARSEST = Fraction(1, 1000)
"""The longest unit of time stamps (s) that is fine enough for frames of many different lengths."""

_PARTS = 100
"""Units into which one that is longer is divided: 400 microseconds at 25 frames per second."""

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
    added (removed if negative); the picture is shown ``slower`` times as slowly. Or so many ``lines`` had speech that
    was ``seconds`` too long for their time, all together: the picture is held after them ("pause"), or it is slowed
    during them, up to ``slower`` times. ``clock`` tells which instants of the film belong to those of the source.
    """

    kind: Literal["hold", "bounce", "slow", "cut", "pause"]
    seconds: Fraction
    frames: int = 0
    slower: Fraction = Fraction(1)
    lines: int = 0
    clock: Retiming = SAME_CLOCK

    def sentence(self, *, would: bool = False) -> str:
        """What was done, for a report; ``would``: what would be done."""
        differ = f"{float(abs(self.seconds)):.3f} s {'longer' if self.seconds > 0 else 'shorter'} than the picture"
        count = f"{abs(self.frames)} frame{'' if abs(self.frames) == 1 else 's'}"
        is_, are = ("is", "was" if abs(self.frames) == 1 else "were") if not would else ("would be", "would be")
        if self.lines:
            which = "1 line is" if self.lines == 1 else f"{self.lines} lines are"
            them = "it" if self.lines == 1 else "them"
            long = f"{which} {float(self.seconds):.3f} s too long for the time of the source"
            if self.kind == "pause":
                return f"{long}: the picture {is_} held after {them}, {count} {are} added"
            most = "" if self.lines == 1 else "up to "
            return f"{long}: the picture {is_} shown {most}{float(self.slower):.4f} times as slowly during {them}"
        match self.kind:
            case "hold":
                done = f"the last frame {is_} held, {count} {are} added"
            case "bounce":
                done = f"the end of the picture {is_} played backwards and forwards, {count} {are} added"
            case "slow":
                done = f"the picture {is_} shown {float(self.slower):.4f} times as slowly"
            case _:
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
    filmed = FileFrames(np.arange(len(clip)), times, clip.rate, Retiming.slowed_from(clip.start, slower))
    return replace(clip, times=longer, rate=rate, filmed=filmed)


def paused(clip: Clip, wanted: Sequence[AddedTime]) -> Clip:
    """``clip``, whose picture stands still at the ends of the spans of ``wanted``, each time on the last frame before,
    at least as long.

    The pauses begin where a frame begins (at most one frame earlier), and have the length of whole frames at the
    constant rate, or at the median step of a variable rate. Those of one place become one.
    """
    times = clip.times
    step = _constant_step(times) or Fraction(max(1, round(float(np.median(np.diff(times.pts))))))
    missing: dict[int, Fraction] = {}
    for one in wanted:
        border = len(clip) if one.span.end >= clip.span.end else max(1, times.at(one.span.end))
        missing[border] = missing.get(border, Fraction(0)) + one.seconds
    order, pts, later, last, points = [], [], 0, times.last, []
    borders = sorted(missing)
    for first, border in zip([0, *borders], [*borders, len(clip)], strict=True):
        order.append(np.arange(first, border))
        pts.append(times.pts[first:border] + later)
        if border not in missing:
            continue
        begin = _begin(times, border)
        count = math.ceil(math.ceil(missing.pop(border) / times.time_base) / step)
        order.append(np.full(count, border - 1))
        pts.append(begin + later + np.array([int(k * step) for k in range(count)], np.int64))
        if border == len(clip):
            last = int(count * step) - int((count - 1) * step)
        points.append((begin, begin + later))
        later += int(count * step)
        points.append((begin, begin + later))
    shown = FrameTimes(np.concatenate(pts).astype(np.int64), times.time_base, last)
    frames = FileFrames(np.concatenate(order).astype(np.int64), times, clip.rate, _clock(points, times.time_base))
    return replace(clip, times=shown, filmed=frames)


def slowed_during(clip: Clip, wanted: Sequence[AddedTime]) -> Clip:
    """``clip`` with all its frames, of which those that lie wholly in a span of ``wanted`` are shown longer, so that
    the span lasts at least as much longer.

    Within a span, all frames are slowed by the same factor; where spans overlap, by the largest one. A span without a
    whole frame slows the frame that is shown where it begins. What follows comes later by whole units of the time
    stamps; those of slowed frames are rounded down to a unit, which is never longer than a millisecond.
    """
    times = _finer(clip.times)
    slower, borders = [], {0, len(clip)}
    for one in wanted:
        first, stop = _whole_frames(times, one.span)
        units = math.ceil(one.seconds / times.time_base)
        slower.append((first, stop, 1 + Fraction(units, _begin(times, stop) - _begin(times, first))))
        borders |= {first, stop}
    pts, points, begin = [], [], int(times.pts[0])
    for first, stop in pairwise(sorted(borders)):
        factor = max([Fraction(1), *(by for low, high, by in slower if low <= first and stop <= high)])
        own, end = _begin(times, first), _begin(times, stop)
        length = math.ceil((end - own) * factor)
        pts += [begin + (int(at) - own) * length // (end - own) for at in times.pts[first:stop]]
        if length > end - own:
            points += [(own, begin), (end, begin + length)]
        begin += length
    shown = FrameTimes(np.array(pts, np.int64), times.time_base, begin - pts[-1])
    rate = (clip.rate * times.whole.duration / shown.whole.duration).limit_denominator(_FINEST_RATE)
    frames = FileFrames(np.arange(len(clip)), clip.times, clip.rate, _clock(points, times.time_base))
    return replace(clip, times=shown, rate=rate, filmed=frames)


def cut_short(clip: Clip, until: Fraction) -> Clip:
    """``clip`` without the frames that appear at ``until`` or later; the first one stays."""
    times = clip.times
    units = until / times.time_base
    count = max(1, int(np.searchsorted(times.pts, math.ceil(units), side="left")))
    if count >= len(clip):
        return clip
    shorter = FrameTimes(times.pts[:count], times.time_base, int(times.pts[count] - times.pts[count - 1]))
    return replace(clip, times=shorter, filmed=FileFrames(np.arange(count), times, clip.rate))


def _begin(times: FrameTimes, index: int) -> int:
    """When frame ``index`` begins, in units; ``len(times)``: when the last one ends."""
    return int(times.pts[index]) if index < len(times) else int(times.pts[-1]) + times.last


def _clock(points: Sequence[tuple[int, int]], time_base: Fraction) -> Retiming:
    """The clock through points that are given in units."""
    return Retiming.through(ClockPoint(file * time_base, shown * time_base) for file, shown in points)


def _finer(times: FrameTimes) -> FrameTimes:
    """``times`` in units of a millisecond or less."""
    if times.time_base <= _COARSEST:
        return times
    return FrameTimes(times.pts * _PARTS, times.time_base / _PARTS, times.last * _PARTS)


def _whole_frames(times: FrameTimes, span: Span) -> tuple[int, int]:
    """The first frame that lies wholly in ``span`` and the one after the last; if there is none, the one that is shown
    where it begins, and the next."""
    first = times.within(span).start
    stop = len(times) if span.end >= times.whole.end else times.at(span.end)
    if first < stop:
        return first, stop
    only = times.at(span.start)
    return only, only + 1


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
