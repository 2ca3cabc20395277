"""How every landmark of a face moves with the six numbers of a mouth shape.

The model is linear: ``face + (target - now) @ B``; so a face whose target is its own shape does not move. B comes from
ridge regression over this person's frames (weight 5) and statistics pooled over several people (weight 1 each). It is
made symmetric and scaled so that the mouth shape of B is the identity.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Float64

from lipdub.anatomy.landmarks import LANDMARK_COUNT, mirror_indices
from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.shape import mouth_shape
from lipdub.timeline.mouth import AP

_OWN_WEIGHT = 5.0
_RIDGE = 1e-6
_SHRINK = 0.3


@dataclass(frozen=True, eq=False)
class LandmarkNormalEquations:
    """The normal equations of the regression of landmarks on mouth shape, for one or more people.

    ``normal`` (6, 6): products of shapes; ``cross`` (6, 1434): products of shapes and landmarks; both about the mean
    and divided by the number of frames, summed over people.
    """

    normal: Float64[np.ndarray, "6 6"]
    cross: Float64[np.ndarray, "6 1434"]


@dataclass(frozen=True, eq=False)
class PooledShapes:
    """Statistics of the mouth shapes of several ``people``; no single person's face can be recovered from them.

    ``sums``: normal equations, summed over people. ``covariance`` (6, 6) of shapes and ``low`` and ``high`` (6,), the
    5th and 95th percentiles of shapes: means over people.
    """

    sums: LandmarkNormalEquations
    covariance: Float64[np.ndarray, "6 6"]
    low: Float64[np.ndarray, " 6"]
    high: Float64[np.ndarray, " 6"]
    people: int


@cache
def pooled_shapes() -> PooledShapes:
    """The pooled statistics in the package; ``lipdub.train.shapes`` makes them."""
    with (files("lipdub.engines.exemplar") / "pooled_shapes.npz").open("rb") as file, np.load(file) as data:
        p = {name: data[name].astype(np.float64) for name in data.files}
    return PooledShapes(
        LandmarkNormalEquations(p["normal"], p["cross"]), p["covariance"], p["low"], p["high"], int(p["people"])
    )


@cache
def pooled_digest() -> str:
    """SHA-256 of the pooled statistics, in hexadecimal; studies depend on them."""
    return hashlib.sha256((files("lipdub.engines.exemplar") / "pooled_shapes.npz").read_bytes()).hexdigest()


def normal_equations(motion: FaceMotion, rows: np.ndarray) -> LandmarkNormalEquations:
    """The normal equations over ``rows`` of ``motion``, computed block by block; zero for fewer than two rows."""
    normal, cross = np.zeros((6, 6)), np.zeros((6, LANDMARK_COUNT * 3))
    if len(rows) < 2:
        return LandmarkNormalEquations(normal, cross)
    middle = motion.shapes[rows].mean(0)
    for first in range(0, len(rows), 256):
        block = rows[first : first + 256]
        shapes = motion.shapes[block] - middle
        faces = np.stack([motion.face(int(row)) for row in block]) - motion.mean
        normal += shapes.T @ shapes
        cross += shapes.T @ faces.reshape(len(block), -1)
    return LandmarkNormalEquations(normal / len(rows), cross / len(rows))


def fit_basis(own: LandmarkNormalEquations, prior: LandmarkNormalEquations) -> Float64[np.ndarray, "6 478 3"]:
    """B (6, 478, 3): how far every landmark moves per unit of each shape number; ``mouth_shape(B)`` is the identity."""
    normal = _OWN_WEIGHT * own.normal + prior.normal
    cross = _OWN_WEIGHT * own.cross + prior.cross
    basis = np.linalg.solve(normal + _RIDGE * np.eye(6) * np.trace(normal) / 6, cross).reshape(6, LANDMARK_COUNT, 3)
    basis = (basis + basis[:, mirror_indices()] * [-1, 1, 1]) / 2
    return np.einsum("ij,jnk->ink", np.linalg.inv(mouth_shape(basis)), basis)


def complete_shapes(
    targets: Float[np.ndarray, "n 6"], own: Float64[np.ndarray, "m 6"], pooled: Float64[np.ndarray, "6 6"]
) -> Float64[np.ndarray, "n 6"]:
    """``targets`` with numbers that are NaN replaced by their expected values given the others.

    A conditional Gaussian: mean of this person's shapes ``own``; their covariance, shrunk to ``pooled`` by 30 %.
    """
    out = np.array(targets, np.float64)
    missing = np.isnan(out)
    if not missing.any():
        return out
    middle = own.mean(0)
    spread = np.cov(own.T) if len(own) > 6 else pooled
    covariance = (1 - _SHRINK) * spread + _SHRINK * pooled
    for pattern in np.unique(missing, axis=0):
        rows = (missing == pattern).all(1)
        known, unknown = np.flatnonzero(~pattern), np.flatnonzero(pattern)
        inner = covariance[np.ix_(known, known)] + 1e-6 * np.eye(len(known))
        gain = np.linalg.solve(inner, covariance[np.ix_(known, unknown)])
        out[np.ix_(np.flatnonzero(rows), unknown)] = middle[unknown] + (out[rows][:, known] - middle[known]) @ gain
    return out


def limit_shapes(
    targets: Float64[np.ndarray, "n 6"], own: Float64[np.ndarray, "m 6"], margin: Float64[np.ndarray, " 6"]
) -> Float64[np.ndarray, "n 6"]:
    """``targets`` limited to the range of this person's shapes ``own``; beyond it, teeth would be stretched visibly.

    The range is the 0.5th to 99.5th percentile +-15 % and ``margin``. The aperture is limited to 1.35 times its 99th
    percentile + 0.015 + margin.
    """
    low, high = np.percentile(own, [0.5, 99.5], axis=0)
    slack = 0.15 * (high - low) + 1e-4 + margin
    out = np.clip(targets, low - slack, high + slack)
    most = max(float(np.percentile(own[:, AP], 99)), 0.0) * 1.35 + 0.015 + margin[AP]
    out[:, AP] = np.clip(targets[:, AP], -0.005, most)
    return out
