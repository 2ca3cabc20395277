"""Which phrase of the dub begins where the source begins to speak again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil

from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming

SHORTEST_BREAK = Fraction(18, 100)
"""Seconds; a shorter pause of the dub is no place to wait for the source."""

_WORTH = 0.15  # seconds of mismatch that one more common onset is worth
_FEW = 6  # breaths' worth of phrases that may follow one window, or windows that they may cover


@dataclass(frozen=True, slots=True)
class AlignedPhrases:
    """Phrases ``first`` to ``stop`` (exclusive) that are to be heard in ``window``, beginning with its onset."""

    first: int
    stop: int
    window: Span


def align_phrases(measured: MeasuredLine, aim: SourceTiming) -> tuple[AlignedPhrases, ...]:
    """Share the phrases (at least one) among the aim's windows, both in order and completely: what is said in one
    breath or several is heard in one window, or what is said in one breath over several.

    Dynamic programming: the least sum of differences in length, less a reward for each block, for each gives the eye
    an onset in common.
    """
    starts = [0] + [i + 1 for i, pause in enumerate(measured.pauses) if pause >= SHORTEST_BREAK]
    starts.append(len(measured.phrases))
    ours = _sums(float(sum((p.duration for p in measured.phrases[a:b]), Fraction(0))) for a, b in pairwise(starts))
    theirs = _sums(float(w.duration) for w in aim.windows)
    scale = theirs[-1] / ours[-1]
    n, m = len(ours) - 1, len(theirs) - 1
    longest = max(_FEW, ceil(m / n) + 1, ceil(n / m) + 1)
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            ways = [
                (best[a, b][0] + abs((ours[i] - ours[a]) * scale - (theirs[j] - theirs[b])) - _WORTH, (a, b))
                for a, b in _before(i, j, longest)
                if (a, b) in best
            ]
            if ways:
                best[i, j] = min(ways)
    out, end = [], (n, m)
    while end != (0, 0):
        begin = best[end][1]
        window = Span(aim.windows[begin[1]].start, aim.windows[end[1] - 1].end)
        out.append(AlignedPhrases(starts[begin[0]], starts[end[0]], window))
        end = begin
    return tuple(reversed(out))


def _before(i: int, j: int, longest: int) -> Iterator[tuple[int, int]]:
    yield from ((i - k, j - 1) for k in range(1, min(i, longest) + 1))
    yield from ((i - 1, j - k) for k in range(2, min(j, longest) + 1))


def _sums(values: Iterable[float]) -> list[float]:
    out = [0.0]
    for value in values:
        out.append(out[-1] + value)
    return out
