"""Plans a track: from a mouth trajectory to complete and limited shapes, weights and exemplars for every frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lipdub.engines.exemplar.exemplar_choice import TargetFrames, choose_exemplars
from lipdub.engines.exemplar.exemplar_joins import NONE, ExemplarChoice
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.engines.exemplar.shape_model import complete_shapes, limit_shapes, pooled_shapes
from lipdub.engines.exemplar.stored_study import StoredStudy
from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.repeats import first_showing
from lipdub.timeline.runs import consecutive

CAVITY_BELOW = 0.06
"""If the widest aperture of a library (99th percentile) is smaller, it does not show the inside of a mouth."""

_CAVITY_MARGIN = np.array([0.085, 0.03, 0.05, 0.07, 0.02, 0.03])
"""How far shapes may go beyond such a library if the inside is painted."""

_SAME = 0.004  # eye distances: shapes that differ less are taken for the filmed shape
LARGEST_YAW = 40.0
"""Degrees of yaw, as measured, up to which a mouth is made. The landmark network understates it: heads of models that
are turned by 45 degrees measure 30 to 35, by 52 degrees 35 to 40, by 60 degrees 39 to 46. Beyond, a lip that is made
can stand out from the far cheek."""

_MAX_TURN, _MAX_TURN_FAR = 20.0, 10.0  # degrees to the nearest exemplar; the same for a head that is turned far
_FAR = 35.0  # degrees from which a head is turned far
_ERODE, _RAMP = 2, 4  # frames

LOST = "the face was lost"
TURNED = "the head is turned further than in all frames with a usable mouth"
NO_EXEMPLAR = "no frame of this shot shows a usable mouth"


@dataclass(frozen=True, eq=False)
class ExemplarPlan:
    """The plan of a track, one row per frame.

    ``shapes`` are shown by ``weight`` (0..1). ``unchanged``: the shape is the filmed one. ``turned``: no exemplar was
    filmed from a similar side. ``choice``: the exemplars. ``cavity``: paint the inside of the mouth where needed.
    ``source``: the row whose plan and geometry a row takes: where the film repeats a picture, that of the first one, so
    that the mouth is held with it.
    """

    shapes: Float64[np.ndarray, "n 6"]
    weight: Float64[np.ndarray, " n"]
    unchanged: Bool[np.ndarray, " n"]
    turned: Bool[np.ndarray, " n"]
    choice: ExemplarChoice
    cavity: bool
    source: Int[np.ndarray, " n"]


def never_opens(library: ExemplarLibrary) -> bool:
    """True if no exemplar shows an open mouth."""
    return len(library) > 0 and float(np.percentile(library.shapes[:, AP], 99)) < CAVITY_BELOW


def plan_track(trajectory: MouthTrajectory, study: StoredStudy, cavity: bool) -> ExemplarPlan:
    """Plan the whole track; ``trajectory`` has one row per frame of it. ``cavity``: painting an inside is allowed."""
    geometry, library = study.geometry, study.library
    n = len(geometry)
    own = library.shapes
    paint = cavity and never_opens(library)
    wanted = trajectory.shapes.astype(np.float64)
    near = _reachable(study.angles, geometry.ok & _around(trajectory.weight > 0), library)
    turned = ~near & (trajectory.weight > 0)
    source = first_showing(study.repeats & geometry.ok & np.roll(geometry.ok, 1))
    if len(library) == 0:
        nothing = np.full(n, NONE, np.int32)
        choice = ExemplarChoice(nothing, nothing, np.zeros(n, np.float32), np.zeros(n, bool))
        weight = trajectory.weight.astype(np.float64)
        return ExemplarPlan(wanted, weight, np.zeros(n, bool), turned, choice, False, source)
    complete = complete_shapes(wanted, own, pooled_shapes().covariance)
    with np.errstate(invalid="ignore"):
        unchanged = np.abs(complete - geometry.shapes).max(1) < _SAME
    margin = _CAVITY_MARGIN if paint else np.zeros(6)
    shapes = limit_shapes(complete, own, margin)
    weight = np.minimum(trajectory.weight, _soft_weight(near & geometry.ok))
    needed = (weight > 0) & geometry.ok
    targets = TargetFrames(shapes, trajectory.closed, needed, study.angles, geometry.poses.scale, study.light)
    choice = _chosen_once(targets, library, source)
    return ExemplarPlan(shapes, weight, unchanged, turned, choice, paint, source)


def _chosen_once(targets: TargetFrames, library: ExemplarLibrary, source: np.ndarray) -> ExemplarChoice:
    """The exemplars of every row, chosen as if each picture that repeats were one frame."""
    own = np.flatnonzero(source == np.arange(len(source)))
    if len(own) == len(source):
        return choose_exemplars(targets, library)
    distinct = TargetFrames(
        targets.shapes[own],
        targets.closed[own],
        targets.needed[own],
        targets.angles[own],
        targets.scale[own],
        targets.light[own],
    )
    chosen = choose_exemplars(distinct, library)
    at = np.searchsorted(own, source)
    return ExemplarChoice(*(rows[at] for rows in chosen))


def _around(rows: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """``rows``, and those next to them that ``_soft_weight`` looks at."""
    out = rows.copy()
    reach = _ERODE + _RAMP
    for row in consecutive(np.flatnonzero(rows)):
        out[max(0, int(row[0]) - reach) : int(row[-1]) + reach + 1] = True
    return out


def _reachable(angles: Float64[np.ndarray, "n 3"], ok: np.ndarray, library: ExemplarLibrary) -> Bool[np.ndarray, " n"]:
    """True where some exemplar was filmed from about the same side and the head is not turned too far, and in all rows
    that are not ``ok``."""
    near = np.zeros(len(angles), bool)
    for row in np.flatnonzero(ok):
        turn = np.abs(library.angles[:, :2] - angles[row, :2]).max(1)
        yaw = abs(angles[row, 0])
        most = _MAX_TURN if yaw < _FAR else _MAX_TURN_FAR
        near[row] = len(turn) > 0 and turn.min() <= most and yaw <= LARGEST_YAW
    return near | ~ok


def _soft_weight(good: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 where ``good``, shrunk by two frames at each end, with soft ends of four frames; the track's ends stay hard."""
    window = np.ones(2 * _ERODE + 1)
    inside = np.convolve(np.pad(~good, _ERODE, mode="edge"), window, "valid") < 0.5
    weight = inside.astype(np.float64)
    soft = np.hanning(2 * _RAMP + 1)[1:-1]
    reach = len(soft) // 2
    smooth = np.convolve(np.pad(weight, reach, mode="edge"), soft / soft.sum(), "valid")
    return np.where(smooth > 1 - 1e-9, 1.0, np.minimum(weight, smooth))


def aperture_speed(shapes: Float64[np.ndarray, "n 6"]) -> Float64[np.ndarray, " n"]:
    """The change of the aperture per frame, 0 where it is unknown."""
    if len(shapes) < 2:
        return np.zeros(len(shapes))
    return np.nan_to_num(np.gradient(shapes[:, AP]))


def aperture_coverage(own: Float64[np.ndarray, "m 6"]) -> float:
    """The part 0..1 of the apertures that speech needs (5th to 95th percentile over people) that ``own`` shapes
    reach."""
    if not len(own):
        return 0.0
    people = pooled_shapes()
    low, high = float(people.low[AP]), float(people.high[AP])
    first, last = (float(x) for x in np.percentile(own[:, AP], [1, 99]))
    covered = min(max(last, 0.0) * 1.35 + 0.015, high) - max(min(first, high), low)
    return min(max(covered / (high - low), 0.0), 1.0)
