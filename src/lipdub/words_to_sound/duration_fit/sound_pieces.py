"""A layout in whole samples: pieces of the spoken sound, and where each is heard."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_layout import PhraseLayout
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine

_LEAD, _TAIL = 0.015, 0.03  # seconds before and after a phrase that belong to it: breath, and what dies away
_JOINED = 0.005  # seconds; a pause that changes by less stays as it is
_PAUSE = 0.055  # seconds; the shortest pause, less what rounding takes
_SCRAP = Fraction(6, 100)  # seconds; a shorter beginning of a phrase is not worth hearing


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """``source``, a span of the spoken sound counted from its first sample, is heard in ``target`` of clip time; both
    are whole samples of the outcome."""

    source: Span
    target: Span


@dataclass(slots=True)
class _Run:
    """Some phrases with the pauses between them as they are: samples ``source`` to ``until`` of the spoken sound,
    which take ``size`` samples of clip time from ``start`` on."""

    source: int
    until: int
    start: int
    size: int


def cut_into_pieces(
    spoken: MeasuredLine, layout: PhraseLayout, rate: Fraction, bounds: tuple[Fraction, Fraction], clock: int
) -> tuple[tuple[SoundPiece, ...], Fraction]:
    """The pieces of a line laid out at ``rate``, within ``bounds`` of clip time, and how many seconds of its speech
    they lack. Phrases whose pause hardly changes stay together in one piece."""
    free, latest = ceil(bounds[0] * clock), floor(bounds[1] * clock)
    runs = _runs(spoken, layout, rate, clock)
    _apart(runs, latest if layout.excess <= 1e-6 else None, clock)
    runs[0].start = max(runs[0].start, free)
    features = [cut for run in runs if (cut := _cut(run, spoken, rate, latest, clock)) is not None]
    until = Fraction(features[-1].until, clock) if features else Fraction(0)
    missing = sum((max(p.end - max(p.start, until), Fraction(0)) for p in spoken.phrases), Fraction(0))
    missing = missing if missing > Fraction(1, clock) else Fraction(0)
    _breathe(features, rate, (free, latest), floor(spoken.length * clock), clock)
    return tuple(_piece(run, clock) for run in features), missing


def _runs(spoken: MeasuredLine, layout: PhraseLayout, rate: Fraction, clock: int) -> list[_Run]:
    runs: list[_Run] = []
    for phrase, onset in zip(spoken.phrases, layout.onsets, strict=True):
        source, until, start = round(phrase.start * clock), round(phrase.end * clock), round(onset * clock)
        last = runs[-1] if runs else None
        if last and abs(start - last.start - round((source - last.source) / rate)) <= _JOINED * clock:
            last.until, last.size = until, round((until - last.source) / rate)
        else:
            runs.append(_Run(source, until, start, round((until - source) / rate)))
    return runs


def _apart(runs: list[_Run], latest: int | None, clock: int) -> None:
    """What joining and rounding moved is moved back: pauses stay pauses, and all ends by ``latest`` if it can."""
    pause = round(_PAUSE * clock)
    for a, b in pairwise(runs):
        b.start = max(b.start, a.start + a.size + pause)
    if latest is None:
        return
    for b, a in pairwise([_Run(0, 0, latest + pause, 0), *reversed(runs)]):
        a.start = min(a.start, b.start - pause - a.size)


def _cut(run: _Run, spoken: MeasuredLine, rate: Fraction, latest: int, clock: int) -> _Run | None:
    """What of ``run`` ends by ``latest``, without a last phrase that has hardly begun; None if nothing is left."""
    over = run.start + run.size - latest
    if over <= 0:
        return run
    if over <= _JOINED * clock / 5:  # less than rounding can be heard
        return _Run(run.source, run.until, run.start, run.size - over)
    until = Fraction(run.source + floor((run.size - over) * rate), clock)
    worth = [p for p in spoken.phrases if run.source <= p.start * clock and p.start + _SCRAP * rate <= until]
    if not worth:
        return None
    stop = min(floor(until * clock), round(worth[-1].end * clock))
    return _Run(run.source, stop, run.start, min(run.size - over, round((stop - run.source) / rate)))


def _breathe(runs: list[_Run], rate: Fraction, bounds: tuple[int, int], length: int, clock: int) -> None:
    """Give every run what belongs to it before its first and after its last phrase, as far as there is room."""
    for n, run in enumerate(runs):
        lead = min(round(_LEAD * clock), run.source)
        room = run.start - bounds[0] if n == 0 else lead
        before = min(round(lead / rate), room)
        lead = min(lead, round(before * rate))
        tail = max(min(round(_TAIL * clock), length - run.until), 0)
        room = max(bounds[1] - run.start - run.size, 0)
        after = min(round(tail / rate), room)
        tail = min(tail, round(after * rate))
        run.source, run.until = run.source - lead, run.until + tail
        run.start, run.size = run.start - before, run.size + before + after


def _piece(run: _Run, clock: int) -> SoundPiece:
    source = Span(Fraction(run.source, clock), Fraction(run.until, clock))
    return SoundPiece(source, Span(Fraction(run.start, clock), Fraction(run.start + run.size, clock)))
