"""How often each segment was begun in vain. A worker that dies cannot tell what it did: it is written down before.

Counted for each segment, in files, and not by who starts the workers: else one segment that ends every worker would use
up the attempts of all others, and a machine that is lost would count against parts that were never begun.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lipdub.errors import MachineError
from lipdub.studio.fetched_files import FilesFetched
from lipdub.studio.session import Session

MOST = 3
"""Attempts at one segment."""


@dataclass(frozen=True)
class Attempts:
    """The attempts of one run, in the folder ``path``, which all workers see: a file for each segment that was begun
    and not finished, one byte for each attempt."""

    path: Path

    def forget(self) -> None:
        """Count anew."""
        shutil.rmtree(self.path, ignore_errors=True)

    def begin(self, name: str, what: str) -> None:
        """Note that the segment ``name`` is begun; ``what`` it is, for the message. Raises ``MachineError`` if it was
        begun in vain ``MOST`` times."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / name).open("ab") as file:
            _check(file.tell(), what)
            file.write(b".")

    def finish(self, name: str) -> None:
        """Note that the segment ``name`` is finished."""
        (self.path / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class FarAttempts:
    """The same where workers do not see one disk: an object for each attempt in the store."""

    files: FilesFetched

    def begin(self, name: str, what: str) -> None:
        """As ``Attempts.begin``."""
        _check(self.files.begin(name), what)

    def finish(self, name: str) -> None:
        """As ``Attempts.finish``."""
        self.files.end(name)


def attempts_of(session: Session) -> "Attempts | FarAttempts":
    """Where the attempts of this run are counted."""
    return Attempts(session.scratch / "attempts") if session.fetched is None else FarAttempts(session.fetched)


def forget_attempts(session: Session) -> None:
    """Count anew. Call on the machine that gives the work."""
    Attempts(session.scratch / "attempts").forget()
    if session.sent is not None:
        session.sent.forget_begun()


def _check(before: int, what: str) -> None:
    if before >= MOST:
        raise MachineError(
            f"{what} ended its worker {MOST} times, most likely because memory ran out",
            remedy="Run it again with fewer workers on each machine: what is finished is kept",
        )
