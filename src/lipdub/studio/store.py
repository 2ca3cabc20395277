"""The store: folders of finished work, named by a digest of everything they were made from.

A folder is made under a temporary name and renamed when it is complete, so a killed run leaves no incomplete folder.
When a folder is used again, its files are compared with their digests; a damaged folder is made again.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from platformdirs import user_cache_path

from lipdub.disk.identity import content_digest
from lipdub.disk.lock_file import LockedFile, create_locked, exclusive, is_locked, remove_if_unlocked
from lipdub.disk.manifest import MANIFEST_NAME, find_damage, write_manifest
from lipdub.disk.os_errors import FILE_TOO_LARGE, cause_of, is_disk_full
from lipdub.errors import InputError, LipdubError, OutputError
from lipdub.studio.inputs import Inputs, unreadable
from lipdub.weights import Say, log

__all__ = ["Store", "content_digest", "default_root", "key"]

_RUN, _PARTIAL, _GONE, _LOCK = ".run-", ".partial-", ".gone-", ".lock"
_WEEK = 7 * 24 * 3600.0
_COARSE = 2.0
"""Seconds: how coarse the times of files are on some disks."""

_REMEDY = "Free some space, or point LIPDUB_CACHE to another disk"
_REMEDY_TEMPORARY = "Free some space there, or set TMPDIR to another folder"


def key(*parts: object) -> str:
    """A name for work that depends on ``parts``: what JSON can hold, dataclasses, mappings, sets, paths, fractions."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()[:32]


def _plain(value: object) -> object:
    """``value`` as something JSON can hold that is the same in every run."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    assert isinstance(value, Path | Fraction), f"{value!r} may look otherwise in another run"
    return str(value)


def default_root() -> Path:
    """``LIPDUB_CACHE`` or the system's cache folder, below ``work``."""
    given = os.environ.get("LIPDUB_CACHE")
    return (Path(given) if given else user_cache_path("lipdub", appauthor=False)) / "work"


@dataclass
class Store:
    """Folders of finished work below ``root``.

    If all together exceed ``limit`` bytes, the least recently used are removed, but never one that a running process
    uses; the size is checked when the first folder is made, and after each sixteenth of the limit that is added.
    Nothing is kept that was made from ``inputs`` that changed meanwhile. ``say`` takes a line about each damaged
    folder; the lines are in ``notes``, too. ``temporary``: ``root`` is removed with this run. Several threads and
    processes may use one store at once.
    """

    root: Path
    limit: int = 6 * 1024**3
    inputs: Inputs = field(default_factory=Inputs)
    say: Say = log
    temporary: bool = False
    notes: list[str] = field(default_factory=list, init=False)
    _added: int | None = field(default=None, init=False, repr=False)
    _run: LockedFile | None = field(default=None, init=False, repr=False)
    _intact: set[str] = field(default_factory=set, init=False, repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def folder(self, name: str, make: Callable[[Path], None], *, grows: bool = False) -> Path:
        """The finished folder ``name``. If it is not there or damaged, ``make(folder)`` fills it first.

        ``grows``: users of the folder may add files to it later. Raises ``OutputError`` if the disk refuses, and
        ``InputError`` if an input changed or cannot be read. If ``make`` fails, nothing is left.
        """
        done = self.root / name
        if not self._at_hand(done, grows):
            self._make(done, make, grows)
            self._swept_after(done)
        return done

    def close(self) -> None:
        """End the run: the folders that it used may be removed from now on."""
        with self._lock:
            if self._run is not None:
                _end(self._run)
            self._run = None

    def _at_hand(self, done: Path, grows: bool) -> bool:
        """True if ``done`` is there and intact, from then on safe from pruning; a damaged one is thrown away.

        Every byte is read when a run uses it first.
        """
        if done.name in self._intact and done.is_dir():
            return True
        with contextlib.suppress(OSError):  # a folder that cannot be written to may be read all the same
            self._begin()
        with exclusive(self.root / _LOCK):
            seen = _seen(done)
            if seen is None:
                return False
            _touch(done)
        wrong = find_damage(done, grows=grows)
        if not wrong:
            self._intact.add(done.name)
            return True
        self._tell(f"{done}: what was kept there is damaged and is made again ({wrong})")
        self._throw_away(done, seen)
        return False

    def _make(self, done: Path, make: Callable[[Path], None], grows: bool) -> None:
        with self._told(self.root):
            partial = self.root / f"{_PARTIAL}{self._begin()}-{next(self._numbers)}"
            partial.mkdir()
        try:
            with self._told(partial):
                make(partial)
                self.inputs.check_unchanged()
                write_manifest(partial)
                self._place(partial, done, grows)
        finally:
            _removed(partial)
        self._intact.add(done.name)

    def _place(self, partial: Path, done: Path, grows: bool) -> None:
        """Give finished work its name, unless another run was first and did it well."""
        while True:
            with exclusive(self.root / _LOCK):
                seen = _seen(done)
                if seen is None:
                    partial.rename(done)
                    return
                _touch(done)
            if not find_damage(done, grows=grows):
                return
            self._throw_away(done, seen)

    def _throw_away(self, done: Path, seen: object) -> None:
        """Remove what has the name ``done``, if it still is what was ``seen`` there. Raises ``OutputError``."""
        gone = self.root / f"{_GONE}{self._begin()}-{next(self._numbers)}"
        with self._told(done), exclusive(self.root / _LOCK):
            if _seen(done) != seen:
                return
            done.rename(gone)
        _removed(gone)

    def _begin(self) -> str:
        """The name of this run: that of a file which is held as long as it lives. Raises ``OSError``."""
        with self._lock:
            if self._run is None or not self._run.path.exists():
                self.root.mkdir(parents=True, exist_ok=True)
                if self._run is not None:
                    self._run.release()
                self._run = create_locked(self.root, _RUN)
                weakref.finalize(self, _end, self._run)
                self._intact.clear()
                _sweep(self.root)
            return self._run.path.name.removeprefix(_RUN)

    def _tell(self, line: str) -> None:
        self.say(line)
        self.notes.append(line)

    @contextmanager
    def _told(self, place: Path) -> Iterator[None]:
        """Errors of the system as what they mean: an input that cannot be read, or a disk that does not take it."""
        try:
            yield
        except OutputError as refused:
            if refused.file is None or not _below(str(refused.file), self.root):
                raise
            remedy = _REMEDY_TEMPORARY if self.temporary else _REMEDY
            remedy = FILE_TOO_LARGE.remedy if FILE_TOO_LARGE.what in refused.what else remedy
            what = f"working files cannot be kept there: {refused.what.removeprefix('cannot be written: ')}"
            raise OutputError(what, file=self.root, remedy=remedy) from refused
        except LipdubError:
            raise
        except OSError as refused:
            raise self._meaning(refused, place) from refused

    def _meaning(self, refused: OSError, place: Path) -> LipdubError:
        cause = cause_of(refused)
        name = str(refused.filename or "")
        given = self.inputs.named(name)
        if given is None and not name and not is_disk_full(refused) and type(refused).__module__.startswith("av."):
            given = self.inputs.first()
        if given is not None:
            return unreadable(given, refused)
        temporary = Path(tempfile.gettempdir())
        if name and not _below(name, self.root):
            if _below(name, temporary):
                what = f"temporary files cannot be kept there: {cause.what}"
                return OutputError(
                    what, file=temporary, remedy=cause.remedy if cause is FILE_TOO_LARGE else _REMEDY_TEMPORARY
                )
            return InputError(f"cannot be read: {cause.what}", file=name, remedy=cause.remedy)
        remedy = _REMEDY if is_disk_full(refused) or not cause.remedy else f"{cause.remedy}, or set LIPDUB_CACHE"
        if self.temporary:
            remedy = _REMEDY_TEMPORARY
        remedy = cause.remedy if cause is FILE_TOO_LARGE else remedy
        where = place if place.parent == self.root and not place.name.startswith(_PARTIAL) else self.root
        return OutputError(f"working files cannot be kept there: {cause.what}", file=where, remedy=remedy)

    def _swept_after(self, made: Path) -> None:
        """Prune now and then: a programme has thousands of lines, and each is a folder."""
        with self._lock:
            if self._added is not None:
                self._added += _size(made)
            if self._added is None or self._added > self.limit // 16:
                self._added = 0
                self._prune(keep=made)

    def _prune(self, keep: Path) -> None:
        """Remove the least recently used folders beyond the limit, but neither ``keep`` nor what was used since the
        oldest run began that still lives (since a week ago at most: some disks do not tell who lives)."""
        _sweep(self.root)
        size, safe = 0, max(_oldest_run(self.root), time.time() - _WEEK) - _COARSE
        for used, folder in sorted(_entries(self.root), reverse=True):
            size += _size(folder)
            if size > self.limit and folder != keep and used < safe:
                gone = self.root / f"{_GONE}{self._begin()}-{next(self._numbers)}"
                with contextlib.suppress(OSError):
                    with exclusive(self.root / _LOCK):
                        if folder.lstat().st_mtime >= safe:
                            continue
                        folder.rename(gone)
                    _removed(gone)


def _touch(done: Path) -> None:
    """Let ``done`` count as used now."""
    if not done.is_symlink():
        with contextlib.suppress(OSError):
            os.utime(done)


def _seen(done: Path) -> tuple[int, ...] | None:
    """What lies under a name now, or None if there is nothing: changes when it is made again."""
    try:
        state = os.lstat(done)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        listed = os.lstat(done / MANIFEST_NAME)
    except OSError:
        return (state.st_dev, state.st_ino)
    return (state.st_dev, state.st_ino, listed.st_ino, listed.st_size, listed.st_mtime_ns)


def _entries(root: Path) -> Iterator[tuple[float, Path]]:
    """When each entry below ``root`` was used last, and where it is; what another run removes meanwhile is left out."""
    for entry in list(os.scandir(root)):
        if not entry.name.startswith("."):
            with contextlib.suppress(OSError):
                yield entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)


def _oldest_run(root: Path) -> float:
    """When the oldest run began that still lives."""
    began = time.time()
    for entry in list(os.scandir(root)):
        if entry.name.startswith(_RUN) and is_locked(Path(entry.path)):
            with contextlib.suppress(OSError):
                began = min(began, entry.stat(follow_symlinks=False).st_mtime)
    return began


def _sweep(root: Path) -> None:
    """Remove what dead runs left: folders that carry their name, and the files that they held."""
    left = [entry.name for entry in os.scandir(root) if entry.name.startswith((_PARTIAL, _GONE))]
    for entry in list(os.scandir(root)):
        if entry.name.startswith(_RUN):
            remove_if_unlocked(Path(entry.path))
    living = {entry.name.removeprefix(_RUN) for entry in os.scandir(root) if entry.name.startswith(_RUN)}
    for name in left:
        if name.split("-")[1] not in living or _age(root / name) > _WEEK:
            _removed(root / name)
    for entry in list(os.scandir(root)):  # as earlier versions called them
        if ".partial-" in entry.name and not entry.name.startswith(".") and _age(Path(entry.path)) > _WEEK / 7:
            _removed(Path(entry.path))


def _age(path: Path) -> float:
    """Seconds since ``path`` was changed; 0 if it is gone."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _end(run: LockedFile) -> None:
    """Let go of a run's file, and remove it."""
    if run.descriptor >= 0:
        if os.name == "nt":
            run.release()
        with contextlib.suppress(OSError):
            run.path.unlink(missing_ok=True)
        run.release()


def _removed(path: Path) -> None:
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


def _below(name: str, folder: Path) -> bool:
    return Path(name).absolute().is_relative_to(folder.absolute())


def _size(folder: Path) -> int:
    """Bytes of all files in ``folder``; what somebody removes meanwhile counts nothing."""
    size = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                size += os.stat(os.path.join(where, name)).st_size
    return size
