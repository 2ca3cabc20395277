"""Voice activity at instants, wherever they lie."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures


@given(st.integers(0, 40), st.integers(-30, 30), st.lists(st.floats(-3, 3), max_size=6))
def test_voice_activity_is_linear_between_rows_and_zero_outside(rows: int, start: int, when: list[float]) -> None:
    activity = np.random.default_rng(rows).random(rows).astype(np.float32)
    begin = Fraction(start, 20)
    features = SpeechFeatures(begin, np.zeros((rows, 17), np.float32), activity, np.zeros((rows, 3), np.float32))
    clock = float(begin) + np.arange(rows) * float(FEATURE_STEP)
    seconds = np.array([*when, *clock])
    wanted = np.interp(seconds, clock, activity, left=0, right=0) if rows else np.zeros(len(seconds))
    assert np.array_equal(features.voice_activity_at(seconds), wanted)
    for instant, value in zip(seconds, wanted, strict=True):
        assert features.voice_activity_at(np.array([instant])) == value
