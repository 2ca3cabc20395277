"""What should be spoken anew, because it is too long for where it is to be heard, or leaves much of it silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.plan import LinePlacement

FASTEST_VOICE = 1.2
"""A voice that speaks faster of itself sounds better than one made faster, up to here."""

SLOWEST_VOICE = 0.87
"""Slower than this, a voice drags; lines that are shorter still leave silence."""

_SHORT = 0.92  # of the source's speech: a line that fills less should be spoken slower
_BY_STRETCHING = 1.1  # what is left to the stretcher without a wish


@dataclass(frozen=True, slots=True)
class RespeakRequest:
    """Line ``index`` should be spoken ``pace`` times as fast as it was (0.87 .. 1.2), and, if that is not enough, lose
    so many ``characters`` of its text first (0: none)."""

    index: int
    pace: float
    characters: int


def respeak_requests(placements: Sequence[LinePlacement], spoken: Sequence[MeasuredLine]) -> tuple[RespeakRequest, ...]:
    """One wish for every line that would have to be stretched by more than a tenth to end with its aim, and for every
    line that is much shorter than the speech it replaces."""
    out = []
    for placement in placements:
        what = spoken[placement.index]
        if placement.need > _BY_STRETCHING:
            lost = ceil(len(what.line.text) * (1 - FASTEST_VOICE * _BY_STRETCHING / placement.need))
            pace = min(FASTEST_VOICE, max(1.05, placement.need / _BY_STRETCHING))
            out.append(RespeakRequest(placement.index, round(pace, 3), max(0, min(lost, len(what.line.text) - 1))))
        elif placement.source_span.features and (filled := _filled(placement, what)) < _SHORT:
            out.append(RespeakRequest(placement.index, round(max(SLOWEST_VOICE, filled), 3), 0))
    return tuple(out)


def _filled(placement: LinePlacement, spoken: MeasuredLine) -> float:
    """How much of the source's speech the line's own would fill: with the pauses of both, or without, whichever is
    more."""
    aim, own = placement.source_span, spoken.phrases[-1].end - spoken.phrases[0].start
    speech = spoken.speech / sum((w.duration for w in aim.windows), Fraction(0))
    return float(max(speech, own / aim.span.duration))
