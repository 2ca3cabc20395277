"""The studio's SQLite file: connections that threads share in turn, its tables, and its errors as sentences.

The journal is a write-ahead log (WAL), so readers never wait for writers, and a process that is killed leaves the file
whole. Writers take their turn by BEGIN IMMEDIATE and wait for each other.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.errors import InputError, LipdubError, OutputError

PATIENCE = 20.0
"""Seconds that a writer waits for another one."""

VERSION = 1
"""Version of the tables below."""

_MOST_IDLE = 8

_TABLES = """
CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, project TEXT NOT NULL,
  language TEXT NOT NULL, subject TEXT NOT NULL, status TEXT NOT NULL, request TEXT NOT NULL, door TEXT NOT NULL,
  stage TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',
  lease REAL NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '', webhook TEXT NOT NULL DEFAULT '',
  created REAL NOT NULL, started REAL NOT NULL DEFAULT 0, ended REAL NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS one_at_a_time ON jobs (subject) WHERE status IN ('queued', 'processing');
CREATE INDEX IF NOT EXISTS waiting ON jobs (status, number);
CREATE INDEX IF NOT EXISTS by_project ON jobs (project, number);
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, project TEXT NOT NULL, subject TEXT NOT NULL UNIQUE,
  data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, made REAL NOT NULL, status INTEGER NOT NULL DEFAULT 0,
  answer TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS deliveries (
  id TEXT PRIMARY KEY, job TEXT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, made REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS due ON deliveries (status, due);
"""


@dataclass(eq=False)
class Database:
    """The file at ``path``. Safe from several threads and processes; not after fork(2)."""

    path: Path
    _idle: list[sqlite3.Connection] = field(default_factory=list, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def make(self) -> None:
        """Make the tables that are missing. Raises ``InputError`` if a newer lipdub made them, and ``OutputError``."""
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        with self.writing() as connection:
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            found = connection.execute("SELECT version FROM rooms WHERE name = 'jobs'").fetchone()
            if found is None:
                connection.execute("INSERT INTO rooms VALUES ('jobs', ?)", (VERSION,))
            elif found[0] > VERSION:
                raise InputError(
                    "a newer version of lipdub made this studio's list of jobs",
                    file=self.path,
                    remedy="Use that version, or move the file away: projects do not need it",
                )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. Raises ``OutputError`` or ``InputError`` for what SQLite refuses."""
        with self._told():
            connection = self._taken()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction, which is undone if the block raises. ``durable``: what was written
        survives a loss of power, too; without it only the end of any process."""
        with self.reading() as connection:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close all connections that nobody uses; later ones are closed after use."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _taken(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            keep = not self._closed and len(self._idle) < _MOST_IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as refused:
            raise database_error(refused, self.path) from refused


def database_error(refused: Exception, path: Path) -> LipdubError:
    """What SQLite (or the system) refused, as one of our errors."""
    code = getattr(refused, "sqlite_errorcode", 0) & 0xFF
    if isinstance(refused, OSError):
        from lipdub.disk.os_errors import cause_of

        cause = cause_of(refused)
        return OutputError(f"the studio cannot note what happened: {cause.what}", file=path, remedy=cause.remedy)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return InputError(
            "the studio's list of jobs is damaged",
            file=path,
            remedy="Move the file away and start the studio again: projects do not need it",
        )
    causes = {
        sqlite3.SQLITE_FULL: ("the disk is full", "Free some space"),
        sqlite3.SQLITE_BUSY: ("another process does not let go of it", "Try again"),
        sqlite3.SQLITE_LOCKED: ("another process does not let go of it", "Try again"),
        sqlite3.SQLITE_READONLY: ("the file or its folder may not be written to", "Check the permissions"),
        sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "Check that its folder is there and may be written to"),
        sqlite3.SQLITE_IOERR: ("the disk fails, or is full (I/O error)", "Check the disk"),
    }
    what, remedy = causes.get(code, (" ".join(str(refused).split()), ""))
    return OutputError(f"the studio cannot note what happened: {what}", file=path, remedy=remedy)
