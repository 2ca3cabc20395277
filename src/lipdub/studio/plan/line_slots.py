"""Which time belongs to which line: the unit in which a dub is planned, made and made again.

The slots of lines cover all time without gaps: each reaches to the middle of the pause before the next line. What a
mouth does in a slot belongs to the line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from lipdub.acoustics.speech_spans import SpeechSpanOptions, speech_spans
from lipdub.timeline.line_slot import LineSlot
from lipdub.timeline.lines import Line, numbered
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_timings, source_windows

_PHRASES = SpeechSpanOptions(shortest=Fraction(1, 10), pause=Fraction(2, 5), padding=Fraction(0))
_LONG = Fraction(8)
"""Seconds of speech without a pause from which a phrase is divided where the voice is weakest."""

_SHORT = Fraction(3, 2)
"""Seconds that each part of a divided phrase has at least."""


def line_slots(lines: Sequence[Line], whole: Span) -> tuple[LineSlot, ...]:
    """The slots of ``lines``, in order of time; together they cover ``whole``. ``Line.span`` is when the source says a
    line."""
    ordered = sorted(lines, key=lambda line: (line.span, line.id))
    borders = [whole.start]
    for a, b in pairwise(ordered):
        middle = (min(a.span.end, b.span.end) + b.span.start) / 2
        borders.append(min(max(middle, a.span.start, borders[-1]), whole.end))
    borders.append(whole.end)
    return tuple(LineSlot(line, Span(a, b)) for line, (a, b) in zip(ordered, pairwise(borders), strict=False))


def timed_lines(lines: Sequence[Line], source: SpeechFeatures | None) -> tuple[Line, ...]:
    """``lines`` with the spans in which the source says them; their own spans where it is silent, or without a
    ``source``."""
    if source is None:
        return tuple(lines)
    timings = source_timings(lines, source_windows(source))
    return tuple(replace(line, span=timing.span) for line, timing in zip(lines, timings, strict=True))


def slots_by_person(lines: Sequence[Line], people: Mapping[str, str], whole: Span) -> dict[str, LineSlot]:
    """The slot of every line, by its id, among the lines of the same person. ``people`` are the ids of those who say
    the lines, by line id; lines of which that is not known are a group of their own."""
    groups: dict[str | None, list[Line]] = {}
    for line in lines:
        groups.setdefault(people.get(line.id), []).append(line)
    return {slot.line.id: slot for group in groups.values() for slot in line_slots(group, whole)}


def phrases(dub: SpeechFeatures) -> tuple[Line, ...]:
    """The speech of a finished dub track as lines without words, numbered in order of time.

    A pause of .4 s divides phrases. A phrase of more than 8 s is divided where the voice is weakest.
    """
    return numbered(Line("", piece) for span in speech_spans(dub, _PHRASES) for piece in _divided(span, dub))


def _divided(span: Span, dub: SpeechFeatures) -> Iterator[Span]:
    """``span`` in pieces of at most 8 s."""
    weak = np.convolve(dub.voice_activity, np.ones(7) / 7, "same")
    while span.duration > _LONG:
        first = int((span.start + _SHORT - dub.start) / FEATURE_STEP)
        stop = int((min(span.start + _LONG, span.end - _SHORT) - dub.start) / FEATURE_STEP)
        at = dub.start + (first + int(weak[first:stop].argmin())) * FEATURE_STEP
        yield Span(span.start, at)
        span = Span(at, span.end)
    yield span
