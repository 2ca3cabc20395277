"""How the filmed skin of a frame is displaced: fully on the lower face, and not at all a little way beyond its outline.

What is beside the jaw (a wall, hair, a collar) stays where it was filmed. Along the outline the displacement ends
within a narrow band. Across it the same holds where the jaw covers more than it did; where it uncovers something, what
is beyond is stretched over a wider band, so that no pixel is shown in wrong order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.anatomy.landmarks import CHIN, LOWER_OUTLINE, NOSE_BASE
from lipdub.engines.exemplar.geometry import JAW, OUTER, RING, STILL, FaceGeometry
from lipdub.engines.exemplar.warp import ThinPlateSpline, WarpGrid, smoothstep, stack_points
from lipdub.timeline.picture import Window

NODES = np.concatenate([OUTER, RING, JAW, STILL])
"""The landmarks that move the skin."""

UNDER_CHIN = np.array([176, 148, 152, 377, 400])
"""Landmarks of the chin; what is ``_UNDER`` them (a beard, the soft part under the chin) moves as they do."""

_UNDER = 0.10  # eye distances
_EDGE = 0.18  # the soft edge of the lower-face ellipse, as a part of its radius
_MOVED = 0.02  # displacements up to this many pixels count as none
_INSET = 0.01  # the fall begins this far beyond the outline (eye distances), which is known about as well
_BESIDE, _BELOW = 0.05, 0.20  # width of the fall beside the face, and how much wider it is below the chin
_STRETCH = 2.2  # width of the fall where something is uncovered, in displacements
_SAMPLES = 4  # points of the outline from one landmark to the next
_STEPS = 4  # the falls are computed at least this often from cell to cell
_ROOM = 2.0  # displacements shrink from this many displacements before the picture's edge


Plane = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class SkinField:
    """Displacements (source minus shown position, in pixels) of one frame, at the cells of ``grid``.

    ``along`` and ``across`` (cells, 2): the parts along and across the outline of the face. ``falls`` (cells, 2): how
    much of each is left, as the argument of a smooth step.
    """

    grid: WarpGrid
    along: Float32[np.ndarray, "cells 2"]
    across: Float32[np.ndarray, "cells 2"]
    falls: Float32[np.ndarray, "cells 2"]

    @classmethod
    def between(
        cls,
        place: tuple[FaceGeometry, int],
        now: Float64[np.ndarray, "478 2"],
        goal: Float64[np.ndarray, "478 2"],
        grid: WarpGrid,
    ) -> "SkinField":
        """The field that shows at ``goal`` what was filmed at ``now`` (landmarks in pixels). ``place``: a face, and the
        row of its track."""
        geometry, row = place
        unit, ellipse, anchors = geometry.unit(row), geometry.ellipse(row), geometry.anchors(row)
        under = (unit * _UNDER * _down(goal)).astype(np.float64)
        to = stack_points(np.concatenate([goal[NODES], goal[UNDER_CHIN] + under]), anchors)
        moves = stack_points(np.concatenate([now[NODES], now[UNDER_CHIN] + under]), anchors) - to
        centres = grid.centres()
        away = (centres - ellipse.centre.astype(np.float32)) @ ellipse.inverse.T.astype(np.float32)
        beyond, outward = _beyond_outline(goal[LOWER_OUTLINE], centres, unit)
        inside = smoothstep((1 - np.hypot(*away.T)) / _EDGE)
        widest = _INSET + _UNDER + _BESIDE + _BELOW + (_STRETCH * float(np.abs(moves).max()) + 2.5 * grid.step) / unit
        near = (inside > 0) & (beyond <= widest)
        cells = np.zeros((len(centres), 2), np.float32)
        cells[near] = ThinPlateSpline(to, moves, unit).at(centres[near]) * inside[near, None]
        out = (cells * outward).sum(1)
        across = out[:, None] * outward
        below = np.maximum(outward @ _down(goal), 0) ** 4
        narrow = _BESIDE + _BELOW * below
        wide = narrow + np.maximum(out, 0) * (_STRETCH / unit)
        falls = 1 - (beyond - _INSET - _UNDER * below**2)[:, None] / np.stack([narrow, wide], 1)
        return cls(grid, cells - across, across, falls.astype(np.float32))

    @property
    def still(self) -> bool:
        """True if hardly anything moves."""
        return not self._moving.any()

    @property
    def _moving(self) -> Bool[np.ndarray, " cells"]:
        most = np.maximum(np.abs(self.along).max(1), np.abs(self.across).max(1))
        return (most > _MOVED) & (self.falls.max(1) > 0)

    def window(self, otherwise: Window) -> Window:
        """The part of the grid's window in which skin moves; ``otherwise`` if none does."""
        grid, moving = self.grid, self._moving.reshape(self.grid.rows, self.grid.columns)
        if not moving.any():
            return otherwise
        across, down = np.flatnonzero(moving.any(0)), np.flatnonzero(moving.any(1))
        whole = grid.window
        return Window(
            max(whole.left, whole.left + (int(across[0]) - 2) * grid.step),
            max(whole.top, whole.top + (int(down[0]) - 2) * grid.step),
            min(whole.right, whole.left + (int(across[-1]) + 3) * grid.step),
            min(whole.bottom, whole.top + (int(down[-1]) + 3) * grid.step),
        )

    def moves(self, window: Window, size: tuple[int, int]) -> tuple[Plane, Plane]:
        """The displacements of every pixel of ``window``, which lies in the grid's, to the right and down. No pixel of
        the picture, which has ``size`` (width, height), is moved beyond its edge."""
        every = max(1, self.grid.step // _STEPS)
        planes = self.grid.coarse_planes(np.concatenate([self.along, self.across, self.falls], 1), window, every)
        fall, wide = smoothstep(planes[4]), smoothstep(planes[5])
        for axis in (0, 1):
            planes[axis] *= fall
            planes[2 + axis] *= wide
            planes[axis] += planes[2 + axis]
        x, y = (self.grid.refined(plane, window, every) for plane in planes[:2])
        _keep_inside(x.T, range(window.left, window.right), size[0])
        _keep_inside(y, range(window.top, window.bottom), size[1])
        return x, y


def _down(points: Float64[np.ndarray, "478 2"]) -> Float32[np.ndarray, " 2"]:
    """The unit vector from the nose to the chin."""
    axis = points[CHIN] - points[NOSE_BASE]
    return (axis / max(float(np.linalg.norm(axis)), 1e-6)).astype(np.float32)


def _beyond_outline(
    outline: Float64[np.ndarray, "k 2"], centres: Float32[np.ndarray, "cells 2"], unit: float
) -> tuple[Float32[np.ndarray, " cells"], Float32[np.ndarray, "cells 2"]]:
    """How far ``centres`` are beyond an ``outline`` (eye distances; negative: inside), and the directions that lead
    away from it. The outline goes on upwards at its ends."""
    line = np.concatenate([[3 * outline[0] - 2 * outline[1]], outline, [3 * outline[-1] - 2 * outline[-2]]])
    part = np.arange(0, len(line) - 1 + 1e-9, 1 / _SAMPLES)
    points = np.stack([np.interp(part, np.arange(len(line)), line[:, k]) for k in (0, 1)], 1)
    tangent = np.gradient(points, axis=0)
    tangent = np.stack([np.convolve(np.pad(tangent[:, k], 4, mode="edge"), np.full(9, 1 / 9), "valid") for k in (0, 1)])
    normals = (np.stack([-tangent[1], tangent[0]]) / np.maximum(np.hypot(*tangent), 1e-6)).T.astype(np.float32)
    points, centres = ((p - outline.mean(0)).astype(np.float32) * np.float32(1 / unit) for p in (points, centres))
    squares = (centres**2).sum(1)[:, None] + (points**2).sum(1)[None] - 2 * (centres @ points.T)
    nearest = squares.argmin(1)
    step = centres - points[nearest]
    side = (step * normals[nearest]).sum(1)
    near = 1 / (squares + 0.02) ** 2
    outward = near @ normals
    outward /= np.maximum(np.hypot(*outward.T), 1e-6)[:, None]
    return side, outward


def _keep_inside(moves: Float32[np.ndarray, "length across"], where: range, length: int) -> None:
    """Shrink ``moves`` of pixels at ``where`` (rows, or columns if it is turned) towards both edges of the picture, so
    that none leads beyond its ``length``. What counts are the moves from there to the edge, not those further in."""
    place = np.arange(where.start, where.stop, dtype=np.float32)
    for room, sign in ((place, -1), (length - 1 - place, 1)):
        outward = np.maximum((moves * sign).max(1), 0)[::-sign]  # from the edge inwards
        most = (_ROOM * np.maximum.accumulate(outward))[::-sign]
        short = np.flatnonzero(room < most)
        if len(short):
            part = moves[short]
            moves[short] = np.where(part * sign > 0, part * (room[short] / most[short])[:, None], part)
