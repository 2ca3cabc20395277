"""Files held by a running process: an advisory lock tells others that who made them still runs.

The lock goes with the process, however it ends, in whichever container of this machine it ran: unlike a process number
in a name, which means something else in another container (flock(2); on Windows LockFile).
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
    """A file that this process made and holds. ``path`` may be opened and written by name."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let go of the file; it stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def create_locked(folder: Path, prefix: str, ending: str = "") -> LockedFile:
    """Make a file in ``folder`` whose name nobody can guess (``prefix``, 64 random bits, ``ending``) and hold it.

    It is created exclusively: a file or a link that is there already is never opened. Raises ``OSError``.
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
        held.release()  # ``remove_if_unlocked`` was here between the two steps


def is_locked(path: Path) -> bool:
    """True if a running process holds the file ``path``, or if that cannot be told; False if it is free or gone."""
    try:
        descriptor = os.open(path, _REOPEN)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return _try_lock(descriptor) is not True
    finally:
        os.close(descriptor)


def remove_if_unlocked(path: Path) -> bool:
    """Remove the file ``path`` unless a running process holds it or that cannot be told; True if it is gone then.

    It is locked while it is removed, so nobody can take hold of it in between. Where a disk knows no locks, files are
    removed that nobody wrote to for a day.
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
    """While the block runs, no other block of any process or thread that names the same ``path`` runs.

    The file is made if need be and stays. On a disk that knows no locks, where the file cannot be made, or where
    another block does not end within ``patience`` seconds (its process was suspended), the block runs all the same.
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


def _is_name_of(path: Path, descriptor: int) -> bool:
    """True if ``path`` still is the name of the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file: True, False if another holds it, None where this disk knows no locks."""
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
