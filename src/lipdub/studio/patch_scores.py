"""Scores of patched mouths: how well they are in sync with the dub, and whether their lips close."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lipdub.review.closures import closures
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.sync import sync_score
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.mouth import AP
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.take import CuePatches

CHANGED = 0.5
"""A frame counts as changed from this weight of its trajectory on."""


def shapes_of(plan: FacePlan, patches: Iterable[CuePatches]) -> Float64[np.ndarray, "n 6"]:
    """The mouth shapes of a face in the finished picture, one row per frame of its track; NaN where it was not changed
    or is unknown. ``patches`` are those of its cues."""
    track = plan.face.track
    shapes = np.full((len(track), 6), np.nan)
    for made in patches:
        if made.shapes is not None:
            shapes[made.first - track.first : made.stop - track.first] = np.load(made.shapes)
    return shapes


@dataclass(frozen=True, eq=False)
class PatchScores:
    """Scores patched mouths against the speech of the dub."""

    clip: Clip
    prior: Prior
    dub: SpeechFeatures

    def metrics(self, plan: FacePlan, rows: slice, shapes: Float64[np.ndarray, "n 6"]) -> dict[str, float]:
        """``sync_score`` of the dub with the patched mouth (only where three frames or more were changed),
        ``closures_requested`` and ``closures_found``, and ``dub_sync_with_source_mouth``.

        ``shapes`` are those of the finished picture in ``rows`` of the face's track.
        """
        trajectory, motion = plan.trajectory, plan.face.motion
        changed, seconds = trajectory.weight[rows] > CHANGED, plan.face.seconds(self.clip)[rows]
        aperture = np.where(changed, shapes[:, AP], np.nan)
        requested, found = closures(aperture, trajectory.closed[rows] * changed)
        metrics = {
            "dub_sync_with_source_mouth": self._sync(seconds, motion.shapes[rows], motion.ok[rows] & changed),
            "closures_requested": float(requested),
            "closures_found": float(found),
        }
        if changed.sum() >= 3:
            metrics["sync_score"] = self._sync(seconds, shapes, changed)
        return metrics

    def _sync(self, seconds: np.ndarray, shapes: np.ndarray, rows: np.ndarray) -> float:
        return sync_score(self.prior, self.dub, seconds, shapes, rows)
