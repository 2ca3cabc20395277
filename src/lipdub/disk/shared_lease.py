"""Leases on a disk that several machines share: of all runs on all of them, one at a time has a name.

Locks of the system do not do here: many network disks have none, or show them on one machine only. A lease is a file
``NAME.GENERATION.lease``. Who wants it creates the file of the next generation, with its content and only if it is not
there (link(2)); it has the lease as long as that generation is the newest one. It sets the file's time stamp every
``BEAT`` seconds; a newest file that nobody has touched for ``PATIENCE`` seconds, by the clock of the disk, counts as
left by a run that was ended. Generations only grow, so nobody removes a file that another one has just made.

What is assumed of the disk: link(2), or open(2) with O_EXCL, is atomic between the machines; a file that was just
created, and a time stamp that was just set, are seen by the others within ``PATIENCE`` - ``BEAT`` seconds. A run that
was suspended for longer than that has lost its lease; it finds out at its next ``check``.
"""

import contextlib
import errno
import json
import os
import platform
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from lipdub.disk.json_text import parse_json
from lipdub.disk.lease import time_of_the_disk
from lipdub.errors import OutputError

BEAT = 15.0
"""Seconds between two settings of a lease's time stamp."""

PATIENCE = 180.0
"""Seconds without a new time stamp after which a lease is free. Clients of network disks show time stamps up to a
minute late."""

_ENDING, _NEW = ".lease", ".new-"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True)
class Holder:
    """Who has a lease: a random ``owner``, the name of its ``machine``, and the seconds since it gave a sign of
    life (``silent``)."""

    owner: str
    machine: str
    silent: float

    @property
    def living(self) -> bool:
        """Whether it counts as running."""
        return self.silent < PATIENCE

    def __str__(self) -> str:
        return f"on {self.machine}, last sign of life {max(0.0, self.silent):.0f} s ago"


@dataclass(eq=False)
class SharedLease:
    """A lease that this process has; as a context manager it is given back when the block ends."""

    folder: Path
    name: str
    generation: int
    owner: str
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def take(cls, folder: Path, name: str) -> "SharedLease | None":
        """The lease ``name`` in ``folder``, which is made if it is not there; None if a living run has it.

        Raises ``OSError``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        newest = _newest(folder, name)
        if _holder(folder, name, newest) is not None:
            return None
        lease = cls(folder, name, newest + 1, secrets.token_hex(8))
        if not lease._create():
            return None
        if _newest(folder, name) != lease.generation:  # meanwhile, others took it twice, and removed what was old
            lease.path.unlink(missing_ok=True)
            return None
        for generation in _generations(folder, name):
            if generation < lease.generation:
                _file(folder, name, generation).unlink(missing_ok=True)
        threading.Thread(target=lease._beat, name="lipdub-shared-lease", daemon=True).start()
        return lease

    @property
    def path(self) -> Path:
        """The file of the lease."""
        return _file(self.folder, self.name, self.generation)

    def __enter__(self) -> "SharedLease":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Give the lease back: its file stays, with a time stamp of long ago, so that generations go on growing."""
        with self._lock, contextlib.suppress(OSError):
            if not self._ended.is_set():
                self._ended.set()
                os.utime(self.path, (0, 0))

    def check(self) -> None:
        """Raise ``OutputError`` if another run took the lease, because this one gave no sign of life for too long."""
        if _newest(self.folder, self.name) != self.generation:
            raise OutputError(
                f"another run took over '{self.name}', because this one had stood still for more than "
                f"{PATIENCE / 60:.0f} minutes",
                file=self.folder,
                remedy="Nothing is lost: what was finished is used by the other one",
            )

    def _create(self) -> bool:
        """Create the file with all that is in it; False if another was quicker. Raises ``OSError``."""
        new = self.folder / f"{_NEW}{self.owner}"
        new.write_text(json.dumps({"owner": self.owner, "machine": platform.node()}), "utf-8")
        try:
            os.link(new, self.path)
        except FileExistsError:
            return os.stat(new).st_nlink == 2 and _owner(self.path) == self.owner  # the answer was lost: link(2) on NFS
        except OSError as refused:
            if refused.errno not in _NO_LINKS:
                raise
            return self._create_without_links(new)
        finally:
            new.unlink(missing_ok=True)
        return True

    def _create_without_links(self, new: Path) -> bool:
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(new.read_bytes())
        return True

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock, contextlib.suppress(OSError):
                if not self._ended.is_set():
                    os.utime(self.path)


def holder(folder: Path, name: str) -> Holder | None:
    """The living run that has the lease ``name`` in ``folder``; None if there is none."""
    return _holder(folder, name, _newest(folder, name))


def holders(folder: Path) -> dict[str, Holder]:
    """The living runs that have leases in ``folder``, by the names of the leases."""
    return {name: found for name in lease_names(folder) if (found := holder(folder, name)) is not None}


def lease_names(folder: Path) -> list[str]:
    """The names of all leases in ``folder``, living or not; none of their files is read."""
    return sorted({file.name.split(".")[0] for file in folder.glob(f"*{_ENDING}")})


def _holder(folder: Path, name: str, generation: int) -> Holder | None:
    file = _file(folder, name, generation)
    try:
        with file.open("rb") as opened:  # opening asks a network disk for the present time stamp
            touched = os.fstat(opened.fileno()).st_mtime
            told = _told(opened.read())
    except OSError:
        return None
    found = Holder(told.get("owner", ""), told.get("machine", "") or "another machine", 0.0)
    if touched <= 0:
        return None
    found = Holder(found.owner, found.machine, time_of_the_disk(folder) - touched)
    return found if found.living else None


def _owner(file: Path) -> str:
    try:
        return _told(file.read_bytes()).get("owner", "")
    except OSError:
        return ""


def _told(data: bytes) -> dict[str, str]:
    try:
        told = parse_json(data)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _newest(folder: Path, name: str) -> int:
    """The newest generation of a lease; -1 if there is none."""
    return max(_generations(folder, name), default=-1)


def _generations(folder: Path, name: str) -> list[int]:
    """The generations whose files are there. ``name`` holds no dot."""
    found = (file.name.split(".") for file in folder.glob(f"{name}.*{_ENDING}"))
    return [int(parts[1]) for parts in found if len(parts) == 3 and parts[1].isdecimal()]


def _file(folder: Path, name: str, generation: int) -> Path:
    return folder / f"{name}.{generation}{_ENDING}"
