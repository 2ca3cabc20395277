"""Planted poses are found again; shapes are linear."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import LANDMARK_COUNT, RIGID, canonical_face, mirror_indices, triangles
from lipdub.anatomy.shape import mouth_shape

seeds = st.integers(0, 2**32 - 1)


def planted(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(5, 400, n), Rotation.random(n, rng).as_matrix(), rng.uniform(-900, 900, (n, 3))


@given(seeds, st.integers(1, 6))
def test_a_planted_similarity_is_recovered(seed: int, n: int) -> None:
    scale, rotation, shift = planted(seed, n)
    reference = canonical_face()[RIGID]
    points = scale[:, None, None] * np.einsum("kj,nij->nki", reference, rotation) + shift[:, None]
    found = pose.fit_pose(points, reference)
    assert np.allclose(found.scale, scale, rtol=1e-9)
    assert np.allclose(found.rotation, rotation, atol=1e-9)
    assert np.allclose(found.shift, shift, atol=1e-6)
    assert np.allclose(found.project(0, reference), points[0], atol=1e-6)
    assert np.allclose(found.unproject(0, points[0]), reference, atol=1e-9)


@given(seeds, st.lists(st.booleans(), min_size=1, max_size=8))
def test_rows_with_gaps_give_nan_and_leave_the_others_alone(seed: int, lost: list[bool]) -> None:
    scale, rotation, shift = planted(seed, len(lost))
    reference = canonical_face()[RIGID]
    points = scale[:, None, None] * np.einsum("kj,nij->nki", reference, rotation) + shift[:, None]
    whole = pose.fit_pose(points, reference)
    points[lost, seed % len(reference), 1] = np.nan
    found = pose.fit_pose(points, reference)
    for name in ("scale", "rotation", "shift"):
        values = getattr(found, name)
        assert np.isnan(values[lost]).all()
        kept = [not gone for gone in lost]
        assert np.allclose(values[kept], getattr(whole, name)[kept])


@given(seeds)
def test_a_mirrored_face_still_gives_a_rotation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = canonical_face()[RIGID]
    found = pose.fit_pose((reference * [-1, 1, 1] + rng.normal(0, 0.01, reference.shape))[None], reference)
    assert np.linalg.det(found.rotation[0]) == pytest.approx(1)
    assert found.scale[0] > 0


@given(seeds)
def test_the_nearest_rotation_of_a_rotation_is_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = Rotation.random(4, rng).as_matrix()
    assert np.allclose(pose.nearest_rotation(true), true)
    assert np.allclose(pose.nearest_rotation(true * 1.3), true)
    near = pose.nearest_rotation(true + rng.normal(0, 0.05, true.shape))
    assert np.allclose(near @ near.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(near), 1)


@given(st.floats(-60, 60), st.floats(-40, 40), st.floats(-60, 60))
def test_angles_follow_the_nose(yaw: float, pitch: float, roll: float) -> None:
    """Nose to the picture's right: yaw > 0. Nose down: pitch > 0. Chin to the picture's left: roll > 0."""
    turn = Rotation.from_euler("YXZ", [-yaw, pitch, roll], degrees=True).as_matrix()
    angles = pose.Poses(np.ones(1), turn[None], np.zeros((1, 3))).angles[0]
    nose = turn @ [0, 0, -1.0]
    assert np.allclose(angles, [yaw, pitch, roll], atol=1e-6)
    assert np.sign(round(nose[0], 6)) == np.sign(round(angles[0], 4))
    assert np.sign(round(nose[1], 6)) == np.sign(round(angles[1], 4))


@given(seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_shapes_are_linear(seed: int, a: float, b: float) -> None:
    p, q = np.random.default_rng(seed).normal(size=(2, 3, LANDMARK_COUNT, 3))
    assert np.allclose(mouth_shape(a * p + b * q), a * mouth_shape(p) + b * mouth_shape(q), atol=1e-9)


@given(seeds)
def test_shapes_do_not_depend_on_where_the_face_lies_sideways(seed: int) -> None:
    p = np.random.default_rng(seed).normal(size=(LANDMARK_COUNT, 3))
    assert np.allclose(mouth_shape(p + np.array([3.0, 0, -2.0])), mouth_shape(p))


def test_the_topology_is_sound() -> None:
    face, opposite = canonical_face(), mirror_indices()
    assert np.array_equal(opposite[opposite][:468], np.arange(468))
    assert np.allclose(face[opposite[:468]] * [-1, 1, 1], face, atol=0.02)
    assert triangles().min() == 0
    assert triangles().max() == 467
    assert np.linalg.norm(face[33] - face[263]) == pytest.approx(1)
