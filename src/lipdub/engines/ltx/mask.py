"""Where pixels may change: the lower face, from below the nose to below the chin, and nothing else.

The outline belongs to the person's mean face and is moved by the smoothed pose, so that it does not tremble with
the landmarks. Below it reaches as far as the chin comes down, in the source or in what was made: either way the
whole of the new chin, and none of the old one, is seen.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from lipdub.anatomy.pose import Poses
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.ltx.record import Record
from lipdub.timeline.mouth import JAW
from lipdub.timeline.picture import Window

_JAW = np.array([172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397])
_TOP = np.array([187, 205, 98, 2, 327, 425, 411])
_LEVEL = 0.55  # from here on down the jaw moves along, in eye distances
_FEATHER = 0.12  # width of the soft edge, inside the outline
_MARGIN = 0.06  # what the outline below is wider than the jaw
_RING = 0.22  # width of the skin around it that colours are compared on
_HASTE = 6  # frames over which the outline moves

FURTHEST = 0.45
"""Eye distances below the mean chin that the outline may reach."""

UNKNOWN = 0.2
"""How far a new chin is taken to come down where it cannot be seen."""


@dataclass(frozen=True, eq=False)
class LowerFace:
    """The lower face of one track. ``filmed``: how far below the mean the chin comes in the source."""

    poses: Poses
    mean: Float64[np.ndarray, "478 3"]
    filmed: float

    @classmethod
    def of(cls, record: Record, rows: range) -> "LowerFace":
        """The one of ``rows`` of a record."""
        jaws = record.shapes[rows.start : rows.stop, JAW]
        jaws = jaws[np.isfinite(jaws)]
        lowest = float(np.percentile(jaws, 98)) - float(mouth_shape(record.mean)[JAW]) if len(jaws) else 0.0
        return cls(record.poses, record.mean, max(lowest, 0.0))

    def reach(self, row: int, made: Float32[np.ndarray, "478 3"] | None) -> float:
        """How far below the mean chin the outline must go in ``row``; ``made`` are the landmarks of what was made,
        in display pixels."""
        new = UNKNOWN
        if made is not None and np.isfinite(self.poses.scale[row]):
            free = self.poses.unproject(row, made.astype(np.float64))
            new = float(mouth_shape(free)[JAW]) - float(mouth_shape(self.mean)[JAW])
        return float(np.clip(max(new, self.filmed) + _MARGIN, _MARGIN, FURTHEST))

    def outline(self, row: int, reach: float) -> Float32[np.ndarray, "corners 2"]:
        """A convex polygon in display pixels; the face must have been found in ``row``."""
        jaw = self.mean[_JAW].copy()
        share = np.clip((jaw[:, 1] - _LEVEL) / (self.mean[152, 1] - _LEVEL), 0, 1)
        jaw[:, 1] += reach * share
        jaw[:, 0] *= 1 + _MARGIN
        points = self.poses.project(row, np.concatenate([jaw, self.mean[_TOP]]))[:, :2]
        return cv2.convexHull(points.astype(np.float32))[:, 0]

    def unit(self, row: int) -> float:
        """Eye distance in pixels."""
        return float(self.poses.scale[row])

    @property
    def still(self) -> Float64[np.ndarray, "points 3"]:
        """Points, pose-free, that tell how the head moves around the mouth."""
        return self.mean[np.concatenate([_JAW, _TOP])]


def window_of(outline: Float32[np.ndarray, "corners 2"], margin: float = 1.0) -> Window:
    """The box of a polygon with ``margin`` pixels around it."""
    low, high = np.floor(outline.min(0) - margin), np.ceil(outline.max(0) + margin)
    return Window(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1)


def soft(outline: Float32[np.ndarray, "corners 2"], window: Window, unit: float) -> Float32[np.ndarray, "height width"]:
    """1 inside ``outline``, 0 outside and at it, rising over the soft edge within; ``unit``: the eye distance."""
    width = max(1.5, _FEATHER * unit)
    depth = cv2.distanceTransform(_filled(outline, window), cv2.DIST_L2, 5) - 1
    t = np.clip(depth / width, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def ring(
    outline: Float32[np.ndarray, "corners 2"], size: tuple[int, int], unit: float
) -> Float32[np.ndarray, "height width"]:
    """1 on the skin around ``outline`` in a picture of ``size`` (width, height), 0 elsewhere: above and beside it,
    not below, where neck and collar are."""
    whole = Window(0, 0, *size)
    inside = _filled(outline, whole)
    outside = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    near = (outside > 0) & (outside < max(2.0, _RING * unit))
    middle = float(outline[:, 1].min() * 0.4 + outline[:, 1].max() * 0.6)
    near[max(0, round(middle)) :] = False
    return near.astype(np.float32)


def calm(reach: Float32[np.ndarray, " frames"]) -> Float32[np.ndarray, " frames"]:
    """The reaches of consecutive frames, none less than it was, without haste: an outline must not flicker."""
    widest = maximum_filter1d(reach, 2 * _HASTE + 1, mode="nearest")
    return np.maximum(gaussian_filter1d(widest, _HASTE / 2, mode="nearest"), reach).astype(np.float32)


def _filled(outline: Float32[np.ndarray, "corners 2"], window: Window) -> np.ndarray:
    inside = np.zeros((window.height, window.width), np.uint8)
    corners = np.round((outline - [window.left, window.top]) * 16).astype(np.int32)
    cv2.fillConvexPoly(inside, corners, (1.0,), cv2.LINE_8, 4)
    return inside
