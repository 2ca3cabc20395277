"""The media of a project: its source and the film of each language, as its manifest and its records name them."""

from dataclasses import dataclass, field
from pathlib import Path

from lipdub.errors import InputError
from lipdub.studio.progress import Listener, silent
from lipdub.studio.project.open_project import open_project
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.timeline.film_record import FilmRecord
from lipdub.web.media.view import ViewFile, is_ready, make_view, view_of

SOURCE = "source"
"""What the source is called among the media of a project; a film is called by its language."""


@dataclass(frozen=True, slots=True)
class ShownFilm:
    """A film of the page: its ``file``, what a browser plays of it (None: that is not made yet), whether all that the
    page shows of it is there (``ready``), and when the film was made (s since 1970)."""

    file: Path
    view: ViewFile | None
    ready: bool
    made: float


@dataclass(frozen=True, slots=True)
class ProjectMedia:
    """The ``source`` of a project (None: it is not there any more) and the ``films`` by language, as far as they were
    made and are where they were made."""

    source: ShownFilm | None
    films: dict[str, ShownFilm] = field(default_factory=dict)

    def named(self, what: str) -> ShownFilm | None:
        """The source or the film of a language; None if there is none."""
        return self.source if what == SOURCE else self.films.get(what)

    @property
    def ready(self) -> bool:
        """True if nothing has to be made for the page."""
        return all(film.ready for film in (self.source, *self.films.values()) if film is not None)


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
    return ProjectMedia(source, {name: shown for name, film in films.items() if film and (shown := _shown(film))})


def make_project_media(project: Path, listener: Listener = silent) -> ProjectMedia:
    """Make everything that the page needs of the media of a project and that is not there yet: see ``make_view``.

    Raises what ``make_view`` raises; what was made stays.
    """
    known = project_media(project)
    for film in (known.source, *known.films.values()):
        if film is not None and not film.ready:
            make_view(film.file, listener)
    return project_media(project)


def _shown(file: Path) -> ShownFilm | None:
    """What is there of one film; None if the film is gone."""
    try:
        return ShownFilm(file, view_of(file), is_ready(file), file.stat().st_mtime)
    except (InputError, OSError):
        return None
