import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lipdub.sound_to_mouth.top_speed import QUIET_SPEED, FilmedMouths, top_speed, with_top_speed
from lipdub.timeline.mouth import AP, MouthTrajectory

NEVER = np.zeros(200, bool)
VOICE = np.zeros(200, bool)  # nowhere quiet


def filmed(aperture: np.ndarray, repeats: np.ndarray = NEVER, good: np.ndarray = ~NEVER) -> FilmedMouths:
    shapes = np.zeros((len(aperture), 6))
    shapes[:, AP] = aperture
    return FilmedMouths(np.arange(len(aperture)) / 25, shapes, good, repeats)


def path(aperture: np.ndarray, closed: np.ndarray | None = None) -> MouthTrajectory:
    n = len(aperture)
    shapes = np.full((n, 6), 0.5, np.float32)
    shapes[:, AP] = aperture
    return MouthTrajectory(shapes, np.ones(n, np.float32), np.zeros(n, np.float32) if closed is None else closed)


def test_the_top_speed_is_the_persons_own():
    swing = 0.1 * np.sin(np.arange(200) * 0.8)
    fast = top_speed([filmed(swing)])
    assert fast == pytest.approx(np.percentile(np.abs(np.diff(swing)), 98) * 25)
    assert top_speed([filmed(swing / 100)]) == 1.2
    assert top_speed([]) == 1.8


def test_frames_that_are_not_seen_and_pictures_that_repeat_do_not_count():
    swing = 0.1 * np.sin(np.arange(200) * 0.8)
    spoiled, hidden = swing.copy(), np.isin(np.arange(200), (50, 51, 52))
    spoiled[hidden] = np.nan
    assert top_speed([filmed(spoiled, good=~hidden)]) == pytest.approx(top_speed([filmed(swing)]), rel=0.02)
    shown = np.arange(200) * 5 // 6  # five pictures in six frames
    doubled = np.r_[False, np.diff(shown) == 0]
    held = swing[shown] + np.where(doubled, 0.03, 0)  # what landmarks do in a repeat
    assert top_speed([filmed(held, doubled)]) == pytest.approx(top_speed([filmed(swing)]), rel=0.02)


def test_slow_mouths_stay_as_they_are():
    slow = path(0.1 + 0.02 * np.sin(np.arange(50) * 0.3))
    assert with_top_speed(slow, np.arange(50) / 25, np.zeros(50, bool), 2.0, VOICE[:50]) is slow


def test_a_jump_begins_earlier_and_ends_later():
    aperture = np.where(np.arange(20) < 10, 0.0, 0.16)
    made = with_top_speed(path(aperture), np.arange(20) / 25, np.zeros(20, bool), 1.0, VOICE[:20]).shapes
    assert made[9:11, AP].mean() == pytest.approx(0.08, abs=1e-6), "the middle of the jump stays where it is"
    assert np.diff(made[:, AP]).max() == pytest.approx(0.04, abs=1e-6)
    assert (made[:, 1:] == 0.5).all()


def test_lips_close_when_they_must_and_begin_earlier():
    aperture, closed = np.full(20, 0.16), np.zeros(20, np.float32)
    aperture[10], closed[10] = 0.0, 1.0
    made = with_top_speed(path(aperture, closed), np.arange(20) / 25, np.zeros(20, bool), 1.0, VOICE[:20]).shapes[:, AP]
    assert made[10] == 0
    assert made[7:10] == pytest.approx([0.12, 0.08, 0.04], abs=1e-6)


def test_over_a_gap_in_time_lips_may_go_further():
    """Variable frame rate: the second step lasts five times as long."""
    seconds = np.array([0, 0.04, 0.24, 0.28])
    made = with_top_speed(path(np.array([0, 0, 0.2, 0.2])), seconds, np.zeros(4, bool), 1.0, VOICE[:4]).shapes[:, AP]
    assert made == pytest.approx([0, 0, 0.2, 0.2], abs=1e-6)


@given(arrays(np.float64, 30, elements=st.floats(0, 0.3)), st.lists(st.booleans(), min_size=30, max_size=30))
def test_no_mouth_is_faster_than_the_top_speed_and_repeats_stay_held(aperture, flags):
    repeats = np.array([False, *flags[1:]])
    closed = (np.arange(30) % 7 == 3).astype(np.float32)
    seconds = np.arange(30) / 25
    held = path(np.where(closed > 0, 0, aperture), closed).held(repeats)
    made = with_top_speed(held, seconds, repeats, 1.5, VOICE[:30]).shapes[:, AP].astype(float)
    rows = np.flatnonzero(~repeats)
    assert (np.abs(np.diff(made[rows])) <= 1.5 * np.diff(seconds[rows]) + 1e-6).all()
    assert (made[1:] == made[:-1])[repeats[1:]].all()
    assert (made[held.closed > 0.5] <= 1e-6).all()
    assert made.min() >= -1e-6
    assert made.max() <= 0.3 + 1e-6


def test_without_a_voice_lips_are_slower_and_what_is_left_is_done_with_it():
    """An opening of .16 from frame 9 to 10, just before the voice begins at frame 12."""
    aperture, quiet = np.where(np.arange(25) < 10, 0.0, 0.16), np.arange(25) < 12
    made = with_top_speed(path(aperture), np.arange(25) / 25, np.zeros(25, bool), 3.0, quiet).shapes[:, AP]
    speeds = np.diff(made.astype(float)) * 25
    assert speeds[:11].max() == pytest.approx(QUIET_SPEED, abs=1e-5)
    assert speeds[11:].max() > 2 * QUIET_SPEED
    assert made[-1] == pytest.approx(0.16, abs=1e-6)
    assert (np.diff(made) >= -1e-6).all()


@given(arrays(np.float64, 30, elements=st.floats(0, 0.3)), st.lists(st.booleans(), min_size=30, max_size=30))
def test_between_quiet_frames_no_mouth_is_faster_than_the_quiet_speed(aperture, flags):
    quiet, seconds = np.array(flags), np.arange(30) / 25
    made = with_top_speed(path(aperture), seconds, np.zeros(30, bool), 1.5, quiet).shapes[:, AP].astype(float)
    speeds = np.abs(np.diff(made)) * 25
    assert speeds.max() <= 1.5 + 1e-4
    assert (speeds[quiet[1:] & quiet[:-1]] <= QUIET_SPEED + 1e-4).all()
