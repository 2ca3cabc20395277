"""Places for lines that have none: where somebody speaks, in proportion to their length."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from lipdub.errors import InputError
from lipdub.speech.script.writing import width
from lipdub.timeline.cue import Line
from lipdub.timeline.time import Span, merged, total

_REACH = Fraction(2, 5)  # of the shorter neighbour: how far an edge moves to meet a pause


def timed(lines: Sequence[Line], speech: Sequence[Span]) -> tuple[Line, ...]:
    """``lines`` in the same order over the time of ``speech``, each as long as its text; where two meet near a pause,
    they meet at the pause. Spans are disjoint and begin and end in speech. Words lose their times.

    Raises ``InputError`` if there is no speech to put lines on.
    """
    stretches = merged(speech)
    if not lines:
        return ()
    if not stretches:
        raise InputError("no speech was heard that these lines could replace", remedy="Give a script with times (.srt)")
    edges = _at_pauses(_edges(lines, total(stretches)), _pauses(stretches))
    spans = (Span(_clock(a, stretches, True), _clock(b, stretches, False)) for a, b in pairwise(edges))
    return tuple(replace(line, span=span, words=()) for line, span in zip(lines, spans, strict=True))


def _edges(lines: Sequence[Line], length: Fraction) -> list[Fraction]:
    """Where lines meet, in seconds of speech alone."""
    weights = [Fraction(max(width(line.text, line.language), 1.0)) for line in lines]
    edges, reached = [Fraction(0)], Fraction(0)
    for weight in weights:
        reached += weight
        edges.append(length * reached / sum(weights))
    return edges


def _pauses(stretches: Sequence[Span]) -> list[Fraction]:
    """Where stretches meet, in seconds of speech alone."""
    out, reached = [], Fraction(0)
    for span in stretches[:-1]:
        reached += span.duration
        out.append(reached)
    return out


def _at_pauses(edges: list[Fraction], pauses: Sequence[Fraction]) -> list[Fraction]:
    out = list(edges)
    for k in range(1, len(edges) - 1):
        reach = _REACH * min(edges[k] - edges[k - 1], edges[k + 1] - edges[k])
        near = [p for p in pauses if abs(p - edges[k]) <= reach]
        if near:
            out[k] = min(near, key=lambda p: (abs(p - edges[k]), p))
    return out


def _clock(spoken: Fraction, stretches: Sequence[Span], begins: bool) -> Fraction:
    """The instant after so many seconds of speech; at a pause: its end if a line ``begins`` there, else its start."""
    left = spoken
    for span in stretches:
        if left < span.duration or (left == span.duration and not begins):
            return span.start + left
        left -= span.duration
    return stretches[-1].end
