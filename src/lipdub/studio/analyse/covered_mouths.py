"""Mouths that seem to be covered in a short shot, judged by what the person's other shots show.

A shot of two seconds shows a mouth in so few ways that every new one is unlike the others. The same mouth may have been
seen in another shot of the person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE
from lipdub.engines.seam import EngineLimits
from lipdub.faces.visibility import VisibilityLimits, covered, visibility
from lipdub.studio.analysis import FaceAnalysis
from lipdub.timeline.clip import Clip
from lipdub.timeline.people import Person

MOST = 400
"""Thumbnails of other shots that are looked at."""

LONG = 8
"""Seconds from which a shot shows enough of a mouth by itself."""


def judged_by_person(
    faces: Sequence[FaceAnalysis], people: Iterable[Person], clip: Clip, limits: EngineLimits
) -> tuple[FaceAnalysis, ...]:
    """``faces``, with the visibility of those whose mouths seem covered in a short shot judged again."""
    seconds, allowed = (
        clip.times.seconds(),
        VisibilityLimits(limits.smallest_face, limits.largest_yaw, limits.occluders),
    )
    known, again = {face.id: face for face in faces}, {}
    for person in people:
        for track in person.tracks:
            face, others = known[track], [known[other] for other in person.tracks if other != track]
            if not others or len(face.track) >= LONG * clip.rate or not covered(face.visibility):
                continue
            own = seconds[face.track.first : face.track.stop]
            seen = visibility(face.track, face.motion, own, allowed, mouths_of(others))
            again[track] = replace(face, visibility=seen)
    return tuple(again.get(face.id, face) for face in faces)


def mouths_of(faces: Sequence[FaceAnalysis]) -> UInt8[np.ndarray, "n 32 40 3"]:
    """Up to ``MOST`` thumbnails of mouths that are seen, evenly chosen from all ``faces``."""
    rows = [np.flatnonzero(face.visibility.usable) for face in faces]
    ends = np.cumsum([len(some) for some in rows])
    total = int(ends[-1]) if len(ends) else 0
    chosen = np.unique(np.linspace(0, total - 1, min(MOST, total)).astype(int))
    width, height = THUMBNAIL_SIZE
    thumbs = [np.zeros((0, height, width, 3), np.uint8)]
    for number, which in zip(np.searchsorted(ends, chosen, "right"), chosen, strict=True):
        row = int(rows[number][which - ends[number]])  # counted from the end of its face's rows
        thumbs.append(faces[number].track.thumbs.read(row, row + 1))
    return np.concatenate(thumbs)
