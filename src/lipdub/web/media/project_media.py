"""The media of a project: its source and the film of each language, as its manifest and its records name them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.errors import InputError
from lipdub.studio.progress import Listener, silent
from lipdub.studio.project.open_project import open_project
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.timeline.film_record import FilmRecord
from lipdub.web.media.frames import kept_table
from lipdub.web.media.peaks import kept_peaks
from lipdub.web.media.view import ViewFile, is_complete, make_view, prepare_view, view_of, why_not_played

SOURCE = "source"
"""What the source is called among the media of a project; a film is called by its language."""

_LARGEST_REPORT = 64 * 1024**2
"""Bytes of a report that is read."""


@dataclass(frozen=True, slots=True)
class ShownFilm:
    """A film of the page: its ``file``, what a browser plays of it (``view``; None: that is not made yet), and when the
    film was made (s since 1970). ``playable``: it can be played, with its table of frames and its waveform;
    ``complete``: nothing is left to make. ``why`` browsers do not play the film itself, as a clause."""

    file: Path
    view: ViewFile | None
    playable: bool
    complete: bool
    made: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class ProjectMedia:
    """The ``source`` of a project (None: it is not there any more), its ``languages``, and the ``films`` by language if
    they were made and are where they were made."""

    source: ShownFilm | None
    languages: tuple[str, ...] = ()
    films: dict[str, ShownFilm] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True if nothing has to be made for the page."""
        return all(film.complete for film in (self.source, *self.films.values()) if film is not None)


def source_of(project: Path) -> Path:
    """Where the source of the project in the folder ``project`` is. Raises ``InputError`` if there is no such project,
    or its source is not there any more."""
    return open_project(project).source


def film_of(project: Path, language: str) -> Path | None:
    """The last film of a language of a project; None if none was made, or it was moved or replaced by another file.

    Raises ``InputError`` if there is no such project. ``language`` becomes part of a path only if the project has it.
    """
    folder = ProjectFolder(project)
    if language not in folder.load().languages or not folder.film(language).is_file():
        return None
    try:
        record = FilmRecord.load(folder.film(language))
        return record.film if record.film.is_file() and record.film.stat().st_size == record.size else None
    except (InputError, OSError):
        return None


def project_media(project: Path) -> ProjectMedia:
    """The media of a project. Small files are read, none of the films is opened. Raises ``InputError`` if there is no
    such project."""
    languages = ProjectFolder(project).load().languages
    try:
        source = _shown(source_of(project))
    except InputError:
        source = None
    films = {language: film_of(project, language) for language in languages}
    shown = {name: found for name, film in films.items() if film and (found := _shown(film))}
    return ProjectMedia(source, languages, shown)


def make_project_media(project: Path, listener: Listener = silent) -> ProjectMedia:
    """Make everything that the page needs of the media of a project and that is not there yet: see ``make_view``.

    What takes seconds comes first, for all films, then the proxies without which a film cannot be played, and at last
    those that are only faster to seek in. Raises what ``make_view`` raises; what was made stays.
    """
    known = project_media(project)
    missing = [film.file for film in (known.source, *known.films.values()) if film is not None and not film.complete]
    needed = [not prepare_view(file, listener).why for file in missing]
    for _, file in sorted(zip(needed, missing, strict=True), key=lambda pair: pair[0]):
        make_view(file, listener)
    return project_media(project)


def _shown(file: Path) -> ShownFilm | None:
    """What is there of one film; None if the film is gone."""
    try:
        view = view_of(file)
        listed = view is not None and kept_table(file) is not None and kept_peaks(file) is not None
        return ShownFilm(file, view, listed, is_complete(file), file.stat().st_mtime, why_not_played(file))
    except (InputError, OSError):
        return None


def film_clock(film: ShownFilm) -> list[list[float]] | None:
    """The times of a film and of its source that belong together, [film, source] (s, from where players begin), if its
    picture was slowed: in between both run evenly. None if both have the same clock.

    From the report beside the film; without it, the clock is not known, and None.
    """
    for name in (f"{film.file.stem}.report.json", f"{film.file.name}.report.json"):
        try:
            file = film.file.with_name(name)
            told = parse_json(file.read_text("utf-8")) if file.stat().st_size < _LARGEST_REPORT else {}
            if Path(told["output"]["path"]).name == film.file.name:
                return _points(told)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
            continue
    return None


def _points(report: dict[str, Any]) -> list[list[float]] | None:
    """``film_clock`` from what a report tells. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it tells
    nothing of the kind."""
    clock = (report.get("length") or {}).get("clock") or {}
    start, end, slower = float(report["output"]["start"]), float(report["output"]["duration"]), clock.get("outside", 1)
    points = [[float(point["clip"]) - start, float(point["file"]) - start] for point in clock.get("points", [])]
    if not points:
        return None
    (first, source_first), (last, source_last) = points[0], points[-1]
    if first > 0:
        points.insert(0, [0.0, source_first - first / slower])
    if last < end:
        points.append([end, source_last + (end - last) / slower])
    return [[round(film, 6), round(source, 6)] for film, source in points]
