"""Joins between exemplars are soft, longer where the mouth hardly moves, and stay within the rows of a run."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.pose import Poses
from lipdub.engines.exemplar.exemplar_joins import NONE, with_joins
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.timeline.mouth import AP


def _shapes(apertures) -> np.ndarray:
    shapes = np.tile([0.0, 0.8, 0.54, 1.35, -0.2, 0.19], (len(apertures), 1))
    shapes[:, AP] = apertures
    return shapes


def _library(shapes: np.ndarray, rows: np.ndarray) -> ExemplarLibrary:
    n = len(shapes)
    return ExemplarLibrary(
        rows=rows.astype(np.int64),
        boxes=np.zeros((n, 4), np.int64),
        places=np.zeros((n, 2), np.int64),
        shapes=shapes,
        poses=Poses(np.ones(n), np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))),
        angles=np.zeros((n, 3)),
        faces=np.zeros((n, 0, 3), np.float32),
        light=np.zeros(n),
        speed=np.zeros(n),
        detail=np.zeros(n),
        thumbs=np.zeros((n, 32, 40, 3), np.uint8),
        study=np.zeros(n, np.int64),
        filmed=shapes,
        gains=np.ones((n, 3)),
        away=np.zeros(n),
        blur=np.zeros(n),
        files=(Path("crops.bin"),),
    )


STILL = _library(_shapes([0.01] * 40), np.r_[0:20, 100:120])
FIRST = np.r_[4:14, 24:34].astype(np.int32)  # twenty rows, with a join before the eleventh


def test_a_join_in_a_still_mouth_takes_several_frames_and_fades_evenly():
    got = with_joins(FIRST, _shapes([0.01] * 20), STILL)
    mixed = np.flatnonzero(got.second != NONE)
    assert list(mixed) == list(range(4, 16))
    assert got.calm[mixed].all()
    new_share = np.where(np.arange(20) < 10, got.share, 1 - got.share)[mixed]
    np.testing.assert_allclose(np.diff(new_share), 1 / 12, atol=1e-6)
    assert (got.second[4:10] >= 20).all()
    assert (got.second[10:16] < 20).all()


def test_a_join_in_a_moving_mouth_takes_one_frame_on_each_side():
    got = with_joins(FIRST, _shapes(0.01 + 0.02 * np.arange(20)), STILL)
    assert list(np.flatnonzero(got.second != NONE)) == [9, 10]
    assert not got.calm.any()


def test_mouths_that_were_filmed_next_stand_in_as_long_as_they_are_as_open():
    apertures = np.r_[np.full(20, 0.01), np.full(17, 0.01), 0.2, 0.2, 0.2]
    library = _library(_shapes(apertures), np.r_[0:20, 100:120])
    first = np.r_[30:34, 4:14].astype(np.int32)
    got = with_joins(first, _shapes([0.01] * 14), library)
    assert list(got.second[4:8]) == [34, 35, 36, 36]


@given(
    first=st.lists(st.integers(-1, 39), min_size=1, max_size=40),
    apertures=st.lists(st.floats(0, 0.03), min_size=40, max_size=40),
)
def test_only_rows_that_show_a_mouth_are_mixed_and_the_own_side_stays_the_larger(first, apertures):
    rows = np.array(first, np.int32)
    got = with_joins(rows, _shapes(apertures[: len(rows)]), STILL)
    mixed = got.second != NONE
    assert not (mixed & (rows == NONE)).any()
    assert ((got.share > 0) == mixed).all()
    assert got.share.max(initial=0) < 0.5
    assert (got.first == rows).all()
