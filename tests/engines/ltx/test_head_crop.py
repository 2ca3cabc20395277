"""The crop around the head: where it is, and that pixels are mapped back to their place."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.pose import Poses
from lipdub.engines.ltx.head_crop import HeadCrop, compose_affine, crop_frame, head_motion, plan_head_crop, warp_back
from lipdub.engines.ltx.studied_track import StudiedTrack, load_track
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Window

RATE = Fraction(25)
MEAN = np.concatenate([canonical_face(), np.zeros((10, 3))])


def head(places, unit=40.0, size=(640, 360), ok=None):
    """A studied track of a frontal head whose point between the eyes is at ``places`` (n, 2)."""
    n = len(places)
    shift = np.concatenate([np.asarray(places, float), np.zeros((n, 1))], 1)
    poses = Poses(np.broadcast_to(unit, n).astype(float).copy(), np.tile(np.eye(3), (n, 1, 1)), shift)
    found = np.ones(n, bool) if ok is None else ok
    poses.scale[~found] = np.nan
    return StudiedTrack(0, size, found, found, poses, np.zeros((n, 6)), MEAN)


def picture_of(size, seed=0):
    """A smooth RGB picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def view_of(picture, landmarks=None):
    def pixels(window):
        assert window.clipped((picture.shape[1], picture.shape[0])) == window
        return picture[window.top : window.bottom, window.left : window.right].copy()

    return FaceView(0, (picture.shape[1], picture.shape[0]), landmarks, pixels)


def corners_in_picture(crop, row):
    onto = crop.to_picture(row)
    return onto @ [-0.5, -0.5, 1], onto @ [crop.width - 0.5, crop.height - 0.5, 1]


def test_the_crop_shows_head_and_shoulders_and_stands_still_while_the_head_stays_inside():
    sway = [[320 + 12 * np.sin(i / 5), 150] for i in range(50)]
    crop = plan_head_crop(head(sway), range(50), RATE, 512)
    assert (crop.width, crop.height) == (512, 512)
    assert np.ptp(crop.corners, axis=0).max() == 0
    low, high = corners_in_picture(crop, 0)
    assert high[0] - low[0] == pytest.approx(160)
    assert low[1] < 150 - 40 < 150 + 2 * 40 < high[1]


@given(
    width=st.integers(33, 900), height=st.integers(33, 900), x=st.floats(-0.2, 1.2), y=st.floats(-0.2, 1.2),
    unit=st.floats(8, 400),
)  # fmt: skip
def test_crops_are_inside_the_picture_and_multiples_of_64_without_distortion(width, height, x, y, unit):
    record = head([[x * width, y * height]] * 3, unit, (width, height))
    crop = plan_head_crop(record, range(3), RATE, 256)
    assert crop.width % 64 == crop.height % 64 == 0
    assert min(crop.width, crop.height) >= 64
    low, high = corners_in_picture(crop, 1)
    assert (low > -0.5 - 1e-6).all()
    assert (high < np.array([width, height]) - 0.5 + 1e-6).all()


def test_a_narrow_picture_gets_a_tall_crop():
    crop = plan_head_crop(head([[54, 70]], 40, (108, 192)), range(1), RATE, 512)
    assert crop.width < crop.height
    assert crop.width * crop.height == pytest.approx(512 * 512, rel=0.2)


def test_the_crop_follows_a_walking_head_slowly():
    walk = np.array([[150 + 6 * max(0, i - 20) + np.random.default_rng(i).normal(0, 1.5), 150] for i in range(70)])
    crop = plan_head_crop(head(walk, 40), range(70), RATE, 256)
    steps = np.diff(crop.corners[:, 0])
    assert steps.min() > -0.5
    assert np.abs(np.diff(steps)).max() < 1.2
    middle = crop.corners[:, 0] + crop.width / crop.scale / 2
    assert np.abs(middle - walk[:, 0]).max() < 80 - 0.9 * 40


def test_the_crop_is_interpolated_where_the_face_was_lost():
    ok = np.ones(30, bool)
    ok[10:15] = False
    walk = np.array([[100 + 10 * i, 150] for i in range(30)])
    crop = plan_head_crop(head(walk, 40, (900, 400), ok), range(30), RATE, 256)
    assert np.isfinite(crop.corners).all()
    assert (np.diff(crop.corners[:, 0]) > 0).all()
    assert np.isfinite(plan_head_crop(head(walk, 40, ok=np.zeros(30, bool)), range(30), RATE, 256).corners).all()


@pytest.mark.parametrize("unit", [14, 40, 120])
@pytest.mark.parametrize("size", [(641, 359), (1280, 720)])
def test_cropped_pixels_are_mapped_back_to_their_place(unit, size):
    picture = picture_of(size)
    place = [size[0] * 0.47 + 0.3, size[1] * 0.4]
    crop = plan_head_crop(head([place], unit, size), range(1), RATE, 256)
    seen = crop_frame(view_of(picture), 0, crop)
    assert seen.shape == (crop.height, crop.width, 3)
    window = Window(round(place[0]) - unit // 2, round(place[1]), round(place[0]) + unit // 2, round(place[1]) + unit)
    back = warp_back(seen, crop.to_picture(0), window)
    differ = np.abs(back.astype(int) - picture[window.top : window.bottom, window.left : window.right])
    assert differ.max() <= 3


def test_the_border_is_repeated_beyond_the_picture():
    picture = picture_of((100, 80))
    seen = crop_frame(view_of(picture), 0, HeadCrop(0, np.array([[-20.0, 30.0]]), 1.0, 64, 64))
    assert np.abs(seen[:40, :19].astype(int) - picture[30:70, :1]).max() <= 1
    assert np.abs(seen[:40, 25:].astype(int) - picture[30:70, 5:44]).max() <= 1


def test_a_picture_generated_for_another_row_moves_with_the_head():
    angle = 0.1
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    poses = Poses(np.array([40.0, 44.0, np.nan]), np.stack([np.eye(3), turn, turn]), np.array([[10.0, 20, 0]] * 3))
    move = head_motion(poses, MEAN[:468], 0, 1)
    there, here = poses.project(0, MEAN[:468])[:, :2], poses.project(1, MEAN[:468])[:, :2]
    assert np.abs(there @ move[:, :2].T + move[:, 2] - here).max() < 1e-6
    assert np.array_equal(head_motion(poses, MEAN, 0, 2), [[1, 0, 0], [0, 1, 0]])
    assert np.array_equal(head_motion(poses, MEAN, 1, 1), [[1, 0, 0], [0, 1, 0]])


def test_maps_are_composed_in_order():
    first, second = np.array([[2.0, 0, 1], [0, 2, 3]]), np.array([[0.0, -1, 5], [1, 0, 7]])
    point = np.array([4.0, 6.0])
    once = first[:, :2] @ point + first[:, 2]
    both = compose_affine(second, first)
    assert np.allclose(both[:, :2] @ point + both[:, 2], second[:, :2] @ once + second[:, 2])


def test_a_studied_track_is_read_back_as_it_was_written(tmp_path):
    record = head([[100, 100], [110, 100]], 30.0, ok=np.array([True, False]))
    record.save(tmp_path)
    again = load_track(tmp_path)
    assert (again.first, again.size, len(again)) == (0, (640, 360), 2)
    assert np.array_equal(again.poses.scale, record.poses.scale, equal_nan=True)
