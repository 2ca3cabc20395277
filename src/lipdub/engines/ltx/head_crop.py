"""The window around the head that the model sees: where it is in every frame, into it, and back.

Within one stretch of speech its size is constant. It stands still if the head stays inside it, and else follows the
head slowly, like a camera: a crop that jitters with the landmarks would be taken for motion of the scene. At the
picture's border it stops rather than leave the picture.
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
"""Side of the window in eye distances: head and shoulders."""

_MIDDLE = np.array([[0.0, 0.55, 0.1]])  # its middle on the face: below the nose
_HEAD = 1.25  # half of a head, in eye distances: stays inside
_SLOW = 0.8  # seconds over which a following window is smoothed
_FLATTEST = 2.5  # longest side by shortest
_BLUR = 0.45  # deviation of the filter before reducing k times: this times sqrt(k^2 - 1)

Pixels = UInt8[np.ndarray, "_height _width 3"]
Affine = Float64[np.ndarray, "2 3"]


@dataclass(frozen=True, eq=False)
class HeadCrop:
    """A window of ``width`` x ``height`` model pixels, ``scale`` of them to one of the picture's. ``corners[i]`` is its
    left upper corner (x, y), in display pixels, in row ``first + i`` of the track."""

    first: int
    corners: Float64[np.ndarray, "rows 2"]
    scale: float
    width: int
    height: int

    def onto_model(self, row: int) -> Affine:
        """From pixel centres of the picture to those of the window."""
        left, top = self.corners[min(max(row - self.first, 0), len(self.corners) - 1)]
        half = 0.5 * self.scale - 0.5
        return np.array([[self.scale, 0, half - left * self.scale], [0, self.scale, half - top * self.scale]])

    def onto_picture(self, row: int) -> Affine:
        """From pixel centres of the window to those of the picture."""
        return np.asarray(cv2.invertAffineTransform(self.onto_model(row)), np.float64)


def camera(record: StudiedTrack, rows: range, rate: Fraction, size: int) -> HeadCrop:
    """The camera for ``rows`` of a track shown at about ``rate`` rows a second; ``size``: the window has about
    ``size`` x ``size`` model pixels."""
    width, height = record.size
    units, centres = _heads(record, rows)
    unit = float(np.percentile(units, 95))
    wide, tall = min(SIDE * unit, width), min(SIDE * unit, height)
    across, down = _sides(wide / tall, size)
    scale = max(across / wide, down / tall)
    wide, tall = across / scale, down / scale
    slack = np.array([wide, tall]) / 2 - _HEAD * unit
    middle = np.stack([_followed(centres[:, i], float(slack[i]), float(rate) * _SLOW) for i in (0, 1)], 1)
    corners = middle - np.array([wide, tall]) / 2
    corners = np.clip(corners, 0, np.maximum([width - wide, height - tall], 0))
    return HeadCrop(rows.start, corners, scale, across, down)


def _heads(record: StudiedTrack, rows: range) -> tuple[np.ndarray, np.ndarray]:
    """Eye distance (rows,) and middle (rows, 2) of the head in pixels; between known rows where it was lost."""
    known = np.flatnonzero(record.ok)
    at = np.arange(rows.start, rows.stop)
    if not len(known):
        width, height = record.size
        return np.full(len(at), min(width, height) / SIDE), np.tile([width / 2, height / 2], (len(at), 1))
    places = np.stack([record.poses.project(int(i), _MIDDLE)[0, :2] for i in known])
    units = np.interp(at, known, record.poses.scale[known])
    return units, np.stack([np.interp(at, known, places[:, i]) for i in (0, 1)], 1)


def _sides(aspect: float, size: int) -> tuple[int, int]:
    """Model pixels across and down, multiples of 64, about ``size`` squared in all."""
    root = sqrt(min(max(aspect, 1 / _FLATTEST), _FLATTEST))
    return max(SIZE_STEP, round(size * root / SIZE_STEP) * SIZE_STEP), max(SIZE_STEP, round(size / root / SIZE_STEP) * SIZE_STEP)


def _followed(centre: np.ndarray, slack: float, sigma: float) -> np.ndarray:
    """Where the window's middle is, along one axis: still if the head then stays within ``slack``, else slow."""
    slack = max(slack, 0.0)
    low, high = float(centre.min()), float(centre.max())
    if (high - low) / 2 <= slack:
        return np.full(len(centre), (low + high) / 2)
    slow = _smoothed(centre, max(sigma, 1.0))
    return _smoothed(np.clip(slow, centre - slack, centre + slack), 3.0)


def _smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Low-passed by a Gaussian; beyond the ends it goes on as it came."""
    reach = 4 * round(sigma) + 4
    longer = np.pad(values, reach, mode="reflect", reflect_type="odd")
    return np.asarray(gaussian_filter1d(longer, sigma))[reach:-reach]


def crop_frame(view: FaceView, row: int, camera: HeadCrop) -> Pixels:
    """What the model sees of ``look``, row ``row`` of the track: smoothed before reducing, cubic else."""
    onto = camera.onto_model(row)
    left, top = (-onto[:, 2] + 0.5 * camera.scale - 0.5) / camera.scale
    margin = 3 + 2 / camera.scale
    inside = Window(
        int(np.floor(left - margin)),
        int(np.floor(top - margin)),
        int(np.ceil(left + camera.width / camera.scale + margin)),
        int(np.ceil(top + camera.height / camera.scale + margin)),
    ).clipped(view.size)
    return warp_affine(view.pixels(inside), _after_shift(onto, inside.left, inside.top), (camera.width, camera.height))


def warp_affine(picture: Pixels, onto: Affine, size: tuple[int, int]) -> Pixels:
    """``picture`` moved by ``onto`` (pixel centres to pixel centres) into ``size`` (width, height); its borders go
    on. It is smoothed first where it is reduced, so that nothing shimmers."""
    reduced = 1 / sqrt(abs(float(np.linalg.det(onto[:, :2]))))
    if reduced > 1.05:
        picture = cv2.GaussianBlur(picture, (0, 0), _BLUR * sqrt(reduced**2 - 1), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(
        cv2.warpAffine(picture, onto, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def warp_back(picture: Pixels, onto: Affine, window: Window) -> Pixels:
    """``picture`` moved by ``onto`` (its pixels to the display's), as seen in ``window`` of the display."""
    shifted = onto.copy()
    shifted[:, 2] -= window.left, window.top
    return warp_affine(picture, shifted, (window.width, window.height))


def head_motion(poses: Poses, face: np.ndarray, before: int, after: int) -> Affine:
    """How the points of ``face`` (k, 3), pose-free, move in the picture from row ``before`` to row ``after``: the
    best affine map. Stays put where the face was lost in either."""
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    if before == after or not np.isfinite(poses.scale[[before, after]]).all():
        return still
    there, here = (poses.project(row, face)[:, :2] for row in (before, after))
    padded = np.concatenate([there, np.ones((len(there), 1))], 1)
    return np.linalg.lstsq(padded, here, rcond=None)[0].T


def compose_affine(second: Affine, first: Affine) -> Affine:
    """``first``, then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, second[:, :2] @ first[:, 2:] + second[:, 2:]], 1)


def _after_shift(onto: Affine, left: int, top: int) -> Affine:
    """``onto`` for a picture whose own corner lies at (``left``, ``top``)."""
    return compose_affine(onto, np.array([[1.0, 0, left], [0, 1, top]]))
