"""The table of jobs: what waits, what is done, what came of it, and what happened since when.

    table = JobTable(places.database)
    job = table.add("redo", "talk", "es", {"segments": ["7"]})
    table.job(job.id).status

Workers take jobs by a lease (``take``) that they renew; a job whose lease has run out is taken again. All methods are
safe from several threads and processes.
"""

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lipdub.web.jobs.database import Database
from lipdub.web.jobs.job import (
    CANCELLED,
    COMPLETED,
    ENDED,
    FAILED,
    KINDS,
    PROCESSING,
    QUEUED,
    QUICK,
    Event,
    Failure,
    Job,
    JobExists,
    KeyUsedOtherwise,
    NoSuchJob,
    TooManyJobs,
)
from lipdub.web.jobs.rows import changed, job_of, left_behind, row_of, usual_webhook, write_event

LEASE = 30.0
"""Seconds without a sign of life after which a job is taken from its worker."""

MOST_QUEUED = 1000
"""Jobs that may wait."""

DAY = 24 * 3600.0
"""Seconds for which an idempotency key is known."""

_KEPT_JOBS, _KEPT_EVENTS, _KEPT_FOR = 2000, 5000, 30 * DAY
_SILENT = f"its process gave no sign of life for {LEASE:.0f} seconds"
_DO_QUICK = f"kind IN ({', '.join(repr(kind) for kind in QUICK)})"
_NEXT = f"""
SELECT * FROM jobs WHERE status = 'queued' AND not_before <= :now AND (:quick = 0 OR {_DO_QUICK}) AND (
  {_DO_QUICK} OR project = '' OR NOT EXISTS (
    SELECT 1 FROM jobs AS other WHERE other.project = jobs.project AND other.status = 'processing'
    AND NOT other.{_DO_QUICK}
  )
) ORDER BY NOT {_DO_QUICK}, number LIMIT 1"""


class JobTable:
    """The jobs in the SQLite file ``database``, whose folder must be there."""

    def __init__(
        self, database: Path, *, clock: Callable[[], float] = time.time, most_queued: int = MOST_QUEUED
    ) -> None:
        """``clock`` gives seconds since 1970. ``most_queued`` jobs may wait. Raises ``InputError`` or ``OutputError``
        if the file cannot be used."""
        self.database, self.clock, self._most = Database(database), clock, most_queued
        self.database.make()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    # What the API calls

    def add(
        self,
        kind: str,
        project: str,
        language: str,
        request: Mapping[str, Any],
        *,
        key: str = "",
        webhook: str = "",
    ) -> Job:
        """A new job. ``key``: an idempotency key; the same key and request give the same job for a day. ``webhook``: a
        checked address that is told of the end. A request's "door" is "v1" (usual) or "v2".

        Raises ``JobExists`` if the same work waits or is done already, ``KeyUsedOtherwise``, ``TooManyJobs``.
        """
        assert kind in KINDS, kind
        digest = request_digest([kind, project, language, request])
        now = self.clock()
        with self.database.writing() as connection:
            known = _answered(connection, key, digest, now) if key else None
            if known is not None:
                return known
            waiting = connection.execute("SELECT COUNT(*) FROM jobs WHERE status = 'queued'").fetchone()[0]
            if waiting >= self._most:
                raise TooManyJobs(self._most)
            subject = _subject(kind, project, language, request)
            same = "SELECT * FROM jobs WHERE subject = ? AND status IN ('queued', 'processing')"
            row = connection.execute(same, (subject,)).fetchone()
            if row is not None:
                raise JobExists(job_of(row))
            id = secrets.token_hex(8)
            connection.execute(
                "INSERT INTO jobs (id, kind, project, language, subject, status, request, door, webhook, created)"
                " VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)",
                (id, kind, project, language, subject, json.dumps(request), request.get("door", "v1"), webhook, now),
            )
            if key:
                answer = (f"job {key}", digest, now, id)
                connection.execute(
                    "INSERT OR REPLACE INTO answers (key, digest, made, answer) VALUES (?,?,?,?)", answer
                )
            job = changed(connection, id, now, status=QUEUED)
            if job.number % 50 == 0:
                _forget_old(connection, now)
            return job

    def job(self, id: str) -> Job | None:
        """The job of this id; None if there is none."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
            return None if row is None else job_of(row)

    def jobs(
        self, project: str = "", after: str = "", limit: int = 50, *, status: Sequence[str] = (), door: str = ""
    ) -> list[Job]:
        """The newest jobs first: of one ``project`` ("": of all), older than the job ``after`` (its id), in one of the
        states ``status`` (none: any), ``limit`` at most. Raises ``NoSuchJob`` for an unknown ``after``."""
        wanted, values = ["1"], []
        for clause, value in (("project = ?", project), ("door = ?", door)):
            if value:
                wanted.append(clause)
                values.append(value)
        if status:
            wanted.append(f"status IN ({', '.join('?' * len(status))})")
            values.extend(status)
        with self.database.reading() as connection:
            if after:
                row = connection.execute("SELECT number FROM jobs WHERE id = ?", (after,)).fetchone()
                if row is None:
                    raise NoSuchJob(after)
                wanted.append("number < ?")
                values.append(row["number"])
            query = f"SELECT * FROM jobs WHERE {' AND '.join(wanted)} ORDER BY number DESC LIMIT ?"
            return [job_of(row) for row in connection.execute(query, (*values, limit))]

    def counts(self) -> dict[str, int]:
        """How many jobs are queued and processing."""
        with self.database.reading() as connection:
            rows = connection.execute("SELECT status, COUNT(*) FROM jobs GROUP BY status").fetchall()
        found = dict(rows)
        return {QUEUED: found.get(QUEUED, 0), PROCESSING: found.get(PROCESSING, 0)}

    def cancel(self, id: str) -> Job:
        """Cancel a job: at once if it waits; if it is being done, its worker stops it soon. One that has ended stays as
        it is. Raises ``NoSuchJob``."""
        now = self.clock()
        with self.database.writing() as connection:
            row = row_of(connection, id)
            if row["status"] == QUEUED:
                return changed(connection, id, now, status=CANCELLED, ended=now, cancelling=1, note="")
            if row["status"] == PROCESSING:
                asked = changed(connection, id, now, cancelling=1)
                return asked if row["lease"] >= now else left_behind(connection, row_of(connection, id), now, _SILENT)
            return job_of(row)

    def forget(self, project: str) -> None:
        """Forget the jobs of a project that was removed: another one may get its id. Jobs that have not ended stay."""
        with self.database.writing() as connection:
            where = f"project = ? AND status IN ({', '.join(repr(state) for state in ENDED)})"
            gone = [row["id"] for row in connection.execute(f"SELECT id FROM jobs WHERE {where}", (project,))]
            connection.executemany("DELETE FROM events WHERE subject = ?", [(f"job {id}",) for id in gone])
            connection.execute(f"DELETE FROM jobs WHERE {where}", (project,))

    def webhook(self) -> str:
        """The address that is told of the end of every job; "" if there is none."""
        with self.database.reading() as connection:
            return usual_webhook(connection)

    def set_webhook(self, url: str) -> None:
        """Tell ``url``, a checked address, of the end of every job from now on; "": nobody."""
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('webhook', ?)", (url,))

    # Events

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Note an event for those who listen, in place of the last one about the same project and language."""
        project, language = str(data.get("project", "")), str(data.get("language", ""))
        with self.database.writing(durable=False) as connection:
            write_event(connection, event, project, json.dumps([event, project, language]), data)

    def events(self, after: int, project: str = "", limit: int = 200) -> list[Event]:
        """What happened after the event ``after``, oldest first: of a project ("": of all), ``limit`` at most. Of
        several events about one subject the newest alone is there."""
        query = "SELECT * FROM events WHERE number > ? AND ? IN ('', project) ORDER BY number LIMIT ?"
        with self.database.reading() as connection:
            rows = connection.execute(query, (after, project, limit)).fetchall()
        return [Event(row["number"], row["event"], row["project"], json.loads(row["data"])) for row in rows]

    def last_event(self) -> int:
        """The number of the newest event; 0 if there is none."""
        with self.database.reading() as connection:
            return connection.execute("SELECT COALESCE(MAX(number), 0) FROM events").fetchone()[0]

    # What workers call

    def take(self, owner: str, *, quick: bool = False) -> Job | None:
        """The next job, for the worker ``owner``, who has it for ``LEASE`` seconds from each sign of life; None if
        there is nothing to do. ``quick``: only of the kinds ``QUICK``. Of the other kinds, one job of a project is done
        at a time."""
        now = self.clock()
        with self.database.reading() as connection:
            due = (
                "SELECT 1 FROM jobs WHERE status = 'queued' AND not_before <= ? OR status = 'processing' AND lease < ?"
            )
            if connection.execute(f"{due} LIMIT 1", (now, now)).fetchone() is None:
                return None
        with self.database.writing(durable=False) as connection:
            late = "SELECT * FROM jobs WHERE status = 'processing' AND lease < ?"
            for row in connection.execute(late, (now,)).fetchall():
                left_behind(connection, row, now, _SILENT)
            row = connection.execute(_NEXT, {"now": now, "quick": int(quick)}).fetchone()
            if row is None:
                return None
            begun = {"started": row["started"] or now, "attempts": row["attempts"] + 1}
            cleared = {"stage": "", "done": 0, "total": 0, "note": ""}
            leased = {"status": PROCESSING, "owner": owner, "lease": now + LEASE}
            return changed(connection, row["id"], now, **leased, **begun, **cleared)

    def beat(self, id: str, owner: str, progress: tuple[str, int, int] | None = None) -> str:
        """A sign of life, with ``progress`` (stage, done, total) if there is any. Returns what the worker shall do: "go
        on", "cancel", or "stop" because the job is not its own any more."""
        now = self.clock()
        with self.database.writing(durable=False) as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
            if row is None or row["status"] != PROCESSING or row["owner"] != owner:
                return "stop"
            connection.execute("UPDATE jobs SET lease = ? WHERE id = ?", (now + LEASE, id))
            if progress is not None:
                stage, done, total = progress
                changed(connection, id, now, stage=stage, done=done, total=total)
            return "cancel" if row["cancelling"] else "go on"

    def wanted(self, id: str, owner: str) -> str:
        """What the worker of a job shall do (see ``beat``); nothing is written."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT status, owner, cancelling FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None or row["status"] != PROCESSING or row["owner"] != owner:
            return "stop"
        return "cancel" if row["cancelling"] else "go on"

    def complete(self, id: str, owner: str, result: Mapping[str, Any]) -> bool:
        """The job is done. False if it is not ``owner``'s any more: then nothing is changed."""
        return self._end(id, owner, status=COMPLETED, result=json.dumps(result), stage="", note="")

    def fail(self, id: str, owner: str, failure: Failure) -> bool:
        """The job failed, and is not begun again. False if it is not ``owner``'s any more."""
        return self._end(id, owner, status=FAILED, error=json.dumps(failure.to_dict()), note="")

    def cancelled(self, id: str, owner: str) -> bool:
        """The job was stopped because it was to be cancelled. False if it is not ``owner``'s any more."""
        return self._end(id, owner, status=CANCELLED, note="")

    def give_back(self, id: str, owner: str, note: str, wait: float) -> bool:
        """The job waits for at least ``wait`` seconds, for what ``note`` says; this attempt does not count. False if it
        is not ``owner``'s any more."""
        now = self.clock()
        with self.database.writing() as connection:
            row = row_of(connection, id)
            if row["status"] != PROCESSING or row["owner"] != owner:
                return False
            if row["cancelling"]:
                changed(connection, id, now, status=CANCELLED, ended=now, owner="", lease=0, note="")
                return True
            back = {"status": QUEUED, "owner": "", "lease": 0, "attempts": max(0, row["attempts"] - 1)}
            changed(connection, id, now, **back, not_before=now + wait, note=note, stage="", done=0, total=0)
            return True

    def abandon(self, owner: str, how: str) -> list[Job]:
        """The process of the worker ``owner`` has ended, ``how`` as the end of a sentence: its jobs are free at
        once."""
        now = self.clock()
        with self.database.writing() as connection:
            query = "SELECT * FROM jobs WHERE status = 'processing' AND owner = ?"
            return [left_behind(connection, row, now, how) for row in connection.execute(query, (owner,)).fetchall()]

    def owners(self) -> list[str]:
        """The workers that have jobs."""
        with self.database.reading() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM jobs WHERE status = 'processing'").fetchall()
        return [row["owner"] for row in rows]

    def release(self, owner: str, note: str) -> None:
        """The process of the worker ``owner`` was ended on purpose: its jobs wait again, for what ``note`` says, and
        this attempt does not count."""
        with self.database.reading() as connection:
            query = "SELECT id FROM jobs WHERE status = 'processing' AND owner = ?"
            ids = [row["id"] for row in connection.execute(query, (owner,))]
        for id in ids:
            self.give_back(id, owner, note, 0.0)

    def _end(self, id: str, owner: str, **values: Any) -> bool:
        now = self.clock()
        with self.database.writing() as connection:
            row = connection.execute("SELECT status, owner FROM jobs WHERE id = ?", (id,)).fetchone()
            if row is None or row["status"] != PROCESSING or row["owner"] != owner:
                return False
            changed(connection, id, now, ended=now, owner="", lease=0, **values)
            return True


def request_digest(request: Any) -> str:
    """The digest of a request, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _answered(connection: sqlite3.Connection, key: str, digest: str, now: float) -> Job | None:
    """The job that was added with an idempotency key; None if there is none. Raises ``KeyUsedOtherwise``."""
    row = connection.execute("SELECT * FROM answers WHERE key = ? AND made > ?", (f"job {key}", now - DAY)).fetchone()
    if row is None:
        return None
    if row["digest"] != digest:
        raise KeyUsedOtherwise
    found = connection.execute("SELECT * FROM jobs WHERE id = ?", (row["answer"],)).fetchone()
    return None if found is None else job_of(found)


def _subject(kind: str, project: str, language: str, request: Mapping[str, Any]) -> str:
    """What must not be done twice at the same time."""
    part = {"hear": "segment", "export": "format"}.get(kind, "")
    return json.dumps([kind, project, language, str(request.get(part, ""))])


def _forget_old(connection: sqlite3.Connection, now: float) -> None:
    """Remove what nobody will ask for any more."""
    ended = f"status IN ({', '.join(repr(state) for state in ENDED)})"
    connection.execute(f"DELETE FROM jobs WHERE {ended} AND ended < ?", (now - _KEPT_FOR,))
    oldest = f"SELECT number FROM jobs WHERE {ended} ORDER BY number DESC LIMIT 1 OFFSET ?"
    connection.execute(f"DELETE FROM jobs WHERE {ended} AND number <= ({oldest})", (_KEPT_JOBS,))
    last = "SELECT number FROM events ORDER BY number DESC LIMIT 1 OFFSET ?"
    connection.execute(f"DELETE FROM events WHERE number <= ({last})", (_KEPT_EVENTS,))
    connection.execute("DELETE FROM answers WHERE made < ?", (now - DAY,))
    connection.execute("DELETE FROM deliveries WHERE status <> 'waiting' AND made < ?", (now - 7 * DAY,))
