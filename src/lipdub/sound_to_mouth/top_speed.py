"""The top speed of a person's lips: how fast they open and shut in the footage, and mouths that keep to it.

Lips that open or shut faster than the person's own ever do are seen at once, and so are those that move fast while
nobody speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.repeats import first_showing

_QUANTILE = 98
_LEAST = 1.2
"""Eye distances per second that anybody's lips reach: the 98th percentile of a slow talker among 15 people."""

_USUAL = 1.8
"""The same of people in general (median of 15), for somebody of whom little is seen."""

_FEW = 50  # steps from picture to picture below which that is taken
QUIET_SPEED = 0.3
"""Eye distances per second that lips move at most while there is no voice.

In 17 filmed clips, 95 % of the steps without a voice are slower than .47 (median over clips; .10 to 2.0). This is less,
as what moves a mouth then (breath, thought) is not in the sound: a prediction that moves as fast moves otherwise. Over
both halves of 18 clips, .3 to .8 follow the true aperture equally well (r .784 to .782).
"""

_SHUT = 0.5  # lips that must be closed by more than this are closed at the same instant as before


@dataclass(frozen=True, eq=False)
class FilmedMouths:
    """A track of a person: when each frame is shown (``seconds``), the mouth's ``shapes``, which frames show it well
    (``good``), and which ones repeat the picture before them (``repeats``)."""

    seconds: Float64[np.ndarray, " n"]
    shapes: Float64[np.ndarray, "n 6"]
    good: Bool[np.ndarray, " n"]
    repeats: Bool[np.ndarray, " n"]


def top_speed(tracks: Sequence[FilmedMouths]) -> float:
    """The top speed of a person's aperture, in eye distances per second: the 98th percentile of the steps between
    pictures that follow each other, and no less than that of a slow talker. If there are few, that of people in
    general."""
    steps = [np.zeros(0)]
    for track in tracks:
        rows = np.flatnonzero(~track.repeats)
        both = track.good[rows[1:]] & track.good[rows[:-1]]
        change = np.abs(np.diff(track.shapes[rows, AP])) / _apart(track.seconds, rows)
        steps.append(change[both])
    every = np.concatenate(steps)
    return max(float(np.percentile(every, _QUANTILE)), _LEAST) if len(every) >= _FEW else _USUAL


def with_top_speed(
    path: MouthTrajectory,
    seconds: Float[np.ndarray, " n"],
    repeats: Bool[np.ndarray, " n"],
    top: float,
    quiet: Bool[np.ndarray, " n"],
) -> MouthTrajectory:
    """``path`` (frame i is shown at ``seconds[i]``), whose aperture changes by no more than ``top`` per second from
    picture to picture, and by no more than ``QUIET_SPEED`` between frames that are ``quiet`` (no voice). It was held
    where frames are ``repeats`` (``MouthTrajectory.held``), and stays so.

    What is too fast begins earlier and ends later: the mean of the highest slow curve below the path and the lowest one
    above it is taken. Lips that must be closed are closed all the same, and begin to close earlier.
    """
    first = first_showing(repeats)
    own = np.flatnonzero(first == np.arange(len(first)))
    values = path.shapes[own, AP].astype(np.float64)
    still = quiet[own[1:]] & quiet[own[:-1]]
    most = np.where(still, min(top, QUIET_SPEED), top) * _apart(np.asarray(seconds, np.float64), own)
    if not np.isfinite(values).all() or (np.abs(np.diff(values)) <= most).all():
        return path
    slow = (_below(values, most) - _below(-values, most)) / 2
    shut = path.closed[own] > _SHUT
    if shut.any():
        slow = np.minimum(slow, _below(np.where(shut, values, np.inf), most))
    shapes = path.shapes.copy()
    shapes[:, AP] = slow[np.searchsorted(own, first)]
    return replace(path, shapes=shapes)


def _apart(seconds: Float64[np.ndarray, " n"], rows: Int[np.ndarray, " k"]) -> np.ndarray:
    """The time in which a mouth is seen to move to each of ``rows`` but the first one: since the frame before it. A
    picture that repeats takes no part: where a film of 25 pictures is shown in 30 frames, pictures were filmed at equal
    distances."""
    return seconds[rows[1:]] - seconds[rows[1:] - 1]


def _below(values: Float64[np.ndarray, " n"], most: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " n"]:
    """The highest curve that is nowhere above ``values`` and changes by at most ``most[i]`` from row i to the next."""
    out = values.copy()
    for i, step in enumerate(most):
        out[i + 1] = min(out[i + 1], out[i] + step)
    for i in range(len(most) - 1, -1, -1):
        out[i] = min(out[i], out[i + 1] + most[i])
    return out
