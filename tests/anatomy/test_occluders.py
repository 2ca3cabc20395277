"""Mattes of things before a face, on a drawn face whose pixels are known."""

import cv2
import numpy as np
import pytest

from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.occluders import Occluders
from lipdub.anatomy.thumbnail import lower_face, thumbnail
from lipdub.timeline.picture import Window

THING = (40, 45, 70)


def landmarks(side: int) -> np.ndarray:
    """A frontal face (478, 3) in a picture of ``side`` pixels."""
    face = np.concatenate([canonical_face(), np.zeros((10, 3))])
    return (face * side * 0.3 + [side / 2, side * 0.35, 0]).astype(np.float32)


def picture(side: int, thing: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    """A face and where a stick with a round head lies before it, at ``thing`` in sides."""
    noise = np.random.default_rng(3).normal(0, 3, (side, side, 3))
    out = np.full((side, side, 3), (190, 140, 120)) + noise
    lips = landmarks(side)[[61, 291, 0, 17], :2]
    middle, half = lips.mean(0), np.ptp(lips, 0) / 2
    y, x = np.mgrid[:side, :side] + 0.5
    out[((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1] = (175, 80, 85)
    inside = np.zeros((side, side), bool)
    if thing is not None:
        at = np.array(thing) * side
        inside = np.hypot(x - at[0], y - at[1]) < 0.06 * side
        inside |= (np.abs(x - at[0]) < 0.03 * side) & (y > at[1])
        out[inside] = np.array(THING) + noise[inside]
    return np.clip(out, 0, 255).astype(np.uint8), inside


def learnt(side: int) -> FaceColours:
    thumbs = []
    for row in range(40):
        shown, _ = picture(side, (0.5, 0.65) if row < 6 else None)
        thumbs.append(thumbnail(landmarks(side), (side, side), lambda w, shown=shown: crop(shown, w)).picture)
    colours = FaceColours.learn(np.stack(thumbs), np.ones(40, bool))
    assert colours is not None
    return colours


def crop(shown: np.ndarray, window: Window) -> np.ndarray:
    return shown[window.top : window.bottom, window.left : window.right].copy()


@pytest.mark.parametrize("side", [120, 420])
def test_a_matte_covers_the_thing_and_little_else(side: int) -> None:
    before = Occluders(learnt(side), np.ones(1, bool))
    for at in ((0.5, 0.65), (0.46, 0.7)):
        shown, inside = picture(side, at)
        window = Window(side // 5, side * 2 // 5, side * 4 // 5, side * 4 // 5)
        matte = before.matte(landmarks(side), (side, side), lambda w, s=shown: crop(s, w), window)
        assert matte is not None
        assert matte.shape == (window.height, window.width)
        true = crop(inside[..., None], window)[..., 0]
        assert matte[true].mean() > 0.995
        far = cv2.dilate(true.astype(np.uint8), np.ones((3, 3)), iterations=2 + round(0.03 * side)) == 0
        assert matte[far].mean() < 0.005
        assert matte.min() >= 0
        assert matte.max() == 1


def test_there_is_no_matte_where_nothing_is_before_the_face() -> None:
    before = Occluders(learnt(120), np.ones(1, bool))
    shown, _ = picture(120, None)
    window = Window(24, 48, 96, 96)
    assert before.matte(landmarks(120), (120, 120), lambda w: crop(shown, w), window) is None
    assert before.matte(landmarks(120), (120, 120), lambda w: crop(shown, w), Window(5, 5, 5, 9)) is None


def test_what_is_beside_the_face_is_not_before_it() -> None:
    before = Occluders(learnt(120), np.ones(1, bool))
    shown, _ = picture(120, None)
    shown[:, 112:] = THING
    window = Window(24, 48, 120, 96)
    matte = before.matte(landmarks(120), (120, 120), lambda w: crop(shown, w), window)
    assert matte is None or not matte[:, :80].any()


def test_a_margin_shows_more_of_the_same_picture() -> None:
    shown, _ = picture(200, (0.5, 0.65))
    plain = lower_face(landmarks(200), (200, 200), lambda w: crop(shown, w))
    wide = lower_face(landmarks(200), (200, 200), lambda w: crop(shown, w), (6, 5))
    assert plain is not None
    assert wide is not None
    assert wide.picture.shape == (37, 52, 3)
    apart = np.abs(wide.picture[:32, 6:46].astype(int) - plain.picture)
    assert apart[1:-1, 1:-1].max() <= 1
    points = np.c_[landmarks(200)[[61, 291], :2] - 0.5, np.ones(2)]
    np.testing.assert_allclose(points @ wide.matrix.T, points @ plain.matrix.T + [6, 0], atol=1e-3)


def test_a_face_outside_the_picture_has_no_small_picture() -> None:
    assert lower_face(landmarks(100) + 1000, (100, 100), lambda w: np.zeros((1, 1, 3), np.uint8)) is None
