"""Leases: the names that running processes use in a folder which they share, so that nobody removes them.

Each process has a file of its own in the folder. It lists the names, and is locked as long as the process lives: the
system frees a lease with its process, whatever the clock says. Some network disks have no locks, or show them on one
machine only. Therefore the file also says on which machine its process runs, and its time stamp is set every minute: a
lease of another machine that is not locked counts as living for an hour after that.
"""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lipdub.disk.lock_file import LockedFile, create_locked, lock_state, remove_if_unlocked

BEAT = 60.0
"""Seconds between two settings of a lease's time stamp."""

PATIENCE = 3600.0
"""Seconds after which a lease is free that is not seen locked and whose time stamp is not set any more."""


@dataclass(eq=False)
class Lease:
    """The lease of this process in one folder: a locked file. Threads may share it."""

    held: LockedFile
    names: set[str] = field(default_factory=set)
    _cut: bool = field(default=False, init=False, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def begin(cls, root: Path, prefix: str, names: Iterable[str] = ()) -> "Lease":
        """A new lease in ``root`` whose file name begins with ``prefix``; it holds ``names``. Raises ``OSError``."""
        lease = cls(create_locked(root, prefix))
        lease._append(f"{machine()}\n")
        lease.hold(names)
        threading.Thread(target=lease._beat, name="lipdub-lease", daemon=True).start()
        return lease

    @property
    def path(self) -> Path:
        """The file of the lease."""
        return self.held.path

    def hold(self, names: Iterable[str]) -> None:
        """Hold ``names`` until the lease ends. If the disk does not take them, everything in the folder is held."""
        with self._lock:
            new = [name for name in dict.fromkeys(names) if name not in self.names]
            if new:
                self._append("".join(f"{name}\n" for name in new))
                self.names.update(new)

    def end(self) -> None:
        """Free all names, and remove the file."""
        self._ended.set()
        with self._lock:
            if self.held.descriptor < 0:
                return
            if os.name == "nt":
                self.held.release()  # open files cannot be removed there
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            self.held.release()

    def _append(self, text: str) -> None:
        """Write ``text`` at the end of the file. If the disk does not take it, the file is cut so that it ends within a
        line, and stays so."""
        descriptor, data = self.held.descriptor, text.encode("utf-8", "surrogateescape")
        if descriptor < 0 or self._cut:
            return
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            self._cut = os.write(descriptor, data) < len(data)
        except OSError:
            self._cut = True
        if self._cut:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, max(0, end - 1))

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock, contextlib.suppress(OSError):
                if self.held.descriptor >= 0:
                    os.utime(self.path)


@dataclass(frozen=True, slots=True)
class Held:
    """What the living leases of a folder hold: ``names``, or ``everything`` if one of them cannot be read.

    ``leases`` are the names of their files.
    """

    names: frozenset[str]
    everything: bool
    leases: frozenset[str]

    def __contains__(self, name: str) -> bool:
        """True if ``name`` is held."""
        return self.everything or name in self.names


def held_in(root: Path, prefix: str) -> Held:
    """What the living leases in ``root`` hold whose file names begin with ``prefix``. Raises ``OSError``."""
    names: set[str] = set()
    everything, leases = False, []
    for file in _files(root, prefix):
        if not _living(file):
            continue
        leases.append(file.name)
        told = _read(file)
        if told is None:
            everything = everything or file.exists()
        else:
            names.update(told[1:])
    return Held(frozenset(names), everything, frozenset(leases))


def remove_dead_leases(root: Path, prefix: str) -> None:
    """Remove the files of leases whose processes are gone. Raises ``OSError``."""
    for file in _files(root, prefix):
        if not _living(file):
            if lock_state(file) is None or _machine_of(file) not in ("", machine()):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
            else:
                remove_if_unlocked(file)


@cache
def machine() -> str:
    """The machine on which locks of this process are seen: the name of this boot of its kernel, which containers share,
    or the name of the machine where there is none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return platform.node().replace("\n", " ") or "unknown"


def _living(file: Path) -> bool:
    locked = lock_state(file)
    if locked:
        return True
    if locked is False and _machine_of(file) in ("", machine()):
        return False
    try:
        return time_of_the_disk(file.parent) - file.stat().st_mtime < PATIENCE
    except OSError:
        return False


def _machine_of(file: Path) -> str:
    """Where the process of a lease runs; "" if the file does not tell."""
    told = _read(file)
    return told[0] if told else ""


def _read(file: Path) -> list[str] | None:
    """The lines of a lease; None if it cannot be read, or ends within a line."""
    try:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None
    return text.split("\n")[:-1] if text.endswith("\n") else None


def _files(root: Path, prefix: str) -> list[Path]:
    with os.scandir(root) as entries:
        return [Path(entry.path) for entry in entries if entry.name.startswith(prefix)]


def time_of_the_disk(root: Path) -> float:
    """The time by the clock that sets the time stamps in ``root``: that of a server may differ from ours."""
    with contextlib.suppress(OSError):
        (root / ".clock").touch()
        return (root / ".clock").stat().st_mtime
    return time.time()


@contextmanager
def leased(root: Path, prefix: str) -> Iterator[Lease]:
    """A lease that ends with the block. Raises ``OSError``."""
    lease = Lease.begin(root, prefix)
    try:
        yield lease
    finally:
        lease.end()
