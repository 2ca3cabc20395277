"""Rows of the table of jobs as values, and what every change of a row brings with it: an event, and a webhook at the
end."""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

from lipdub.web.jobs.generation import generation
from lipdub.web.jobs.job import (
    CANCELLED,
    ENDED,
    FAILED,
    MOST_ATTEMPTS,
    QUEUED,
    Failure,
    Job,
    NoSuchJob,
    Progress,
    instant,
)

_LONGEST_PAUSE = 60.0


def job_of(row: sqlite3.Row) -> Job:
    """The job of a row."""
    return Job(
        number=row["number"],
        id=row["id"],
        kind=row["kind"],
        project=row["project"],
        language=row["language"],
        status=row["status"],
        request=json.loads(row["request"]),
        progress=Progress(row["stage"], row["done"], row["total"], row["note"]),
        attempts=row["attempts"],
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        error=Failure(**json.loads(row["error"])) if row["error"] else None,
        result=json.loads(row["result"]) if row["result"] else None,
        door=row["door"],
        cancelling=bool(row["cancelling"]),
    )


def row_of(connection: sqlite3.Connection, id: str) -> sqlite3.Row:
    """The row of a job. Raises ``NoSuchJob``."""
    row = connection.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise NoSuchJob(id)
    return row


def changed(connection: sqlite3.Connection, id: str, now: float, **values: Any) -> Job:
    """Change columns of a job, and tell those who listen. If it has ended by that, its webhooks are put into the list
    of deliveries, in the same transaction."""
    names = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE jobs SET {names} WHERE id = ?", (*values.values(), id))
    row = row_of(connection, id)
    job = job_of(row)
    write_event(connection, "job", job.project, f"job {id}", job.shown())
    if values.get("status") in ENDED:
        for url in {row["webhook"], usual_webhook(connection)} - {""}:
            _to_be_delivered(connection, job, url, now)
    return job


def usual_webhook(connection: sqlite3.Connection) -> str:
    """The address that is told of the end of every job; "" if there is none."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'webhook'").fetchone()
    return "" if row is None else row["value"]


def write_event(
    connection: sqlite3.Connection, event: str, project: str, subject: str, data: Mapping[str, Any]
) -> None:
    """Note an event in place of the last one about the same ``subject``: whoever comes late needs the newest alone, and
    the table stays small."""
    connection.execute(
        "INSERT OR REPLACE INTO events (event, project, subject, data) VALUES (?, ?, ?, ?)",
        (event, project, subject, json.dumps(data)),
    )


def left_behind(connection: sqlite3.Connection, row: sqlite3.Row, now: float, how: str) -> Job:
    """A job whose process ended without a word, ``how`` as a sentence, is begun again later; the third time it has
    failed. If it was to be cancelled, it is."""
    id, attempts = row["id"], row["attempts"]
    if row["cancelling"]:
        return changed(connection, id, now, status=CANCELLED, ended=now, owner="", lease=0, note="")
    if attempts >= MOST_ATTEMPTS:
        failure = Failure(
            "The work was broken off",
            f"It was begun {attempts} times, and each time its process ended before it. The last time, {how}.",
            "Close other programs, and begin it again: what was finished is kept",
            "machine",
        )
        ended = {"status": FAILED, "ended": now, "error": json.dumps(failure.to_dict()), "note": ""}
        return changed(connection, id, now, owner="", lease=0, **ended)
    pause = min(2.0**attempts - 1, _LONGEST_PAUSE)
    note = f"begun again, because {how}"
    return changed(connection, id, now, status=QUEUED, owner="", lease=0, not_before=now + pause, note=note)


def _to_be_delivered(connection: sqlite3.Connection, job: Job, url: str, now: float) -> None:
    told = {"type": f"job.{job.status}", "timestamp": instant(now), "data": job.shown()}
    body = json.dumps(generation(job) if job.door == "v2" else told)
    connection.execute(
        "INSERT INTO deliveries (id, job, url, body, status, due, made) VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
        (f"msg_{secrets.token_hex(12)}", job.id, url, body, now, now),
    )
