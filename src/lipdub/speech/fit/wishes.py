"""What should be spoken anew, because it is too long for where it is to be heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from lipdub.speech.fit.phrases import Measured
from lipdub.speech.fit.plan import Placement

FASTEST_VOICE = 1.2
"""A voice that speaks faster of itself sounds better than one made faster, up to here."""

_BY_STRETCHING = 1.1  # what is left to the stretcher without a wish


@dataclass(frozen=True, slots=True)
class Wish:
    """Line ``index`` should be spoken ``pace`` times as fast as it was (1.0 .. 1.2), and, if that is not enough, lose
    so many ``characters`` of its text first (0: none)."""

    index: int
    pace: float
    characters: int


def wishes(placements: Sequence[Placement], spoken: Sequence[Measured]) -> tuple[Wish, ...]:
    """One wish for every line that would have to be stretched by more than a tenth to end with its aim."""
    out = []
    for placement in placements:
        if placement.need <= _BY_STRETCHING:
            continue
        text = spoken[placement.index].line.text
        lost = ceil(len(text) * (1 - FASTEST_VOICE * _BY_STRETCHING / placement.need))
        pace = min(FASTEST_VOICE, max(1.05, placement.need / _BY_STRETCHING))
        out.append(Wish(placement.index, round(pace, 3), max(0, min(lost, len(text) - 1))))
    return tuple(out)
