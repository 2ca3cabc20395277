"""Which people the user means by --face: a place in the picture, a point in time, a number or a name."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.errors import OptionError
from lipdub.faces.active_speaker import FaceSelector
from lipdub.timeline.clip import FrameTimes, Shot
from lipdub.timeline.people import Person

_MINOR = 0.4  # faces smaller than this part of the largest in their shot are background
_NEAR = 0.75  # of a face's larger side: how far from its centre the given point may be


def chosen_people(
    selectors: Sequence[FaceSelector], people: Sequence[Person], motions: Sequence[FaceMotion], times: FrameTimes
) -> tuple[Person, ...]:
    """The people whom ``selectors`` name, in order of ``people``. ``motions`` are those of all tracks.

    "left" and "right" are those who are most often the outermost of several faces; "largest" is who fills most of the
    picture over the whole clip. Raises ``OptionError`` if there is no such face or person.
    """
    of_tracks = {track: person for person in people for track in person.tracks}
    named = set()
    for selector in selectors:
        if selector.kind == "person":
            named.add(_by_name(selector, people).id)
        elif selector.kind == "at":
            named.add(of_tracks[motions[_at_point(motions, selector, times)].track.id].id)
        elif motions:
            named.add(_by_position(motions, of_tracks, selector.kind).id)
    return tuple(person for person in people if person.id in named)


def tracks_by_position(motions: Sequence[FaceMotion], kind: str) -> frozenset[int]:
    """The tracks, by id, that ``kind`` ("left", "right", "largest") means in each shot on its own: for clips in which
    it is not known who is who. Of one shot several, if they follow each other in its place."""
    out = []
    for members in _of_shots(motions).values():
        taken: list[FaceMotion] = []
        for motion in sorted(_prominent(members), key=_order(kind)):
            a = motion.track
            if all(a.stop <= other.track.first or a.first >= other.track.stop for other in taken):
                taken.append(motion)
        out += [motion.track.id for motion in taken]
    return frozenset(out)


def _by_name(selector: FaceSelector, people: Sequence[Person]) -> Person:
    wanted = selector.person.casefold()
    by_name = [person for person in people if person.name and person.name.casefold() == wanted]
    found = by_name or [person for person in people if person.id == selector.person]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{person.id} ({person.name})" if person.name else person.id for person in people)
    raise OptionError(
        f"{'two people are' if found else 'nobody in the clip is'} called '{selector.person}'",
        remedy=f"The people are: {known or 'none, because no face was found'}.",
    )


def _by_position(motions: Sequence[FaceMotion], of_tracks: dict[int, Person], kind: str) -> Person:
    """The person who is most at the place that ``kind`` names, weighted by frames (and size, for "largest")."""
    weight: dict[str, float] = {}
    alone: dict[str, float] = {}
    for members in _of_shots(motions).values():
        able = _prominent(members)
        several = len({of_tracks[motion.track.id].id for motion in able}) > 1
        for motion in able if kind == "largest" else [min(able, key=_order(kind))]:
            size = _typical(motion.poses.scale) if kind == "largest" else 1.0
            counted = weight if several or kind == "largest" else alone
            person = of_tracks[motion.track.id].id
            counted[person] = counted.get(person, 0.0) + len(motion.track) * size
    counted = weight or alone
    best = max(counted, key=lambda person: counted[person])
    return next(person for person in of_tracks.values() if person.id == best)


def _at_point(motions: Sequence[FaceMotion], selector: FaceSelector, times: FrameTimes) -> int:
    """Index of the track whose face is at the selector's point and time."""
    seconds, when = times.seconds(), float(selector.instant)
    best, index = math.inf, -1
    for i, motion in enumerate(motions):
        track = motion.track
        row = int(np.searchsorted(seconds[track.first : track.stop], when + 1e-6, side="right")) - 1
        if row < 0 or (row == len(track) - 1 and when > seconds[track.stop - 1] + 0.1):
            continue
        face = track.landmarks.read(row, row + 1)[0, :, :2]
        if not np.isfinite(face).all():
            continue
        low, high = face.min(0), face.max(0)
        distance = float(np.linalg.norm(np.array(selector.point) - (low + high) / 2))
        if distance < min(best, _NEAR * float((high - low).max())):
            best, index = distance, i
    if index < 0:
        x, y = selector.point
        raise OptionError(
            f"no face was found at {x:g},{y:g}",
            at=selector.instant,
            remedy="Give a point on the face, at a time when it is visible, or use left, right, largest or auto.",
        )
    return index


def _of_shots(motions: Sequence[FaceMotion]) -> dict[Shot, list[FaceMotion]]:
    found: dict[Shot, list[FaceMotion]] = {}
    for motion in motions:
        found.setdefault(motion.track.shot, []).append(motion)
    return found


def _prominent(members: Sequence[FaceMotion]) -> list[FaceMotion]:
    """Those of one shot's faces that are no background; at least one."""
    sizes = [_typical(motion.poses.scale) for motion in members]
    return [motion for motion, size in zip(members, sizes, strict=True) if size >= _MINOR * max(sizes)]


def _order(kind: str) -> Callable[[FaceMotion], float]:
    return {
        "left": lambda motion: _typical(motion.poses.shift[:, 0]),
        "right": lambda motion: -_typical(motion.poses.shift[:, 0]),
        "largest": lambda motion: -_typical(motion.poses.scale),
    }[kind]


def _typical(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
