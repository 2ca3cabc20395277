"""The time-stretch rate of each line: close to 1, close to its neighbours' rates, and so that the line fits."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import log

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.lines import Line
from lipdub.words_to_sound.duration_fit.phrase_layout import PhraseLayout

_TENTH = log(1.1)
_STRETCH_COST = 0.05  # of any rate but 1, at which the voice's own samples stay as they are
_CUT_COST = 1e4  # of cutting words, and of each second that is cut
_JUMP = log(1.15)  # a change of the rate by this factor between successive lines costs half as much as a tenth of speed
_SILENCE = 2.0  # seconds of silence between lines that halve the cost of a change


def rate_grid(slowest: Fraction, limit: Fraction) -> tuple[Fraction, ...]:
    """The rates to choose from: multiples of 1/40, both limits, and 1. Finer steps are not audible."""
    steps = range(-(-slowest * 40 // 1), limit * 40 // 1 + 1)
    return tuple(sorted({slowest, limit, Fraction(1), *(Fraction(n, 40) for n in steps)}))


def rate_cost(rate: float, layout: PhraseLayout, fastest: float, early: float) -> float:
    """The cost of a line with ``layout`` at ``rate``.

    A tenth faster or slower costs 1; above ``fastest``, the fastest natural rate, a tenth costs 6 more. ``early`` is
    how many seconds the line begins before the source. Cut words cost more than everything else.
    """
    cost = layout.cost + (log(rate) / _TENTH) ** 2 + (early / 0.06) ** 2
    cost += _STRETCH_COST * (rate != 1) + 6 * max(0.0, log(rate / fastest) / _TENTH)
    return cost + (_CUT_COST * (1 + layout.excess) if layout.excess > 1e-6 else 0.0)


def choose_rates(lines: Sequence[Line], costs: Float64[np.ndarray, "lines rates"], rates: Sequence[float]) -> list[int]:
    """The index of the rate of each line: the least sum of ``costs`` and of a cost for changes of the rate between
    successive lines of a speaker.

    ``costs[i, k]`` is the cost of line i at ``rates[k]``. Exact, by dynamic programming (Viterbi 1967) over the lines
    of each speaker in the order given.
    """
    chosen = [0] * len(lines)
    jumps = ((np.subtract.outer(np.log(rates), np.log(rates)) / _JUMP) ** 2) / 2
    for speaker in dict.fromkeys(line.speaker for line in lines):
        mine = [i for i, line in enumerate(lines) if line.speaker == speaker]
        total, back = costs[mine[0]], []
        for before, i in pairwise(mine):
            silence = max(0.0, float(lines[i].span.start - lines[before].span.end))
            ways = total[:, None] + jumps / (1 + silence / _SILENCE)
            back.append(ways.argmin(0))
            total = ways.min(0) + costs[i]
        at = int(total.argmin())
        for i, previous in zip(reversed(mine), [*reversed(back), None], strict=True):
            chosen[i] = at
            if previous is not None:
                at = int(previous[at])
    return chosen
