from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.sound_to_mouth import design_matrix
from lipdub.sound_to_mouth.prior import DESIGNS
from lipdub.timeline.speech_features import SpeechFeatures
from sound_to_mouth.sample_speech import babble


def shifted(features: SpeechFeatures, rows: int) -> SpeechFeatures:
    """``features`` moved ``rows`` later, with other rows before them."""
    before = babble(rows, seed=9)
    names = ("phone_posteriors", "voice_activity", "energy", "encoder_features")
    join = [np.concatenate([getattr(before, name), getattr(features, name)]) for name in names]
    return SpeechFeatures(features.start, *join)


@pytest.mark.parametrize("name", list(DESIGNS))
def test_rows_do_not_depend_on_the_position_in_the_sound(name):
    features = babble(120)
    when = np.arange(30, 90) * 0.02 + 0.007
    assert np.allclose(DESIGNS[name](features, when), DESIGNS[name](shifted(features, 50), when + 1.0), atol=1e-5)


@pytest.mark.parametrize("name", list(DESIGNS))
@given(first=st.floats(-1, 5), length=st.floats(0.0, 3))
def test_the_part_near_some_instants_gives_the_same_rows(name, first, length):
    features, when = FEATURES, np.linspace(first, first + length, 7)
    part, shifted_when = design_matrix.features_near(features, when)
    assert len(part) <= len(features)
    assert np.allclose(DESIGNS[name](part, shifted_when), DESIGNS[name](features, when), atol=1e-4)


FEATURES = babble(200, start=Fraction(3, 7))


def test_the_end_rows_are_repeated_outside():
    values = np.arange(5, dtype=np.float32)[:, None]
    assert design_matrix.sample_rows(values, np.array([-9.0, 0.03, 99.0])).ravel().tolist() == [0.0, 1.5, 4.0]
