"""Masks of the mouth in the picture: its axes, the side of the line between the lips, the lips and the opening."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from lipdub.anatomy.landmarks import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from lipdub.engines.exemplar.warp import smoothstep
from lipdub.timeline.picture import Window

REACH = 0.17
"""How far from the outer lips pixels of the exemplar are used, in eye distances."""

_FULL, _FADE = 0.05, 0.11  # eye distances from the lips: full weight up to here; width of the fade
_BESIDE = 0.6  # how fast the two sides diverge beyond the corners of the mouth


class MouthAxes(NamedTuple):
    """The axes of a mouth: ``origin`` between its corners, ``along`` the unit vector from the left to the right
    corner."""

    origin: np.ndarray
    along: np.ndarray

    @classmethod
    def of(cls, points: Float[np.ndarray, "478 2"]) -> "MouthAxes":
        """The axes of lips whose landmarks are at ``points`` (display pixels)."""
        left, right = points[[61, 78]].mean(0), points[[291, 308]].mean(0)
        across = right - left
        return cls((left + right) / 2, across / max(float(np.linalg.norm(across)), 1e-6))

    def of_points(self, points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
        """The coordinates (along, down) of display pixels."""
        x, y = (points - self.origin).T
        a, b = self.along
        return np.stack([x * a + y * b, y * a - x * b], -1)

    def of_window(
        self, window: Window
    ) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """The coordinates along and down of every pixel of ``window``."""
        x = np.arange(window.left, window.right, dtype=np.float32)[None] - np.float32(self.origin[0])
        y = np.arange(window.top, window.bottom, dtype=np.float32)[:, None] - np.float32(self.origin[1])
        a, b = self.along.astype(np.float32)
        return x * a + y * b, y * a - x * b


def between_lips(
    points: Float[np.ndarray, "478 2"], axes: MouthAxes, window: Window
) -> Float32[np.ndarray, "height width"]:
    """For every pixel of ``window``: 0 on the side of the upper lip, 1 on that of the lower, rising across the
    opening."""
    along, down = axes.of_window(window)
    upper, lower = axes.of_points(points[INNER_UPPER]), axes.of_points(points[INNER_LOWER])
    start, stop = float(np.floor(along.min())) - 1, float(np.ceil(along.max())) + 2
    steps = np.arange(start, stop, 0.5)
    top, ends = _curve(upper, steps)
    bottom, _ = _curve(lower, steps)
    bottom = np.maximum(bottom, top)
    beyond = np.maximum(0, np.maximum(ends[0] - steps, steps - ends[1])) * _BESIDE
    place = ((along - np.float32(start)) * 2 + 0.5).astype(np.int32)
    edge = (top - beyond - 0.5).astype(np.float32).take(place)
    per_pixel = (1 / (bottom - top + 2 * beyond + 1)).astype(np.float32).take(place)
    down -= edge
    down *= per_pixel
    return np.clip(down, 0, 1, out=down)


def _curve(points: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """A monotone cubic curve through ``points`` (k, 2) at ``steps``, constant beyond its ends; and the two ends.

    F. N. Fritsch and R. E. Carlson, SIAM J. Numer. Anal. 17(2), 1980, with the harmonic mean as tangent.
    """
    x, y = np.maximum.accumulate(points[:, 0] + np.arange(len(points)) * 1e-3), points[:, 1]
    x = x + np.arange(len(x)) * 1e-4
    width = np.diff(x)
    slope = np.diff(y) / width
    before, after = slope[:-1], slope[1:]
    same = before * after > 0
    middle = np.where(same, 2 * before * after / np.where(same, before + after, 1), 0)
    tangent = np.concatenate([slope[:1], middle, slope[-1:]])
    at = np.clip(steps, x[0], x[-1])
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(width) - 1)
    h = width[piece]
    t = (at - x[piece]) / h
    rest = 1 - t
    value = (
        y[piece] * (1 + 2 * t) * rest * rest
        + y[piece + 1] * t * t * (3 - 2 * t)
        + h * t * rest * (rest * tangent[piece] - t * tangent[piece + 1])
    )
    return value, (float(x[0]), float(x[-1]))


def fill_polygon(points: Float[np.ndarray, "k 2"], window: Window) -> UInt8[np.ndarray, "height width"]:
    """The polygon ``points`` (display pixels) filled with 255, with smooth edges."""
    outline = np.round((points - [window.left, window.top]) * 16).astype(np.int32)
    canvas = np.zeros((window.height, window.width), np.uint8)
    return cv2.fillPoly(canvas, [outline], (255.0,), cv2.LINE_AA, 4)


@dataclass(frozen=True, eq=False)
class MouthMasks:
    """Masks of the target lips in ``window``; ``unit`` is the eye distance in pixels.

    ``outside``: distance from the outer lips in eye distances, 0 inside them. ``inner``: 255 in the opening. ``outer``:
    255 on the lips and in the opening. ``below``: pixels below the line between the corners.
    """

    window: Window
    unit: float
    axes: MouthAxes
    outside: Float32[np.ndarray, "height width"]
    inner: UInt8[np.ndarray, "height width"]
    outer: UInt8[np.ndarray, "height width"]
    below: Float32[np.ndarray, "height width"]

    @classmethod
    def at(cls, points: Float[np.ndarray, "478 2"], unit: float, window: Window) -> "MouthMasks":
        """The masks of a mouth whose landmarks are at ``points`` (display pixels)."""
        axes = MouthAxes.of(points)
        inner = fill_polygon(points[np.concatenate([INNER_UPPER, INNER_LOWER[::-1]])], window)
        outer = fill_polygon(points[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]])], window)
        outside = _distance(outer, unit)
        return cls(window, unit, axes, outside, inner, outer, axes.of_window(window)[1])

    def and_lips(self, points: Float[np.ndarray, "478 2"]) -> "MouthMasks":
        """The same, with the weight of the exemplar on and near the lips of ``points`` (display pixels), too."""
        lips = fill_polygon(points[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]])], self.window)
        return replace(self, outside=np.minimum(self.outside, _distance(lips, self.unit)))

    def mask(self, nostrils: float) -> Float32[np.ndarray, "height width"]:
        """The weight of the exemplar: 1 on and near the lips, 0 farther away.

        It is also 0 above ``nostrils``, which is in pixels below the line between the corners (so negative).
        """
        near = smoothstep(1 - (self.outside - _FULL) / _FADE)
        return near * smoothstep((self.below - nostrils) / (0.06 * self.unit))

    def band(self) -> Float32[np.ndarray, "height width"]:
        """1 on the skin around the lips, on which colours are compared."""
        return ((self.outside > 0.02) & (self.outside < REACH)).astype(np.float32)


def _distance(inside: UInt8[np.ndarray, "height width"], unit: float) -> Float32[np.ndarray, "height width"]:
    """The distance of each pixel from the polygon ``inside``, in eye distances of ``unit`` pixels."""
    outside = cv2.distanceTransform((inside < 128).astype(np.uint8), cv2.DIST_L2, 3)
    outside *= 1 / unit
    return outside.astype(np.float32)


def window_around(points: Float[np.ndarray, "478 2"], unit: float) -> Window:
    """The bounding box of the lips at ``points``, and ``REACH`` around it."""
    lips = points[np.concatenate([OUTER_UPPER, OUTER_LOWER])]
    reach = REACH * unit + 2
    low, high = np.floor(lips.min(0) - reach).astype(int), np.ceil(lips.max(0) + reach).astype(int) + 1
    return Window(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
