"""One face through one shot, with head pose and mouth shape separated.

The reference is the person's own mean rigid face (generalised Procrustes mean, three rounds, kept frontal by a fit to
the canonical face). Poses are smoothed by Savitzky-Golay filters over uninterrupted runs (scale and rotation 9 frames,
shift and points 5, order 2). Points follow their raw position where they differ from the smoothed one by more than
about a hundredth of the eye distance: fast closures stay, jitter is removed.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, RIGID, canonical_face
from lipdub.anatomy.moving_windows import weighted_sum
from lipdub.anatomy.pose import Poses
from lipdub.anatomy.shape import mouth_shape
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.runs import consecutive

_BLOCK = 256
_REACH = 4  # frames of context that smoothing of points needs, and some
_FAST_MOTION = 0.010


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """Pose and mouth shape for every frame of ``track``.

    ``ok`` (n,) is True where a face was found; ``poses`` and ``shapes`` (n, 6) are NaN elsewhere; ``mean`` (478, 3) is
    the person's mean pose-free face. ``face(i)`` gives the pose-free landmarks of one frame.
    """

    track: FaceTrack
    ok: Bool[np.ndarray, " n"]
    poses: Poses
    shapes: Float64[np.ndarray, "n 6"]
    mean: Float64[np.ndarray, "478 3"]
    _block: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.ok)

    def face(self, row: int) -> Float32[np.ndarray, "478 3"]:
        """Pose-free landmarks of row ``row`` of the track (not of the clip's frame index)."""
        key = row // _BLOCK
        if key not in self._block:
            if len(self._block) > 2:
                self._block.pop(next(iter(self._block)))
            first = key * _BLOCK
            self._block[key] = _pose_free(self.track, self.ok, self.poses, first, min(first + _BLOCK, len(self)))
        return self._block[key][row - key * _BLOCK]

    def pixels(self, row: int, face: np.ndarray) -> np.ndarray:
        """Positions (k, 2) in the display picture of row ``row`` of pose-free points (k, 3)."""
        return self.poses.project(row, face)[..., :2]


def measure_motion(track: FaceTrack, reference: Float64[np.ndarray, "478 3"] | None = None) -> FaceMotion:
    """Separate pose and shape of ``track``. ``reference``: the ``mean`` of another motion, to use its units.

    A track in which no face was found gives an all-NaN motion with ``ok`` all False.
    """
    n = len(track)
    if n == 0 or not np.any(np.isfinite(_sample(track))):
        nothing = Poses(np.full(n, np.nan), np.full((n, 3, 3), np.nan), np.full((n, 3), np.nan))
        return FaceMotion(track, np.zeros(n, bool), nothing, np.full((n, 6), np.nan), np.full((478, 3), np.nan))
    rigid = _mean_rigid(_sample(track)) if reference is None else np.asarray(reference, np.float64)[RIGID]
    parts = [pose.fit_pose(rows[:, RIGID], rigid) for _, _, _, rows in track.landmarks.blocks()]
    poses = Poses(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("scale", "rotation", "shift")))
    ok = np.isfinite(poses.scale)
    poses = _smoothed(poses, ok)
    shapes, total = np.full((n, 6), np.nan), np.zeros((478, 3))
    for first in range(0, n, _BLOCK):
        stop = min(first + _BLOCK, n)
        faces = _pose_free(track, ok, poses, first, stop)
        shapes[first:stop] = mouth_shape(faces)
        total += np.nansum(faces, 0)
    return FaceMotion(track, ok, poses, shapes, total / ok.sum())


def _sample(track: FaceTrack, most: int = 400) -> np.ndarray:
    """Up to ``most`` rows of rigid landmarks, evenly spread over the track, without lost frames."""
    step = max(1, len(track) // most)
    rows = np.concatenate([block[::step, RIGID] for _, _, _, block in track.landmarks.blocks()])
    return rows[np.isfinite(rows).all((1, 2))].astype(np.float64)


def _mean_rigid(rows: np.ndarray) -> np.ndarray:
    """Procrustes mean of rigid landmarks (n, 34, 3): frontal, unit eye distance, origin between the eyes."""
    canonical = canonical_face()[RIGID]
    left, right = (int(np.flatnonzero(RIGID == i)[0]) for i in (EYE_LEFT, EYE_RIGHT))

    def normal(face: np.ndarray) -> np.ndarray:
        return (face - (face[left] + face[right]) / 2) / np.linalg.norm(face[left] - face[right])

    mean = canonical
    for _ in range(3):
        p = pose.fit_pose(rows, mean)
        aligned = np.einsum("nki,nij->nkj", rows - p.shift[:, None], p.rotation) / p.scale[:, None, None]
        mean = normal(aligned.mean(0))
        frontal = pose.fit_pose(mean[None], canonical)
        mean = normal((mean - frontal.shift[0]) @ frontal.rotation[0])
    return mean


def _savgol(values: np.ndarray, window: int) -> np.ndarray:
    """Savitzky-Golay smoothing of order 2 along the first axis, ends held (Savitzky & Golay, Anal. Chem. 36, 1964)."""
    if len(values) < window:
        return values
    offsets = np.arange(window) - window // 2
    weights = np.linalg.pinv(np.vander(offsets, 3, increasing=True).astype(np.float64))[0]
    return weighted_sum(values, weights)


def _smoothed(poses: Poses, ok: np.ndarray) -> Poses:
    scale, rotation, shift = poses.scale.copy(), poses.rotation.copy(), poses.shift.copy()
    for run in consecutive(np.flatnonzero(ok)):
        scale[run] = np.exp(_savgol(np.log(scale[run]), 9))
        shift[run] = _savgol(shift[run], 5)
        rotation[run] = pose.nearest_rotation(_savgol(rotation[run].reshape(-1, 9), 9).reshape(-1, 3, 3))
    return Poses(scale, rotation, shift)


def _pose_free(track: FaceTrack, ok: np.ndarray, poses: Poses, first: int, stop: int) -> np.ndarray:
    """Pose-free landmarks (stop - first, 478, 3) float32, smoothed except for fast motion; NaN where lost."""
    begin, end = max(0, first - _REACH), min(len(ok), stop + _REACH)
    rows = track.landmarks.read(begin, end).astype(np.float64)
    free = np.einsum("nki,nij->nkj", rows - poses.shift[begin:end, None], poses.rotation[begin:end])
    free /= poses.scale[begin:end, None, None]
    smooth = free.copy()
    for run in consecutive(np.flatnonzero(ok[begin:end])):
        smooth[run] = _savgol(free[run], 5)
    rest = free - smooth
    size = np.linalg.norm(rest[..., :2], axis=-1, keepdims=True)
    out = smooth + rest * np.minimum(1, (size / _FAST_MOTION) ** 2)
    return out[first - begin : stop - begin].astype(np.float32)
