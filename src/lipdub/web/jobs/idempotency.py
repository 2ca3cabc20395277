"""Answers that are given again: a client that does not know whether its request arrived sends it once more, with the
same Idempotency-Key, and gets the first answer for a day."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lipdub.web.jobs.job import KeyInUse, KeyUsedOtherwise
from lipdub.web.jobs.table import DAY, JobTable

_LONGEST_ANSWER = 600.0
"""Seconds after which a request counts as lost whose answer did not come."""


@dataclass(frozen=True)
class Answer:
    """An answer as it went out: its HTTP status, its body, and headers."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """The answers that are kept in ``table``."""

    table: JobTable

    def repeated(self, key: str, digest: str, answer: Callable[[], Answer]) -> Answer:
        """What ``answer`` gives; for a ``key`` that was used within a day, what it gave then. ``digest`` is that of the
        request.

        Raises ``KeyUsedOtherwise`` if the request was another one, ``KeyInUse`` while the first is being answered. If
        ``answer`` raises, the key is as new.
        """
        known = self._begun(key, digest)
        if known is not None:
            return known
        try:
            given = answer()
        except BaseException:
            self._write("DELETE FROM answers WHERE key = ?", _name(key))
            raise
        kept = json.dumps({"body": given.body, "headers": dict(given.headers)})
        self._write("UPDATE answers SET status = ?, answer = ? WHERE key = ?", given.status, kept, _name(key))
        return given

    def _begun(self, key: str, digest: str) -> Answer | None:
        now = self.table.clock()
        with self.table.database.writing() as connection:
            row = connection.execute("SELECT * FROM answers WHERE key = ?", (_name(key),)).fetchone()
            lost = row is not None and row["status"] == 0 and row["made"] < now - _LONGEST_ANSWER
            if row is None or row["made"] < now - DAY or lost:
                values = (_name(key), digest, now)
                connection.execute(
                    "INSERT OR REPLACE INTO answers (key, digest, made, status) VALUES (?, ?, ?, 0)", values
                )
                return None
        if row["digest"] != digest:
            raise KeyUsedOtherwise
        if row["status"] == 0:
            raise KeyInUse
        kept = json.loads(row["answer"])
        return Answer(row["status"], kept["body"], kept["headers"])

    def _write(self, statement: str, *values: object) -> None:
        with self.table.database.writing() as connection:
            connection.execute(statement, values)


def _name(key: str) -> str:
    """The key as it is kept: those of jobs are kept beside it."""
    return f"answer {key}"
