from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.acoustics.speech_spans import speech_spans
from lipdub.timeline.time import Span
from sound_to_mouth.sample_speech import hush


def voiced(pattern, start=Fraction(0)):
    return replace(hush(len(pattern), start), voice_activity=np.asarray(pattern, np.float32))


def test_speech_is_found_with_padding_in_exact_time():
    pattern = np.zeros(200)
    pattern[50:100] = 0.9
    assert speech_spans(voiced(pattern, Fraction(1, 3))) == (
        Span(Fraction(1, 3) + Fraction(9, 10), Fraction(1, 3) + Fraction(21, 10)),
    )


def test_short_spans_are_dropped_pauses_bridged_and_weak_ends_kept():
    pattern = np.zeros(300)
    pattern[10:14] = 0.9
    pattern[100:150] = 0.9
    pattern[150:160] = 0.4
    pattern[172:200] = 0.9
    pattern[280:290] = 0.4
    (span,) = speech_spans(voiced(pattern))
    assert span == Span(Fraction(19, 10), Fraction(41, 10))


@given(st.lists(st.floats(0, 1, width=32), max_size=120))
def test_spans_are_sorted_disjoint_and_inside(pattern):
    features = voiced(pattern, Fraction(2))
    spans = speech_spans(features)
    for a, b in pairwise(spans):
        assert a.end < b.start
    assert all(features.span.start <= s.start < s.end <= features.span.end for s in spans)
