"""What is known of the sources of projects: facts that a process apart found, kept in the studio's database."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lipdub.errors import InputError, NoPicture
from lipdub.web.probe_apart import Kind, SourceFacts, look_apart

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, facts TEXT NOT NULL
)"""


@dataclass(frozen=True)
class Sources:
    """Facts of files, kept in ``database``. Films may be ``longest`` seconds long."""

    database: Path
    longest: float

    def make(self) -> None:
        """Make the table if it is not there."""
        with self._open() as connection:
            connection.execute(_SCHEMA)

    def known(self, file: Path) -> SourceFacts | None:
        """What is known of ``file`` as it is now; None if it was not looked at since it changed, or is not there."""
        try:
            state = file.stat()
        except (OSError, ValueError):
            return None
        with self._open() as connection:
            query = "SELECT facts FROM sources WHERE path = ? AND size = ? AND changed = ?"
            row = connection.execute(query, (str(file), state.st_size, state.st_mtime_ns)).fetchone()
        try:
            return None if row is None else SourceFacts.read(json.loads(row[0]))
        except (ValueError, KeyError, TypeError):
            return None

    def look(self, file: Path, kind: Kind = "video") -> SourceFacts:
        """What is in ``file``. A process apart finds it out (about a second) if it is not known. Raises ``InputError``
        or ``NotMedia`` if it cannot be used as a ``kind``."""
        known = self.known(file) if kind != "script" else None
        if known is None:
            known = look_apart(file, kind)
            self.keep(file, known)
        if kind == "video" and not known.width:
            raise NoPicture("has no picture that can be decoded", file=file, remedy="Give a video file.")
        if known.seconds > self.longest:
            hours = f"{float(known.seconds) / 3600:.1f} hours long; up to {self.longest / 3600:.0f} are taken"
            raise InputError(f"it is {hours}", file=file, remedy="Give a part of it")
        return known

    def keep(self, file: Path, facts: SourceFacts) -> None:
        """Note what was found in ``file``."""
        state = file.stat()
        row = (str(file), state.st_size, state.st_mtime_ns, json.dumps(facts.told()))
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?)", row)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database, timeout=10.0)) as connection, connection:
            yield connection
