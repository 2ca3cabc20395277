"""Times for lines that have none: where somebody speaks, in proportion to the length of their text."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import log

from lipdub.errors import InputError
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.script.orthography import width

_REACH = Fraction(3)  # seconds that an edge may move to meet a pause
_NO_PAUSE = 1.0  # the cost of an edge in the middle of speech; a line twice as long as its share costs log(2) squared


def place_untimed_lines(lines: Sequence[Line], speech: Sequence[Span]) -> tuple[Line, ...]:
    """``lines`` in the same order, spread over the time of ``speech`` in proportion to the length of their text.

    Where two lines meet near a pause, they meet at the pause. Spans are disjoint and begin and end in speech. ``words``
    are removed. Raises ``InputError`` if there is no speech.
    """
    stretches = merge_spans(speech)
    if not lines:
        return ()
    if not stretches:
        raise InputError("no speech was found that these lines could replace", remedy="Give a script with times (.srt)")
    before = list(accumulate((span.duration for span in stretches), initial=Fraction(0)))
    edges = _at_pauses(_edges(lines, before[-1]), before[1:-1])
    spans = (Span(_clock(a, stretches, before, True), _clock(b, stretches, before, False)) for a, b in pairwise(edges))
    return tuple(replace(line, span=span, words=()) for line, span in zip(lines, spans, strict=True))


def _edges(lines: Sequence[Line], length: Fraction) -> list[Fraction]:
    """Where lines meet, in seconds of speech (pauses are not counted)."""
    weights = (Fraction(max(width(line.text, line.language), 1.0)) for line in lines)
    reached = list(accumulate(weights, initial=Fraction(0)))
    return [length * edge / reached[-1] for edge in reached]


def _at_pauses(edges: list[Fraction], pauses: Sequence[Fraction]) -> list[Fraction]:
    """``edges`` moved to pauses where lines stay about as long as their share: the least cost, by dynamic
    programming."""
    ways: list[dict[Fraction, tuple[float, Fraction]]] = [{edges[0]: (0.0, edges[0])}]
    for before, edge in pairwise(edges):
        choices = [edge]
        if edge != edges[-1]:
            low, high = bisect_left(pauses, edge - _REACH), bisect_right(pauses, edge + _REACH)
            choices += [p for p in pauses[low:high] if p != edge]
        costs = {place: _cheapest(ways[-1], place, edge - before) for place in choices}
        found = {place: way for place, way in costs.items() if way is not None}
        ways.append({p: (c + (_NO_PAUSE if p == edge and p not in pauses else 0.0), b) for p, (c, b) in found.items()})
    out = [edges[-1]]
    for way in reversed(ways[1:]):
        out.append(way[out[-1]][1])
    return out[::-1]


def _cheapest(
    ways: dict[Fraction, tuple[float, Fraction]], place: Fraction, share: Fraction
) -> tuple[float, Fraction] | None:
    """The least cost of a line that ends at ``place``, and where it then begins; None if it cannot end there."""
    open_ways = [
        (cost + log((place - begin) / share) ** 2, begin) for begin, (cost, _) in ways.items() if begin < place
    ]
    return min(open_ways, default=None)


def _clock(spoken: Fraction, stretches: Sequence[Span], before: Sequence[Fraction], begins: bool) -> Fraction:
    """The instant after ``spoken`` seconds of speech; at a pause, its end if a line ``begins`` there, else its start.

    ``before`` holds the seconds of speech before each of the ``stretches``, then those of all.
    """
    k = (bisect_right if begins else bisect_left)(before, spoken) - 1
    k = min(max(k, 0), len(stretches) - 1)
    return stretches[k].start + spoken - before[k]
