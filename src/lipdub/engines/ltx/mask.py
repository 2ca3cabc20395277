"""The mask in which pixels may change: the lower face, from below the nose to below the chin.

The outline is taken from the person's mean face and moved by the smoothed pose, so that it does not tremble with the
landmarks. At the bottom it reaches as far as the chin comes down, in the source or in the generated picture: so the
whole new chin is inside, and nothing is left of the old one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from lipdub.anatomy.pose import Poses
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.timeline.mouth import JAW
from lipdub.timeline.picture import Window

_JAW = np.array([172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397])
_TOP = np.array([187, 205, 98, 2, 327, 425, 411])
_LEVEL = 0.55  # from here on down the jaw moves along, in eye distances
_FEATHER = 0.12  # width of the soft edge, inside the outline
_MARGIN = 0.06  # by how much the outline is wider and lower than the jaw
_RING = 0.22  # width of the ring of skin on which colours are compared
_SMOOTHING = 6  # frames over which the outline moves

MAX_REACH = 0.45
"""Eye distances below the mean chin that the outline may reach."""

DEFAULT_REACH = 0.2
"""How far a generated chin is assumed to come down if it is not measured (eye distances)."""


@dataclass(frozen=True, eq=False)
class LowerFace:
    """The lower face of one track. ``filmed``: how far below the mean chin the chin comes in the source, >= 0."""

    poses: Poses
    mean: Float64[np.ndarray, "478 3"]
    filmed: float

    @classmethod
    def of(cls, track: StudiedTrack, rows: range) -> "LowerFace":
        """The lower face in ``rows`` of a track."""
        jaws = track.shapes[rows.start : rows.stop, JAW]
        jaws = jaws[np.isfinite(jaws)]
        lowest = float(np.percentile(jaws, 98)) - float(mouth_shape(track.mean)[JAW]) if len(jaws) else 0.0
        return cls(track.poses, track.mean, max(lowest, 0.0))

    def reach(self, row: int, landmarks: Float32[np.ndarray, "478 3"] | None) -> float:
        """How far below the mean chin the outline must go in ``row``, in eye distances.

        ``landmarks`` are those of the generated picture in display pixels, or None if they were not found.
        """
        new = DEFAULT_REACH
        if landmarks is not None and np.isfinite(self.poses.scale[row]):
            free = self.poses.unproject(row, landmarks.astype(np.float64))
            new = float(mouth_shape(free)[JAW]) - float(mouth_shape(self.mean)[JAW])
        return float(np.clip(max(new, self.filmed) + _MARGIN, _MARGIN, MAX_REACH))

    def outline(self, row: int, reach: float) -> Float32[np.ndarray, "corners 2"]:
        """The outline in ``row``, a convex polygon in display pixels. The face must have been found in ``row``."""
        jaw = self.mean[_JAW].copy()
        share = np.clip((jaw[:, 1] - _LEVEL) / (self.mean[152, 1] - _LEVEL), 0, 1)
        jaw[:, 1] += reach * share
        jaw[:, 0] *= 1 + _MARGIN
        points = self.poses.project(row, np.concatenate([jaw, self.mean[_TOP]]))[:, :2]
        return cv2.convexHull(points.astype(np.float32))[:, 0]

    def unit(self, row: int) -> float:
        """The eye distance in display pixels."""
        return float(self.poses.scale[row])

    @property
    def still(self) -> Float64[np.ndarray, "points 3"]:
        """Points around the mouth, pose removed, by which the motion of the head is measured."""
        return self.mean[np.concatenate([_JAW, _TOP])]


def bounding_window(outline: Float32[np.ndarray, "corners 2"], margin: float = 1.0) -> Window:
    """The bounding box of a polygon, with ``margin`` pixels around it."""
    low, high = np.floor(outline.min(0) - margin), np.ceil(outline.max(0) + margin)
    return Window(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1)


def feathered_mask(
    outline: Float32[np.ndarray, "corners 2"], window: Window, unit: float
) -> Float32[np.ndarray, "height width"]:
    """1 inside ``outline``, 0 outside and on it, with a soft edge inside; ``unit`` is the eye distance in pixels."""
    width = max(1.5, _FEATHER * unit)
    depth = cv2.distanceTransform(_filled(outline, window), cv2.DIST_L2, 5) - 1
    t = np.clip(depth / width, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def skin_ring(
    outline: Float32[np.ndarray, "corners 2"], size: tuple[int, int], unit: float
) -> Float32[np.ndarray, "height width"]:
    """1 on the skin around ``outline`` in a picture of ``size`` (width, height), 0 elsewhere.

    The ring is above and beside the outline, not below it, where neck and collar are. ``unit``: eye distance in pixels.
    """
    whole = Window(0, 0, *size)
    inside = _filled(outline, whole)
    outside = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    near = (outside > 0) & (outside < max(2.0, _RING * unit))
    middle = float(outline[:, 1].min() * 0.4 + outline[:, 1].max() * 0.6)
    near[max(0, round(middle)) :] = False
    return near.astype(np.float32)


def smooth_reach(reach: Float32[np.ndarray, " frames"]) -> Float32[np.ndarray, " frames"]:
    """``reach`` of consecutive frames, smoothed against flicker; no value becomes smaller than it was."""
    widest = maximum_filter1d(reach, 2 * _SMOOTHING + 1, mode="nearest")
    return np.maximum(gaussian_filter1d(widest, _SMOOTHING / 2, mode="nearest"), reach).astype(np.float32)


def _filled(outline: Float32[np.ndarray, "corners 2"], window: Window) -> np.ndarray:
    inside = np.zeros((window.height, window.width), np.uint8)
    corners = np.round((outline - [window.left, window.top]) * 16).astype(np.int32)
    cv2.fillConvexPoly(inside, corners, (1.0,), cv2.LINE_8, 4)
    return inside
