"""What lies in the folder of kept work: how large it is, which runs use it, and how it is removed.

Every entry is a folder of finished work. Besides there are leases (``.run-``), folders that are being made
(``.partial-``) or removed (``.gone-``), which carry the name of the lease of their run, and a lock.
"""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.disk.lease import Held, Lease, held_in, leased, remove_dead_leases
from lipdub.disk.lock_file import exclusive

RUN, PARTIAL, GONE, LOCK = ".run-", ".partial-", ".gone-", ".lock"

KINDS = {
    "faces": "faces and studies of mouths",
    "features": "speech features",
    "words": "recognised words",
    "spoken": "spoken lines",
    "heard": "lines to listen to",
    "adapted": "translations",
    "effects": "music and effects",
    "bed": "sound without its speech",
    "frames": "tables of frames",
    "peaks": "waveforms",
    "view": "what browsers play",
    "proxy": "copies of films for browsers",
    "take": "speech of takes for browsers",
    "object": "copies of another machine's files",
}
"""What the names of entries begin with -> what they hold."""

_TOGETHER = 64
"""How many entries are taken out of the folder under one lock."""


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry: its ``size`` in bytes, when it was ``used`` last (seconds since 1970), and whether a living run holds
    it (``in_use``)."""

    path: Path
    size: int
    used: float
    in_use: bool

    @property
    def kind(self) -> str:
        """What it holds, in words."""
        return KINDS.get(self.path.name.partition("-")[0], "other work")


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many entries were removed, their size in bytes, and the entries that stay because they are in use."""

    removed: int
    size: int
    in_use: tuple[KeptEntry, ...]


@dataclass(eq=False)
class Aside:
    """Names for what a run is about to make or to remove: the name of its lease and a number are in them."""

    lease: Lease
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def path(self, prefix: str) -> Path:
        """A new path, with ``PARTIAL`` or ``GONE``."""
        file = self.lease.path
        return file.parent / f"{prefix}{file.name.removeprefix(RUN)}-{next(self.numbers)}"


def kept(root: Path) -> tuple[KeptEntry, ...]:
    """All entries below ``root``, the one that was used last first; none if the folder is not there.

    Raises ``OSError``.
    """
    if not root.is_dir():
        return ()
    held = held_in(root, RUN)
    found = [KeptEntry(path, size_of(path), used, path.name in held) for used, path in _entries(root)]
    return tuple(sorted(found, key=lambda entry: (entry.used, entry.path), reverse=True))


def make_room(root: Path, limit: int, aside: Aside) -> int:
    """Remove the least recently used entries that no run holds until all together have at most ``limit`` bytes.

    Returns the bytes that stay, with what living runs are making. Raises ``OSError``.
    """
    sweep(root)
    entries = kept(root)
    size = sum(size_of(Path(entry.path)) for entry in os.scandir(root) if entry.name.startswith(PARTIAL))
    size += sum(entry.size for entry in entries if entry.in_use)
    surplus = []
    for entry in entries:
        if not entry.in_use:
            if size + entry.size > limit:
                surplus.append(entry)
            else:
                size += entry.size
    removed = {entry.path for entry in remove_unused(root, surplus, aside)}
    return size + sum(entry.size for entry in surplus if entry.path not in removed)


def clear(root: Path, used_before: float) -> Cleared:
    """Remove all entries that were used before ``used_before`` (seconds since 1970) and that no living run holds.

    Raises ``OSError``.
    """
    if not root.is_dir():
        return Cleared(0, 0, ())
    with leased(root, RUN) as lease:
        sweep(root)
        old = [entry for entry in kept(root) if entry.used < used_before]
        removed = remove_unused(root, [entry for entry in old if not entry.in_use], Aside(lease))
    gone = {entry.path for entry in removed}
    stay = tuple(entry for entry in old if entry.path not in gone)
    return Cleared(len(removed), sum(entry.size for entry in removed), stay)


def remove_unused(root: Path, entries: Sequence[KeptEntry], aside: Aside) -> list[KeptEntry]:
    """Remove ``entries``, but not what a run holds now or used since they were seen. Returns those that are gone."""
    removed = []
    for first in range(0, len(entries), _TOGETHER):
        taken = []
        with contextlib.suppress(OSError), exclusive(root / LOCK):
            held = held_in(root, RUN)
            for entry in entries[first : first + _TOGETHER]:
                gone = aside.path(GONE)
                if _renamed(entry, held, gone):
                    taken.append(gone)
                    removed.append(entry)
        for gone in taken:
            remove(gone)
    return removed


def _renamed(entry: KeptEntry, held: Held, gone: Path) -> bool:
    """True if ``entry`` was not used meanwhile and got the name ``gone``."""
    try:
        if entry.path.name in held or entry.path.lstat().st_mtime > entry.used:
            return False
        entry.path.rename(gone)
    except OSError:
        return False
    return True


def sweep(root: Path) -> None:
    """Remove what dead runs left: the files of their leases, and the folders that carry their names."""
    left = [entry.name for entry in _scanned(root) if entry.name.startswith((PARTIAL, GONE))]
    remove_dead_leases(root, RUN)
    living = {name.removeprefix(RUN) for name in (entry.name for entry in _scanned(root)) if name.startswith(RUN)}
    for name in left:
        if name.split("-")[1] not in living:
            remove(root / name)


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, or whatever else has its name, even where nobody may write."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return
    for _ in range(2):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o700)


def size_of(folder: Path) -> int:
    """Bytes of all files in ``folder``; what somebody removes meanwhile counts nothing."""
    size = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(where, name)).st_size
    return size


def _entries(root: Path) -> Iterator[tuple[float, Path]]:
    """When each entry below ``root`` was used last, and where it is; what another run removes meanwhile is left out."""
    for entry in _scanned(root):
        if not entry.name.startswith("."):
            with contextlib.suppress(OSError):
                yield entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)


def _scanned(root: Path) -> Iterable["os.DirEntry[str]"]:
    with os.scandir(root) as entries:
        return list(entries)
