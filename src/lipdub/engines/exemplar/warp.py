"""Smooth inverse warps: thin-plate splines evaluated on a coarse grid.

Source: F. L. Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations",
IEEE TPAMI 11(6), 1989. Displacements are pixels, coordinates are eye distances, so the stiffness has no scale.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64

from lipdub.timeline.picture import Window

_STIFFNESS = 0.005


class WarpGrid(NamedTuple):
    """A grid of cells that covers ``window``: ``columns`` by ``rows``, ``step`` pixels apart."""

    window: Window
    step: int
    columns: int
    rows: int

    @classmethod
    def over(cls, window: Window, step: float) -> "WarpGrid":
        """A grid over ``window`` with cells of about ``step`` pixels (at least 3)."""
        cell = max(3, round(step))
        return cls(window, cell, -(-window.width // cell), -(-window.height // cell))

    def centres(self) -> Float32[np.ndarray, "cells 2"]:
        """The cell centres in display pixels, row by row."""
        x = (np.arange(self.columns, dtype=np.float32) + 0.5) * self.step - 0.5 + self.window.left
        y = (np.arange(self.rows, dtype=np.float32) + 0.5) * self.step - 0.5 + self.window.top
        return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)

    def planes(self, cells: Float32[np.ndarray, "cells k"]) -> list[Float32[np.ndarray, "height width"]]:
        """Each of the ``k`` values at cell centres, interpolated at every pixel of the window (Catmull-Rom; linear
        functions are exact)."""
        return self.coarse_planes(cells, self.window, 1)

    def coarse_planes(
        self, cells: Float32[np.ndarray, "cells k"], part: Window, every: int
    ) -> list[Float32[np.ndarray, "rows columns"]]:
        """The same in the middle of squares of ``every`` pixels, which cover ``part`` of the window from its upper left
        square on."""
        small = cells.reshape(self.rows, self.columns, -1).transpose(2, 0, 1)
        whole = self.window
        rows = slice((part.top - whole.top) // every, -((whole.top - part.bottom) // every))
        columns = slice((part.left - whole.left) // every, -((whole.left - part.right) // every))
        down = _interpolation(self.rows, self.step, whole.height, every)[rows]
        across = _interpolation(self.columns, self.step, whole.width, every)[columns]
        return [down @ (one @ across.T) for one in small]

    def refined(
        self, plane: Float32[np.ndarray, "rows columns"], part: Window, every: int
    ) -> Float32[np.ndarray, "height width"]:
        """One of ``coarse_planes`` at every pixel of ``part``, interpolated linearly."""
        if every == 1:
            return plane
        rows, columns = plane.shape
        fine = cv2.resize(plane, (columns * every, rows * every), interpolation=cv2.INTER_LINEAR)
        top, left = (part.top - self.window.top) % every, (part.left - self.window.left) % every
        return fine[top : top + part.height, left : left + part.width]


@lru_cache(maxsize=64)
def _interpolation(cells: int, step: int, length: int, every: int) -> Float32[np.ndarray, "length cells"]:
    """The matrix from values at cell centres to values at pixels, or in the middle of ``every`` so many; linear
    extrapolation beyond the outer centres.

    Kernel: E. Catmull and R. Rom, "A class of local interpolating splines", 1974.
    """
    length = -(-length // every)
    where = (np.arange(length) + 0.5) * every / step - 0.5
    first = np.floor(where).astype(int)
    t = where - first
    kernel = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    matrix = np.zeros((length, cells))
    rows, last = np.arange(length), cells - 1
    for k, weight in enumerate(kernel):
        at = first - 1 + k
        inside = np.clip(at, 0, last)
        beyond = np.abs(at - inside)  # v[-1] = v[0] + (v[0] - v[1]), and so on at both ends
        matrix[rows, inside] += (1 + beyond) * weight
        matrix[rows, np.where(at < 0, min(1, last), max(last - 1, 0))] -= beyond * weight
    return matrix.astype(np.float32)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    d = a[:, 0, None] - b[None, :, 0]
    e = a[:, 1, None] - b[None, :, 1]
    d *= d
    e *= e
    d += e
    np.maximum(d, 1e-9, out=d)
    np.log(d, out=e)
    d *= e
    return d


class ThinPlateSpline:
    """A smooth displacement field that moves ``points`` (n, 2) by ``moves`` (n, 2), both in pixels."""

    def __init__(self, points: Float[np.ndarray, "n 2"], moves: Float[np.ndarray, "n 2"], unit: float) -> None:
        """Fit the spline; ``unit`` is the eye distance in pixels."""
        self._origin, self._per_pixel = points.mean(0), 1 / unit
        self._at = ((points - self._origin) * self._per_pixel).astype(np.float32)
        n = len(points)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = _kernel(self._at, self._at)
        system.ravel()[: n * (n + 3) : n + 4] += _STIFFNESS
        system[:n, n] = 1
        system[:n, n + 1 :] = self._at
        system[n:, :n] = system[:n, n:].T
        right = np.zeros((n + 3, 2))
        right[:n] = moves
        self._weights = np.linalg.solve(system, right).astype(np.float32)

    def at(self, where: Float[np.ndarray, "m 2"]) -> Float32[np.ndarray, "m 2"]:
        """The displacements in pixels at display pixels ``where``."""
        x = ((where - self._origin) * self._per_pixel).astype(np.float32)
        out = _kernel(x, self._at) @ self._weights[:-3]
        out += x @ self._weights[-2:]
        out += self._weights[-3]
        return out


def smoothstep(x: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """0 below 0, 1 above 1, 3 x^2 - 2 x^3 in between. Changes ``x``."""
    np.clip(x, 0, 1, out=x)
    return x * x * (3 - 2 * x)


def sample_picture(
    picture: np.ndarray,
    x: Float32[np.ndarray, "height width"],
    y: Float32[np.ndarray, "height width"],
    offset: tuple[int, int],
    how: int,
) -> np.ndarray:
    """``picture`` sampled at every output pixel moved by ``x`` and ``y`` (which are changed); ``offset`` is the (x, y)
    of the output in ``picture``.

    ``how`` is OpenCV's interpolation; border pixels are repeated.
    """
    h, w = x.shape
    x += np.arange(w, dtype=np.float32) + offset[0]
    y += (np.arange(h, dtype=np.float32) + offset[1])[:, None]
    return cv2.remap(picture, x, y, how, borderMode=cv2.BORDER_REPLICATE)


def stack_points(*groups: np.ndarray) -> Float64[np.ndarray, "n 2"]:
    """Groups of points (k, 2) in one array."""
    return np.concatenate(groups).astype(np.float64)
