from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.sound_to_mouth.sync import OFFSETS, Sync, find_sync, local_sync_scores, offset_scores, sync_score
from lipdub.timeline.mouth import AP, UL, WD
from sound_to_mouth.sample_speech import babble, hush, linear_world, mouth

PRIOR = linear_world()
WHEN = np.arange(250) / 25
SEEN = np.ones(250, bool)


@pytest.mark.parametrize("late", [-0.26, -0.08, 0.0, 0.1, 0.3])
def test_a_planted_offset_is_found_sound_late_is_positive(late):
    features = babble(560, start=Fraction(-1, 2))
    sync = find_sync(PRIOR, features, WHEN, mouth(PRIOR, features, WHEN, late), SEEN)
    assert sync.matched
    assert sync.offset == pytest.approx(late, abs=0.011)
    assert sync.score > 0.9


def test_a_wrong_voice_is_rejected():
    shapes = mouth(PRIOR, babble(500, seed=1), WHEN)
    sync = find_sync(PRIOR, babble(500, seed=2), WHEN, shapes, SEEN)
    assert not sync.matched
    assert sync.offset == 0.0


def test_other_units_and_lost_frames_do_not_matter():
    features = babble(500)
    shapes = mouth(PRIOR, features, WHEN, 0.1) * 7 + 3
    shapes[50:80] = np.nan
    sync = find_sync(PRIOR, features, WHEN, shapes, SEEN)
    assert sync.matched
    assert sync.offset == pytest.approx(0.1, abs=0.011)


@pytest.mark.parametrize("frames", [0, 1, 10, 30])
def test_too_little_speech_is_no_match(frames):
    features = babble(500)
    seen = np.arange(250) < frames
    assert find_sync(PRIOR, features, WHEN, mouth(PRIOR, features, WHEN), seen).matched is False
    assert find_sync(PRIOR, hush(500), WHEN, mouth(PRIOR, features, WHEN), SEEN) == Sync.unknown()


def test_score_is_high_only_in_sync():
    features = babble(500)
    assert sync_score(PRIOR, features, WHEN, mouth(PRIOR, features, WHEN), SEEN) > 0.9
    assert sync_score(PRIOR, features, WHEN, mouth(PRIOR, features, WHEN, 0.3), SEEN) < 0.5
    assert sync_score(PRIOR, features, WHEN, np.full((250, 6), np.nan), SEEN) == 0.0


def test_local_scores_tell_who_speaks_when():
    first, second = babble(500, seed=1), babble(500, seed=2)
    speaker, other = mouth(PRIOR, first, WHEN), mouth(PRIOR, second, WHEN)
    turns = np.where(np.arange(250)[:, None] < 125, speaker, other)
    local = local_sync_scores(PRIOR, first, WHEN, turns)
    assert local.shape == (250,)
    assert local[:100].mean() > 0.5 > 0.3 > local[150:].mean()


def test_a_still_or_lost_mouth_scores_near_zero():
    features = babble(500)
    rng = np.random.default_rng(0)
    still = np.tile(mouth(PRIOR, features, WHEN)[:1], (250, 1)) + rng.standard_normal((250, 6)) * 1e-3
    assert np.abs(local_sync_scores(PRIOR, features, WHEN, still)).max() < 0.2
    assert not local_sync_scores(PRIOR, features, WHEN, np.full((250, 6), np.nan)).any()


@given(st.integers(40, 200), st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.sampled_from([24, 25, 29.97, 60]))
def test_the_scores_of_all_offsets_are_correlations_of_the_shifted_prediction(count, seed, noise, rate):
    draw, features = np.random.default_rng(seed), babble(500, seed=seed % 7)
    seconds = np.sort(draw.choice(200, count, replace=False)) / rate + draw.uniform(-1, 1)
    shapes = mouth(PRIOR, features, seconds) + draw.normal(0, noise, (count, 6))

    def parts(rows):
        rows = rows / (rows.std(0) + 1e-6)
        return np.stack([rows[:, AP], rows[:, WD], rows[:, UL], rows[:, UL] + rows[:, AP]], 1).astype(np.float64)

    grid = np.arange(seconds[0] - 0.45, seconds[-1] + 0.5, 0.02)
    predicted = PRIOR.predict(features, grid)
    expected, true = [], parts(shapes)
    for lag in OFFSETS:
        when = seconds + lag
        guess = parts(np.stack([np.interp(when, grid, column) for column in predicted.T], 1))
        known = (guess.std(0) > 1e-5) & (true.std(0) > 1e-5)
        each = [np.corrcoef(guess[:, k], true[:, k])[0, 1] if known[k] else 0.0 for k in range(4)]
        expected.append(np.mean(each))
    assert offset_scores(PRIOR, features, seconds, shapes) == pytest.approx(np.array(expected), abs=1e-3)
