"""Errors as answers: problem documents (RFC 9457), with the status of each class of error in one table."""

import logging
import re
import secrets
import traceback
from dataclasses import dataclass, fields
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lipdub.errors import (
    InputError,
    LipdubError,
    MachineError,
    MissingExtra,
    NothingToDub,
    NotMedia,
    OptionError,
    OutputError,
    ServiceError,
    WeightsError,
)
from lipdub.process.exit_codes import as_lipdub_error

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger("lipdub.studio")


class NotThere(InputError):
    """What the address names does not exist."""


class Busy(InputError):
    """It cannot be done now: something else works on it. ``job`` is the job that does (None: not known)."""

    def __init__(self, what: str, *, job: Any = None, remedy: str = "") -> None:
        self.job = job
        super().__init__(what, remedy=remedy)


class BadRequest(InputError):
    """The request itself cannot be read: no JSON, a header that makes no sense."""


class Refused(InputError):
    """The request comes from where it must not come from."""


class KeyNeeded(InputError):
    """The key is missing or wrong."""


class TooLarge(InputError):
    """More was sent than is taken."""


class TooMany(InputError):
    """There are too many of these already."""


class WrongType(InputError):
    """The content type of what was sent is not taken there."""


class TooSlow(InputError):
    """Nothing came for a long time."""


class WrongField(OptionError):
    """A field of the request has a value that is not taken; ``field`` names it."""

    def __init__(self, what: str, field: str, *, remedy: str = "") -> None:
        self.field = field
        super().__init__(what, remedy=remedy)


STATUS: dict[type[LipdubError], tuple[int, str]] = {
    NotThere: (404, "Not there"),
    Busy: (409, "Busy"),
    BadRequest: (400, "Not understood"),
    Refused: (403, "Refused"),
    KeyNeeded: (401, "Key needed"),
    TooLarge: (413, "Too large"),
    TooMany: (429, "Too many"),
    WrongType: (415, "Type not taken"),
    TooSlow: (408, "Too slow"),
    NotMedia: (422, "Not a media file"),
    OptionError: (422, "Not possible"),
    InputError: (422, "Cannot be used"),
    NothingToDub: (422, "Nothing to dub"),
    OutputError: (507, "Cannot be written"),
    WeightsError: (503, "A model is missing"),
    MissingExtra: (501, "Not installed"),
    MachineError: (503, "This machine is not able to"),
    ServiceError: (502, "Another program failed"),
    LipdubError: (500, "Failed"),
}
"""The status and the title of each class of errors; a class that is not here has those of the nearest class above."""

BY_NAME = {
    "ChangedMeanwhile": (412, "Changed in another window"),
    "NoSuchJob": (404, "Not there"),
    "JobExists": (409, "Busy"),
    "KeyInUse": (409, "Busy"),
    "KeyUsedOtherwise": (422, "Not possible"),
    "TooManyJobs": (429, "Too many"),
    "TooManyListeners": (429, "Too many"),
}
"""Likewise for classes of rooms that are not imported here (jobs work without them), by the name of the class."""


@dataclass(frozen=True)
class Problem:
    """A problem document. ``type`` names the class of the error, ``remedy`` is what can be done, ``field`` and ``line``
    are what it is about, ``file`` the name of a file; ``job`` is the job that is in the way, ``present`` what holds now
    where a change was refused because of it."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    field: str = ""
    line: str = ""
    file: str = ""
    reference: str = ""
    job: Any = None
    present: Any = None

    def told(self) -> dict[str, Any]:
        """As JSON: without what is empty."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value not in ("", None)}


def status_of(error: LipdubError) -> tuple[int, str]:
    """The status and title of an error: those of its class, or of the nearest class above that has some."""
    for kind in type(error).__mro__:
        found = BY_NAME.get(kind.__name__) or STATUS.get(kind)
        if found is not None:
            return found
    raise AssertionError("every error of ours is a LipdubError")


def problem_of(error: LipdubError) -> Problem:
    """The document for an error of ours. Of a file only the name is told."""
    status, title = status_of(error)
    when = f" at {float(error.at):.3f} s" if error.at is not None else ""
    detail = f"{error.what}{when}."
    return Problem(
        type=f"urn:lipdub:{_dashed(type(error).__name__)}",
        title=title,
        status=status,
        detail=detail[:1].upper() + detail[1:],
        remedy=error.remedy if not error.remedy or error.remedy.endswith((".", "?")) else f"{error.remedy}.",
        field=str(getattr(error, "field", "") or ""),
        line=str(getattr(error, "line", "") or ""),
        file="" if error.file is None else Path(error.file).name,
        job=_shown_job(getattr(error, "job", None)),
        present=getattr(error, "present", None),
    )


def problem_for(error: Exception) -> Problem:
    """The document for any error. A mistake of ours gets a reference, under which the log has its class and where it
    happened, and nothing of what the user gave."""
    told = as_lipdub_error(error)
    if told is not None:
        return problem_of(told)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 500:  # starlette's HTTPException
        return _of_status(status)
    reference = secrets.token_hex(4)
    LOG.error("mistake %s: %s", reference, trace_without_texts(error))
    return Problem(
        type="urn:lipdub:mistake-of-ours",
        title="A mistake of ours",
        status=500,
        detail=f"Something failed that should not; the log has it under {reference}.",
        remedy="Please report it with that part of the log, which holds nothing of yours.",
        reference=reference,
    )


def _shown_job(job: Any) -> Any:
    return job.shown() if hasattr(job, "shown") else job


def _of_status(status: int) -> Problem:
    """The document for what the router refuses."""
    said = {404: "There is nothing at this address.", 405: "This address does not take that method."}
    kind = HTTPStatus(status).phrase
    return Problem(f"urn:lipdub:{kind.lower().replace(' ', '-')}", kind, status, said.get(status, f"{kind}."))


def trace_without_texts(error: BaseException) -> str:
    """The class of an error and the places that led to it, without messages and source lines, which may hold texts of
    the user's."""
    places = [f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in traceback.extract_tb(error.__traceback__)]
    cause = error.__cause__ or error.__context__
    told = f"{type(error).__name__} ({' > '.join(places[-12:])})"
    return told if cause is None else f"{told} after {type(cause).__name__}"


def _dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
