"""Work done once: folders named by what they were made from.

A stage's key is the digest of everything its result depends on, its own version included. A folder appears under
its key only when complete (made beside, then renamed), so a killed run leaves nothing half-made behind.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from lipdub.errors import OutputError

_PARTIAL = ".partial"
_STALE = 24 * 3600.0


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(*parts: object) -> str:
    """A name for work that depends on ``parts`` (JSON-able values or anything with a stable ``repr``)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:32]


def default_root() -> Path:
    """``LIPDUB_CACHE`` or the system's cache folder, below ``work``."""
    given = os.environ.get("LIPDUB_CACHE")
    return (Path(given) if given else user_cache_path("lipdub", appauthor=False)) / "work"


@dataclass
class Store:
    """Folders of finished work below ``root``; the oldest go when all together exceed ``limit`` bytes (looked after
    when the first is made, and after each sixteenth of the limit that is added)."""

    root: Path
    limit: int = 6 * 1024**3
    _added: int | None = field(default=None, init=False, repr=False)

    def folder(self, name: str, make: Callable[[Path], None]) -> Path:
        """The finished folder ``name``; ``make(folder)`` fills it first if it is not there yet.

        Raises ``OutputError`` if the disk refuses. If ``make`` fails, nothing is left.
        """
        done = self.root / name
        if not done.is_dir():
            partial = self.root / f"{name}{_PARTIAL}-{os.getpid()}-{time.monotonic_ns()}"
            try:
                partial.mkdir(parents=True)
                make(partial)
                _renamed(partial, done)
            except OSError as refused:
                raise OutputError(
                    f"working files cannot be kept ({refused.strerror or refused})",
                    file=self.root,
                    remedy="Free some space, or point LIPDUB_CACHE to another disk",
                ) from refused
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            self._swept_after(done)
        os.utime(done)
        return done

    def _swept_after(self, made: Path) -> None:
        """Prune now and then: a programme has thousands of lines, and each is a folder."""
        if self._added is not None:
            self._added += _size(made)
        if self._added is None or self._added > self.limit // 16:
            self._prune(keep=made)
            self._added = 0

    def _prune(self, keep: Path) -> None:
        """Remove stale partial folders, then the least recently used ones beyond the limit (never ``keep``)."""
        now, folders = time.time(), []
        for folder in self.root.iterdir():
            try:
                used = folder.stat().st_mtime
            except FileNotFoundError:  # another run tidies up, too
                continue
            if _PARTIAL in folder.name:
                if now - used > _STALE:
                    shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir():
                folders.append((used, folder))
        size = 0
        for used, folder in sorted(folders, reverse=True):
            size += _size(folder)
            if size > self.limit and folder != keep and now - used > 3600:
                shutil.rmtree(folder, ignore_errors=True)


def _renamed(partial: Path, done: Path) -> None:
    """Give finished work its name, unless another run was first."""
    try:
        partial.rename(done)
    except OSError:
        if not done.is_dir():
            raise


def _size(folder: Path) -> int:
    """Bytes of all files in ``folder``; what somebody removes meanwhile counts nothing."""
    size = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                size += os.stat(os.path.join(where, name)).st_size
    return size
