"""Softens the joins between exemplars: frames on both sides of a join are mixed with the other side's mouth.

Where the mouth hardly moves, nothing hides a change from one filmed mouth to another: colour, gloss and creases of the
lips change at once. There a join takes several frames. Where the mouth moves, two mouths that are mixed for long would
be blurred: there it takes one frame on each side.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.timeline.mouth import AP, JAW, UL, WD

NONE = -1
"""No exemplar."""

_LONGEST = 6  # frames on each side of a join
_CALM = {AP: 0.008, WD: 0.02, JAW: 0.02, UL: 0.015}  # eye distances from the shape at the join: the mouth hardly moves
_ALIKE = 0.015  # eye distances: apertures of two exemplars that may stand for each other
_SHORT_SHARE = 0.33  # of the other side, where the mouth moves
_GOES_ON = (0, 1, 2, -1)  # frames from one exemplar to the next that are no join


class ExemplarChoice(NamedTuple):
    """For each row: the ``first`` exemplar (-1: none), and a ``second`` one that is mixed in by ``share`` at joins.

    ``calm``: the mouth hardly moves there, and fine detail is mixed, too.
    """

    first: Int32[np.ndarray, " n"]
    second: Int32[np.ndarray, " n"]
    share: Float32[np.ndarray, " n"]
    calm: Bool[np.ndarray, " n"]


def followers(library: ExemplarLibrary) -> Int32[np.ndarray, " m"]:
    """For each exemplar, the one that was filmed next, or itself if there is none."""
    follower = np.arange(len(library), dtype=np.int32)
    follows = np.flatnonzero(np.diff(library.rows) == 1)
    follower[follows] = follows + 1
    return follower


def with_joins(
    first: Int32[np.ndarray, " n"], shapes: Float64[np.ndarray, "n 6"], library: ExemplarLibrary
) -> ExemplarChoice:
    """The choice of ``first`` exemplars for wanted ``shapes`` (eye distances), with its joins softened.

    The frames before a join are mixed with the mouths that were filmed before the new exemplar, those after it with
    those that were filmed after the old one, as far as their lips are as open.
    """
    n = len(first)
    choice = ExemplarChoice(first, np.full(n, NONE, np.int32), np.zeros(n, np.float32), np.zeros(n, bool))
    if not len(library):
        return choice
    following = followers(library)
    leading = np.arange(len(library), dtype=np.int32)
    followed = np.flatnonzero(following != leading)
    leading[following[followed]] = followed
    for join, reach in _reaches(first, shapes, library):
        before, after = range(join - 1, join - 1 - reach, -1), range(join, join + reach)
        mouths = [
            *zip(before, _continued(int(first[join]), leading, shapes[before, AP], library), strict=True),
            *zip(after, _continued(int(first[join - 1]), following, shapes[after, AP], library), strict=True),
        ]
        for row, mouth in mouths:
            away = min(abs(row - join), abs(row - join + 1))
            if choice.second[row] == NONE:
                choice.second[row], choice.calm[row] = mouth, reach > 1
                choice.share[row] = _SHORT_SHARE if reach == 1 else 0.5 - 0.5 * (away + 0.5) / reach
    return choice


def _reaches(first: np.ndarray, shapes: np.ndarray, library: ExemplarLibrary) -> list[tuple[int, int]]:
    """Every join (the row of its new exemplar), and how many rows on each side are mixed."""
    shown = first != NONE
    later = np.where(shown[1:] & shown[:-1], library.rows[first[1:]] - library.rows[first[:-1]], 0)
    joins = [int(row) + 1 for row in np.flatnonzero(~np.isin(later, _GOES_ON))]
    ends, gaps = [-len(first), *joins, 2 * len(first)], np.flatnonzero(~shown)
    found: list[tuple[int, int]] = []
    for k, join in enumerate(joins):
        at = int(np.searchsorted(gaps, join))
        low = max((ends[k] + join + 1) // 2, int(gaps[at - 1]) + 1 if at else 0)
        high = min((join + ends[k + 2]) // 2, int(gaps[at]) if at < len(gaps) else len(first))
        most = max(1, min(_LONGEST, join - low, high - join))
        found.append((join, _calm_rows(shapes, join, most)))
    return found


def _calm_rows(shapes: np.ndarray, join: int, most: int) -> int:
    """How many rows on each side of ``join``, up to ``most``, show about the shape at the join; at least 1."""
    reach = 1
    while reach < most:
        rows = shapes[[join - 1 - reach, join + reach]]
        middle = (shapes[join - 1] + shapes[join]) / 2
        if any(float(np.abs(rows[:, k] - middle[k]).max()) > much for k, much in _CALM.items()):
            break
        reach += 1
    return reach


def _continued(start: int, towards: np.ndarray, apertures: np.ndarray, library: ExemplarLibrary) -> list[int]:
    """For rows with wanted ``apertures``, going away from a join: the exemplars that were filmed one after another
    next to ``start``, in the direction ``towards``; where they stop to be as open as wanted, the last one stays."""
    here = int(towards[start])
    out = [here]
    for wanted in apertures[1:]:
        onward = int(towards[here])
        if abs(float(library.shapes[onward, AP]) - float(wanted)) <= _ALIKE:
            here = onward
        out.append(here)
    return out
