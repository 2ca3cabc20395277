"""From landmarks in pixels to a head's pose and a mouth's shape, on faces made from the canonical one."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lipdub.anatomy import motion as motion_module
from lipdub.anatomy.landmarks import LANDMARK_COUNT, LOWER_LIP, RIGID, canonical_face
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.anatomy.shape import mouth_shape
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP, JAW
from lipdub.timeline.spool import Spool

CHIN_POINTS = [152, 148, 377, 175]


def face_of(opening: np.ndarray) -> np.ndarray:
    """Pose-free faces (n, 478, 3) that open the mouth by ``opening`` (n,): lower lip all the way, chin half."""
    faces = np.zeros((len(opening), LANDMARK_COUNT, 3))
    faces[:, :468] = canonical_face()
    faces[:, 468:] = canonical_face()[:10]
    faces[:, LOWER_LIP, 1] += opening[:, None]
    faces[:, CHIN_POINTS, 1] += opening[:, None] / 2
    return faces


def track_of(landmarks: np.ndarray, folder: Path) -> FaceTrack:
    n = len(landmarks)
    spool, thumbs = Spool(folder / "l", (LANDMARK_COUNT, 3), np.float32), Spool(folder / "t", (32, 40, 3), np.uint8)
    for row in landmarks:
        spool.append(row)
    spool.close()
    return FaceTrack(0, Shot(5, 5 + n), 5, spool, thumbs, np.zeros(n, np.float32), np.ones(n, np.float32))


def nodding(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slow scale, rotation and shift, as heads move."""
    t = np.arange(n) / 25
    angles = np.stack([12 * np.sin(t * 1.1), 6 * np.sin(t * 1.7 + 1), 8 * np.cos(t * 0.9)], -1)
    scale = 120 * np.exp(0.1 * np.sin(t * 0.8))
    shift = np.stack([500 + 60 * np.sin(t), 300 + 30 * np.cos(t * 1.3), 5 * t], -1)
    return scale, Rotation.from_euler("YXZ", angles, degrees=True).as_matrix(), shift


def posed(faces: np.ndarray, scale: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return scale[:, None, None] * np.einsum("nkj,nij->nki", faces, rotation) + shift[:, None]


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, tuple, FaceMotion]:
    """A nodding head that talks for 600 frames, and three stretches in which it is lost."""
    n = 600
    opening = 0.06 * (1 - np.cos(np.arange(n) * 2 * np.pi / 11))
    pose = nodding(n)
    landmarks = posed(face_of(opening), *pose)
    for lost in (slice(0, 3), slice(100, 101), slice(250, 300)):
        landmarks[lost] = np.nan
    return opening, pose, measure_motion(track_of(landmarks, tmp_path_factory.mktemp("talking")))


def test_pose_and_shape_are_recovered(talking: tuple[np.ndarray, tuple, FaceMotion]) -> None:
    opening, (scale, rotation, shift), motion = talking
    ok = motion.ok
    assert ok.sum() == 600 - 54
    assert np.abs(motion.poses.scale[ok] / scale[ok] - 1).max() < 0.01
    turned = np.einsum("nij,nkj->nik", motion.poses.rotation[ok], rotation[ok])
    assert np.degrees(np.linalg.norm(Rotation.from_matrix(turned).as_rotvec(), axis=1)).max() < 1
    assert np.abs(motion.poses.shift[ok] - shift[ok]).max() < 1.5
    true = mouth_shape(face_of(opening))
    assert np.abs(motion.shapes[ok] - true[ok]).max() < 0.012
    assert np.corrcoef(motion.shapes[ok, AP], opening[ok])[0, 1] > 0.995
    assert np.corrcoef(motion.shapes[ok, JAW], opening[ok])[0, 1] > 0.98


def test_lost_frames_are_nan_and_only_they(talking: tuple[np.ndarray, tuple, FaceMotion]) -> None:
    _, _, motion = talking
    for values in (motion.poses.scale, motion.poses.rotation, motion.poses.shift, motion.shapes):
        flat = values.reshape(len(values), -1)
        assert np.isnan(flat[~motion.ok]).all()
        assert np.isfinite(flat[motion.ok]).all()
    assert np.isnan(motion.face(270)).all()


def test_the_mean_is_frontal_and_of_unit_size(talking: tuple[np.ndarray, tuple, FaceMotion]) -> None:
    _, _, motion = talking
    assert np.linalg.norm(motion.mean[33] - motion.mean[263]) == pytest.approx(1, abs=0.01)
    assert np.abs(motion.mean[RIGID] - canonical_face()[RIGID]).max() < 0.02


def test_a_row_by_itself_equals_the_row_in_bulk(talking: tuple[np.ndarray, tuple, FaceMotion]) -> None:
    _, _, motion = talking
    for row in (3, 99, 101, 255, 300, 511, 512, 599, 0, 256):
        assert np.allclose(mouth_shape(motion.face(row)), motion.shapes[row], atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("block", [7, 64, 600])
def test_blocks_of_any_size_agree(
    talking: tuple[np.ndarray, tuple, FaceMotion], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, motion = talking
    monkeypatch.setattr(motion_module, "_BLOCK", block)
    again = measure_motion(motion.track)
    assert np.allclose(again.shapes, motion.shapes, atol=1e-6, equal_nan=True)
    assert np.allclose(again.mean, motion.mean, atol=1e-6)
    assert np.allclose(again.face(301), motion.face(301), atol=1e-6)


def test_another_track_of_the_person_shares_its_units(
    talking: tuple[np.ndarray, tuple, FaceMotion], tmp_path: Path
) -> None:
    opening, _, motion = talking
    scale, rotation, shift = (part[300:330] for part in nodding(600))
    landmarks = posed(face_of(opening[300:330]), scale * 0.4, rotation, shift + np.array([200, -90, 7]))
    other = measure_motion(track_of(landmarks, tmp_path), motion.mean)
    assert np.abs(other.shapes - motion.shapes[300:330]).max() < 0.01
    assert np.abs(other.poses.scale / (0.4 * scale) - 1).max() < 0.02


def test_fast_closures_survive_the_smoothing(tmp_path: Path) -> None:
    opening = np.full(60, 0.12)
    opening[[20, 21, 40]] = 0
    motion = measure_motion(track_of(posed(face_of(opening), *nodding(60)), tmp_path))
    rest = mouth_shape(face_of(np.zeros(1)))[0, AP]
    assert np.all(np.abs(motion.shapes[[20, 21, 40], AP] - rest) < 0.015)
    assert motion.shapes[30, AP] - rest == pytest.approx(0.12, abs=0.01)


@pytest.mark.parametrize("n", [1, 9])
def test_a_face_never_found_measures_nothing(n: int, tmp_path: Path) -> None:
    motion = measure_motion(track_of(np.full((n, LANDMARK_COUNT, 3), np.nan), tmp_path))
    assert len(motion) == n
    assert not motion.ok.any()
    assert np.isnan(motion.shapes).all()


def test_a_single_frame_is_enough(tmp_path: Path) -> None:
    motion = measure_motion(track_of(posed(face_of(np.array([0.05])), *nodding(1)), tmp_path))
    assert motion.ok.all()
    assert motion.shapes[0, AP] == pytest.approx(mouth_shape(face_of(np.array([0.05])))[0, AP], abs=0.002)
