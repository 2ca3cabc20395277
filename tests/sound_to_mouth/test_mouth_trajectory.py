from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.sound_to_mouth.mouth_trajectory import (
    closure_times,
    closure_weights,
    map_quantiles,
    predict_mouth,
    rest_weights,
)
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker, rest_shape
from lipdub.sound_to_mouth.sync import Sync, find_sync
from lipdub.timeline.mouth import AP
from lipdub.timeline.speech_features import SpeechFeatures
from sound_to_mouth.sample_speech import babble, hush, linear_world, mouth, with_closure

PRIOR = linear_world()
WHEN = np.arange(250) / 25
SEEN = np.ones(250, bool)
FEATURES = babble(500, seed=3)
SHAPES = mouth(PRIOR, FEATURES, WHEN)


def source(shapes=SHAPES, features: SpeechFeatures | None = FEATURES, context=SEEN) -> SourceSpeech:
    sync = None if features is None else find_sync(PRIOR, features, WHEN[: len(shapes)], shapes, context)
    return SourceSpeech(features, sync, shapes, SEEN[: len(shapes)], context)


def test_the_source_speech_gives_the_measured_shapes():
    trajectory = predict_mouth(PRIOR, source(), FEATURES, WHEN).trajectory
    silent_closings = trajectory.closed == 0
    r = [np.corrcoef(trajectory.shapes[silent_closings, j], SHAPES[silent_closings, j])[0, 1] for j in range(6)]
    assert min(r) > 0.9
    assert np.abs(trajectory.shapes.std(0) / SHAPES.std(0) - 1).max() < 0.2
    assert (trajectory.weight == 1).all()


def test_the_mouth_rests_in_silence():
    result = predict_mouth(PRIOR, source(), hush(500), WHEN)
    assert np.allclose(result.trajectory.shapes, rest_shape(SHAPES)[0], atol=1e-6)
    assert not result.trajectory.closed.any()


def test_the_mouth_rests_outside_the_dub():
    result = predict_mouth(PRIOR, source(), babble(200, seed=5, start=Fraction(2)), WHEN)
    rest = rest_shape(SHAPES)[0]
    outside = (WHEN < 1.6) | (WHEN > 6.5)
    assert np.allclose(result.trajectory.shapes[outside], rest, atol=1e-5)
    assert np.abs(result.trajectory.shapes[~outside] - rest).max() > 0.02


def test_the_mouth_rests_for_an_empty_dub():
    empty = SpeechFeatures(Fraction(0), *(np.zeros(s, np.float32) for s in ((0, 17), (0,), (0, 3))))
    assert np.allclose(predict_mouth(PRIOR, source(), empty, WHEN).trajectory.shapes, rest_shape(SHAPES)[0], atol=1e-6)


def test_lips_close_for_a_closure_and_reopen():
    dub = with_closure(babble(500, seed=5), 250)
    trajectory = predict_mouth(PRIOR, source(), dub, WHEN).trajectory
    assert trajectory.closed[125] == 1
    assert trajectory.shapes[125, AP] <= 0.02
    assert not trajectory.closed[:121].any()
    assert not trajectory.closed[130:].any()


@pytest.mark.parametrize("spacing", [0.02, 1 / 24, 0.1])
def test_every_closure_meets_a_frame(spacing):
    when = np.arange(0, 5, spacing)
    for instant in np.linspace(1, 2, 23):
        assert closure_weights(np.array([instant]), when).max() == 1


def peaked(rows: int, purity: float) -> SpeechFeatures:
    """Speech whose phone posteriors are as certain as ``purity``, with one p, b or m of posterior .2 at row 100."""
    phones = np.full((rows, 17), (1 - purity) / 14, np.float32)
    phones[:, 15:] = 0
    phones[:, 0] = 0
    phones[np.arange(rows), 1 + np.arange(rows) // 5 % 14] += purity
    phones[100, 0] = 0.2
    return replace(babble(rows), phone_posteriors=phones)


def test_weak_closures_count_only_where_posteriors_are_uncertain():
    assert len(closure_times(peaked(300, 0.95))) == 0
    assert closure_times(peaked(300, 0.6)) == pytest.approx([2.0])


def test_notes_name_every_fallback():
    def notes(**changes) -> str:
        return " ".join(predict_mouth(PRIOR, source(**changes), FEATURES, WHEN).notes)

    assert notes() == ""
    assert "no sound" in notes(features=None)
    assert "matched" in notes(features=babble(500, seed=8))
    no_encoder = replace(FEATURES, encoder_features=None)
    assert "whisper" in " ".join(predict_mouth(PRIOR, source(), no_encoder, WHEN).notes)
    no_phones = replace(no_encoder, phone_posteriors=np.zeros_like(no_encoder.phone_posteriors))
    assert "loudness" in " ".join(predict_mouth(PRIOR, source(), no_phones, WHEN).notes)
    assert "never closed" in notes(shapes=SHAPES + np.array([0.2, 0, 0, 0, 0, 0]))


def test_without_source_speech_the_range_is_the_average():
    result = predict_mouth(PRIOR, source(features=None), babble(500, seed=5), WHEN)
    rest = rest_shape(SHAPES)[0]
    above = result.trajectory.shapes[:, AP] - rest[AP]
    assert np.quantile(above, 0.5) == pytest.approx(float(PRIOR.rise[20, AP]), abs=0.03)


def test_rows_outside_the_context_are_not_learnt_from():
    context = np.arange(250) < 180
    spoiled = SHAPES.copy()
    spoiled[180:] = 99.0
    expected = learn_speaker(PRIOR, source(context=context), FEATURES, WHEN)
    learnt = learn_speaker(PRIOR, source(shapes=spoiled, context=context), FEATURES, WHEN)
    assert np.array_equal(expected.levels, learnt.levels)
    assert expected.residual is not None
    assert learnt.residual is not None
    assert np.array_equal(expected.residual, learnt.residual)


def test_a_face_that_was_never_found_gives_a_finite_trajectory():
    nothing = SourceSpeech(FEATURES, None, np.full((250, 6), np.nan), ~SEEN, SEEN)
    assert np.isfinite(predict_mouth(PRIOR, nothing, FEATURES, WHEN).trajectory.shapes).all()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_tracks(frames):
    some = SourceSpeech(FEATURES, None, SHAPES[:frames], SEEN[:frames], SEEN[:frames])
    trajectory = predict_mouth(PRIOR, some, FEATURES, WHEN[:frames]).trajectory
    assert len(trajectory) == frames
    assert np.isfinite(trajectory.shapes).all()


@pytest.mark.parametrize("frames", [200, 420])  # 341 numbers a row: fewer rows take the dual form, more the primal
def test_what_is_learnt_is_the_ridge_solution_in_either_form(frames):
    no_encoder, when = replace(babble(900, seed=4), encoder_features=None), np.arange(frames) / 25
    true, seen = mouth(linear_world(5), no_encoder, when), np.ones(frames, bool)
    sync = Sync(0.0, 0.9, 0.9, 20.0, True)
    model = learn_speaker(PRIOR, SourceSpeech(no_encoder, sync, true, seen, seen), no_encoder, when)
    assert model.residual is not None
    rows = PRIOR.design(no_encoder, when).astype(np.float64)
    missed = (true - np.median(true, 0)) / (true.std(0) + 1e-6) - PRIOR.predict(no_encoder, when)
    missed -= missed.mean(0)
    gradient = rows.T @ (missed - rows @ model.residual) - 5 * frames * model.residual
    assert np.abs(gradient).max() < 2e-3 * np.abs(rows.T @ missed).max()


def test_short_pauses_do_not_close_the_mouth_long_ones_do():
    voiced = np.ones(500, np.float32)
    voiced[100:115] = 0
    voiced[300:340] = 0
    gate = rest_weights(replace(FEATURES, voice_activity=voiced), np.arange(500) * 0.02)
    assert not gate[60:290].any()
    assert gate[315:325].min() > 0.99
    assert gate[300] < 0.1
    assert gate[345] < 0.1


@given(st.lists(st.floats(-3, 3), min_size=41, max_size=41), st.lists(st.floats(-1, 1), min_size=41, max_size=41))
def test_quantile_maps_are_monotone(have, want):
    values = np.linspace(-4, 4, 50)
    mapped = map_quantiles(values, np.sort(have).astype(np.float64), np.sort(want).astype(np.float64))
    assert (np.diff(mapped) >= -1e-6).all()
