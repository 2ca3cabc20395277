"""Places for lines that have none: where somebody speaks, in proportion to their length."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import log

from lipdub.errors import InputError
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.script.writing import width

_REACH = Fraction(3)  # seconds that an edge may move to meet a pause
_MISSED = 1.0  # what an edge in the middle of speech costs; a line twice as long as its share costs log(2) squared


def timed(lines: Sequence[Line], speech: Sequence[Span]) -> tuple[Line, ...]:
    """``lines`` in the same order over the time of ``speech``, each as long as its text; where two meet near a pause,
    they meet at the pause. Spans are disjoint and begin and end in speech. Words lose their times.

    Raises ``InputError`` if there is no speech to put lines on.
    """
    stretches = merge_spans(speech)
    if not lines:
        return ()
    if not stretches:
        raise InputError("no speech was heard that these lines could replace", remedy="Give a script with times (.srt)")
    meets = list(accumulate((span.duration for span in stretches), initial=Fraction(0)))
    edges = _at_pauses(_edges(lines, meets[-1]), meets[1:-1])
    spans = (Span(_clock(a, stretches, meets, True), _clock(b, stretches, meets, False)) for a, b in pairwise(edges))
    return tuple(replace(line, span=span, words=()) for line, span in zip(lines, spans, strict=True))


def _edges(lines: Sequence[Line], length: Fraction) -> list[Fraction]:
    """Where lines meet, in seconds of speech alone."""
    weights = (Fraction(max(width(line.text, line.language), 1.0)) for line in lines)
    reached = list(accumulate(weights, initial=Fraction(0)))
    return [length * edge / reached[-1] for edge in reached]


def _at_pauses(edges: list[Fraction], pauses: Sequence[Fraction]) -> list[Fraction]:
    """Edges moved to pauses where that leaves lines about as long as their share: the cheapest of all ways."""
    ways: list[dict[Fraction, tuple[float, Fraction]]] = [{edges[0]: (0.0, edges[0])}]
    for before, edge in pairwise(edges):
        choices = [edge]
        if edge != edges[-1]:
            low, high = bisect_left(pauses, edge - _REACH), bisect_right(pauses, edge + _REACH)
            choices += [p for p in pauses[low:high] if p != edge]
        costs = {place: _cheapest(ways[-1], place, edge - before) for place in choices}
        found = {place: way for place, way in costs.items() if way is not None}
        missed = {p: (c + (_MISSED if p == edge and p not in pauses else 0.0), b) for p, (c, b) in found.items()}
        ways.append(missed)
    out = [edges[-1]]
    for way in reversed(ways[1:]):
        out.append(way[out[-1]][1])
    return out[::-1]


def _cheapest(
    ways: dict[Fraction, tuple[float, Fraction]], place: Fraction, share: Fraction
) -> tuple[float, Fraction] | None:
    """The least cost of a line that ends at ``place``, and where it begins then; None if it cannot."""
    open_ways = [
        (cost + log((place - begin) / share) ** 2, begin) for begin, (cost, _) in ways.items() if begin < place
    ]
    return min(open_ways, default=None)


def _clock(spoken: Fraction, stretches: Sequence[Span], meets: Sequence[Fraction], begins: bool) -> Fraction:
    """The instant after so many seconds of speech; at a pause: its end if a line ``begins`` there, else its start.

    ``meets`` is how much was spoken before each of the ``stretches``, and in all.
    """
    k = (bisect_right if begins else bisect_left)(meets, spoken) - 1
    k = min(max(k, 0), len(stretches) - 1)
    return stretches[k].start + spoken - meets[k]
