"""Lines that the voice should speak again, because they are too long for their time or leave much of it silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.plan import LinePlacement

FASTEST_VOICE = 1.2
"""Up to this pace, a voice that speaks faster itself sounds better than time-stretched speech."""

SLOWEST_VOICE = 0.87
"""At a slower pace speech drags, so shorter lines leave silence."""

_SHORT = 0.92  # of the source's speech: a line that fills less should be spoken more slowly
_BY_STRETCHING = 1.1  # the rate up to which a line is only time-stretched


@dataclass(frozen=True, slots=True)
class RespeakRequest:
    """Line ``index`` should be spoken ``pace`` times as fast as it was (0.87 .. 1.2). If that is not enough, its text
    should first lose so many ``characters`` (0: none)."""

    index: int
    pace: float
    characters: int


def respeak_requests(placements: Sequence[LinePlacement], spoken: Sequence[MeasuredLine]) -> tuple[RespeakRequest, ...]:
    """A request for each line that would have to be stretched by more than a tenth to end with the source, and for each
    line that is much shorter than the speech it replaces. ``spoken`` are all lines, in the order of their indexes."""
    out = []
    for placement in placements:
        line = spoken[placement.index]
        if placement.needed_rate > _BY_STRETCHING:
            excess = ceil(len(line.line.text) * (1 - FASTEST_VOICE * _BY_STRETCHING / placement.needed_rate))
            pace = min(FASTEST_VOICE, max(1.05, placement.needed_rate / _BY_STRETCHING))
            out.append(RespeakRequest(placement.index, round(pace, 3), max(0, min(excess, len(line.line.text) - 1))))
        elif placement.timing.has_speech and (filled := _filled(placement, line)) < _SHORT:
            out.append(RespeakRequest(placement.index, round(max(SLOWEST_VOICE, filled), 3), 0))
    return tuple(out)


def _filled(placement: LinePlacement, spoken: MeasuredLine) -> float:
    """The duration of the line's speech as a share of the source's: with pauses or without, whichever is more."""
    timing, own = placement.timing, spoken.phrases[-1].end - spoken.phrases[0].start
    speech = spoken.speech / sum((w.duration for w in timing.windows), Fraction(0))
    return float(max(speech, own / timing.span.duration))
