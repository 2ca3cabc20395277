"""Alignment of the phrases of a spoken line with the windows in which the source speaks it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil

from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine
from lipdub.words_to_sound.duration_fit.source_breaks import breaks_in
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming

SHORTEST_BREAK = Fraction(15, 100)
"""Seconds; phrases with a shorter pause between them are not aligned with different windows."""

CERTAIN_BREAK = Fraction(25, 100)
"""Seconds; a shorter pause is only taken for a break where the text has punctuation: slow voices close their lips as
long as this inside words."""

_ONSET_REWARD = 0.15  # seconds of mismatch that one more common onset is worth
_SPOKEN_PAUSE = 1.0  # seconds of mismatch that a second of the source's pause is worth in which the dub speaks
_OWN_RATE = 0.08  # of the duration of a block: what ``phrase_layout.VARIED`` changes
_LONGEST_RUN = 6  # groups of phrases in one window, or windows for one group of phrases, if no more are needed


@dataclass(frozen=True, slots=True)
class AlignedPhrases:
    """Phrases ``first`` to ``stop`` (exclusive) that go with ``window`` and begin with its onset. ``pauses`` is for how
    many seconds the source is silent in it."""

    first: int
    stop: int
    window: Span
    pauses: Fraction = Fraction(0)


def align_phrases(line: MeasuredLine, timing: SourceTiming) -> tuple[AlignedPhrases, ...]:
    """Align all phrases of ``line`` (at least one) with all windows of ``timing``, both in order.

    Phrases without a pause of ``SHORTEST_BREAK`` between them form a group. A block is one or several groups in one
    window, or one group over several windows. Dynamic programming finds the blocks with the least sum of differences in
    duration (above 8 %) and of the source's pauses inside blocks, less a reward for each block, because each block
    gives the picture and the dub an onset in common.
    """
    starts = [0, *(i + 1 for i in line_breaks(line)), len(line.phrases)]
    ours = _sums(float(sum((p.duration for p in line.phrases[a:b]), Fraction(0))) for a, b in pairwise(starts))
    theirs = _sums(float(w.duration) for w in timing.windows)
    scale = theirs[-1] / ours[-1]
    n, m = len(ours) - 1, len(theirs) - 1
    longest = max(_LONGEST_RUN, ceil(m / n) + 1, ceil(n / m) + 1)

    def rests(first: int, stop: int) -> float:
        """The cost of one block over windows ``first`` to ``stop``: their pauses, less the reward."""
        whole = timing.windows[stop - 1].end - timing.windows[first].start
        return _SPOKEN_PAUSE * (float(whole) - theirs[stop] + theirs[first]) - _ONSET_REWARD

    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            ways = [
                (best[a, b][0] + _mismatch((ours[i] - ours[a]) * scale, theirs[j] - theirs[b]) + rests(b, j), (a, b))
                for a, b in _before(i, j, longest)
                if (a, b) in best
            ]
            if ways:
                best[i, j] = min(ways)
    out, end = [], (n, m)
    while end != (0, 0):
        begin = best[end][1]
        windows = timing.windows[begin[1] : end[1]]
        window = Span(windows[0].start, windows[-1].end)
        pauses = window.duration - sum((w.duration for w in windows), Fraction(0))
        out.append(AlignedPhrases(starts[begin[0]], starts[end[0]], window, pauses))
        end = begin
    return tuple(reversed(out))


def _mismatch(ours: float, theirs: float) -> float:
    """Seconds by which a block misses its windows, beyond what its own rate can make good."""
    return max(0.0, abs(ours - theirs) - _OWN_RATE * theirs)


def line_breaks(line: MeasuredLine) -> tuple[int, ...]:
    """Which pauses of ``line`` lie between phrases of its text, rather than inside a word."""
    marked = breaks_in(line.line.text)
    longest = sorted(range(len(line.pauses)), key=lambda i: -line.pauses[i])[:marked]
    found = [i for i, p in enumerate(line.pauses) if p >= (SHORTEST_BREAK if i in longest else CERTAIN_BREAK)]
    return tuple(found)


def _before(i: int, j: int, longest: int) -> Iterator[tuple[int, int]]:
    yield from ((i - k, j - 1) for k in range(1, min(i, longest) + 1))
    yield from ((i - 1, j - k) for k in range(2, min(j, longest) + 1))


def _sums(values: Iterable[float]) -> list[float]:
    out = [0.0]
    for value in values:
        out.append(out[-1] + value)
    return out
