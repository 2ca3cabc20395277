from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from voices import babble, hush, linear_world, mouth, with_closure

from lipdub.sound_to_mouth.mouth_trajectory import (
    closure_times,
    closure_weights,
    predict_mouth,
    map_quantiles,
    rest_weights,
)
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker, rest_shape
from lipdub.sound_to_mouth.sync import Sync, find_sync
from lipdub.timeline.mouth import AP
from lipdub.timeline.speech_features import SpeechFeatures

PRIOR = linear_world()
WHEN = np.arange(250) / 25
SEEN = np.ones(250, bool)
HEARD = babble(500, seed=3)
SHAPES = mouth(PRIOR, HEARD, WHEN)


def source(shapes=SHAPES, features: SpeechFeatures | None = HEARD, context=SEEN) -> SourceSpeech:
    sync = None if features is None else find_sync(PRIOR, features, WHEN[: len(shapes)], shapes, context)
    return SourceSpeech(features, sync, shapes, SEEN[: len(shapes)], context)


def test_the_own_words_give_the_own_shapes():
    path = predict_mouth(PRIOR, source(), HEARD, WHEN).trajectory
    silent_closings = path.closed == 0
    r = [np.corrcoef(path.shapes[silent_closings, j], SHAPES[silent_closings, j])[0, 1] for j in range(6)]
    assert min(r) > 0.9
    assert np.abs(path.shapes.std(0) / SHAPES.std(0) - 1).max() < 0.2
    assert (path.weight == 1).all()


def test_silence_is_rest():
    result = predict_mouth(PRIOR, source(), hush(500), WHEN)
    assert np.allclose(result.path.shapes, rest_shape(SHAPES)[0], atol=1e-6)
    assert not result.path.closed.any()


def test_beyond_the_dub_is_rest():
    result = predict_mouth(PRIOR, source(), babble(200, seed=5, start=Fraction(2)), WHEN)
    rest = rest_shape(SHAPES)[0]
    outside = (WHEN < 1.6) | (WHEN > 6.5)
    assert np.allclose(result.path.shapes[outside], rest, atol=1e-5)
    assert np.abs(result.path.shapes[~outside] - rest).max() > 0.02


def test_no_dub_at_all_is_rest():
    empty = SpeechFeatures(Fraction(0), *(np.zeros(s, np.float32) for s in ((0, 17), (0,), (0, 3))))
    assert np.allclose(predict_mouth(PRIOR, source(), empty, WHEN).trajectory.shapes, rest_shape(SHAPES)[0], atol=1e-6)


def test_lips_close_for_a_closure_and_reopen():
    dub = with_closure(babble(500, seed=5), 250)
    path = predict_mouth(PRIOR, source(), dub, WHEN).trajectory
    assert path.closed[125] == 1
    assert path.shapes[125, AP] <= 0.02
    assert not path.closed[:121].any()
    assert not path.closed[130:].any()


@pytest.mark.parametrize("spacing", [0.02, 1 / 24, 0.1])
def test_every_closure_meets_a_frame(spacing):
    when = np.arange(0, 5, spacing)
    for instant in np.linspace(1, 2, 23):
        assert closure_weights(np.array([instant]), when).max() == 1


def peaked(rows: int, purity: float) -> SpeechFeatures:
    """Speech whose phones are as sure as ``purity``, with one p, b or m of posterior .2 at row 100."""
    phones = np.full((rows, 17), (1 - purity) / 14, np.float32)
    phones[:, 15:] = 0
    phones[:, 0] = 0
    phones[np.arange(rows), 1 + np.arange(rows) // 5 % 14] += purity
    phones[100, 0] = 0.2
    return replace(babble(rows), phone_posteriors=phones)


def test_faint_closures_count_only_where_nothing_is_sure():
    assert len(closure_times(peaked(300, 0.95))) == 0
    assert closure_times(peaked(300, 0.6)) == pytest.approx([2.0])


def test_notes_name_every_fallback():
    def notes(**changes) -> str:
        return " ".join(predict_mouth(PRIOR, source(**changes), HEARD, WHEN).notes)

    assert notes() == ""
    assert "no sound" in notes(features=None)
    assert "matched" in notes(features=babble(500, seed=8))
    deaf = replace(HEARD, encoder_features=None)
    assert "whisper" in " ".join(predict_mouth(PRIOR, source(), deaf, WHEN).notes)
    mute = replace(deaf, phone_posteriors=np.zeros_like(deaf.phone_posteriors))
    assert "loudness" in " ".join(predict_mouth(PRIOR, source(), mute, WHEN).notes)
    assert "never closed" in notes(shapes=SHAPES + np.array([0.2, 0, 0, 0, 0, 0]))


def test_without_source_speech_the_range_is_everybodys():
    result = predict_mouth(PRIOR, source(features=None), babble(500, seed=5), WHEN)
    rest = rest_shape(SHAPES)[0]
    above = result.path.shapes[:, AP] - rest[AP]
    assert np.quantile(above, 0.5) == pytest.approx(float(PRIOR.rise[20, AP]), abs=0.03)


def test_hidden_rows_teach_nothing():
    context = np.arange(250) < 180
    lying = SHAPES.copy()
    lying[180:] = 99.0
    honest = learn_speaker(PRIOR, source(context=context), HEARD, WHEN)
    fooled = learn_speaker(PRIOR, source(shapes=lying, context=context), HEARD, WHEN)
    assert np.array_equal(honest.levels, fooled.levels)
    assert honest.residual is not None
    assert fooled.residual is not None
    assert np.array_equal(honest.residual, fooled.residual)


def test_a_face_never_seen_gives_a_path_all_the_same():
    nothing = SourceSpeech(HEARD, None, np.full((250, 6), np.nan), ~SEEN, SEEN)
    assert np.isfinite(predict_mouth(PRIOR, nothing, HEARD, WHEN).trajectory.shapes).all()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_tracks(frames):
    some = SourceSpeech(HEARD, None, SHAPES[:frames], SEEN[:frames], SEEN[:frames])
    path = predict_mouth(PRIOR, some, HEARD, WHEN[:frames]).trajectory
    assert len(path) == frames
    assert np.isfinite(path.shapes).all()


@pytest.mark.parametrize("frames", [200, 420])  # 341 numbers a row: fewer rows take the dual form, more the primal
def test_what_is_learnt_is_the_ridge_solution_in_either_form(frames):
    deaf, when = replace(babble(900, seed=4), encoded=None), np.arange(frames) / 25
    true, seen = mouth(linear_world(5), deaf, when), np.ones(frames, bool)
    sync = Sync(0.0, 0.9, 0.9, 20.0, True)
    person = learn_speaker(PRIOR, SourceSpeech(deaf, sync, true, seen, seen), deaf, when)
    assert person.residual is not None
    rows = PRIOR.design(deaf, when).astype(np.float64)
    missed = (true - np.median(true, 0)) / (true.std(0) + 1e-6) - PRIOR.predict(deaf, when)
    missed -= missed.mean(0)
    gradient = rows.T @ (missed - rows @ person.residual) - 5 * frames * person.residual
    assert np.abs(gradient).max() < 2e-3 * np.abs(rows.T @ missed).max()


def test_short_pauses_do_not_close_the_mouth_long_ones_do():
    voiced = np.ones(500, np.float32)
    voiced[100:115] = 0
    voiced[300:340] = 0
    gate = rest_weights(replace(HEARD, voice_activity=voiced), np.arange(500) * 0.02)
    assert not gate[60:290].any()
    assert gate[315:325].min() > 0.99
    assert gate[300] < 0.1
    assert gate[345] < 0.1


@given(st.lists(st.floats(-3, 3), min_size=41, max_size=41), st.lists(st.floats(-1, 1), min_size=41, max_size=41))
def test_quantile_maps_never_turn_back(have, want):
    values = np.linspace(-4, 4, 50)
    mapped = map_quantiles(values, np.sort(have).astype(np.float64), np.sort(want).astype(np.float64))
    assert (np.diff(mapped) >= -1e-6).all()
