"""Which exemplar for which frame: the cheapest way through a small set of candidates per frame (Viterbi).

A frame's own cost is how far an exemplar's shape, motion, pose and light are from what is wanted; a step's cost is
zero for the exemplar's own next frame and grows with how different the pictures are otherwise.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from lipdub.engines.exemplar.library import Library
from lipdub.timeline.mouth import AP
from lipdub.timeline.runs import consecutive

_SHAPE_WEIGHTS = np.array([1.0, 0.5, 0.7, 0.12, 0.2, 0.7])
_SHAPE_STEP = 0.03
_ANGLE_STEPS = np.array([7.0, 7.0, 14.0])
_SHUT = 0.02
_CANDIDATES = 48
_FOLLOWERS = 12
_NONE = -1


@dataclass(frozen=True, eq=False)
class Wanted:
    """What every row of a track asks for.

    ``shapes`` wanted; ``closed`` 0..1, how much a closure is asked for; ``asked`` where an exemplar is needed;
    ``angles`` degrees, ``scale`` and ``light`` of the filmed frame.
    """

    shapes: Float64[np.ndarray, "n 6"]
    closed: Float32[np.ndarray, " n"]
    asked: Bool[np.ndarray, " n"]
    angles: Float64[np.ndarray, "n 3"]
    scale: Float64[np.ndarray, " n"]
    light: Float64[np.ndarray, " n"]


class Choice(NamedTuple):
    """For each row: the exemplar (``-1`` none) and a second one that is mixed in by ``share`` at joins."""

    first: Int32[np.ndarray, " n"]
    second: Int32[np.ndarray, " n"]
    share: Float32[np.ndarray, " n"]


def choose(wanted: Wanted, library: Library) -> Choice:
    """The best exemplars for every row that asks for one. Time linear in rows; about 300 bytes a row are held."""
    n = len(wanted.asked)
    first = np.full(n, _NONE, np.int32)
    if len(library):
        speed = np.gradient(wanted.shapes[:, AP]) if n > 1 else np.zeros(n)
        follower = _followers(library)
        for rows in consecutive(np.flatnonzero(wanted.asked)):
            first[rows] = _best_way(wanted, speed, rows, library, follower)
    return _mixed(first, library)


def _followers(library: Library) -> np.ndarray:
    """For each exemplar, the one filmed right after it, or itself."""
    n = len(library)
    follower = np.arange(n)
    follows = np.flatnonzero(np.diff(library.rows) == 1)
    follower[follows] = follows + 1
    return follower


def row_cost(wanted: Wanted, speed: float, row: int, library: Library) -> Float64[np.ndarray, " n"]:
    """How badly each exemplar suits ``row``."""
    shape = wanted.shapes[row]
    off = (shape - library.shapes) / _SHAPE_STEP
    cost = (off * off) @ _SHAPE_WEIGHTS
    ap, have = max(float(shape[AP]), 0.0), np.maximum(library.shapes[:, AP], 0)
    opening = np.log((ap + 0.03) / (have + 0.03))
    cost += 6 * opening * opening * np.where(ap > have, 1.5, 0.5)
    too_open = np.maximum(0, have - _SHUT) / _SHUT
    if ap < _SHUT:
        cost += 3 * too_open**2
    if wanted.closed[row] > 0:
        cost += float(wanted.closed[row]) * (20 * too_open**2 + np.where(have > _SHUT, 10.0, 0.0))
    if ap > 0.03:
        cost += np.where(have < _SHUT, 10.0, 0.0) + 2 * np.maximum(0, (ap - have) / _SHAPE_STEP) ** 2
    turned = (library.angles - wanted.angles[row]) / _ANGLE_STEPS
    cost += (turned * turned).sum(1)
    cost += 0.5 * (np.log(library.scale / wanted.scale[row]) / 0.12) ** 2
    cost += 0.2 * ((speed - library.speed) / _SHAPE_STEP) ** 2
    cost += 0.3 * ((wanted.light[row] - library.light) / 12) ** 2
    return cost


def _best_way(
    wanted: Wanted, speed: np.ndarray, rows: np.ndarray, library: Library, follower: np.ndarray
) -> np.ndarray:
    candidates: list[np.ndarray] = []
    came_from: list[np.ndarray] = []
    total = np.zeros(0)
    for row in rows:
        cost = row_cost(wanted, float(speed[row]), int(row), library)
        here = _few(cost)
        if candidates:
            before = candidates[-1]
            here = np.union1d(here, follower[before[np.argsort(total, kind="stable")[:_FOLLOWERS]]])
            way = total[:, None] + _step_cost(before, here, library, follower)
            best = way.argmin(0)
            total = way[best, np.arange(len(here))] + cost[here]
            came_from.append(best.astype(np.int16))
        else:
            total = cost[here]
        candidates.append(here.astype(np.int32))
    way_back = int(total.argmin())
    out = np.empty(len(rows), np.int32)
    for k in range(len(rows) - 1, -1, -1):
        out[k] = candidates[k][way_back]
        if k:
            way_back = int(came_from[k - 1][way_back])
    return out


def _few(cost: np.ndarray) -> np.ndarray:
    if len(cost) <= _CANDIDATES:
        return np.arange(len(cost))
    return np.sort(np.argpartition(cost, _CANDIDATES)[:_CANDIDATES])


def _step_cost(before: np.ndarray, here: np.ndarray, library: Library, follower: np.ndarray) -> np.ndarray:
    """Cost (before, here) of showing one exemplar after another."""
    different = library.apart[np.ix_(follower[before], here)] / 0.06
    cost = 1.5 + np.minimum(6, 2 * different * different)
    later = library.rows[here][None] - library.rows[before][:, None]
    for step, price in ((1, 0.0), (0, 0.5), (2, 0.3), (-1, 0.8)):
        cost[later == step] = price
    return cost


def _mixed(first: np.ndarray, library: Library) -> Choice:
    """Soften joins: the frames on both sides are mixed 2 : 1 with how the other side would have gone on."""
    n = len(first)
    second, share = np.full(n, _NONE, np.int32), np.zeros(n, np.float32)
    follower = _followers(library)
    leader = np.arange(len(library))
    followed = np.flatnonzero(follower != leader)
    leader[follower[followed]] = followed
    for t in range(1, n):
        old, new = int(first[t - 1]), int(first[t])
        if old == _NONE or new == _NONE or int(library.rows[new] - library.rows[old]) in (0, 1, 2, -1):
            continue
        if second[t - 1] == _NONE:
            second[t - 1], share[t - 1] = leader[new], 0.33
        second[t], share[t] = follower[old], 0.33
    return Choice(first, second, share)
