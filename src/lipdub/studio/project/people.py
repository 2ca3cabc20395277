"""The people of a project, as the analysis found them and as users named them."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from lipdub.errors import InputError
from lipdub.studio.analysis import Analysis
from lipdub.studio.project.project_folder import ProjectFolder, told_as_output
from lipdub.timeline.clip import Clip
from lipdub.timeline.people import Person
from lipdub.timeline.project import Project
from lipdub.timeline.time import Span


@dataclass(frozen=True)
class PersonSeen:
    """Somebody who is seen in the source: ``id``, ``name`` ("": none yet), the spans in which the person is seen, and a
    picture (None: there is none)."""

    id: str
    name: str
    spans: tuple[Span, ...]
    picture: Path | None = None


def people_seen(folder: ProjectFolder, clip: Clip, analysis: Analysis) -> tuple[PersonSeen, ...]:
    """Everybody in the ``analysis``, and pictures of them in the project's folder. Raises ``OutputError``."""
    tracks = {face.id: clip.times.span(face.track.first, face.track.stop) for face in analysis.faces}
    out = []
    for person in analysis.people:
        picture = _picture(folder, analysis, person)
        spans = tuple(sorted(tracks[track] for track in person.tracks))
        out.append(PersonSeen(person.id, person.name, spans, picture))
    return tuple(out)


def people_by_name(folder: ProjectFolder) -> dict[str, str]:
    """The ids of the people of a project whom the user named, by name."""
    project = folder.load() if folder.exists else None
    return {} if project is None else {person.name: person.id for person in project.people if person.name}


def as_settled(analysis: Analysis, project: Project) -> Analysis:
    """The analysis with people named and put together as the user settled it. A person who is the same as another one
    has that one's id. Raises ``InputError`` for an id that is not in the analysis."""
    known = {person.id: person for person in analysis.people}
    for settled in project.people:
        missing = next((one for one in (settled.id, *settled.same) if one not in known), None)
        if missing is not None:
            raise InputError(
                f"people: there is no person '{missing}' in the source (people: {', '.join(known)})",
                file=project.source.path,
                remedy="Mend project.json, or see who is there: lipdub people PROJECT",
            )
    first = {same: settled.id for settled in project.people for same in settled.same}
    names = {settled.id: settled.name for settled in project.people}
    people = []
    for person in analysis.people:
        if person.id in first:
            continue
        tracks = [*person.tracks, *(t for same, id_ in first.items() if id_ == person.id for t in known[same].tracks)]
        people.append(replace(person, name=names.get(person.id, ""), tracks=tuple(sorted(tracks))))
    return replace(analysis, people=tuple(people))


def _picture(folder: ProjectFolder, analysis: Analysis, person: Person) -> Path | None:
    """The person's picture, copied into the project; None if the analysis has none."""
    portrait = analysis.portrait_of(person)
    if portrait is None:
        return None
    picture = folder.path / "people" / f"{person.id}{portrait.suffix}"
    if not picture.exists():
        with told_as_output(picture):
            picture.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(portrait, picture)
    return picture
