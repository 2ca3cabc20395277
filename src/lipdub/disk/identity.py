"""Whether a file is the one it was before, by its metadata: the file is not read."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMESTAMP_RESOLUTION = 3.0
"""Seconds. A file that is written again sooner may keep its time stamp (2 s on FAT, 3 s of cache on NFS)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A file's metadata: device and inode, ``size`` in bytes, and in nanoseconds the time of the last change of its
    content (``modified``; programs can set it back) and of anything about it (``changed``)."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """The identity of the file that ``path`` leads to. Raises ``OSError``."""
        state = path.stat()
        return cls(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)

    def same_content(self, other: "Identity") -> bool:
        """True if all fields are equal except ``changed``, which also changes with the name or the permissions."""
        mine, others = ((one.device, one.inode, one.size, one.modified) for one in (self, other))
        return mine == others

    def settled(self) -> bool:
        """True if a file that is written from now on would get another time stamp."""
        return abs(time.time() - self.modified / 1e9) >= TIMESTAMP_RESOLUTION


def content_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamps(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """(name, size in bytes, time of last change in nanoseconds) of every file of ``paths`` that exists, sorted."""
    stamps = []
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        stamps.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(sorted(stamps))


def command_file_stamps(words: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """``file_stamps`` of the files that a command line names: its program, and scripts and models among its
    arguments."""
    program = shutil.which(words[0]) if words else None
    named = [Path(program)] if program else []
    named += [Path(word) for word in words[1:] if os.sep in word or "." in word]
    return file_stamps(path for path in named if path.is_file())
