"""The input files of a run: their digests and identities at its start, so that a change during the run is noticed."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.disk.identity import Identity, content_digest
from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError

_REMEDY = "Wait until nothing writes to it any more, and run it again"


@dataclass(slots=True)
class _Known:
    """A file as it was at the start; ``settled``: every later change shows in its ``identity``."""

    identity: Identity
    digest: str = ""
    settled: bool = False


@dataclass(eq=False)
class Inputs:
    """The files that a run reads. Threads may share it."""

    _known: dict[Path, _Known] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def watch(self, paths: Iterable[Path | str | None]) -> None:
        """Record the identity of the files before they are read. Paths that are not files are skipped."""
        with self._lock:
            for path in (Path(given) for given in paths if given is not None):
                if path not in self._known and path.is_file():
                    self._known[path] = _Known(_identity(path))

    def begin(self) -> None:
        """Compute the digests of all recorded files. Raises ``InputError`` as ``digest`` does."""
        for path in tuple(self._known):
            self.digest(path)

    def digest(self, path: Path) -> str:
        """SHA-256 of the file's bytes, in hex. The file is read once, and recorded from then on.

        Raises ``InputError`` if it cannot be read, or was changed since ``watch``.
        """
        with self._lock:
            known = self._known.get(path)
            if known is None:
                known = self._known[path] = _Known(_identity(path))
            if not known.digest:
                digest, now = _digest(path), _identity(path)
                if not now.same_content(known.identity):
                    raise _changed(path)
                known.digest, known.identity, known.settled = digest, now, now.settled()
            return known.digest

    def check_unchanged(self) -> None:
        """Raises ``InputError``, naming the file, if one is not as it was: called before anything that was made from
        them is kept or published. A file whose times tell nothing is read again, once."""
        with self._lock:
            for path, known in self._known.items():
                _check(path, known)

    def named(self, name: str) -> Path | None:
        """The input that a system's error calls ``name``, or None."""
        with self._lock:
            return next((path for path in self._known if name in (str(path), str(path.absolute()))), None)

    def first(self) -> Path | None:
        """The input that was watched first: the clip, where there is one."""
        with self._lock:
            return next(iter(self._known), None)


def _check(path: Path, known: _Known) -> None:
    now = _identity(path)
    if now == known.identity and (known.settled or not known.digest):
        return
    if not known.digest:
        if not now.same_content(known.identity):
            raise _changed(path)
        return
    if _digest(path) != known.digest:
        raise _changed(path)
    after = _identity(path)
    if not after.same_content(now):
        raise _changed(path)
    known.identity, known.settled = after, after.settled()


def _identity(path: Path) -> Identity:
    try:
        return Identity.of(path)
    except OSError as refused:
        raise unreadable(path, refused) from refused


def _digest(path: Path) -> str:
    try:
        return content_digest(path)
    except OSError as refused:
        raise unreadable(path, refused) from refused


def unreadable(path: Path, refused: BaseException) -> InputError:
    """What to say of an input that the system does not let us read."""
    cause = cause_of(refused)
    return InputError(f"cannot be read: {cause.what}", file=path, remedy=cause.remedy)


def _changed(path: Path) -> InputError:
    return InputError("was changed while it was being read", file=path, remedy=_REMEDY)
