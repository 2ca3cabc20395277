"""The placement of all lines: the time and the rate of each phrase, in exact time, without touching samples."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np

from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_alignment import align_phrases
from lipdub.words_to_sound.duration_fit.phrase_layout import (
    LineDurations,
    PhraseLayout,
    TimeSlot,
    lay_out_as_spoken,
    lay_out_phrases,
    line_durations,
)
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.rates import choose_rates, rate_cost, rate_grid
from lipdub.words_to_sound.duration_fit.sound_pieces import SoundPiece, cut_into_pieces
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming, may_overlap

_EARLY_GAP = Fraction(6, 100)  # seconds between a line that begins early and the line before it
_LATE_END = Fraction(4, 100)  # seconds by which a line may end after the source without need to be spoken faster


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How lines may be fitted.

    ``stretch`` False places lines as they were spoken. Rates from ``slowest`` to ``fastest`` sound natural; up to
    ``limit`` is used if a line does not fit otherwise. ``gap`` seconds are left before the next line (less if the
    source pauses less there). A line that does not fit otherwise begins up to ``early`` seconds before the source.
    ``sample_rate`` is that of the placed sound, in hertz. ``occupied`` are lines that are placed already and when they
    are heard: they stay, and others keep out of their time as they do for each other.
    """

    stretch: bool = True
    slowest: Fraction = Fraction(85, 100)
    fastest: Fraction = Fraction(120, 100)
    limit: Fraction = Fraction(135, 100)
    gap: Fraction = Fraction(1, 10)
    early: Fraction = Fraction(15, 100)
    sample_rate: int = 48_000
    occupied: tuple[tuple[Line, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class LinePlacement:
    """The placement of line ``index`` of the given lines.

    ``pieces`` are in order and do not overlap; their times are whole samples at ``sample_rate`` hertz; between them is
    silence. ``rate`` is the time-stretch (1.1: a tenth faster than spoken; the mean over its phrases), ``timing`` when
    the source speaks the line, ``missing`` how many seconds of its speech are cut off at the end. ``needed_rate`` is
    how much faster the voice would have to speak for the line to end with the source. ``filled`` is how long the line
    takes as it was spoken, as a share of the source's speech, with the shortest pauses.
    """

    index: int
    pieces: tuple[SoundPiece, ...]
    rate: Fraction
    timing: SourceTiming
    sample_rate: int
    missing: Fraction = Fraction(0)
    needed_rate: float = 1.0
    filled: float = 1.0


def plan_fit(
    spoken: Sequence[MeasuredLine], timings: Sequence[SourceTiming], end: Fraction, options: FitOptions = FitOptions()
) -> tuple[LinePlacement, ...]:
    """Place all lines that have phrases, in order of their timings; ``end`` is the end of the clip.

    ``timings[i]`` is when the source speaks ``spoken[i]``. Each line is placed relative to its own timing, so errors do
    not add up over a programme. A line ends before the timing of the next line that it may not overlap, so lines never
    collide; what does not fit is cut.
    """
    order = sorted((i for i, m in enumerate(spoken) if m.phrases), key=lambda i: (timings[i].span, i))
    tasks = _tasks([spoken[i] for i in order], [timings[i] for i in order], end, options)
    rates = rate_grid(options.slowest, options.limit) if options.stretch else (Fraction(1),)
    chosen = _choose(tasks, rates, options)
    placed, before = list[LinePlacement](), _Before.of(options.occupied)
    open_: list[tuple[FitTask, Fraction]] = []  # lines that may not have ended yet, and when they end
    for i, task, wanted in zip(order, tasks, chosen, strict=True):
        open_ = [(t, until) for t, until in open_ if until > task.timing.span.start - options.early - options.gap]
        free = max(
            [
                before.heard(task),
                *(until for t, until in open_ if not may_overlap(t.spoken.line, task.spoken.line)),
            ]
        )
        rate, layout = _fitting(task, [r for r in rates if r >= wanted], free, options)
        pieces, missing = cut_into_pieces(task.spoken, layout, (free, task.latest), options.sample_rate)
        rate, wishes = _mean_rate(task, layout, rate), (_needed_rate(task), _filled(task))
        placed.append(LinePlacement(i, pieces, rate, task.timing, options.sample_rate, missing, *wishes))
        open_.append((task, pieces[-1].target.end if pieces else free))
    return tuple(placed)


@dataclass(frozen=True, slots=True)
class FitTask:
    """A line to be placed: as ``spoken``, when the source speaks it (``timing``), the ``durations`` of its phrases and
    windows, and the instant by which it must end (``latest``)."""

    spoken: MeasuredLine
    timing: SourceTiming
    durations: LineDurations
    latest: Fraction


def _tasks(lines: list[MeasuredLine], timings: list[SourceTiming], end: Fraction, options: FitOptions) -> list[FitTask]:
    out, occupied = [], sorted(options.occupied, key=lambda one: one[1].start)
    for n, (line, timing) in enumerate(zip(lines, timings, strict=True)):
        latest = end
        for k in range(n + 1, len(lines)):
            if not may_overlap(line.line, lines[k].line):
                start = timings[k].span.start
                latest = min(end, start - min(options.gap, max(start - timing.span.end, Fraction(0))))
                break
        for other, span in _from(occupied, timing.span.start):
            if span.start - options.gap >= latest:
                break
            if not may_overlap(line.line, other):
                latest = min(latest, span.start - min(options.gap, max(span.start - timing.span.end, Fraction(0))))
        durations = line_durations(line, align_phrases(line, timing), float(latest - timing.span.end))
        out.append(FitTask(line, timing, durations, latest))
    return out


def _from(occupied: list[tuple[Line, Span]], start: Fraction) -> Iterator[tuple[Line, Span]]:
    """Those of ``occupied``, sorted by start, that begin at ``start`` or later."""
    first = bisect_left(occupied, start, key=lambda one: one[1].start)
    return (occupied[i] for i in range(first, len(occupied)))


@dataclass(frozen=True, eq=False)
class _Before:
    """Lines that are placed already, sorted by start, and the latest end of each and all before it."""

    lines: list[tuple[Line, Span]]
    ends: list[Fraction]

    @classmethod
    def of(cls, occupied: Iterable[tuple[Line, Span]]) -> "_Before":
        """The lines in order."""
        lines = sorted(occupied, key=lambda one: one[1].start)
        return cls(lines, list(accumulate((span.end for _, span in lines), max)))

    def heard(self, task: FitTask) -> Fraction:
        """When the last line ends that begins before ``task`` and may not overlap it; 0 without one."""
        found, line = Fraction(0), task.spoken.line
        last = bisect_left(self.lines, task.timing.span.start, key=lambda one: one[1].start) - 1
        for i in range(last, -1, -1):
            if self.ends[i] <= found:
                break
            other, span = self.lines[i]
            if span.end > found and not may_overlap(line, other):
                found = span.end
        return found


def _choose(tasks: list[FitTask], rates: tuple[Fraction, ...], options: FitOptions) -> list[Fraction]:
    """The rate of each line, chosen as if each line before it ended with the source."""
    costs = np.zeros((len(tasks), len(rates)))
    free = Fraction(0)
    for n, task in enumerate(tasks):
        slot = _slot(task, free, options)
        for k, rate in enumerate(map(float, rates)):
            layout = lay_out_phrases(task.durations, slot, rate)
            costs[n, k] = rate_cost(rate, layout, float(options.fastest), max(0.0, slot.onset - layout.onsets[0]))
        free = task.timing.span.end
    lines = [task.spoken.line for task in tasks]
    return [rates[k] for k in choose_rates(lines, costs, [float(r) for r in rates])]


def _fitting(
    task: FitTask, rates: list[Fraction], free: Fraction, options: FitOptions
) -> tuple[Fraction, PhraseLayout]:
    """The first of ``rates`` at which the line fits after ``free``, the end of the line before it, else the last."""
    slot = _slot(task, free, options)
    if not options.stretch:
        return rates[0], lay_out_as_spoken(task.durations, slot)
    layouts = ((rate, lay_out_phrases(task.durations, slot, float(rate))) for rate in rates)
    last = rates[-1], lay_out_phrases(task.durations, slot, float(rates[-1]))
    return next((found for found in layouts if found[1].excess <= 1e-6), last)


def _slot(task: FitTask, free: Fraction, options: FitOptions) -> TimeSlot:
    span = task.timing.span
    earliest = max(span.start - options.early, free + _EARLY_GAP if free else free)
    return TimeSlot(*(float(t) for t in (min(earliest, span.start), span.start, span.end, task.latest)))


def _mean_rate(task: FitTask, layout: PhraseLayout, rate: Fraction) -> Fraction:
    """The rate of the whole line, which is ``rate`` if all its phrases have it."""
    if all(own == float(rate) for own in layout.rates):
        return rate
    lengths = task.durations.lengths
    placed = sum(length / own for length, own in zip(lengths, layout.rates, strict=True))
    return Fraction(sum(lengths) / placed).limit_denominator(1000)


def _needed_rate(task: FitTask) -> float:
    """How much faster the line would have to be spoken to end at most 0.04 s after the source, with the shortest pauses
    where the source speaks on, and the source's own pauses elsewhere."""
    durations, parts = task.durations, task.durations.parts
    wanted = float(task.timing.span.end + _LATE_END) + durations.tail(len(durations.lengths) - 1)
    until = min(float(task.latest), wanted)
    between = sum(b.onset - a.onset - a.duration for a, b in pairwise(parts))
    seconds = until - float(task.timing.span.start) - between - sum(_shortest_pauses(task))
    return sum(durations.lengths) / max(seconds, 0.01)


def _filled(task: FitTask) -> float:
    """The line's speech as it was spoken, with the shortest pauses, as a share of the windows that it is aligned
    with."""
    durations = task.durations
    loud = sum(durations.lengths) - sum(durations.tail(part.stop - 1) for part in durations.parts)
    return (loud + sum(_shortest_pauses(task))) / max(sum(part.duration for part in durations.parts), 0.01)


def _shortest_pauses(task: FitTask) -> Iterator[float]:
    """The shortest pauses between phrases that go with the same window: as spoken where the source pauses, too."""
    durations = task.durations
    for part in durations.parts:
        for i in range(part.first, part.stop - 1):
            yield durations.pauses[i] if part.silent else min(durations.pauses[i], durations.closest(i))
