"""From a guide to what every frame of a track shall show: completed and limited shapes, weights, exemplars."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from lipdub.engines.exemplar.exemplar_choice import ExemplarChoice, TargetFrames, choose_exemplars
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.engines.exemplar.stored_study import StoredStudy
from lipdub.engines.exemplar.shape_model import complete_shapes, limit_shapes, pooled_shapes
from lipdub.timeline.mouth import AP, MouthTrajectory

CAVITY_BELOW = 0.06
"""A library whose widest aperture (99th percentile) is smaller than this shows no inside of a mouth."""

_CAVITY_ROOM = np.array([0.085, 0.03, 0.05, 0.07, 0.02, 0.03])
"""How far beyond such a library shapes may go when an inside is painted."""

_SAME = 0.004  # shapes nearer than this (eye distances) are the filmed frame's own
_FURTHEST_TURN, _FURTHEST_YAW = 20.0, 35.0
_ERODE, _RAMP = 2, 4

LOST = "the face was lost"
TURNED = "the head is turned away from every frame that could lend a mouth"
NO_EXEMPLAR = "no frame of this shot can lend a mouth"


@dataclass(frozen=True, eq=False)
class ExemplarPlan:
    """One row per frame of the track: ``shapes`` to show by ``weight``; ``same`` where that is what was filmed;
    ``choice`` of exemplars; ``turned`` where the pose forbids it. ``cavity``: paint an inside where needed."""

    shapes: Float64[np.ndarray, "n 6"]
    weight: Float64[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    turned: Bool[np.ndarray, " n"]
    choice: ExemplarChoice
    cavity: bool


def never_opens(library: ExemplarLibrary) -> bool:
    """True if no exemplar shows an open mouth."""
    return len(library) > 0 and float(np.percentile(library.shapes[:, AP], 99)) < CAVITY_BELOW


def plan(path: MouthTrajectory, record: StoredStudy, library: ExemplarLibrary, cavity: bool) -> ExemplarPlan:
    """Plan the whole track; ``path`` has one row per frame of it."""
    geometry = record.geometry
    n = len(geometry)
    own = library.shapes
    paint = cavity and never_opens(library)
    asked = path.shapes.astype(np.float64)
    near = _reachable(record.angles, geometry.ok, library)
    turned = ~near & (path.weight > 0)
    if len(library) == 0:
        nothing = np.full(n, -1, np.int32)
        choice = ExemplarChoice(nothing, nothing, np.zeros(n, np.float32))
        return ExemplarPlan(asked, path.weight.astype(np.float64), np.zeros(n, bool), turned, choice, False)
    whole = complete_shapes(asked, own, pooled_shapes().covariance)
    with np.errstate(invalid="ignore"):
        same = np.abs(whole - geometry.shapes).max(1) < _SAME
    room = _CAVITY_ROOM if paint else np.zeros(6)
    shapes = limit_shapes(whole, own, room)
    weight = np.minimum(path.weight, _ramped(near & geometry.ok))
    needed = (weight > 0) & geometry.ok
    wanted = TargetFrames(shapes, path.closed, needed, record.angles, geometry.poses.scale, record.light)
    return ExemplarPlan(shapes, weight, same, turned, choose_exemplars(wanted, library), paint)


def _reachable(angles: Float64[np.ndarray, "n 3"], ok: np.ndarray, library: ExemplarLibrary) -> Bool[np.ndarray, " n"]:
    """Where some exemplar was filmed from about the same side, and the face is not in profile."""
    near = np.zeros(len(angles), bool)
    for row in np.flatnonzero(ok):
        turn = np.abs(library.angles[:, :2] - angles[row, :2]).max(1)
        near[row] = len(turn) > 0 and turn.min() <= _FURTHEST_TURN and abs(angles[row, 0]) <= _FURTHEST_YAW
    return near | ~ok


def _ramped(good: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 where ``good``, shrunk by two frames and with soft ends of four; all good stays all 1."""
    window = np.ones(2 * _ERODE + 1)
    inside = np.convolve(np.pad(~good, _ERODE, mode="edge"), window, "valid") < 0.5
    weight = inside.astype(np.float64)
    soft = np.hanning(2 * _RAMP + 1)[1:-1]
    reach = len(soft) // 2
    smooth = np.convolve(np.pad(weight, reach, mode="edge"), soft / soft.sum(), "valid")
    return np.where(smooth > 1 - 1e-9, 1.0, np.minimum(weight, smooth))


def aperture_speed(shapes: Float64[np.ndarray, "n 6"]) -> Float64[np.ndarray, " n"]:
    """Change of aperture per frame, 0 where it is unknown."""
    if len(shapes) < 2:
        return np.zeros(len(shapes))
    return np.nan_to_num(np.gradient(shapes[:, AP]))


def aperture_coverage(own: Float64[np.ndarray, "m 6"]) -> float:
    """How much of the apertures that speech needs (5th to 95th percentile over people) ``own`` shapes reach."""
    if not len(own):
        return 0.0
    people = pooled_shapes()
    low, high = float(people.low[AP]), float(people.high[AP])
    first, last = (float(x) for x in np.percentile(own[:, AP], [1, 99]))
    covered = min(max(last, 0.0) * 1.35 + 0.015, high) - max(min(first, high), low)
    return min(max(covered / (high - low), 0.0), 1.0)
