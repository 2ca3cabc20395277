"""Temporary folders that are removed when their block ends or, if the run was killed, when a later run begins."""

import atexit
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lipdub.disk.lease import machine
from lipdub.disk.lock_file import LockedFile, create_locked, remove_if_unlocked
from lipdub.disk.os_errors import FILE_TOO_LARGE, cause_of, is_disk_full
from lipdub.errors import OutputError

_PREFIX, _LOCK_PREFIX = "lipdub-", ".held-"
_TRIES, _PAUSE = 20, 0.05
"""How often a folder is removed while something is still written to it, and the seconds between two tries."""

_OWN_FOLDERS: set[Path] = set()
"""The temporary folders of this process."""

_GRACE = 2.0
"""Seconds for which a new folder is not removed: its process may not have locked it yet."""


@contextmanager
def temporary_folder(purpose: str = "work") -> Iterator[Path]:
    """A new folder in the system's temporary folder, readable by this user only. It is removed when the block ends.

    ``purpose`` becomes part of its name. Folders of killed runs are removed first. Raises ``OutputError`` without room
    or permission; errors of the block that concern the folder become one that names TMPDIR.
    """
    root = Path(tempfile.gettempdir())
    remove_abandoned_temporary_folders(root)
    try:
        folder, sign = _create(root, f"{_PREFIX}{purpose}-")
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(
            f"no temporary folder can be made there: {cause.what}",
            file=root,
            remedy="Free some space there, or set TMPDIR to another folder",
        ) from refused
    try:
        yield folder
    except OutputError as refused:
        if refused.file is None or not Path(refused.file).is_relative_to(folder):
            raise
        raise _disk_full_error(root, refused.what) from refused
    except OSError as refused:
        named = refused.filename
        if not Path(str(named)).is_relative_to(folder) if named else not is_disk_full(refused):
            raise
        raise _disk_full_error(root, cause_of(refused).what) from refused
    finally:
        sign.release()
        _remove(folder)


@contextmanager
def temporary_folder_in(root: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``root`` whose name begins with ``prefix``. It is removed when the block ends. Folders of killed
    runs are removed first. Raises ``OSError``."""
    remove_abandoned_folders(root, prefix, _LOCK_PREFIX)
    folder, sign = _create(root, prefix)
    try:
        yield folder
    finally:
        sign.release()
        _remove(folder)


@contextmanager
def shared_folder(root: Path) -> Iterator[Path]:
    """A new folder in ``root``, which other machines see too; it is removed when the block ends. Folders that killed
    runs of this machine left there are removed first; locks of other machines may not be seen here. Raises
    ``OutputError``."""
    prefix = f"{_PREFIX}{hashlib.sha256(machine().encode()).hexdigest()[:8]}-"
    try:
        root.mkdir(parents=True, exist_ok=True)
        remove_abandoned_folders(root, prefix, _LOCK_PREFIX)
        folder, sign = _create(root, prefix)
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"no folder can be made there: {cause.what}", file=root, remedy=cause.remedy) from refused
    try:
        yield folder
    finally:
        sign.release()
        _remove(folder)


def _create(root: Path, prefix: str) -> tuple[Path, LockedFile]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    _OWN_FOLDERS.add(folder)
    return folder, create_locked(folder, _LOCK_PREFIX)


def _remove(folder: Path) -> None:
    """Remove a folder of this process, also while a thread that is about to end still writes to it."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(_PAUSE)
    _OWN_FOLDERS.discard(folder)


@atexit.register
def _remove_all() -> None:
    """Remove the remaining folders when the process ends inside a block."""
    for folder in tuple(_OWN_FOLDERS):
        _remove(folder)


def _disk_full_error(root: Path, what: str) -> OutputError:
    reason = what.rpartition("cannot be kept there: ")[2].removeprefix("cannot be written: ")
    return OutputError(
        f"temporary files cannot be kept there: {reason}",
        file=root,
        remedy=FILE_TOO_LARGE.remedy
        if reason == FILE_TOO_LARGE.what
        else "Free some space there, or set TMPDIR to another folder",
    )


def remove_abandoned_temporary_folders(root: Path) -> None:
    """Remove this user's temporary folders below ``root`` that belong to no running process."""
    remove_abandoned_folders(root, _PREFIX, _LOCK_PREFIX)


def remove_abandoned_folders(root: Path, prefix: str, sign: str) -> None:
    """Remove this user's folders below ``root`` whose names begin with ``prefix`` and that belong to no running
    process: their lock files, whose names begin with ``sign``, are unlocked. Folders without a lock file stay."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(root)):
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(entry, sign)


def _remove_if_abandoned(entry: "os.DirEntry[str]", sign: str) -> None:
    state = entry.stat(follow_symlinks=False)
    mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
    if not mine or time.time() - state.st_mtime < _GRACE:
        return
    signs = [Path(entry.path, name) for name in os.listdir(entry.path) if name.startswith(sign)]
    if signs and all(remove_if_unlocked(one) for one in signs):
        shutil.rmtree(entry.path, ignore_errors=True)
