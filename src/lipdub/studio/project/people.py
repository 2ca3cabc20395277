"""The people of a project, as the analysis found them and as users named them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lipdub.studio.analysis import Analysis
from lipdub.studio.project.project_folder import ProjectFolder, told_as_output
from lipdub.timeline.clip import Clip
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


def people_seen(folder: ProjectFolder, project: Project, clip: Clip, analysis: Analysis) -> tuple[PersonSeen, ...]:
    """Everybody in the ``analysis``, and pictures of them in the project's folder. Raises ``OutputError``."""
    names = {person.id: person.name for person in project.people}
    tracks = {face.id: clip.times.span(face.track.first, face.track.stop) for face in analysis.faces}
    out = []
    for person in analysis.people:
        picture = _picture(folder, analysis, person.id)
        spans = tuple(sorted(tracks[track] for track in person.tracks))
        out.append(PersonSeen(person.id, names.get(person.id) or person.name, spans, picture))
    return tuple(out)


def _picture(folder: ProjectFolder, analysis: Analysis, person: str) -> Path | None:
    """The person's picture, copied into the project; None if the analysis has none."""
    portrait = getattr(analysis, "portrait_of", lambda _: None)(person)
    if portrait is None:
        return None
    picture = folder.path / "people" / f"{person}{portrait.suffix}"
    if not picture.exists():
        with told_as_output(picture):
            picture.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(portrait, picture)
    return picture
