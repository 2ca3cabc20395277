"""The crop around the head that the model sees: where it is in every frame, and how pixels map into it and back.

Within one run the crop has a constant size. It stands still if the head stays inside it; otherwise it follows the head
slowly, as a camera would. (A crop that trembles with the landmarks would look like motion of the scene to the model.)
It never leaves the picture.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from scipy.ndimage import gaussian_filter1d

from lipdub.anatomy.pose import Poses
from lipdub.engines.ltx.options import SIZE_STEP
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Window

SIDE = 4.0
"""Side of the crop in eye distances: head and shoulders."""

_MIDDLE = np.array([[0.0, 0.55, 0.1]])  # the face point at the middle of the crop: below the nose
_HEAD = 1.25  # half the size of a head in eye distances: this much stays inside the crop
_SMOOTHING = 0.8  # seconds over which the motion of the crop is smoothed
_MAX_ASPECT = 2.5  # longest side by shortest side
_BLUR = 0.45  # deviation of the filter before reducing k times: this times sqrt(k^2 - 1)

Pixels = UInt8[np.ndarray, "_height _width 3"]
Affine = Float64[np.ndarray, "2 3"]


@dataclass(frozen=True, eq=False)
class HeadCrop:
    """A crop of ``width`` x ``height`` model pixels in each of some rows of a track.

    ``scale``: model pixels per display pixel. ``corners[i]``: the left upper corner (x, y) in row ``first + i``, in
    display pixels.
    """

    first: int
    corners: Float64[np.ndarray, "rows 2"]
    scale: float
    width: int
    height: int

    def to_model(self, row: int) -> Affine:
        """The map from pixel centres of the picture to those of the crop."""
        left, top = self.corners[min(max(row - self.first, 0), len(self.corners) - 1)]
        half = 0.5 * self.scale - 0.5
        return np.array([[self.scale, 0, half - left * self.scale], [0, self.scale, half - top * self.scale]])

    def to_picture(self, row: int) -> Affine:
        """The map from pixel centres of the crop to those of the picture."""
        return np.asarray(cv2.invertAffineTransform(self.to_model(row)), np.float64)


def plan_head_crop(track: StudiedTrack, rows: range, rate: Fraction, size: int) -> HeadCrop:
    """The crop for ``rows`` of a track, at about ``rate`` rows a second, with about ``size`` x ``size`` model
    pixels."""
    width, height = track.size
    units, centres = _heads(track, rows)
    unit = float(np.percentile(units, 95))
    wide, tall = min(SIDE * unit, width), min(SIDE * unit, height)
    across, down = _model_sides(wide / tall, size)
    scale = max(across / wide, down / tall)
    wide, tall = across / scale, down / scale
    slack = np.array([wide, tall]) / 2 - _HEAD * unit
    sigma = float(rate) * _SMOOTHING
    middle = np.stack([_follow(centres[:, i], float(slack[i]), sigma) for i in (0, 1)], 1)
    corners = middle - np.array([wide, tall]) / 2
    corners = np.clip(corners, 0, np.maximum([width - wide, height - tall], 0))
    return HeadCrop(rows.start, corners, scale, across, down)


def _heads(track: StudiedTrack, rows: range) -> tuple[np.ndarray, np.ndarray]:
    """Eye distance (rows,) and middle (rows, 2) of the head in pixels; interpolated where the face was lost."""
    known = np.flatnonzero(track.ok)
    at = np.arange(rows.start, rows.stop)
    if not len(known):
        width, height = track.size
        return np.full(len(at), min(width, height) / SIDE), np.tile([width / 2, height / 2], (len(at), 1))
    places = np.stack([track.poses.project(int(i), _MIDDLE)[0, :2] for i in known])
    units = np.interp(at, known, track.poses.scale[known])
    return units, np.stack([np.interp(at, known, places[:, i]) for i in (0, 1)], 1)


def _model_sides(aspect: float, size: int) -> tuple[int, int]:
    """Width and height in model pixels: multiples of 64, about ``size`` squared pixels in all."""
    root = sqrt(min(max(aspect, 1 / _MAX_ASPECT), _MAX_ASPECT))
    sides = size * root, size / root
    width, height = (max(SIZE_STEP, round(side / SIZE_STEP) * SIZE_STEP) for side in sides)
    return width, height


def _follow(centre: np.ndarray, slack: float, sigma: float) -> np.ndarray:
    """The crop's middle along one axis: constant if the head then stays within ``slack``, smoothed otherwise."""
    slack = max(slack, 0.0)
    low, high = float(centre.min()), float(centre.max())
    if (high - low) / 2 <= slack:
        return np.full(len(centre), (low + high) / 2)
    slow = _smooth(centre, max(sigma, 1.0))
    return _smooth(np.clip(slow, centre - slack, centre + slack), 3.0)


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian low-pass; beyond the ends the values are continued by point reflection."""
    reach = 4 * round(sigma) + 4
    longer = np.pad(values, reach, mode="reflect", reflect_type="odd")
    return np.asarray(gaussian_filter1d(longer, sigma))[reach:-reach]


def crop_frame(view: FaceView, row: int, crop: HeadCrop) -> Pixels:
    """The pixels that the model sees of ``view``, which is row ``row`` of the track."""
    to_model = crop.to_model(row)
    left, top = (-to_model[:, 2] + 0.5 * crop.scale - 0.5) / crop.scale
    margin = 3 + 2 / crop.scale
    inside = Window(
        int(np.floor(left - margin)),
        int(np.floor(top - margin)),
        int(np.ceil(left + crop.width / crop.scale + margin)),
        int(np.ceil(top + crop.height / crop.scale + margin)),
    ).clipped(view.size)
    shift = np.array([[1.0, 0, inside.left], [0, 1, inside.top]])
    return warp_affine(view.pixels(inside), compose_affine(to_model, shift), (crop.width, crop.height))


def warp_affine(picture: Pixels, affine: Affine, size: tuple[int, int]) -> Pixels:
    """``picture`` mapped by ``affine`` (pixel centres to pixel centres) into ``size`` (width, height).

    Cubic interpolation; border pixels are repeated. A picture that is made smaller is blurred first, against aliasing.
    """
    reduced = 1 / sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    if reduced > 1.05:
        picture = cv2.GaussianBlur(picture, (0, 0), _BLUR * sqrt(reduced**2 - 1), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(
        cv2.warpAffine(picture, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def warp_back(picture: Pixels, to_display: Affine, window: Window) -> Pixels:
    """``window`` (display pixels) of ``picture`` mapped by ``to_display`` (its pixels to display pixels)."""
    shifted = to_display.copy()
    shifted[:, 2] -= window.left, window.top
    return warp_affine(picture, shifted, (window.width, window.height))


def head_motion(poses: Poses, face: np.ndarray, before: int, after: int) -> Affine:
    """How the points ``face`` (k, 3), pose removed, move in the picture from row ``before`` to row ``after``.

    The best affine map by least squares; the identity if the face was lost in either row.
    """
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    if before == after or not np.isfinite(poses.scale[[before, after]]).all():
        return identity
    old, new = (poses.project(row, face)[:, :2] for row in (before, after))
    padded = np.concatenate([old, np.ones((len(old), 1))], 1)
    return np.linalg.lstsq(padded, new, rcond=None)[0].T


def compose_affine(second: Affine, first: Affine) -> Affine:
    """The map that applies ``first``, then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, second[:, :2] @ first[:, 2:] + second[:, 2:]], 1)
