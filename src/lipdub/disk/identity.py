"""Whether a file is the one it was before: by what the system says of it, without reading it."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMESTAMP_RESOLUTION = 3.0
"""Seconds: a file written again sooner than this may keep its time stamp (2 s on FAT, a cache of 3 s on NFS)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the system says of a file: its device and number on it, ``size`` in bytes, and the times of its last
    change, in nanoseconds: ``modified`` of its content (programs can set it back), ``changed`` of anything about it."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """That of the file to which ``path`` leads. Raises ``OSError``."""
        state = path.stat()
        return cls(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)

    def same_content(self, other: "Identity") -> bool:
        """True if everything is alike but the time of a change that may concern the name or the permissions alone."""
        mine, others = ((one.device, one.inode, one.size, one.modified) for one in (self, other))
        return mine == others

    def settled(self) -> bool:
        """True if a file written from now on would get another time stamp than this one."""
        return abs(time.time() - self.modified / 1e9) >= TIMESTAMP_RESOLUTION


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamps(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """(name, size, time of the last change in nanoseconds) of every file of ``paths`` that is there, sorted."""
    told = []
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        told.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(sorted(told))


def command_file_stamps(words: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files that a command line runs: its program, and scripts and models among its
    other words."""
    program = shutil.which(words[0]) if words else None
    named = [Path(program)] if program else []
    named += [Path(word) for word in words[1:] if os.sep in word or "." in word]
    return file_stamps(path for path in named if path.is_file())
