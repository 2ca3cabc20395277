"""The table of projects in the studio's database: which id belongs to which folder, and projects that have no manifest
yet because nothing was planned."""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
  id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, source TEXT NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '',
  created TEXT NOT NULL, made INTEGER NOT NULL DEFAULT 0, consent TEXT NOT NULL DEFAULT '{}'
)"""
_COLUMNS = "id, path, source, name, created, made, consent"
_PATIENCE = 10.0
"""Seconds to wait for another process that writes to the database."""

_LONGEST_ID = 60


@dataclass(frozen=True)
class ListedProject:
    """One project: its ``id``, its folder, the ``source`` (None: only the manifest knows it), what users call it (""
    for the name of the folder), when the studio first saw it (ISO 8601), whether the studio ``made`` its folder, and
    the record of the ``consent`` that was stated for it here."""

    id: str
    path: Path
    source: Path | None
    name: str
    created: str
    made: bool = False
    consent: dict[str, str] = field(default_factory=dict)

    @property
    def shown_name(self) -> str:
        """What users call it."""
        return self.name or self.path.stem


@dataclass(frozen=True)
class ProjectList:
    """The table ``projects`` in the file ``database``. Safe from several threads and processes."""

    database: Path

    def make(self) -> None:
        """Make the table if it is not there."""
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SCHEMA)

    def known(self, paths: Sequence[Path], reachable: Callable[[Path], bool]) -> tuple[ListedProject, ...]:
        """The rows of the folders ``paths``, which get an id when they are seen first, and of projects without a
        manifest whose folder is ``reachable``; in order of their ids."""
        with self._open() as connection:
            rows = _rows(connection)
            have = {row.path for row in rows}
            new = [path for path in paths if path not in have]
            if new:
                for path in new:
                    _insert(connection, path)
                rows = _rows(connection)
        wanted = set(paths)
        return tuple(row for row in rows if row.path in wanted or (row.source is not None and reachable(row.path)))

    def row(self, id: str) -> ListedProject | None:
        """The row with this ``id``; None if there is none."""
        with self._open() as connection:
            return next(iter(_rows(connection, "WHERE id = ?", (id,))), None)

    def add(self, path: Path, source: Path, name: str, consent: dict[str, str], *, made: bool) -> ListedProject:
        """A row for a new project at ``path`` that has no manifest yet."""
        with self._open() as connection:
            id = _insert(connection, path)
            connection.execute(
                "UPDATE projects SET source = ?, name = ?, consent = ?, made = ? WHERE id = ?",
                (str(source), name, json.dumps(consent), int(made), id),
            )
            return _rows(connection, "WHERE id = ?", (id,))[0]

    def rename(self, id: str, name: str) -> None:
        """Change what users call a project."""
        with self._open() as connection:
            connection.execute("UPDATE projects SET name = ? WHERE id = ?", (name, id))

    def remove(self, id: str) -> None:
        """Forget a project; its folder is not touched."""
        with self._open() as connection:
            connection.execute("DELETE FROM projects WHERE id = ?", (id,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database, timeout=_PATIENCE)) as connection, connection:
            yield connection


def slug(name: str) -> str:
    """``name`` as an id: ``[a-z0-9-]``, without accents, 60 characters at most; "project" if nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_LONGEST_ID].strip("-") or "project"


def _insert(connection: sqlite3.Connection, path: Path) -> str:
    """Give ``path`` a row if it has none; returns its id."""
    connection.execute("BEGIN IMMEDIATE") if not connection.in_transaction else None
    known = connection.execute("SELECT id FROM projects WHERE path = ?", (str(path),)).fetchone()
    if known is not None:
        return known[0]
    taken = {id for (id,) in connection.execute("SELECT id FROM projects")}
    wanted = slug(path.stem)
    id = next(id for id in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if id not in taken)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute("INSERT INTO projects (id, path, created) VALUES (?, ?, ?)", (id, str(path), now))
    return id


def _rows(connection: sqlite3.Connection, where: str = "", values: tuple[str, ...] = ()) -> list[ListedProject]:
    found = connection.execute(f"SELECT {_COLUMNS} FROM projects {where} ORDER BY id", values)
    return [
        ListedProject(id, Path(path), Path(source) if source else None, name, created, bool(made), json.loads(consent))
        for id, path, source, name, created, made, consent in found
    ]
