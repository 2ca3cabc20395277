"""The store: folders of finished work, named by a digest of everything they were made from.

A folder is made under a temporary name and renamed when it is complete, so a killed run leaves no incomplete folder.
When a folder is used again, its files are compared with their digests; a damaged folder is made again. What a run uses
it holds by a lease (``disk/lease.py``) until it ends: nobody removes it before.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from platformdirs import user_cache_path

from lipdub.disk.identity import content_digest
from lipdub.disk.lease import Lease, remove_dead_leases
from lipdub.disk.lock_file import exclusive
from lipdub.disk.manifest import MANIFEST_NAME, find_damage, write_manifest
from lipdub.disk.os_errors import FILE_TOO_LARGE, cause_of, is_disk_full
from lipdub.errors import InputError, LipdubError, OutputError
from lipdub.studio.cache_size import USUAL, size_text
from lipdub.studio.inputs import Inputs, unreadable
from lipdub.studio.kept_work import GONE, LOCK, PARTIAL, RUN, Aside, make_room, remove, size_of, sweep
from lipdub.weights import Say, log

__all__ = ["Store", "content_digest", "default_root", "key"]

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

    If all together exceed ``limit`` bytes, the least recently used are removed, but never one that a living run holds;
    the size is checked when the first folder is made, and after each sixteenth of the limit that is added. A run holds
    every folder that it used, until ``close``. If living runs hold more than the limit, that is told once. Nothing is
    kept that was made from ``inputs`` that changed meanwhile. ``say`` takes a line about each damaged folder; the lines
    are in ``notes``, too. ``temporary``: ``root`` is removed with this run. Several threads and processes may use one
    store at once.
    """

    root: Path
    limit: int = USUAL
    inputs: Inputs = field(default_factory=Inputs)
    say: Say = log
    temporary: bool = False
    notes: list[str] = field(default_factory=list, init=False)
    _added: int | None = field(default=None, init=False, repr=False)
    _run: Aside | None = field(default=None, init=False, repr=False)
    _intact: set[str] = field(default_factory=set, init=False, repr=False)
    _told_size: bool = field(default=False, init=False, repr=False)
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

    @property
    def held(self) -> tuple[str, ...]:
        """The names of the folders that this run holds."""
        with self._lock:
            return () if self._run is None else tuple(sorted(self._run.lease.names))

    def hold(self, names: Iterable[str]) -> None:
        """Hold folders that another process of this run gave: they stay until both are closed. A disk that may not be
        written to is left as it is."""
        with contextlib.suppress(OSError):
            self._begin().lease.hold(names)

    def close(self) -> None:
        """End the run: the folders that it used may be removed from now on."""
        with self._lock:
            if self._run is not None:
                self._run.lease.end()
                with contextlib.suppress(OSError):
                    remove_dead_leases(self.root, RUN)  # those of workers that were killed
            self._run = None
            self._intact.clear()

    def _at_hand(self, done: Path, grows: bool) -> bool:
        """True if ``done`` is there and intact, from then on safe from pruning; a damaged one is thrown away.

        Every byte is read when a run uses it first.
        """
        with contextlib.suppress(OSError):  # a folder that cannot be written to may be read all the same
            self._begin()
        if done.name in self._intact and done.is_dir():
            return True
        with exclusive(self.root / LOCK):
            self.hold([done.name])
            seen = _seen(done)
            if seen is None:
                return False
            _touch(done)
        wrong = find_damage(done, grows=grows)
        if not wrong:
            self._intact.add(done.name)
            return True
        self.tell(f"{done}: what was kept there is damaged and is made again ({wrong})")
        self._throw_away(done, seen)
        return False

    def _make(self, done: Path, make: Callable[[Path], None], grows: bool) -> None:
        with self._told(self.root):
            partial = self._begin().path(PARTIAL)
            partial.mkdir()
        try:
            with self._told(partial):
                make(partial)
                self.inputs.check_unchanged()
                write_manifest(partial)
                self._place(partial, done, grows)
        finally:
            remove(partial)
        self._intact.add(done.name)

    def _place(self, partial: Path, done: Path, grows: bool) -> None:
        """Give finished work its name, unless another run was first and did it well."""
        while True:
            with exclusive(self.root / LOCK):
                self.hold([done.name])
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
        with self._told(done), exclusive(self.root / LOCK):
            gone = self._begin().path(GONE)
            if _seen(done) != seen:
                return
            done.rename(gone)
        remove(gone)

    def _begin(self) -> Aside:
        """The lease of this run, made anew if somebody removed its file. Raises ``OSError``."""
        with self._lock:
            if self._run is None or not self._run.lease.path.exists():
                self.root.mkdir(parents=True, exist_ok=True)
                before = () if self._run is None else sorted(self._run.lease.names)
                if self._run is not None:
                    self._run.lease.end()
                self._run = Aside(Lease.begin(self.root, RUN, before))
                weakref.finalize(self, self._run.lease.end)
                self._intact.clear()
                sweep(self.root)
            return self._run

    def tell(self, line: str) -> None:
        """Say ``line`` now, and in the report."""
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
        if name and not _below(name, self.root) and not _below(str(self.root), Path(name)):
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
        where = place if place.parent == self.root and not place.name.startswith(PARTIAL) else self.root
        return OutputError(f"working files cannot be kept there: {cause.what}", file=where, remedy=remedy)

    def _swept_after(self, made: Path) -> None:
        """Make room now and then: a programme has thousands of lines, and each is a folder."""
        added = size_of(made)
        with self._lock:
            first = self._added is None
            self._added = (self._added or 0) + added
            if not first and self._added <= self.limit // 16:
                return
            self._added = 0
        with contextlib.suppress(OSError):
            self._tell_size(make_room(self.root, self.limit, self._begin()))

    def _tell_size(self, size: int) -> None:
        """Tell once if what living runs hold is more than the limit."""
        if size > self.limit and not self._told_size and not self.temporary:
            self._told_size = True
            what = f"{self.root}: what is in use there takes {size_text(size)}, more than the limit of the cache"
            self.tell(f"{what}, {size_text(self.limit)} (lipdub cache limit sets another)")


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


def _below(name: str, folder: Path) -> bool:
    return Path(name).absolute().is_relative_to(folder.absolute())
