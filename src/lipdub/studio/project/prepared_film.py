"""The plan of a film that several machines make: written once, with all that its shards need, into the project.

What the plan refers to in the folder of kept work and in temporary folders is copied beside it, so that a machine needs
nothing but the project and the source.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipdub.errors import InputError, MachineError
from lipdub.studio.film_work import FilmWork
from lipdub.studio.project.make_takes import LanguageWork, PlannedTakes
from lipdub.studio.project.project_folder import told_as_output
from lipdub.studio.session import Session
from lipdub.studio.values_file import read_told, read_value, write_values
from lipdub.studio.worker_setup import difference, setup_here

_FILE, _KEPT = "film.values", "kept"
_PROJECT, _SOURCE, _BESIDE = "project", "source", "beside"


@dataclass(frozen=True, eq=False)
class FilmParts:
    """What makes a film: the ``work`` on its language, its ``takes`` with the plan, and its segments (``film``)."""

    work: LanguageWork
    takes: PlannedTakes
    film: FilmWork


@dataclass(frozen=True, eq=False)
class PreparedFilm:
    """The ``parts`` of a film as they were prepared. ``token`` is a random name of this preparation."""

    token: str
    parts: FilmParts


@dataclass(frozen=True)
class PreparedFiles:
    """Where a preparation lies: the ``folder`` of the shards, in the project ``project`` with the file ``source``."""

    folder: Path
    project: Path
    source: Path

    @property
    def file(self) -> Path:
        """The file of the plan."""
        return self.folder / _FILE

    @property
    def told(self) -> dict[str, Any] | None:
        """What is told about the preparation: ``recipe``, ``token``, ``setup``; None if there is none, or if it is
        damaged: it is then made anew."""
        with suppress(InputError):
            return read_told(self.file)
        return None

    def write(self, parts: FilmParts, recipe: str, session: Session) -> PreparedFilm:
        """Write ``parts``, which are made as ``recipe`` says, and remove what was prepared before. Raises
        ``OutputError``."""
        token = secrets.token_hex(8)
        kept = _Kept(self, self.folder / _KEPT / token, (session.store.root, session.scratch))
        told = {"recipe": recipe, "token": token, "setup": setup_here(session.options)}
        told["source_bytes"] = self.source.stat().st_size
        with told_as_output(self.folder):
            kept.folder.mkdir(parents=True, exist_ok=True)
            write_values(self.file, told, parts, kept.placed)
            for old in (self.folder / _KEPT).iterdir():
                if old != kept.folder:
                    shutil.rmtree(old, ignore_errors=True)
        made = self.read(recipe, session)
        assert made is not None, "it was just written"
        return made

    def read(self, recipe: str, session: Session) -> PreparedFilm | None:
        """What was prepared with ``recipe``; None if nothing was.

        Raises ``MachineError`` if this machine has other versions or models, and ``InputError`` if it sees another
        source under the same name, or if the file holds what may not be in it.
        """
        told = self.told
        if told is None or told.get("recipe") != recipe:
            return None
        _check_setup(told.get("setup", {}), session, self.file)
        if told.get("source_bytes") != self.source.stat().st_size:
            raise InputError(
                "this is not the file for which the film was prepared: it has another size",
                file=self.source,
                remedy="Check that all machines see the same file under this name",
            )
        folders = {_PROJECT: self.project, _SOURCE: self.source, _BESIDE: self.project.absolute().parent}
        parts = read_value(self.file, folders)
        if not isinstance(parts, FilmParts):
            raise InputError("it is damaged", file=self.file, remedy="Remove it: it is made anew")
        return PreparedFilm(str(told["token"]), parts)


def _check_setup(there: Mapping[str, str], session: Session, file: Path) -> None:
    """Raise ``MachineError`` if parts that this machine makes would not fit those of the others."""
    differs = difference(there, setup_here(session.options))
    if differs:
        raise MachineError(
            f"the machine that prepared this film is set up otherwise than this one: {differs}",
            file=file,
            remedy="Install the same versions and weights on all machines",
        )


@dataclass(frozen=True, eq=False)
class _Kept:
    """Where paths of a preparation are; what lies in one of the folders ``passing`` is copied into ``folder``."""

    files: PreparedFiles
    folder: Path
    passing: tuple[Path, ...]

    def placed(self, path: Path) -> tuple[str, str]:
        if path == self.files.source:
            return _SOURCE, ""
        whole = path.absolute()
        for number, root in enumerate(self.passing):
            if whole.is_relative_to(root.absolute()) and whole != root.absolute():
                inside = whole.relative_to(root.absolute())
                copy = self.folder / str(number) / inside.parts[0]
                _copy(root / inside.parts[0], copy)
                whole = copy.joinpath(*inside.parts[1:]).absolute()
                break
        project = self.files.project.absolute()
        for name, root in ((_PROJECT, project), (_BESIDE, project.parent)):
            if whole.is_relative_to(root):
                return name, whole.relative_to(root).as_posix()
        return "", str(whole) if path.parts else ""


def _copy(path: Path, copy: Path) -> None:
    """``path``, a file or a folder with all that is in it, once more as ``copy``, if it is not there; without a second
    copy of the bytes where the disk can do that. Files that are not there any more are left out."""
    if copy.exists() or not path.exists():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, copy, copy_function=_link)
    else:
        _link(str(path), str(copy))


def _link(path: str, copy: str) -> None:
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)
