"""A still that talks: lips close and open over teeth that hold still; nothing else in the picture moves."""

from functools import cache

import cv2
import numpy as np
import pytest

from lipdub.anatomy.landmarks import (
    INNER_LOWER,
    INNER_UPPER,
    OUTER_LOWER,
    OUTER_UPPER,
    canonical_face,
)
from lipdub.demo.talking_portrait import PortraitMouth
from lipdub.timeline.mouth import AP, JAW, WD

UNIT, MIDDLE = 100.0, np.array([160.0, 120.0])


@cache
def landmarks(opening: float) -> np.ndarray:
    """A frontal face (478, 3) whose inner lips stand ``opening`` eye distances apart in the middle."""
    mesh = np.concatenate([canonical_face(), np.zeros((10, 3))])
    bulge = np.sqrt(np.clip(1 - (mesh[INNER_UPPER, 0] / 0.26) ** 2, 0, 1))
    line = (mesh[INNER_UPPER, 1] + mesh[INNER_LOWER, 1]) / 2
    mesh[INNER_UPPER, 1], mesh[INNER_LOWER, 1] = line - opening / 2 * bulge, line + opening / 2 * bulge
    mesh *= UNIT
    mesh[:, :2] += MIDDLE
    return mesh.astype(np.float32)


def drawn(opening: float) -> np.ndarray:
    """Skin, red lips, and white teeth where they stand open."""
    picture = np.full((320, 320, 3), (200, 160, 140), np.uint8)
    points = landmarks(opening)[:, :2]
    outer = points[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]])]
    inner = points[np.concatenate([INNER_UPPER, INNER_LOWER[::-1]])]
    cv2.fillPoly(picture, [(outer * 16).round().astype(np.int32)], (190.0, 70.0, 80.0), cv2.LINE_AA, 4)
    if opening > 0.01:
        cv2.fillPoly(picture, [(inner * 16).round().astype(np.int32)], (240.0, 240.0, 235.0), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


@pytest.fixture(scope="module")
def smiling(tmp_path_factory) -> PortraitMouth:
    return PortraitMouth(drawn(0.12), landmarks(0.12), tmp_path_factory.mktemp("smiling"))


@pytest.fixture(scope="module")
def silent(tmp_path_factory) -> PortraitMouth:
    return PortraitMouth(drawn(0.0), landmarks(0.0), tmp_path_factory.mktemp("silent"))


def teeth(picture: np.ndarray) -> int:
    return int((picture.min(-1) > 190).sum())


def dark(picture: np.ndarray) -> int:
    return int((picture.max(-1) < 90).sum())


def test_an_open_mouth_rests_closed_and_a_closed_one_as_it_is(smiling, silent):
    assert smiling.rest[AP] == 0.0
    assert smiling.rest[JAW] < smiling._own[JAW]
    assert np.array_equal(silent.rest, silent._own)


def test_lips_at_rest_cover_the_teeth(smiling):
    assert teeth(drawn(0.12)) > 250
    for ap in (0.0, 0.006, 0.012):  # nor do they glint through lips that all but meet
        assert teeth(smiling.picture(np.concatenate([[ap], smiling.rest[1:]]))) < 3


def test_a_wider_mouth_shows_teeth_and_the_dark_below_them(smiling):
    wide = smiling.rest.copy()
    wide[[AP, JAW]] += 0.18, 0.09
    picture = smiling.picture(wide)
    assert teeth(picture) > 150
    assert dark(picture) > 60


def test_a_mouth_without_teeth_opens_on_darkness(silent):
    wide = silent.rest.copy()
    wide[[AP, JAW]] += 0.12, 0.06
    picture = silent.picture(wide)
    assert teeth(picture) < 10
    assert dark(picture) > 60


def test_only_the_lower_face_changes(smiling):
    before = drawn(0.12)
    for ap, narrow in ((0.0, 0.0), (0.2, 0.0), (0.05, 0.1)):
        shape = smiling.rest.copy()
        shape[AP], shape[WD] = ap, shape[WD] - narrow
        after = smiling.picture(shape)
        assert np.array_equal(after[:150], before[:150])
        assert np.array_equal(after[:, :40], before[:, :40])


def test_shapes_move_the_mouth_little_by_little(smiling):
    """No popping: neighbouring shapes give neighbouring pictures."""
    shapes = np.tile(smiling.rest, (30, 1))
    shapes[:, AP] = np.linspace(0, 0.16, 30)
    shapes[:, JAW] += np.linspace(0, 0.08, 30)
    frames = np.stack([frame[160:300, 80:240] for frame in smiling.pictures(shapes)]).astype(float)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert steps.max() < 4 * np.median(steps) + 0.3


def test_the_same_shape_gives_the_same_picture(smiling):
    shape = smiling.rest.copy()
    shape[AP] = 0.07
    assert np.array_equal(smiling.picture(shape), smiling.picture(shape))
