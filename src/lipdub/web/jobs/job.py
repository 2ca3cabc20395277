"""A job of the studio, as its table keeps it and as the API shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lipdub.errors import InputError, LipdubError, OptionError

KINDS = ("plan", "hear", "redo", "render", "view", "demo", "export")
"""What a job may do."""

QUICK = ("hear", "export", "view")
"""Kinds that may run while another job of the same project runs, and for which a worker is kept free."""

QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED = "queued", "processing", "completed", "failed", "cancelled"
ENDED = (COMPLETED, FAILED, CANCELLED)
"""The states that a job does not leave any more."""

MOST_ATTEMPTS = 3
"""How often a job is begun whose process dies."""


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps of a ``stage`` (0: unknown). ``note`` says why it waits ("": it
    does not)."""

    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a job failed: ``title`` for the kind of error, ``detail`` for what happened, ``remedy`` for what to do ("" if
    nothing is known), and the ``kind`` of the error: "input", "output", "machine", "service", "bug" or "stopped"."""

    title: str
    detail: str
    remedy: str = ""
    kind: str = "bug"

    def to_dict(self) -> dict[str, str]:
        """As it is kept and shown."""
        return {"title": self.title, "detail": self.detail, "remedy": self.remedy, "kind": self.kind}


@dataclass(frozen=True)
class Job:
    """One job. ``number`` counts all jobs in the order in which they were added; ``id`` is what users see.

    ``request`` is what was asked for, ``result`` what came out of it; keys of a result that begin with "_" are for the
    server alone (paths of files). Instants are seconds since 1970 (0: not yet). ``attempts`` counts how often it was
    begun. ``door`` is the part of the API that it came through ("v1" or "v2").
    """

    number: int
    id: str
    kind: str
    project: str
    language: str
    status: str
    request: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = Progress()
    attempts: int = 0
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    error: Failure | None = None
    result: Mapping[str, Any] | None = None
    door: str = "v1"
    cancelling: bool = False

    @property
    def has_ended(self) -> bool:
        """True if nothing will be done for it any more."""
        return self.status in ENDED

    def shown(self) -> dict[str, Any]:
        """The job as the API shows it."""
        told = self.progress
        result = None if self.result is None else {k: v for k, v in self.result.items() if not k.startswith("_")}
        return {
            "id": self.id,
            "kind": self.kind,
            "project": self.project,
            "language": self.language,
            "status": self.status,
            "progress": {"stage": told.stage, "done": told.done, "total": told.total, "note": told.note},
            "cancelling": self.cancelling and not self.has_ended,
            "segments": _segments(self.request),
            "created": instant(self.created),
            "started": instant(self.started),
            "ended": instant(self.ended),
            "attempts": self.attempts,
            "error": None if self.error is None else self.error.to_dict(),
            "result": result,
        }


@dataclass(frozen=True)
class Event:
    """Something that happened: ``number`` grows with every event, ``event`` is "job" or "project", ``data`` what is
    sent, ``project`` whom it concerns ("": all)."""

    number: int
    event: str
    project: str
    data: Mapping[str, Any]


class NoSuchJob(InputError):
    """There is no job of this id."""

    def __init__(self, id: str) -> None:
        shown = "".join(letter if letter.isprintable() else "?" for letter in id[:60])
        super().__init__(f"there is no job '{shown}'", remedy="GET /v1/jobs lists them; old ones are forgotten")


class JobExists(LipdubError):
    """The same work is waiting or being done already, as ``job``."""

    def __init__(self, job: Job) -> None:
        self.job = job
        state = "is being done" if job.status == PROCESSING else "is waiting"
        super().__init__(
            f"the same work ({job.kind}) {state} already, as job {job.id}",
            remedy="Wait until it has ended, or cancel it",
        )


class TooManyJobs(LipdubError):
    """No more jobs are taken before some have ended."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} jobs are waiting already", remedy="Wait until some have ended, or cancel some")


class KeyUsedOtherwise(OptionError):
    """An idempotency key came with another request than before."""

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key came with another request before", remedy="Use a new key for each new request"
        )


class KeyInUse(LipdubError):
    """The first request with an idempotency key is still being answered."""

    def __init__(self) -> None:
        super().__init__(
            "the first request with this Idempotency-Key is still being answered", remedy="Ask again in a second"
        )


def instant(seconds: float) -> str | None:
    """Seconds since 1970 as text (ISO 8601, UTC, milliseconds); None for 0."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None


def _segments(request: Mapping[str, Any]) -> list[str]:
    """The ids of the lines that a job is about, as far as the request names them."""
    named = request.get("segments", [request["segment"]] if "segment" in request else [])
    return [str(each) for each in named] if isinstance(named, list | tuple) else []
