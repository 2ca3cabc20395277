"""Which faces are one person, over all shots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lipdub.faces.person_groups import SURE_SAME, PersonGroup, PersonGroups, group_tracks
from lipdub.faces.tracker import MIN_PRESENCE
from lipdub.studio.analysis import FaceAnalysis
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.notes import Notes
from lipdub.timeline.people import Person

TOGETHER = 6
"""Frames in which two faces are seen at once, from which they are two people."""


@dataclass(frozen=True, slots=True)
class PeopleFound:
    """The people of a clip, numbered from "1" by first appearance, and ``notes`` for the report on what is unsure."""

    people: tuple[Person, ...]
    notes: tuple[str, ...]


def find_people(faces: Sequence[FaceAnalysis], why_not: str = "") -> PeopleFound:
    """The people whom ``faces``, by their first frames, show. ``why_not`` is why faces are not recognised here."""
    looks = [face.look for face in faces]
    found = group_tracks([None if look is None else look.embedding for look in looks], _seen_together(faces))
    people = tuple(_person(str(number), group, faces) for number, group in enumerate(found.groups, 1))
    return PeopleFound(people, tuple(_notes(found, people, faces, why_not)))


def _seen_together(faces: Sequence[FaceAnalysis]) -> Iterator[tuple[int, int]]:
    """Pairs of faces that are seen at once. ``faces`` are sorted by their first frames."""
    open_tracks: list[int] = []
    for number, face in enumerate(faces):
        open_tracks = [i for i in open_tracks if faces[i].track.stop >= face.track.first + TOGETHER]
        for i in open_tracks:
            if _frames_together(faces[i].track, face.track) >= TOGETHER:
                yield i, number
        open_tracks.append(number)


def _frames_together(one: FaceTrack, other: FaceTrack) -> int:
    """Frames in which both faces are seen; ``other`` begins later. A lost face does not count."""
    first, stop = other.first, min(one.stop, other.stop)
    seen = (track.presence[first - track.first : stop - track.first] >= MIN_PRESENCE for track in (one, other))
    return int(np.logical_and(*seen).sum())


def _person(number: str, group: PersonGroup, faces: Sequence[FaceAnalysis]) -> Person:
    own = [faces[i] for i in group.members]
    looks = [face.look for face in own if face.look is not None]
    best = max(looks, key=lambda look: look.value, default=None)
    sample = None if best is None else best.sample
    return Person(number, tracks=tuple(face.id for face in own), sample=sample, similarity=group.loosest)


def _notes(found: PersonGroups, people: Sequence[Person], faces: Sequence[FaceAnalysis], why_not: str) -> Iterator[str]:
    if why_not and len(faces) > 1:
        yield f"every face of every shot counts as a person of its own: {why_not}"
        return
    notes = Notes()
    for pair in found.unsure:
        one, other = people[pair.one].id, people[pair.other].id
        text = f"people {one} and {other} may be the same person (similarity {pair.similarity:.2f}): lipdub people FILM"
        notes.add("{} pairs of people may be the same", f"{text} --same {one},{other} settles it", f"{one} and {other}")
    for person in people:
        if person.similarity < 1 - SURE_SAME:
            text = f"person {person.id} may be two people (similarity {person.similarity:.2f}): lipdub people FILM"
            settles = f"{text} shows when, and --apart {person.id}@TIME parts them"
            notes.add("{} people may be several", settles, f"person {person.id}")
    for person, group in zip(people, found.groups, strict=True):
        look = faces[group.members[0]].look
        if len(faces) > 1 and (look is None or look.embedding is None):
            why = "no view of the face is good enough" if look is None else look.why
            text = f"person {person.id} may be one of the others: the face says too little ({why})"
            notes.add(
                "{} faces stay people of their own: it cannot be told whose they are", text, f"person {person.id}"
            )
    yield from notes
