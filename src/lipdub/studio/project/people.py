"""The people of a project, as the analysis found them and as users named them."""

import filecmp
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from string import ascii_lowercase

from lipdub.errors import InputError, OptionError
from lipdub.studio.analysis import Analysis
from lipdub.studio.project.project_folder import ProjectFolder, told_as_output
from lipdub.timeline.clip import Clip
from lipdub.timeline.language_plan import LanguagePlan
from lipdub.timeline.people import FaceSample, Person
from lipdub.timeline.project import NamedPerson, Project
from lipdub.timeline.time import Span

_SEE_WHEN = "See when each person is seen: lipdub people PROJECT"


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
    if project is None:
        return {}
    heads = _heads(project)
    return {person.name: heads.get(person.id, person.id) for person in project.people if person.name}


def as_settled(analysis: Analysis, project: Project) -> Analysis:
    """The analysis with people named, put together and parted as the user settled it. A person who is the same as
    another one has that one's id. Raises ``InputError`` for an id that is not in the analysis."""
    units = _units(analysis, project)
    for settled in project.people:
        wanted = (settled.id, *settled.same, *((settled.came_from,) if settled.came_from else ()))
        missing = next((one for one in wanted if one not in units), None)
        if missing is not None:
            raise InputError(
                f"people: there is no person '{missing}' in the source (people: {', '.join(units)})",
                file=project.source.path,
                remedy="Mend project.json, or see who is there: lipdub people PROJECT",
            )
    heads, people = _heads(project), []
    for unit in units.values():
        settled = project.settled(unit.id)
        tracks = sorted(track for one in (unit.id, *settled.same) for track in units[one].tracks)
        if unit.id not in heads and tracks:
            sample = unit.sample if tuple(tracks) == unit.tracks else _best_sample(analysis, tracks)
            people.append(replace(unit, name=settled.name, tracks=tuple(tracks), sample=sample))
    return replace(analysis, people=tuple(people))


def with_parted(
    project: Project, clip: Clip, analysis: Analysis, person: str, instants: Sequence[Fraction]
) -> tuple[Project, str]:
    """The project in which those face tracks of ``person`` (an id as settled) that are seen at ``instants`` (s, on the
    clip's clock) are a person of their own, and the id of that person. ``analysis`` is that of the source, before
    anything was settled.

    The id is that of the person in the analysis and a letter, as in 3b. Somebody who was put together with ``person``,
    and of whom all tracks are taken, gets the old id back. Raises ``OptionError`` if the person is not seen at an
    instant, or is not seen anywhere else.
    """
    units, settled = _units(analysis, project), project.settled(person)
    members = (person, *settled.same)
    own = [track for one in members for track in units[one].tracks]
    taken: set[int] = set()
    for instant in instants:
        seen = {track for track in own if instant in _span(clip, analysis, track)}
        if not seen:
            raise OptionError(f"person {person} is not seen", at=instant - clip.start, remedy=_SEE_WHEN)
        taken |= seen
    if taken == set(own):
        raise OptionError(f"person {person} is seen nowhere else, so nobody can be parted", remedy=_SEE_WHEN)
    parts = []
    for one in members:
        tracks = taken & set(units[one].tracks)
        if one != person and tracks == set(units[one].tracks):
            settled = replace(settled, same=tuple(other for other in settled.same if other != one))
            project = project.with_person(settled)
            parts.append(one)
        elif tracks:
            project, part = _with_new(project, analysis, one, tracks)
            parts.append(part)
    for other in parts[1:]:
        project = project.with_joined(parts[0], other)
    return project, parts[0]


def as_heads(plan: LanguagePlan, project: Project) -> LanguagePlan:
    """The plan, with lines of people who are the same as others given to those."""
    heads = _heads(project)
    lines = (replace(planned, person=heads.get(planned.person or "", planned.person)) for planned in plan.lines)
    return replace(plan, lines=tuple(lines))


def _heads(project: Project) -> dict[str, str]:
    """The person whose id somebody has who is the same as that person."""
    return {same: settled.id for settled in project.people for same in settled.same}


def _units(analysis: Analysis, project: Project) -> dict[str, Person]:
    """The people of the analysis and those who were parted from them, by id, before they are put together."""
    parted: dict[str, list[NamedPerson]] = {}
    for settled in project.people:
        if settled.came_from:
            parted.setdefault(settled.came_from, []).append(settled)
    units = {}
    for person in analysis.people:
        left = list(person.tracks)
        parts = []
        for settled in parted.get(person.id, ()):
            tracks = tuple(t for t in left if any(f in _rows(analysis, t) for f in settled.frames))
            left = [track for track in left if track not in tracks]
            sample = _best_sample(analysis, tracks)
            parts.append(replace(person, id=settled.id, name="", tracks=tracks, sample=sample))
        sample = _best_sample(analysis, left) if parts else person.sample
        units[person.id] = replace(person, tracks=tuple(left), sample=sample)
        units.update((part.id, part) for part in parts)
    return units


def _with_new(project: Project, analysis: Analysis, person: str, tracks: set[int]) -> tuple[Project, str]:
    """The project with a new person, of some ``tracks`` of the ``person`` of the analysis or of a part of that one."""
    old = project.settled(person)
    source = old.came_from or person
    used = {one.id for one in (*analysis.people, *project.people)}
    letters = (a + b for a in ("", *ascii_lowercase) for b in ascii_lowercase[1:])
    part = next(f"{source}{letter}" for letter in letters if f"{source}{letter}" not in used)
    frames = sorted((rows.start + rows.stop) // 2 for rows in (_rows(analysis, track) for track in tracks))
    if old.came_from:
        left = tuple(f for f in old.frames if not any(f in _rows(analysis, track) for track in tracks))
        project = project.with_person(replace(old, frames=left))
    return project.with_person(NamedPerson(part, came_from=source, frames=tuple(frames))), part


def _rows(analysis: Analysis, track: int) -> range:
    """The frames of a face track."""
    found = analysis.face(track).track
    return range(found.first, found.stop)


def _span(clip: Clip, analysis: Analysis, track: int) -> Span:
    rows = _rows(analysis, track)
    return clip.times.span(rows.start, rows.stop)


def _best_sample(analysis: Analysis, tracks: Iterable[int]) -> FaceSample | None:
    """Where the best picture is among some face tracks; None if there is no good view."""
    looks = [look for track in tracks if (look := analysis.face(track).look) is not None]
    return max(looks, key=lambda look: look.value).sample if looks else None


def _picture(folder: ProjectFolder, analysis: Analysis, person: Person) -> Path | None:
    """The person's picture, copied into the project; None if the analysis has none."""
    portrait = analysis.portrait_of(person)
    if portrait is None:
        return None
    picture = folder.path / "people" / f"{person.id}{portrait.suffix}"
    if not picture.exists() or not filecmp.cmp(picture, portrait, shallow=False):
        with told_as_output(picture):
            picture.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(portrait, picture)
    return picture
