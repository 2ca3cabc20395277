"""Files locked by a running process: an advisory lock tells other processes that the one that made the file still runs.

The system releases the lock when the process ends, however it ends, in whichever container of this machine it ran. A
process number in the file's name would not do: in another container it means another process (flock(2); LockFile on
Windows).
"""

import contextlib
import errno
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_REOPEN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FLAGS = os.O_CREAT | os.O_EXCL | _REOPEN
_DAY = 24 * 3600.0
_LOCKED_BYTE = 1 << 40
"""Where Windows locks a byte: far behind what is written, since its locks forbid writing."""


@dataclass(eq=False)
class LockedFile:
    """A file that this process created and keeps locked. It may be opened and written by its ``path``."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Unlock and close the file; it stays on the disk."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def create_locked(folder: Path, prefix: str, ending: str = "") -> LockedFile:
    """Create a file in ``folder`` with a name that cannot be guessed (``prefix``, 64 random bits, ``ending``), and lock
    it.

    An existing file or link is never opened (O_EXCL). Raises ``OSError``.
    """
    while True:
        path = folder / f"{prefix}{secrets.token_hex(8)}{ending}"
        try:
            descriptor = os.open(path, _FLAGS, 0o666)
        except FileExistsError:
            continue
        held = LockedFile(path, descriptor)
        if _try_lock(descriptor) is not False and _is_name_of(path, descriptor):
            return held
        held.release()  # another process removed the file before it was locked


def is_locked(path: Path) -> bool:
    """True if a running process has the file ``path`` locked, or if that cannot be found out; False if it is unlocked
    or not there."""
    return lock_state(path) is not False


def lock_state(path: Path) -> bool | None:
    """True if a running process has the file ``path`` locked, False if it is unlocked or not there, None if that cannot
    be found out: this disk has no locks, or the file may not be opened."""
    try:
        descriptor = os.open(path, _REOPEN)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        locked = _try_lock(descriptor)
        return None if locked is None else not locked
    finally:
        os.close(descriptor)


def remove_if_unlocked(path: Path) -> bool:
    """Remove the file ``path`` unless a running process has it locked or that cannot be found out; True if it is gone.

    It is locked while it is removed, so that no other process can take it in between. On disks without locks, files are
    removed that nobody has written to for a day.
    """
    try:
        descriptor = os.open(path, _REOPEN)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        locked = _try_lock(descriptor)
        if locked is False or (locked is None and time.time() - os.fstat(descriptor).st_mtime < _DAY):
            return False
        if os.name == "nt":
            os.close(descriptor)  # open files cannot be removed there
            descriptor = -1
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True


@contextmanager
def exclusive(path: Path, patience: float = 30.0) -> Iterator[None]:
    """Run the block while no other block with the same ``path`` runs, in any process or thread.

    The file at ``path`` is created if needed, and stays. The block runs without a lock if the disk knows no locks, if
    the file cannot be created, or if another block has not ended after ``patience`` seconds (its process may be
    suspended).
    """
    descriptor, until = -1, time.monotonic() + patience
    with contextlib.suppress(OSError):
        descriptor = os.open(path, _FLAGS & ~os.O_EXCL, 0o666)
    try:
        while descriptor >= 0 and time.monotonic() < until and _try_lock(descriptor) is False:
            time.sleep(0.001)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def held_alone(path: Path, patience: float = 30.0) -> Iterator[bool]:
    """As ``exclusive``, but tells the block whether it has the lock: False if another block has not ended after
    ``patience`` seconds. Without locks on the disk it is True. The file is gone afterwards.

    Raises ``OSError`` if the file cannot be created.
    """
    until, descriptor, locked = time.monotonic() + patience, -1, None
    try:
        while True:
            descriptor = os.open(path, _FLAGS & ~os.O_EXCL, 0o666)
            locked = _try_lock(descriptor)
            if locked is None or (locked and _is_name_of(path, descriptor)):
                break
            if locked is False and time.monotonic() > until:
                break
            os.close(descriptor)  # it is locked, or whoever had it removed it before it was locked here
            descriptor = -1
            time.sleep(0.001)
        yield locked is not False
    finally:
        if descriptor >= 0 and locked:
            with contextlib.suppress(OSError):  # Windows refuses to remove open files: it stays
                path.unlink(missing_ok=True)
        if descriptor >= 0:
            os.close(descriptor)


def _is_name_of(path: Path, descriptor: int) -> bool:
    """True if ``path`` still leads to the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file without waiting: True if it is locked now, False if another has it, None if this disk has no
    locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as refused:
        return False if refused.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK) else None
    return True
