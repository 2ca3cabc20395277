"""Closed lips as a second eye sees them: the half test's film, judged by a network that did not draw it.

    python -m evals.closures FOLDER [--priors FOLDER] [--json closures.json]

``evals.second_eye`` measures every mouth of the filmed and of the dubbed picture. From the filmed frames whose lips the
product takes for shut or for open it learns, for each clip, below which aperture this eye calls lips shut.

    eye r    correlation of this eye's aperture with the product's, as filmed (below .8 this eye sees little here)
    asked    stretches in which lips are asked to be shut: p, b, m, and rest
    shut     the share of them in which this eye sees shut lips at least once
    false    the share of frames in which lips are asked to be clearly open and this eye sees them shut
    filmed   the same two shares for the mouth as it was filmed: what this eye misses and imagines by itself
    follows  correlation of this eye's aperture in the dub with the asked one
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evals.bench import Bench, NotFit, Row, arguments, run
from evals.half import half_dub
from evals.scores import correlation
from evals.second_eye import SecondEye
from lipdub.media.read import prefetch, read_frames
from lipdub.timeline.clip import Clip
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP
from lipdub.timeline.picture import Window
from lipdub.timeline.runs import true_runs

SHUT, OPEN = 0.012, 0.05
"""Apertures (eye distances) below which lips are shut, and above which they are clearly open, in the product's eye."""

_ENOUGH = 5  # frames of each kind that a threshold is learnt from


class Shares(NamedTuple):
    """``asked`` stretches of shut lips, the share in which they were ``shut``, and the share of open frames in which
    they were shut all the same (``false``)."""

    asked: int
    shut: float
    false: float


def closures(bench: Bench, path: Path, scratch: Path) -> Row:
    """One clip's row. Raises ``NotFit`` if there is no face in both halves, or the clip never shuts its lips."""
    made, eye = half_dub(bench, path, scratch), SecondEye()
    track, own = made.plan.face.track, made.plan.face.motion.shapes[:, AP].astype(float)
    filmed = apertures(eye, made.clip, track)
    dubbed = apertures(eye, made.result, track)
    known = np.isfinite(filmed) & made.plan.face.motion.ok
    limit = threshold(filmed[known], own[known])
    asked = np.where(made.trial.rows, made.plan.trajectory.shapes[:, AP].astype(float), np.nan)
    as_filmed, as_dubbed = shares(own, filmed, limit), shares(asked, dubbed, limit)
    return {
        "eye r": correlation(filmed, np.where(known, own, np.nan)),
        "asked": as_dubbed.asked,
        "shut": as_dubbed.shut,
        "false": as_dubbed.false,
        "filmed shut": as_filmed.shut,
        "filmed false": as_filmed.false,
        "follows": correlation(dubbed, asked),
    }


def apertures(eye: SecondEye, clip: Clip, track: FaceTrack) -> np.ndarray:
    """This eye's aperture in every row of ``track``; NaN where the face is lost."""
    out = np.full(len(track), np.nan)
    for frame in prefetch(read_frames(clip, track.first, track.stop)):
        row = frame.index - track.first
        landmarks = track.landmarks.read(row, row + 1)[0]
        if np.isfinite(landmarks).all():
            out[row] = eye.aperture(frame.rgb(Window(0, 0, *clip.size)), landmarks)
    return out


def threshold(seen: np.ndarray, own: np.ndarray) -> float:
    """The aperture below which this eye calls lips shut: the one that parts frames which are shut from frames which are
    clearly open, in the product's eye (``own``), with fewest errors. Raises ``NotFit`` if there are too few of either.
    """
    shut, wide = np.sort(seen[own < SHUT]), np.sort(seen[own > OPEN])
    if min(len(shut), len(wide)) < _ENOUGH:
        raise NotFit("too few frames with shut or open lips")
    places = np.concatenate([shut, wide])
    missed = 1 - np.searchsorted(shut, places, "right") / len(shut)
    imagined = np.searchsorted(wide, places, "right") / len(wide)
    best = np.flatnonzero(missed + imagined == (missed + imagined).min())
    return float(places[best].mean())


def shares(asked: np.ndarray, seen: np.ndarray, limit: float) -> Shares:
    """How ``seen`` apertures meet the ``asked`` ones; NaN in either is left out."""
    runs = [seen[run][np.isfinite(seen[run])] for run in _stretches(asked < SHUT)]
    runs = [run for run in runs if len(run)]
    wide = seen[(asked > OPEN) & np.isfinite(seen)]
    shut = sum(bool(run.min() <= limit) for run in runs) / len(runs) if runs else float("nan")
    return Shares(len(runs), shut, float((wide <= limit).mean()) if len(wide) else float("nan"))


def _stretches(rows: np.ndarray) -> Iterator[slice]:
    return (slice(first, stop) for first, stop in true_runs(rows))


if __name__ == "__main__":
    raise SystemExit(run(arguments(str(__doc__).splitlines()[0]), "Closures, by a second eye", closures))
