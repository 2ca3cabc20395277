"""Errors of jobs as they are kept: a title, what happened, what to do. Nothing of a traceback reaches the user, and
nothing of the user's reaches the log."""

import logging
import secrets
import traceback
from pathlib import Path

from lipdub.errors import (
    InputError,
    LipdubError,
    MachineError,
    MissingExtra,
    NothingToDub,
    OptionError,
    OutputError,
    ServiceError,
    WeightsError,
)
from lipdub.process.exit_codes import as_lipdub_error
from lipdub.web.jobs.job import Failure

_TITLES: tuple[tuple[type[LipdubError], str, str], ...] = (
    (OptionError, "What was asked for does not fit", "input"),
    (InputError, "An input cannot be used", "input"),
    (NothingToDub, "There is nothing to dub", "input"),
    (OutputError, "The result cannot be written", "output"),
    (WeightsError, "A model file is missing or damaged", "machine"),
    (MissingExtra, "A package is missing", "machine"),
    (MachineError, "This machine is not able to", "machine"),
    (ServiceError, "A server or another program failed", "service"),
)

log = logging.getLogger("lipdub.web.jobs")


def failure_of(error: Exception, job: str = "") -> Failure:
    """What is kept of ``error``. A mistake of ours gets a reference, under which the log of the server has where it
    happened: names of modules and functions, no values."""
    told = as_lipdub_error(error)
    if told is None:
        reference = secrets.token_hex(4)
        log.error("job %s failed by a mistake of ours, reference %s: %s", job, reference, _where(error))
        return Failure(
            "A mistake of ours",
            f"lipdub failed in a way that it should not. The server's log has more under the reference {reference}.",
            "Please report it with that part of the log",
        )
    title, kind = next((t, k) for cls, t, k in (*_TITLES, (LipdubError, "It failed", "bug")) if isinstance(told, cls))
    where = f"{Path(told.file).name}: " if told.file is not None else ""
    when = f" at {float(told.at):.3f} s" if told.at is not None else ""
    return Failure(title, f"{where}{told.what}{when}.", told.remedy, kind)


def _where(error: BaseException) -> str:
    """The type of an error and the places in code that it went through, and the same of what caused it; its message is
    left out, since it may hold a user's text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = " < ".join(f"{_module(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    cause = error.__cause__ or error.__context__
    return f"{type(error).__name__} at {places or 'nowhere'}" + (f"; caused by {_where(cause)}" if cause else "")


def _module(file: str) -> str:
    """A file of a package from the package on: ``lipdub/web/jobs/worker.py``."""
    parts = Path(file).parts
    start = max((i for i, part in enumerate(parts) if part in ("site-packages", "src")), default=len(parts) - 2)
    return "/".join(parts[start + 1 :])
