"""How fast each line is said: near to how it was spoken, near to its neighbours, and so that it fits."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import log

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.lines import Line
from lipdub.words_to_sound.duration_fit.phrase_layout import PhraseLayout

_TENTH = log(1.1)
_TOUCHED = 0.05  # what any change of the rate costs: the samples are no more the voice's own
_CUT = 1e4  # what losing words costs, and every second of them
_JUMP = log(1.15)  # such a jump of the rate between lines one after the other costs as much as half a tenth of speed
_FORGOTTEN = 2.0  # seconds of silence after which a jump is half as bad


def rate_grid(slowest: Fraction, limit: Fraction) -> tuple[Fraction, ...]:
    """Rates to choose from, in steps of 1/40 with both ends and 1: finer steps are not heard."""
    steps = range(-(-slowest * 40 // 1), limit * 40 // 1 + 1)
    return tuple(sorted({slowest, limit, Fraction(1), *(Fraction(n, 40) for n in steps)}))


def rate_cost(rate: float, layout: PhraseLayout, fastest: float, early: float) -> float:
    """What it costs to hear a line so: ``fastest`` is the natural limit, ``early`` how long it begins before its aim.

    A tenth faster or slower costs 1, beyond the natural limit a tenth costs 6 more; words lost cost all the rest.
    """
    cost = layout.cost + (log(rate) / _TENTH) ** 2 + (early / 0.06) ** 2
    cost += _TOUCHED * (rate != 1) + 6 * max(0.0, log(rate / fastest) / _TENTH)
    return cost + (_CUT * (1 + layout.excess) if layout.excess > 1e-6 else 0.0)


def choose_rates(
    lines: Sequence[Line], prices: Float64[np.ndarray, "lines rates"], rates: Sequence[float]
) -> list[int]:
    """Which rate each line takes: the least sum of prices and of jumps between a speaker's successive lines.

    Exact, by dynamic programming (Viterbi 1967) over the lines of each speaker in the order given.
    """
    chosen = [0] * len(lines)
    jumps = ((np.subtract.outer(np.log(rates), np.log(rates)) / _JUMP) ** 2) / 2
    for speaker in dict.fromkeys(line.speaker for line in lines):
        mine = [i for i, line in enumerate(lines) if line.speaker == speaker]
        total, back = prices[mine[0]], []
        for before, i in pairwise(mine):
            silence = max(0.0, float(lines[i].span.start - lines[before].span.end))
            ways = total[:, None] + jumps / (1 + silence / _FORGOTTEN)
            back.append(ways.argmin(0))
            total = ways.min(0) + prices[i]
        at = int(total.argmin())
        for i, whence in zip(reversed(mine), [*reversed(back), None], strict=True):
            chosen[i] = at
            if whence is not None:
                at = int(whence[at])
    return chosen
