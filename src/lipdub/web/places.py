"""Where the things of a studio are on the disk: its projects, its uploads, its state.

    lipdub/                      where new projects are made ("folder")
      talk/talk.lipdub           a project
      talk/talk.mp4              its source, which was uploaded
      talk/films/                its films
      .studio/                   the state of the studio, for this user only (0700)
        studio.sqlite3           projects, jobs, events
        key                      the key of the API (0600)
        uploads/                 files that come in

Only projects that are named at the start, or lie in a folder that is, or in ``folder``, can be reached.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lipdub.errors import InputError, OutputError
from lipdub.web.project_list import ListedProject, ProjectList

SUFFIX = ".lipdub"
"""How the folder of a project ends."""

_MANIFEST = "project.json"


@dataclass(frozen=True)
class Places:
    """The places of one studio: ``folder`` is where new projects are made, ``given`` are the projects, or folders that
    hold some, that were named at the start."""

    folder: Path
    given: tuple[Path, ...] = ()

    @property
    def state(self) -> Path:
        """The folder of the studio's own files."""
        return self.folder / ".studio"

    @property
    def database(self) -> Path:
        """The SQLite database of projects, jobs and events."""
        return self.state / "studio.sqlite3"

    @property
    def uploads(self) -> Path:
        """The folder of files that come in."""
        return self.state / "uploads"

    @property
    def listed(self) -> ProjectList:
        """The table of projects that were ever seen."""
        return ProjectList(self.database)

    def make(self) -> None:
        """Make the folders that are missing; those of the state may be read by this user only. Raises
        ``OutputError``."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for own in (self.state, self.uploads):
                own.mkdir(exist_ok=True, mode=0o700)
                own.chmod(0o700)
        except OSError as refused:
            raise OutputError(
                f"the studio's folder cannot be made ({refused.strerror or refused})",
                file=self.state,
                remedy="Choose another one with --folder",
            ) from refused
        self.listed.make()

    def projects(self) -> dict[str, Path]:
        """The folder of every project that can be reached, by its id, in order of the ids.

        An id is the folder's name without ``.lipdub`` in ``[a-z0-9-]``, made unique; it stays with the folder.
        """
        return {each.id: each.path for each in self.rows()}

    def rows(self) -> tuple[ListedProject, ...]:
        """The rows of the projects that can be reached, in order of their ids: folders with a manifest, and those for
        which a source was given and nothing is planned yet."""
        return self.listed.known(tuple(_unique(self._found())), self._is_reachable)

    def row(self, id: str) -> ListedProject:
        """The row of one project. Raises ``InputError`` if there is none with this ``id``, or it is not there any
        more."""
        found = self.listed.row(id)
        if found is None or not self._is_reachable(found.path) or not self._is_there(found):
            found = next((each for each in self.rows() if each.id == id), None)
        if found is None:
            raise InputError(f"there is no project '{_shown(id)}'", remedy="GET /v1/projects lists them")
        return found

    def project(self, id: str) -> Path:
        """The folder of a project. Raises ``InputError`` if there is none with this ``id``."""
        return self.row(id).path

    def holds(self, file: Path) -> bool:
        """True if ``file``, after symbolic links were followed, lies in the studio's folder (its state excepted) or in
        one that was named at the start, or beside a project that was."""
        try:
            real = file.resolve(strict=True)
            state = self.state.resolve()
        except (OSError, ValueError, RuntimeError):
            return False
        if real.is_relative_to(state):
            return False
        roots = [self.folder, *(path.parent if path.suffix == SUFFIX else path for path in self.given)]
        return any(real.is_relative_to(root.resolve()) for root in roots)

    def _found(self) -> Iterator[Path]:
        for given in self.given:
            if given.suffix == SUFFIX or (given / _MANIFEST).is_file():
                yield given.absolute()
            else:
                yield from _projects_in(given.absolute())
        yield from _projects_in(self.folder.absolute())
        for beside in _folders_in(self.folder.absolute()):
            yield from _projects_in(beside)

    def _is_reachable(self, path: Path) -> bool:
        """True if the project at ``path`` may be shown: it was given, or lies where projects are looked for, and the
        folder around it is there."""
        if not path.parent.is_dir():
            return False
        folder = self.folder.absolute()
        if path.parent == folder or path.parent.parent == folder:
            return path.suffix == SUFFIX and self.state.absolute() not in path.parents
        return any(given.absolute() in (path, path.parent) for given in self.given)

    @staticmethod
    def _is_there(row: ListedProject) -> bool:
        return (row.path / _MANIFEST).is_file() or row.source is not None


def _projects_in(folder: Path) -> Iterator[Path]:
    """The projects right inside ``folder``, by name. Links are not followed."""
    for path in _folders_in(folder):
        if path.suffix == SUFFIX and (path / _MANIFEST).is_file():
            yield path


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )
    return []


def _unique(paths: Iterator[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        if path not in seen:
            seen.add(path)
            yield path


def _shown(id: str) -> str:
    """An id from outside as it may stand in a message: short and printable."""
    return "".join(letter if letter.isprintable() else "?" for letter in id[:60])
