"""Chooses an exemplar for each frame: the cheapest path through a few candidates per frame (Viterbi algorithm).

The cost of a frame grows with the differences of shape, motion, pose and light between exemplar and target. The cost of
a step is zero for the frame that was filmed next, and otherwise grows with the difference of the two pictures.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.engines.exemplar.exemplar_joins import NONE, ExemplarChoice, followers, with_joins
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.timeline.mouth import AP
from lipdub.timeline.runs import consecutive

_SHAPE_WEIGHTS = np.array([1.0, 0.5, 0.7, 0.12, 0.2, 0.7])
_SHAPE_STEP = 0.03
_ANGLE_STEPS = np.array([7.0, 7.0, 14.0])
_TURNED, _TURNED_STEP = (20.0, 40.0), 3.5  # degrees of yaw between which the pose comes to count twice as much
_CLOSED = 0.02  # apertures below this count as closed
_CLOSING = 0.03  # lips on their way to a closure that are still further open need no closed exemplar
_LOST_DETAIL = 0.12  # logarithm of the loss that costs 1
_CANDIDATES = 48
_FOLLOWERS = 12


@dataclass(frozen=True, eq=False)
class TargetFrames:
    """The target of every row of a track.

    ``shapes``: wanted mouth shapes. ``closed`` 0..1: how far the lips must be closed. ``needed``: an exemplar is
    needed. ``angles`` (degrees), ``scale`` (pixels per eye distance) and ``light`` (0..255) are those of the filmed
    frame.
    """

    shapes: Float64[np.ndarray, "n 6"]
    closed: Float32[np.ndarray, " n"]
    needed: Bool[np.ndarray, " n"]
    angles: Float64[np.ndarray, "n 3"]
    scale: Float64[np.ndarray, " n"]
    light: Float64[np.ndarray, " n"]


def choose_exemplars(targets: TargetFrames, library: ExemplarLibrary) -> ExemplarChoice:
    """The best exemplars for every row that needs one. Linear in time; about 300 bytes of memory per row."""
    n = len(targets.needed)
    first = np.full(n, NONE, np.int32)
    if len(library):
        speed = np.gradient(targets.shapes[:, AP]) if n > 1 else np.zeros(n)
        follower = followers(library)
        for rows in consecutive(np.flatnonzero(targets.needed)):
            first[rows] = _cheapest_path(targets, speed, rows, library, follower)
    return with_joins(first, targets.shapes, library)


def row_cost(targets: TargetFrames, speed: float, row: int, library: ExemplarLibrary) -> Float64[np.ndarray, " n"]:
    """The cost of each exemplar for ``row``; ``speed`` is the wanted change of aperture per frame."""
    shape = targets.shapes[row]
    difference = (shape - library.shapes) / _SHAPE_STEP
    cost = (difference * difference) @ _SHAPE_WEIGHTS
    ap, have = max(float(shape[AP]), 0.0), np.maximum(library.shapes[:, AP], 0)
    opening = np.log((ap + 0.03) / (have + 0.03))
    cost += 6 * opening * opening * np.where(ap > have, 1.5, 0.5)
    too_open = np.maximum(0, have - _CLOSED) / _CLOSED
    if ap < _CLOSED:
        cost += 3 * too_open**2
    if targets.closed[row] > 0 and ap < _CLOSING:
        cost += float(targets.closed[row]) * (20 * too_open**2 + np.where(have > _CLOSED, 10.0, 0.0))
    if ap > 0.03:
        cost += np.where(have < _CLOSED, 10.0, 0.0) + 2 * np.maximum(0, (ap - have) / _SHAPE_STEP) ** 2
    turned = (library.angles - targets.angles[row]) / _angle_steps(float(targets.angles[row, 0]))
    cost += (turned * turned).sum(1)
    cost += _scale_cost(np.log(library.scale / targets.scale[row]), library)
    cost += 0.2 * ((speed - library.speed) / _SHAPE_STEP) ** 2
    cost += 0.3 * ((targets.light[row] - library.light) / 12) ** 2
    cost += library.away
    return cost


def _angle_steps(yaw: float) -> Float64[np.ndarray, " 3"]:
    """The differences of yaw, pitch and roll that cost 1 for a head turned by ``yaw``: the further it is turned, the
    less a mouth looks like one from another side."""
    far = min(max((abs(yaw) - _TURNED[0]) / (_TURNED[1] - _TURNED[0]), 0.0), 1.0)
    return _ANGLE_STEPS - np.array([far * (_ANGLE_STEPS[0] - _TURNED_STEP), 0.0, 0.0])


def _scale_cost(larger: Float64[np.ndarray, " n"], library: ExemplarLibrary) -> Float64[np.ndarray, " n"]:
    """What it costs that exemplars were filmed ``larger`` (logarithm; negative: smaller) than they will be shown.

    In the own shot, another size means that the head was somewhere else. In another shot it means another lens or
    distance, which matters little; but it costs if the picture then has less fine detail than the own shot.
    """
    cost = 0.5 * (larger / 0.12) ** 2
    foreign = library.study > 0
    if foreign.any():
        lost = np.maximum(0, library.blur - larger) / _LOST_DETAIL
        cost[foreign] = 0.1 * (larger[foreign] / 0.12) ** 2 + lost[foreign] ** 2
    return cost


def _cheapest_path(
    targets: TargetFrames, speed: np.ndarray, rows: np.ndarray, library: ExemplarLibrary, follower: np.ndarray
) -> np.ndarray:
    candidates: list[np.ndarray] = []
    came_from: list[np.ndarray] = []
    total = np.zeros(0)
    for row in rows:
        cost = row_cost(targets, float(speed[row]), int(row), library)
        here = _candidates_of(cost)
        if candidates:
            before = candidates[-1]
            here = np.union1d(here, follower[before[np.argsort(total, kind="stable")[:_FOLLOWERS]]])
            path_cost = total[:, None] + _step_cost(before, here, library, follower)
            best = path_cost.argmin(0)
            total = path_cost[best, np.arange(len(here))] + cost[here]
            came_from.append(best.astype(np.int16))
        else:
            total = cost[here]
        candidates.append(here.astype(np.int32))
    state = int(total.argmin())
    out = np.empty(len(rows), np.int32)
    for k in range(len(rows) - 1, -1, -1):
        out[k] = candidates[k][state]
        if k:
            state = int(came_from[k - 1][state])
    return out


def _candidates_of(cost: np.ndarray) -> np.ndarray:
    if len(cost) <= _CANDIDATES:
        return np.arange(len(cost))
    return np.sort(np.argpartition(cost, _CANDIDATES)[:_CANDIDATES])


def _step_cost(before: np.ndarray, here: np.ndarray, library: ExemplarLibrary, follower: np.ndarray) -> np.ndarray:
    """The cost (before, here) of showing one exemplar after another."""
    different = library.distances[np.ix_(follower[before], here)] / 0.06
    cost = 1.5 + np.minimum(6, 2 * different * different)
    later = library.rows[here][None] - library.rows[before][:, None]
    for step, value in ((1, 0.0), (0, 0.5), (2, 0.3), (-1, 0.8)):
        cost[later == step] = value
    return cost
