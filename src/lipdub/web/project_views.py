"""Projects and their languages as the API shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lipdub.errors import LipdubError
from lipdub.studio.project.open_project import OpenProject, open_project
from lipdub.timeline.film_record import FilmRecord
from lipdub.timeline.project import Project
from lipdub.web.api.shapes import Counts, Film, LanguageSummary, PersonShown, ProjectShown, Range, Source
from lipdub.web.media.faces import people_in, shots_in
from lipdub.web.problems import problem_of
from lipdub.web.project_list import ListedProject
from lipdub.web.segments import ReviewedLanguage
from lipdub.web.studio import Studio

OPEN = ("queued", "processing")


def shown_project(studio: Studio, row: ListedProject, *, look: bool = True) -> ProjectShown:
    """A project. ``look``: a source that is not known yet is looked at, by a process apart.

    A project that cannot be used, for example one of a newer version, has the status "failed" and the problem.
    """
    jobs = studio.jobs.jobs(row.id, limit=50)
    job = next((each for each in jobs if each.status in OPEN), None)
    project, ranges, languages, problem = None, [], [], None
    try:
        opened = open_project(row.path, row.source)
        project = opened.project if opened.folder.exists else None
        if project is not None:
            ranges, languages = ranges_of(opened), _languages(studio, row, jobs)
    except LipdubError as wrong:
        problem = problem_of(wrong).told()
    return ProjectShown(
        id=row.id,
        name=row.shown_name,
        status=_status(project, jobs, job) if problem is None else "failed",
        source=shown_source(studio, row, project, look=look),
        languages=languages,
        people=people_of(row) if project is not None else [],
        ranges=ranges,
        consent=bool(row.consent or (project is not None and project.consent)),
        removable=row.made,
        job=None if job is None else job.shown(),
        problem=problem,
    )


def _status(project: Project | None, jobs: Sequence[Any], job: Any) -> Any:
    if job is not None:
        return job.status
    if project is not None and project.languages:
        return "ready"
    ended = next((each for each in jobs if each.kind in ("plan", "demo") and each.status != "cancelled"), None)
    return "failed" if ended is not None and ended.status == "failed" else "empty"


def source_path(row: ListedProject, project: Project | None) -> Path | None:
    """Where the source of a project is; None if it is not found."""
    known = None if project is None else project.source.path
    beside = None if known is None else row.path.parent / known.name
    for place in (known, beside, row.source):
        if place is not None and place.is_file():
            return place
    return None


def shown_source(studio: Studio, row: ListedProject, project: Project | None, *, look: bool) -> Source:
    """The source of a project, with what is known of it."""
    file, told = source_path(row, project), row.source if project is None else project.source.path
    facts = None
    if file is not None:
        facts = studio.sources.known(file)
        if facts is None and look:
            try:
                facts = studio.sources.look(file)
            except LipdubError:
                facts = None
    exact = project.frames if project is not None else None
    if facts is None:
        name = "" if told is None else told.name
        digest = "" if project is None else project.source.sha256
        return Source(name=name, exists=file is not None, frames=exact, digest=digest)
    guessed = None if facts.rate is None else round(facts.seconds * facts.rate)
    return Source(
        name="" if told is None else told.name,
        exists=True,
        duration=round(float(facts.seconds), 6),
        width=facts.width,
        height=facts.height,
        frames=guessed if exact is None else exact,
        rate=None if facts.rate is None else str(facts.rate),
        digest="" if project is None else project.source.sha256,
    )


def reviewed(studio: Studio, id: str, language: str) -> ReviewedLanguage:
    """A language of a project as it is now. Raises ``NotThere``, ``InputError``."""
    opened = studio.opened(id)
    language = studio.language(opened, language)
    return ReviewedLanguage(studio, id, opened, language)


def _languages(studio: Studio, row: ListedProject, jobs: Sequence[Any]) -> list[LanguageSummary]:
    return [summary(reviewed(studio, row.id, each), jobs) for each in studio.opened(row.id).project.languages]


def summary(work: ReviewedLanguage, jobs: Sequence[Any]) -> LanguageSummary:
    """A language in short."""
    counts, record = work.counts, film_record(work)
    return LanguageSummary(
        language=work.language,
        status=language_status(work, jobs, counts, record),
        revision=work.reviewed.revision,
        counts=counts,
        film=shown_film(work, record),
    )


def language_status(work: ReviewedLanguage, jobs: Sequence[Any], counts: Counts, record: FilmRecord | None) -> str:
    """The status of a language: queued, processing, failed, planned (no film yet), stale (the film shows something
    else than the plan says) or completed."""
    mine = [job for job in jobs if job.language == work.language and job.kind in ("plan", "redo", "render")]
    job = next((each for each in mine if each.status in OPEN), None)
    if job is not None:
        return job.status
    if mine and mine[0].status == "failed":
        return "failed"
    if record is None:
        return "planned"
    shows = {line.planned.line.id: line.planned.take for line in work.status if line.state != "left"}
    whole = counts.missing == 0 and counts.changed == 0
    return "completed" if whole and record.takes == shows else "stale"


def film_record(work: ReviewedLanguage) -> FilmRecord | None:
    """What the last film of a language shows; None if there is none."""
    return work.film


def film_file(work: ReviewedLanguage, record: FilmRecord | None) -> Path | None:
    """The last film of a language, if it is where it was made and lies where the studio may read."""
    if record is None:
        return None
    for place in (record.film, work.project.folder.path.parent / "films" / record.film.name):
        try:
            if place.is_file() and place.stat().st_size == record.size and work.studio.places.holds(place):
                return place
        except (OSError, ValueError):
            continue
    return None


def shown_film(work: ReviewedLanguage, record: FilmRecord | None) -> Film | None:
    """The last film of a language; None if there is none that can be fetched."""
    file = film_file(work, record)
    if file is None:
        return None
    state = file.stat()
    made = datetime.fromtimestamp(state.st_mtime, UTC).isoformat(timespec="seconds")
    where = f"/v1/projects/{work.id}/languages/{quote(work.language, safe='')}/film"
    return Film(url=where, name=file.name, made=made, bytes=state.st_size)


def people_of(row: ListedProject) -> list[PersonShown]:
    """Everybody who is seen in the source, as far as it was analysed."""
    try:
        found = people_in(row.path)
    except LipdubError:
        return []
    return [
        PersonShown(
            id=person.id,
            name=person.name,
            picture=f"/v1/projects/{row.id}/people/{quote(person.id, safe='')}/picture" if person.picture else None,
            spans=[Range(start=round(float(s.start), 6), end=round(float(s.end), 6)) for s in person.spans],
            lane=lane,
        )
        for lane, person in enumerate(found)
    ]


def shots_of(row: ListedProject) -> list[Range]:
    """The shots of the source, as far as it was analysed."""
    try:
        found = shots_in(row.path)
    except LipdubError:
        return []
    return [Range(start=round(float(s.start), 6), end=round(float(s.end), 6)) for s in found]


def ranges_of(opened: OpenProject) -> list[Range]:
    """The parts of the source in which nobody is dubbed, from where players start."""
    zero = opened.zero
    spans = [(round(float(span.start - zero), 6), round(float(span.end - zero), 6)) for span in opened.ranges]
    return [Range(start=start, end=end) for start, end in spans]
