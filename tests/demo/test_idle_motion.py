"""A still that lives: the head turns as a solid, lids come down, and all else holds still."""

from fractions import Fraction
from itertools import islice, repeat

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.landmarks import canonical_face
from lipdub.demo import idle_motion
from lipdub.demo.idle_motion import BodyPose, IdleMotionOptions

UNIT, MIDDLE = 60.0, np.array([160.0, 130.0])
AWAKE = BodyPose(np.zeros(3), np.zeros(2), 0.0, 0.0, 0.0)


def face() -> np.ndarray:
    """Landmarks (478, 3) of a frontal face, irises included."""
    flat = np.concatenate([canonical_face(), np.zeros((10, 3))]) * UNIT
    flat[:, :2] += MIDDLE
    return flat.astype(np.float32)


def portrait(landmarks: np.ndarray) -> np.ndarray:
    """A smooth backdrop with white eyes."""
    y, x = np.mgrid[:320, :330].astype(np.float32)
    picture = np.stack([120 + 0.2 * x, 90 + 0.2 * y, 80 + 0.1 * (x + y)], -1).astype(np.uint8)
    for upper, lower in zip(idle_motion.UPPER_LIDS, idle_motion.LOWER_LIDS, strict=True):
        outline = landmarks[[*upper, *lower[::-1]], :2].round().astype(np.int32)
        cv2.fillPoly(picture, [outline], (255.0, 255.0, 255.0))
    return picture


@pytest.fixture(scope="module")
def living() -> list[np.ndarray]:
    landmarks = face()
    return list(
        idle_motion.add_idle_motion(
            repeat(portrait(landmarks), 100), landmarks, IdleMotionOptions(100, Fraction(25), seed=4)
        )
    )


def test_it_begins_as_the_picture_and_then_moves(living):
    assert len(living) == 100
    assert np.array_equal(living[0], portrait(face()))
    assert all(frame.shape == living[0].shape for frame in living)
    assert not np.array_equal(living[50], living[0])


def test_background_far_from_the_head_holds_still(living):
    for frame in living[::9]:
        assert np.array_equal(frame[:40, :30], living[0][:40, :30])
        assert np.array_equal(frame[:40, -30:], living[0][:40, -30:])


def test_motion_is_smooth():
    life = idle_motion._IdleMotion(3, 20.0, 1.0)
    turns = np.array([life.at(i / 25).turn for i in range(500)])
    assert np.abs(turns).max() < 9
    assert turns.std(0).min() > 0.4
    assert np.abs(np.diff(turns, axis=0)).max() < 0.8  # degrees a frame
    assert np.abs(np.diff(turns, 2, axis=0)).max() < 0.15


def test_the_same_seed_gives_the_same_pictures_at_any_rate(living):
    landmarks = face()
    again = idle_motion.add_idle_motion(
        repeat(portrait(landmarks), 200), landmarks, IdleMotionOptions(200, Fraction(50), seed=4)
    )
    for index, frame in enumerate(islice(again, 60)):
        if index % 2 == 0:
            assert np.array_equal(frame, living[index // 2])
    other = islice(
        idle_motion.add_idle_motion(repeat(portrait(landmarks), 100), landmarks, IdleMotionOptions(100, seed=5)), 31
    )
    assert not np.array_equal([*other][30], living[30])


def test_odd_rates_are_exact():
    landmarks = face()
    frames = list(
        idle_motion.add_idle_motion(
            repeat(portrait(landmarks), 3), landmarks, IdleMotionOptions(3, Fraction(30000, 1001))
        )
    )
    assert len(frames) == 3


@given(st.integers(0, 10_000))
def test_blinks_come_and_go_as_people_blink(seed):
    blinks = idle_motion._blinks(np.random.default_rng(seed), 30.0)
    starts = np.array([start for start, _ in blinks])
    assert all(0.15 <= length <= 0.3 for _, length in blinks)
    assert 0.9 <= starts[0] <= 2.0
    assert np.all((np.diff(starts) > 1.999) & (np.diff(starts) < 6.001))


def test_lids_cover_the_eyes_and_nothing_else():
    landmarks = face()
    picture = portrait(landmarks)
    shut = picture.copy()
    for side in (0, 1):
        idle_motion._Eyelid(picture, landmarks, side).close(shut, 1.0)
    white = (picture == 255).all(-1)
    assert white.sum() > 100
    assert (shut[white] < 250).all(-1).mean() > 0.8
    changed = (shut != picture).any(-1)
    rows = np.flatnonzero(changed.any(1))
    brows = landmarks[[*idle_motion.BROWS[0], *idle_motion.BROWS[1]], 1]
    assert rows[0] > brows.min() - 1
    assert rows[-1] < landmarks[[*idle_motion.LOWER_LIDS[0]], 1].max() + 3


def test_without_sway_only_the_eyes_change():
    landmarks = face()
    picture = portrait(landmarks)
    for frame in idle_motion.add_idle_motion(repeat(picture, 80), landmarks, IdleMotionOptions(80, seed=1, sway=0.0)):
        assert np.array_equal(frame[160:], picture[160:])


@pytest.mark.parametrize(("turn", "along"), [((3.0, 0, 0), (1, 0)), ((0, 3.0, 0), (0, 1))])
def test_the_head_turns_as_a_solid(turn, along):
    """The tip of the nose goes where a turned solid's would: right for yaw, down for pitch, ears far less."""
    landmarks = face()
    head = idle_motion._HeadWarp((320, 330), landmarks)
    field = head._field(BodyPose(np.array(turn), np.zeros(2), 0.0, 0.0, 0.0))

    def moved(landmark: int) -> np.ndarray:
        column, row = (int(v) // 16 for v in landmarks[landmark, :2])
        return field[row, column]

    nose, ear = moved(4), moved(234)
    assert nose @ along > 1.5
    assert nose @ along - ear @ along > 1.0
    assert np.abs(field[0]).max() < 1.0


def test_a_head_at_rest_is_untouched():
    landmarks = face()
    picture = portrait(landmarks)
    assert np.array_equal(idle_motion._HeadWarp(picture.shape[:2], landmarks).moved(picture, AWAKE), picture)
