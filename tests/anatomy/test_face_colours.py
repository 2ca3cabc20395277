"""Things before a face are told by their colours, on drawn thumbnails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE

SKIN, LIPS, DARK, SHIRT = (190, 140, 120), (170, 80, 85), (60, 20, 25), (220, 222, 235)
N = 60
Y, X = np.mgrid[:32, :40]


def faces(seed: int = 0) -> np.ndarray:
    """Thumbnails (60, 32, 40, 3) of a talking mouth, with a shirt below the face."""
    noise, out = np.random.default_rng(seed), np.empty((N, 32, 40, 3), np.uint8)
    for i in range(N):
        opening = 2 + 2 * np.sin(i / 3)
        picture = np.empty((32, 40, 3))
        picture[:] = SKIN
        picture *= (1 - 0.15 * ((X - 19.5) / 20) ** 2)[..., None]
        picture[((X - 19.5) / 10) ** 2 + ((Y - 11) / (2 + opening)) ** 2 < 1] = LIPS
        picture[((X - 19.5) / 8) ** 2 + ((Y - 11) / max(opening, 0.1)) ** 2 < 1] = DARK
        picture[Y > 29 + (X - 20) ** 2 / 200] = SHIRT
        out[i] = np.clip(picture + noise.normal(0, 3, picture.shape), 0, 255)
    return out


def covered(thumbs: np.ndarray, rows: range, colour: tuple[int, int, int], at: tuple[int, int]) -> np.ndarray:
    """Draw a disc on a stick that comes from below over ``rows``; returns where it is (32, 40)."""
    x, y = at
    thing = ((X - x) ** 2 + (Y - y) ** 2 < 49) | ((np.abs(X - x) < 4) & (y < Y))
    grain = np.random.default_rng(1).normal(0, 4, (len(rows), int(thing.sum()), 3))
    thumbs[rows.start : rows.stop, thing] = np.clip(np.array(colour) + grain, 0, 255)
    return thing


@pytest.mark.parametrize("colour", [(40, 42, 50), (60, 105, 170), (240, 240, 245)])
@pytest.mark.parametrize("at", [(20, 20), (10, 16), (30, 22)])
def test_a_thing_before_the_mouth_is_found_where_it_is(colour: tuple, at: tuple[int, int]) -> None:
    thumbs = faces()
    thing = covered(thumbs, range(20, 32), colour, at)
    learnt = FaceColours.learn(thumbs, np.ones(N, bool))
    assert learnt is not None
    for row in (20, 25, 31):
        found = learnt.other_things(thumbs[row])
        assert found[thing & (Y < 28)].mean() > 0.95
        assert found[~thing & (Y < 26)].mean() < 0.06
    assert learnt.other_things(thumbs[5])[Y < 26].mean() < 0.01


@given(st.integers(0, 100))
def test_a_face_with_nothing_before_it_is_seen(seed: int) -> None:
    thumbs = faces(seed)
    learnt = FaceColours.learn(thumbs, np.ones(N, bool))
    assert learnt is None or all(learnt.other_things(one)[Y < 26].mean() < 0.01 for one in thumbs[::10])


def test_what_is_always_there_is_no_occluder() -> None:
    thumbs = faces()
    thing = covered(thumbs, range(N), (40, 42, 50), (20, 24))
    learnt = FaceColours.learn(thumbs, np.ones(N, bool))
    assert learnt is None or not any(learnt.other_things(one)[thing].any() for one in thumbs[::10])


def test_nothing_is_learnt_without_a_clear_row() -> None:
    thumbs = faces()
    covered(thumbs, range(20, 32), (40, 42, 50), (20, 20))
    assert FaceColours.learn(thumbs, np.zeros(N, bool)) is None


def test_a_margin_belongs_to_the_picture() -> None:
    thumbs = faces()
    covered(thumbs, range(20, 32), (40, 42, 50), (20, 20))
    learnt = FaceColours.learn(thumbs, np.ones(N, bool))
    assert learnt is not None
    width, height = THUMBNAIL_SIZE
    wide = np.full((height + 6, width + 10, 3), SKIN, np.uint8)
    wide[:height, 5:-5] = thumbs[25]
    wide[height:, 20:30] = (40, 42, 50)
    found = learnt.other_things(wide)
    np.testing.assert_array_equal(found[:28, 5:-5], learnt.other_things(thumbs[25])[:28])
    assert found[-1, 22:28].all()
