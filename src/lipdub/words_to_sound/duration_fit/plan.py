"""Where every phrase of every line goes, and how fast; exact, and without touching a sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lipdub.words_to_sound.duration_fit.phrase_alignment import align_phrases
from lipdub.words_to_sound.duration_fit.phrase_layout import (
    SHORTEST_PAUSE,
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

_AFTER = Fraction(6, 100)  # a line that begins early leaves so much after the one before
_SOON = Fraction(3, 10)  # speech that ends so long after its aim does no harm


@dataclass(frozen=True, slots=True)
class FitOptions:
    """``stretch`` False places lines as they were spoken. Rates from ``slowest`` to ``fastest`` sound natural, up to
    ``limit`` is used where nothing else helps. ``gap`` seconds are kept to the next line (less if the source itself
    pauses less), and a line that does not fit otherwise begins up to ``early`` seconds before its aim. ``clock`` is
    the samples per second of the outcome."""

    stretch: bool = True
    slowest: Fraction = Fraction(85, 100)
    fastest: Fraction = Fraction(120, 100)
    limit: Fraction = Fraction(135, 100)
    gap: Fraction = Fraction(1, 10)
    early: Fraction = Fraction(15, 100)
    clock: int = 48_000


@dataclass(frozen=True, slots=True)
class LinePlacement:
    """Where line ``index`` (of those that were given) is heard: its ``pieces`` in order, never overlapping, on a clock
    of ``clock`` samples per second; between them is silence.

    ``rate`` is how much faster than spoken, ``aim`` what was wished, ``missing`` how many seconds of its speech are
    cut off at the end. ``need`` is how much faster it would have to be spoken to fit where it is wished.
    """

    index: int
    pieces: tuple[SoundPiece, ...]
    rate: Fraction
    aim: SourceTiming
    clock: int
    missing: Fraction = Fraction(0)
    need: float = 1.0


def plan_fit(
    spoken: Sequence[MeasuredLine], aims: Sequence[SourceTiming], end: Fraction, options: FitOptions = FitOptions()
) -> tuple[LinePlacement, ...]:
    """Place all lines that have something to be heard, in order of their aims; ``end`` is the clip's.

    Every line is anchored to its own aim, so nothing adds up over a programme; its room ends before the aim of the
    next line it may not overlap, so lines never collide, whatever they need.
    """
    order = sorted((i for i, m in enumerate(spoken) if m.phrases), key=lambda i: (aims[i].span, i))
    tasks = _tasks([spoken[i] for i in order], [aims[i] for i in order], end, options)
    rates = rate_grid(options.slowest, options.limit) if options.stretch else (Fraction(1),)
    chosen = _choose(tasks, rates, options)
    placed: list[LinePlacement] = []
    open_: list[tuple[FitTask, Fraction]] = []  # lines that may still be heard, and when they end
    for i, task, wished in zip(order, tasks, chosen, strict=True):
        open_ = [(t, until) for t, until in open_ if until > task.aim.span.start - options.early - options.gap]
        free = max(
            [until for t, until in open_ if not may_overlap(t.spoken.line, task.spoken.line)], default=Fraction(0)
        )
        rate, layout = _fitting(task, [r for r in rates if r >= wished], free, options)
        pieces, missing = cut_into_pieces(task.spoken, layout, rate, (free, task.latest), options.clock)
        placed.append(LinePlacement(i, pieces, rate, task.aim, options.clock, missing, _need(task)))
        open_.append((task, pieces[-1].target.end if pieces else free))
    return tuple(placed)


@dataclass(frozen=True, slots=True)
class FitTask:
    """A line to be placed: what was ``spoken``, its ``aim``, both as numbers (``line_durations``) and when it must have
    ended (``latest``)."""

    spoken: MeasuredLine
    aim: SourceTiming
    durations: LineDurations
    latest: Fraction


def _tasks(lines: list[MeasuredLine], aims: list[SourceTiming], end: Fraction, options: FitOptions) -> list[FitTask]:
    out = []
    for n, (line, aim) in enumerate(zip(lines, aims, strict=True)):
        latest = end
        for other, next_ in zip(lines[n + 1 :], aims[n + 1 :], strict=True):
            if not may_overlap(line.line, other.line):
                pause = max(next_.span.start - aim.span.end, Fraction(0))
                latest = min(end, next_.span.start - min(options.gap, pause))
                break
        out.append(FitTask(line, aim, line_durations(line, align_phrases(line, aim)), latest))
    return out


def _choose(tasks: list[FitTask], rates: tuple[Fraction, ...], options: FitOptions) -> list[Fraction]:
    """The rate of each line, as if the lines before ended with their aims."""
    prices = np.zeros((len(tasks), len(rates)))
    free = Fraction(0)
    for n, task in enumerate(tasks):
        room = _room(task, free, options)
        for k, rate in enumerate(map(float, rates)):
            layout = lay_out_phrases(task.durations, room, rate)
            prices[n, k] = rate_cost(rate, layout, float(options.fastest), max(0.0, room.onset - layout.onsets[0]))
        free = task.aim.span.end
    lines = [task.spoken.line for task in tasks]
    return [rates[k] for k in choose_rates(lines, prices, [float(r) for r in rates])]


def _fitting(
    task: FitTask, rates: list[Fraction], free: Fraction, options: FitOptions
) -> tuple[Fraction, PhraseLayout]:
    """The first of ``rates`` at which the line fits behind what is heard until ``free``, or else the last."""
    room = _room(task, free, options)
    if not options.stretch:
        return rates[0], lay_out_as_spoken(task.durations, room)
    layouts = ((rate, lay_out_phrases(task.durations, room, float(rate))) for rate in rates)
    last = rates[-1], lay_out_phrases(task.durations, room, float(rates[-1]))
    return next((found for found in layouts if found[1].excess <= 1e-6), last)


def _room(task: FitTask, free: Fraction, options: FitOptions) -> TimeSlot:
    span = task.aim.span
    earliest = max(span.start - options.early, free + _AFTER if free else free)
    return TimeSlot(*(float(t) for t in (min(earliest, span.start), span.start, span.end, task.latest)))


def _need(task: FitTask) -> float:
    """How much faster the line would have to be spoken to end soon after its aim with the shortest pauses."""
    until = min(task.latest, task.aim.span.end + _SOON)
    room = float(until - task.aim.span.start) - SHORTEST_PAUSE * (len(task.spoken.phrases) - 1)
    return float(task.spoken.speech) / max(room, 0.01)
