from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from voices import babble

from lipdub.sound_to_mouth import design_matrix
from lipdub.sound_to_mouth.prior import DESIGNS
from lipdub.timeline.speech_features import SpeechFeatures


def shifted(features: SpeechFeatures, rows: int) -> SpeechFeatures:
    """The same heard ``rows`` later, with something else before it."""
    before = babble(rows, seed=9)
    join = [
        np.concatenate([getattr(before, n), getattr(features, n)]) for n in ("phones", "voiced", "energy", "encoded")
    ]
    return SpeechFeatures(features.start, *join)


@pytest.mark.parametrize("name", list(DESIGNS))
def test_rows_depend_on_what_is_heard_not_on_when(name):
    features = babble(120)
    when = np.arange(30, 90) * 0.02 + 0.007
    assert np.allclose(DESIGNS[name](features, when), DESIGNS[name](shifted(features, 50), when + 1.0), atol=1e-5)


@pytest.mark.parametrize("name", list(DESIGNS))
@given(first=st.floats(-1, 5), length=st.floats(0.0, 3))
def test_the_part_near_some_instants_gives_the_same_rows(name, first, length):
    features, when = HEARD, np.linspace(first, first + length, 7)
    part, shifted_when = design_matrix.near(features, when)
    assert len(part) <= len(features)
    assert np.allclose(DESIGNS[name](part, shifted_when), DESIGNS[name](features, when), atol=1e-4)


HEARD = babble(200, start=Fraction(3, 7))


def test_the_ends_hold():
    values = np.arange(5, dtype=np.float32)[:, None]
    assert design_matrix.sampled(values, np.array([-9.0, 0.03, 99.0])).ravel().tolist() == [0.0, 1.5, 4.0]
