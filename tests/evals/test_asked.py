"""The half test without pictures, on a mouth that follows its voice exactly."""

from fractions import Fraction

import numpy as np
import pytest
from evals.asked import Halves, judged, true_shapes
from evals.bench import later

from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker
from lipdub.sound_to_mouth.sync import Sync
from lipdub.train.training_clip import MeasuredFace
from sound_to_mouth.sample_speech import babble, linear_world, mouth


def test_a_mouth_that_follows_its_voice_exactly():
    prior, voice, seconds = linear_world(), babble(1000), np.arange(450) / 25
    face = MeasuredFace(seconds, mouth(prior, voice, seconds), np.ones(450, bool))
    first = seconds < 9
    halves = Halves(face, later(voice, Fraction(-9)), first, true_shapes(face, 9.0))
    filmed = SourceSpeech(voice, Sync(0.0, 1.0, 1.0, 9.0, True), face.shapes, face.ok, first, seconds)
    row = judged(prior, learn_speaker(prior, [filmed], prior.kind(voice)), halves, 0.04)
    assert row["frames"] == 225
    assert row["prior"] > 0.8
    assert row["mean"] > 0.8
    assert row["swing"] == pytest.approx(1, abs=0.15)


def test_what_was_not_filmed_is_unknown():
    seconds = np.arange(20) / 10
    face = MeasuredFace(seconds, np.ones((20, 6)), np.arange(20) != 15)
    true = true_shapes(face, 1.0)
    assert np.isnan(true[10:]).all()
    assert np.isnan(true[5]).all()
    assert (true[:5] == 1).all()
