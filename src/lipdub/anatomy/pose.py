"""Head pose: similarity transforms ``P = s R Q + t`` from a reference face Q to landmarks P.

Method: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI
13(4), 1991; equal weights, batched over frames.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Poses:
    """One similarity per frame: ``scale`` (n,) pixels per unit, ``rotation`` (n, 3, 3), ``shift`` (n, 3) pixels."""

    scale: Float64[np.ndarray, " n"]
    rotation: Float64[np.ndarray, "n 3 3"]
    shift: Float64[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.scale)

    def project(self, index: int, points: np.ndarray) -> np.ndarray:
        """Reference-face ``points`` (..., 3) to display pixels (..., 3) in frame ``index``."""
        return self.scale[index] * (points @ self.rotation[index].T) + self.shift[index]

    def unproject(self, index: int, pixels: np.ndarray) -> np.ndarray:
        """Display pixels (..., 3) of frame ``index`` back to the reference face's units."""
        return (pixels - self.shift[index]) @ self.rotation[index] / self.scale[index]

    @property
    def angles(self) -> Float64[np.ndarray, "n 3"]:
        """Yaw, pitch, roll in degrees: positive when the nose points to the picture's right, when it points down,
        and when the head leans clockwise (chin to the picture's left)."""
        r = self.rotation
        yaw = np.arctan2(-r[:, 0, 2], r[:, 2, 2])
        pitch = np.arctan2(-r[:, 1, 2], np.hypot(r[:, 0, 2], r[:, 2, 2]))
        roll = np.arctan2(r[:, 1, 0], r[:, 1, 1])
        return np.degrees(np.stack([yaw, pitch, roll], -1))


def fit_pose(points: np.ndarray, reference: Float64[np.ndarray, "k 3"]) -> Poses:
    """The similarity from ``reference`` to each of ``points`` (n, k, 3) with the least squared error.

    Rows that contain NaN give NaN poses.
    """
    points = np.asarray(points, np.float64)
    ok = np.isfinite(points).all((1, 2))
    n = len(points)
    scale, rotation, shift = np.full(n, np.nan), np.full((n, 3, 3), np.nan), np.full((n, 3), np.nan)
    if ok.any():
        p, q = points[ok], reference - reference.mean(0)
        centre = p.mean(1)
        u, s, vt = np.linalg.svd(np.einsum("nki,kj->nij", p - centre[:, None], q))
        d = np.ones_like(s)
        d[:, 2] = np.sign(np.linalg.det(u @ vt))
        rotation[ok] = u @ (d[:, :, None] * vt)
        scale[ok] = (s * d).sum(1) / (q**2).sum()
        shift[ok] = centre - scale[ok, None] * (rotation[ok] @ reference.mean(0))
    return Poses(scale, rotation, shift)


def nearest_rotation(matrices: Float64[np.ndarray, "n 3 3"]) -> Float64[np.ndarray, "n 3 3"]:
    """The rotation matrices closest to ``matrices`` (Frobenius norm), by SVD."""
    u, _, vt = np.linalg.svd(matrices)
    return u @ vt
