"""Thumbnails do not change with the size, place or lean of the face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.anatomy.landmarks import LANDMARK_COUNT, canonical_face
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE, thumbnail
from lipdub.timeline.picture import Window

LIPS_TOP, LIPS_BOTTOM = float(canonical_face()[0, 1]), float(canonical_face()[17, 1])


def painted(scale: float, roll: float, centre: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """A picture of soft skin tones with red lips, fixed to a face of that place and lean."""
    y, x = np.mgrid[: size[1], : size[0]].astype(float) + 0.5
    x, y = (x - centre[0]) / scale, (y - centre[1]) / scale
    x, y = x * np.cos(roll) + y * np.sin(roll), y * np.cos(roll) - x * np.sin(roll)
    tone = 150 + 50 * np.sin(x * 7) + 30 * np.cos(y * 9)
    middle, half = (LIPS_TOP + LIPS_BOTTOM) / 2, (LIPS_BOTTOM - LIPS_TOP) / 2
    inside = (x / 0.27) ** 2 + ((y - middle) / half) ** 2
    red = 60 / (1 + np.exp(np.minimum((inside - 1) * 12, 50)))
    return np.clip(np.stack([tone, tone - red, tone - red], -1), 0, 255).astype(np.uint8)


def placed(scale: float, roll: float, centre: tuple[float, float]) -> np.ndarray:
    face = np.zeros((LANDMARK_COUNT, 3))
    face[:468] = canonical_face()
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return (scale * face @ turn.T + [*centre, 0]).astype(np.float32)


def see(scale: float, roll: float, centre: tuple[float, float], size: tuple[int, int] = (640, 480)):
    picture = painted(scale, roll, centre, size)
    return thumbnail(placed(scale, roll, centre), size, lambda w: picture[w.top : w.bottom, w.left : w.right].copy())


@settings(max_examples=12)
@given(st.floats(50, 190), st.floats(-0.6, 0.6), st.floats(250, 390), st.floats(150, 200))
def test_the_same_face_elsewhere_gives_about_the_same_thumbnail(scale: float, roll: float, x: float, y: float) -> None:
    first, other = see(110.0, 0.0, (320.0, 160.0)), see(scale, roll, (x, y))
    assert first.picture.shape == (THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3)
    difference = np.abs(first.picture.astype(int) - other.picture)
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) < 8
    assert other.redness == pytest.approx(first.redness, abs=2)
    assert first.redness > 10


def test_only_the_window_it_needs_is_asked_for() -> None:
    asked: list[Window] = []

    def pixels(window: Window) -> np.ndarray:
        asked.append(window)
        return np.full((window.height, window.width, 3), 128, np.uint8)

    thumb = thumbnail(placed(60, 0.2, (30, 20)), (640, 480), pixels)
    assert len(asked) == 1
    assert Window(0, 0, 640, 480).contains(asked[0])
    assert asked[0].width < 150
    assert (thumb.picture == 128).all()
    assert thumb.redness == pytest.approx(0)


def test_a_face_outside_the_picture_gives_nothing() -> None:
    thumb = thumbnail(placed(60, 0, (2000, 2000)), (640, 480), lambda window: pytest.fail("no pixel is needed"))
    assert not thumb.picture.any()
    assert np.isnan(thumb.redness)
