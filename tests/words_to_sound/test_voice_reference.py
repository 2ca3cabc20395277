from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.voice_reference import VoiceReferenceOptions, reference_span
from sound_to_mouth.sample_speech import hush

F = Fraction
HALF = F(1, 2)


def said(start, count, sure=0.9, pace=HALF):
    words = tuple(Word("w", Span(start + k * pace, start + (k + 1) * pace), sure) for k in range(count))
    return Line(" ".join("w" * count), Span(words[0].span.start, words[-1].span.end), "en", "A", words)


def voiced(seconds, level=0.9):
    return replace(hush(seconds * 50), voice_activity=np.full(seconds * 50, level, np.float32))


def test_the_longest_confident_speech_is_taken_with_a_margin():
    lines = [said(F(1), 7), said(F(10), 14), said(F(30), 16, sure=0.4)]
    assert reference_span(lines, voiced(60)) == Span(F(99, 10), F(171, 10))


def test_long_speech_is_cut_between_words_and_the_margin_stops_at_neighbours():
    span = reference_span([said(F(0), 100)], voiced(60))
    assert span is not None
    assert span.duration == 10


def test_the_reference_does_not_overlap_other_speakers():
    lines = [said(F(0), 20), said(F(20), 8)]
    assert reference_span(lines, voiced(60), [Span(F(3), F(6))]) == Span(F(6), F(10) + F(1, 10))
    assert reference_span(lines, voiced(60), [Span(F(0), F(60))]) is None


def test_pauses_are_allowed_where_nothing_else_is_found():
    assert reference_span([said(F(0), 5), said(F(7, 2), 5)], voiced(60)) == Span(F(0), F(61, 10))


def test_too_short_uncertain_or_inactive_speech_gives_none():
    assert reference_span([said(F(0), 5)], voiced(60)) is None
    assert reference_span([said(F(0), 9, sure=0.2)], voiced(60)) is None
    assert reference_span([said(F(0), 9)], voiced(60, 0.1)) is None
    assert reference_span([], voiced(60)) is None


def test_lines_without_words_can_be_used():
    line = Line("Hello there you all", Span(F(2), F(7)))
    assert reference_span([line], voiced(10)) == Span(F(19, 10), F(71, 10))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 150), st.floats(0, 1)), max_size=40),
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 99)), max_size=3),
)
def test_each_reference_keeps_the_limits(words, others):
    at, out = F(0), []
    for pause, lasts, sure in words:
        at += F(pause, 50)
        out.append(Word("w", Span(at, at + F(lasts, 50)), sure))
        at = out[-1].span.end
    lines = [Line("w", w.span, words=(w,)) for w in out]
    busy = [Span(F(a, 20), F(a + d, 20)) for a, d in others]
    span = reference_span(lines, voiced(60), busy)
    if span is not None:
        options = VoiceReferenceOptions()
        assert options.shortest <= span.duration <= options.longest + 2 * options.margin
        assert not any(span.overlaps(b) for b in busy)
        assert all(w.span.intersection(span) in (None, w.span) for w in out if w.span.duration)
