"""The geometry of a studied face: control points and the lower-face ellipse, and where they are in each frame."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from lipdub.anatomy.landmarks import (
    CHIN,
    INNER_LOWER,
    INNER_UPPER,
    LIPS,
    NOSE_BASE,
    OUTER_LOWER,
    OUTER_UPPER,
)
from lipdub.anatomy.pose import Poses
from lipdub.timeline.picture import Window
from lipdub.timeline.spool import Spool

RING = np.array(
    "57 186 92 165 167 164 393 391 322 410 287 43 106 182 83 18 313 406 335 273 212 202 204 194 201 200 421 418"
    " 424 422 432 216 436 206 426 203 423".split(),
    dtype=np.intp,
)
"""Two rings of skin around the lips."""

JAW = np.array(
    "199 175 152 148 176 149 150 136 172 377 400 378 379 365 397 208 428 32 262 140 369 211 431 210 430 214 434"
    " 192 416 58 288".split(),
    dtype=np.intp,
)
"""Chin and jaw line."""

STILL = np.array(
    "168 6 197 195 5 4 1 2 98 327 33 133 362 263 50 280 101 330 118 347 116 345 123 352 234 454 132 361 205 425"
    " 36 266".split(),
    dtype=np.intp,
)
"""Nose, cheeks and eyes: points that keep the upper face in its place."""

NEARBY = np.array([1, 2, 98, 327, 205, 425, 36, 266, 199, 175, 152, 208, 428, 32, 262, 211, 431, 214, 434])
"""A few points of nose, cheeks and chin: enough to limit a warp to the lips and what is next to them."""

OUTER = np.concatenate([OUTER_UPPER, OUTER_LOWER[1:-1]])
UPPER_LINE = np.concatenate([OUTER_UPPER, INNER_UPPER])
LOWER_LINE = np.concatenate([OUTER_LOWER, INNER_LOWER])
KEPT = np.unique(np.concatenate([LIPS, RING, JAW, STILL]))
"""The landmarks that a study stores for every frame."""

ANCHORS = 28
"""Number of fixed points on the ellipse around the lower face; nothing moves outside it."""


_RECENT = 16  # rows whose landmarks stay in memory


class Ellipse(NamedTuple):
    """The lower-face ellipse in one frame: ``centre`` in pixels; ``inverse`` (2, 2) maps pixels to the unit disc."""

    centre: np.ndarray
    inverse: np.ndarray

    def radius(self, window: Window) -> Float32[np.ndarray, "height width"]:
        """The distance from the centre for every pixel of ``window``, 1 on the ellipse."""
        x = np.arange(window.left, window.right, dtype=np.float32) - np.float32(self.centre[0])
        y = np.arange(window.top, window.bottom, dtype=np.float32) - np.float32(self.centre[1])
        (a, b), (c, d) = self.inverse.astype(np.float32)
        u = (a * x)[None] + (b * y)[:, None]
        v = (c * x)[None] + (d * y)[:, None]
        u *= u
        v *= v
        u += v
        return np.sqrt(u, out=u)

    @property
    def box(self) -> Window:
        """The smallest window that holds the ellipse."""
        reach = np.linalg.norm(np.linalg.inv(self.inverse), axis=1)
        low, high = np.floor(self.centre - reach).astype(int), np.ceil(self.centre + reach).astype(int) + 1
        return Window(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


@dataclass(frozen=True, eq=False)
class FaceGeometry:
    """Pose, mouth shape and landmarks of every row of a track.

    ``ok``: a face was found. ``faces``: (len(KEPT), 3) float32 landmarks per row, pose removed. ``mean``: the person's
    mean face, pose removed.
    """

    ok: Bool[np.ndarray, " n"]
    poses: Poses
    shapes: Float64[np.ndarray, "n 6"]
    mean: Float64[np.ndarray, "478 3"]
    faces: Spool
    _recent: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict, repr=False)

    def __len__(self) -> int:
        return len(self.ok)

    def face(self, row: int) -> Float32[np.ndarray, "478 3"]:
        """The landmarks of ``row``, pose removed, read-only; those not in ``KEPT`` are zero."""
        if row not in self._recent:
            full = np.zeros((478, 3), np.float32)
            full[KEPT] = self.faces.read(row, row + 1)[0]
            full.flags.writeable = False
            self._recent[row] = full
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return self._recent[row]

    def pixels(self, row: int, face: Float[np.ndarray, "k 3"]) -> Float64[np.ndarray, "k 2"]:
        """The pixels in ``row`` of points ``face`` whose pose was removed."""
        return self.poses.project(row, face)[:, :2]

    def unit(self, row: int) -> float:
        """The eye distance in pixels in ``row``."""
        return float(self.poses.scale[row])

    @property
    def nose(self) -> float:
        """The y coordinate of the base of the nose on the mean face."""
        return float(self.mean[NOSE_BASE, 1])

    @property
    def _ellipse(self) -> tuple[np.ndarray, float, float]:
        """Centre (3,) and half axes of the lower-face ellipse, pose removed."""
        chin, nose = float(self.mean[CHIN, 1]), self.nose
        across = float(np.abs(self.mean[[172, 397], 0]).max()) + 0.30
        along = (chin + 0.42 - nose * 0.6) / 2 + 0.02
        centre = np.array([0.0, (nose * 0.6 + chin + 0.30) / 2, float(self.mean[CHIN, 2]) * 0.3])
        return centre, across, along

    def anchors(self, row: int) -> Float64[np.ndarray, "k 2"]:
        """``ANCHORS`` points on the lower-face ellipse, in pixels of ``row``."""
        centre, across, along = self._ellipse
        angle = np.linspace(0, 2 * np.pi, ANCHORS, endpoint=False)
        around = np.stack([across * np.cos(angle), along * np.sin(angle), np.zeros(ANCHORS)], -1)
        return self.pixels(row, centre + around)

    def ellipse(self, row: int) -> Ellipse:
        """The lower-face ellipse in ``row``."""
        centre, across, along = self._ellipse
        forward = self.unit(row) * self.poses.rotation[row][:2, :2] * [across, along]
        return Ellipse(self.pixels(row, centre[None])[0], np.linalg.inv(forward))
