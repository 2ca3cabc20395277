"""Lines that the voice should speak again, because they are too long for their time or leave much of it silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.plan import LinePlacement

FASTEST_VOICE = 1.2
"""Up to this pace, a voice that speaks faster itself sounds better than time-stretched speech."""

SLOWEST_VOICE = 0.8
"""At a slower pace speech drags, so shorter lines leave silence."""

FASTEST_TEXT = 1.25
"""Above this pace, stretching included, a line should lose words before it is hurried."""

WORTH_A_REQUEST = (0.9, 1.12)
"""Between these paces, a service that speaks is not asked again, because every request may cost money: the line is
time-stretched, or leaves a little silence."""

_SHORT = 0.95  # of the source's speech: a line that fills less should be spoken more slowly
_BY_STRETCHING = 1.04  # the rate up to which a line is only time-stretched


@dataclass(frozen=True, slots=True)
class RespeakRequest:
    """Line ``index`` should be spoken ``pace`` times as fast as it was (0.8 .. 1.2). If it would have to be hurried,
    its text should first lose so many ``characters`` (0: none)."""

    index: int
    pace: float
    characters: int


def respeak_requests(
    placements: Sequence[LinePlacement], spoken: Sequence[MeasuredLine], paces: Sequence[float] = ()
) -> tuple[RespeakRequest, ...]:
    """A request for each line that would have to be faster to end with the source, and for each line that is much
    shorter than the speech it replaces.

    ``spoken`` are all lines, in the order of their indexes, and ``paces`` how fast the voice spoke each of them (none:
    1). A voice that speaks faster itself sounds better than speech that is stretched, so it is asked as soon as
    stretching would be noticed. Above ``FASTEST_TEXT`` in all, fewer words are asked for.
    """
    out = []
    for placement in placements:
        line, needed = spoken[placement.index], placement.needed_rate
        if needed > _BY_STRETCHING:
            whole = needed * (paces[placement.index] if paces else 1.0)
            excess = ceil(len(line.line.text) * (1 - FASTEST_TEXT / whole))
            pace = min(FASTEST_VOICE, needed)
            out.append(RespeakRequest(placement.index, round(pace, 3), max(0, min(excess, len(line.line.text) - 1))))
        elif placement.timing.has_speech and placement.filled < _SHORT:
            out.append(RespeakRequest(placement.index, round(max(SLOWEST_VOICE, placement.filled), 3), 0))
    return tuple(out)


def worth_a_request(wish: RespeakRequest) -> bool:
    """True if a line is so much too long or too short that a service, which may cost money, should speak it again."""
    slow, fast = WORTH_A_REQUEST
    return not slow <= wish.pace <= fast
