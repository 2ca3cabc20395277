"""What was measured of a tracked face, in a file: how it moves and where its mouth can be seen.

To measure it takes seconds for each minute of faces, so it is done once.
"""

from pathlib import Path
from typing import Any

import numpy as np

from lipdub.anatomy.face_colours import FaceColours
from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.occluders import Occluders
from lipdub.anatomy.pose import Poses
from lipdub.faces.visibility import Visibility
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.spool import Spool

_NOTHING = np.zeros(0)


def write_face(file: Path, track: FaceTrack, motion: FaceMotion, seen: Visibility) -> None:
    """Write what is not in the track's own files to ``file`` (.npz). Raises ``OSError``."""
    rows = [(first, stop) for first, stop, _ in seen.reasons]
    before = seen.occluders
    np.savez(
        file,
        redness=track.redness,
        presence=track.presence,
        changes=np.full(len(track), np.nan, np.float32) if track.changes is None else track.changes,
        ok=motion.ok,
        scale=motion.poses.scale,
        rotation=motion.poses.rotation,
        shift=motion.poses.shift,
        shapes=motion.shapes,
        mean=motion.mean,
        weight=seen.weight,
        usable=seen.usable,
        hidden=np.array(rows, np.int64).reshape(-1, 2),
        why=np.array([why for _, _, why in seen.reasons], np.str_),
        other_colours=before.colours.odds if before else _NOTHING,
        usual_face=before.colours.usual if before else _NOTHING,
        seen_face=before.colours.place if before else _NOTHING,
        occluded=before.rows if before else _NOTHING,
    )


def read_face(folder: Path, entry: dict[str, Any]) -> tuple[FaceMotion, Visibility]:
    """The face of an ``entry`` of the index in ``folder``, bit for bit as it was measured."""
    with np.load(folder / entry["arrays"]) as a:
        track = FaceTrack(
            id=entry["id"],
            shot=Shot(*entry["shot"]),
            first=entry["first"],
            landmarks=Spool(folder / entry["landmarks"], (478, 3), np.float32),
            thumbs=Spool(folder / entry["thumbs"], (32, 40, 3), np.uint8),
            redness=a["redness"],
            presence=a["presence"],
            changes=a["changes"],
        )
        poses = Poses(a["scale"], a["rotation"], a["shift"])
        motion = FaceMotion(track, a["ok"], poses, a["shapes"], a["mean"])
        reasons = zip(a["hidden"].tolist(), a["why"].tolist(), strict=True)
        colours = ("other_colours", "usual_face", "seen_face")
        before = Occluders(FaceColours(*(a[name] for name in colours)), a["occluded"]) if a["occluded"].size else None
        why = tuple((first, stop, why) for (first, stop), why in reasons)
        seen = Visibility(a["weight"], a["usable"], why, before)
    return motion, seen
