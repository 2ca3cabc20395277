"""A layout in whole samples: pieces of the spoken sound, and the time of each in the dub."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrase_layout import PhraseLayout
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine

_LEAD, _TAIL = 0.015, 0.03  # seconds before and after a phrase that are kept with it: breath and decay
_JOINED = 0.005  # seconds; a pause that would change by less is kept as it is
_PAUSE = 0.025  # seconds; ``phrase_layout.CLOSEST`` less the error of rounding
_SCRAP = Fraction(6, 100)  # seconds; a beginning of a phrase that is shorter is left out


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """``source``, a span of the spoken sound counted from its first sample, is put into ``target``, a span of clip
    time. Both begin and end on whole samples of the placed sound."""

    source: Span
    target: Span


@dataclass(slots=True)
class _PhraseRun:
    """Successive phrases whose pauses are kept: samples ``source`` to ``until`` of the spoken sound, which become
    ``size`` samples of clip time from sample ``start`` on, at ``rate``."""

    source: int
    until: int
    start: int
    size: int
    rate: float


def cut_into_pieces(
    spoken: MeasuredLine, layout: PhraseLayout, bounds: tuple[Fraction, Fraction], hertz: int
) -> tuple[tuple[SoundPiece, ...], Fraction]:
    """The pieces of a line with ``layout``, and the seconds of its speech that are not in them.

    The pieces lie within ``bounds`` (start and end, clip time); speech after the end is cut. Phrases whose pause
    changes by less than 5 ms stay together in one piece.
    """
    free, latest = ceil(bounds[0] * hertz), floor(bounds[1] * hertz)
    runs = _runs(spoken, layout, hertz)
    _keep_pauses(runs, latest if layout.excess <= 1e-6 else None, hertz)
    runs[0].start = max(runs[0].start, free)
    kept = [cut for run in runs if (cut := _cut_run(run, spoken, latest, hertz)) is not None]
    until = Fraction(kept[-1].until, hertz) if kept else Fraction(0)
    missing = sum((max(p.end - max(p.start, until), Fraction(0)) for p in spoken.phrases), Fraction(0))
    missing = missing if missing > Fraction(1, hertz) else Fraction(0)
    _extend(kept, (free, latest), floor(spoken.length * hertz), hertz)
    return tuple(_piece(run, hertz) for run in kept), missing


def _runs(spoken: MeasuredLine, layout: PhraseLayout, hertz: int) -> list[_PhraseRun]:
    runs: list[_PhraseRun] = []
    for phrase, onset, rate in zip(spoken.phrases, layout.onsets, layout.rates, strict=True):
        source, until, start = (round(instant * hertz) for instant in (phrase.start, phrase.end, onset))
        last = runs[-1] if runs else None
        if (
            last
            and last.rate == rate
            and abs(start - last.start - round((source - last.source) / rate)) <= _JOINED * hertz
        ):
            last.until, last.size = until, round((until - last.source) / rate)
        else:
            runs.append(_PhraseRun(source, until, start, round((until - source) / rate), rate))
    return runs


def _keep_pauses(runs: list[_PhraseRun], latest: int | None, hertz: int) -> None:
    """Correct the starts of ``runs`` after joining and rounding: pauses are not shorter than the shortest, and the last
    run ends by sample ``latest`` (None: it cannot)."""
    pause = round(_PAUSE * hertz)
    for a, b in pairwise(runs):
        b.start = max(b.start, a.start + a.size + pause)
    if latest is None:
        return
    for b, a in pairwise([_PhraseRun(0, 0, latest + pause, 0, 1.0), *reversed(runs)]):
        a.start = min(a.start, b.start - pause - a.size)


def _cut_run(run: _PhraseRun, spoken: MeasuredLine, latest: int, hertz: int) -> _PhraseRun | None:
    """The part of ``run`` that ends by sample ``latest``, or None if nothing is left.

    A last phrase of which less than 60 ms would be left is cut altogether.
    """
    over, rate = run.start + run.size - latest, run.rate
    if over <= 0:
        return run
    if over <= _JOINED * hertz / 5:  # too little to be audible
        return _PhraseRun(run.source, run.until, run.start, run.size - over, rate)
    until = Fraction(run.source + floor((run.size - over) * rate), hertz)
    worth = [
        p for p in spoken.phrases if run.source <= p.start * hertz and float(p.start + _SCRAP * Fraction(rate)) <= until
    ]
    if not worth:
        return None
    stop = min(floor(until * hertz), round(worth[-1].end * hertz))
    size = min(run.size - over, round((stop - run.source) / rate))
    return _PhraseRun(run.source, stop, run.start, size, rate)


def _extend(runs: list[_PhraseRun], bounds: tuple[int, int], length: int, hertz: int) -> None:
    """Extend each run by the breath before its first phrase and the decay after its last, as far as there is room."""
    for n, run in enumerate(runs):
        rate = run.rate
        lead = min(round(_LEAD * hertz), run.source)
        room = run.start - bounds[0] if n == 0 else lead
        before = min(round(lead / rate), room)
        lead = min(lead, round(before * rate))
        tail = max(min(round(_TAIL * hertz), length - run.until), 0)
        room = max(bounds[1] - run.start - run.size, 0)
        after = min(round(tail / rate), room)
        tail = min(tail, round(after * rate))
        run.source, run.until = run.source - lead, run.until + tail
        run.start, run.size = run.start - before, run.size + before + after


def _piece(run: _PhraseRun, hertz: int) -> SoundPiece:
    source = Span(Fraction(run.source, hertz), Fraction(run.until, hertz))
    return SoundPiece(source, Span(Fraction(run.start, hertz), Fraction(run.start + run.size, hertz)))
