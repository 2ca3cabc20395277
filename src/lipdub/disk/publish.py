"""Outputs appear under their names together, complete, when all are written, or not at all. Existing files are replaced
only if that is allowed.

Each file is written in its target's folder under a random name that is created exclusively. It is then published by a
hard link, which fails if another program took the name meanwhile (link(2)), or, where overwriting is allowed, by
renaming (rename(2)).
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from lipdub.disk.lock_file import LockedFile, create_locked, remove_if_unlocked
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OutputError

_PREFIX, _ENDING = ".lipdub-", ".part"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""Errors with which disks without hard links refuse one."""


def check_output_path(target: Path, inputs: Iterable[Path] = (), *, overwrite: bool = False) -> None:
    """Raise ``OutputError`` now if publishing ``target`` would fail later.

    That is so if it is one of the ``inputs`` (by whatever name or link), a folder, an existing file that may not be
    overwritten, or if its folder is missing or may not be written to.
    """
    if any(same_file(target, source) for source in inputs):
        raise OutputError("is one of the inputs", file=target, remedy="Choose another name for the output")
    try:
        if target.is_dir():
            raise OutputError("is a folder", file=target, remedy="Name a file in it")
        if os.path.lexists(target):
            if not overwrite:
                raise OutputError("exists already", file=target, remedy="Choose another name, or add --overwrite")
            if target.exists() and not target.is_file():
                raise OutputError("is not a regular file", file=target, remedy="Choose another name")
        folder = target.absolute().parent
        if not folder.is_dir():
            raise OutputError("its folder does not exist", file=target, remedy="Make it first")
        longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
        if len(os.fsencode(target.name)) > longest:
            raise OutputError("the name is too long for this disk", file=target, remedy="Choose a shorter name")
        if not os.access(folder, os.W_OK):
            raise OutputError("its folder may not be written to", file=target, remedy="Choose another folder")
    except (OSError, ValueError) as refused:
        raise _output_error(target, refused) from refused


def same_file(one: Path, other: Path) -> bool:
    """True if both paths lead to the same file; False if one of them does not exist."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


@dataclass(eq=False)
class PendingFile:
    """A file that is being written at ``path`` and will be published as ``target``."""

    target: Path
    held: LockedFile

    @property
    def path(self) -> Path:
        """Where it is written: a new, empty file in the folder of ``target``."""
        return self.held.path

    def write_bytes(self, data: bytes) -> None:
        """Write ``data``. Raises ``OutputError``."""
        try:
            self.path.write_bytes(data)
        except OSError as refused:
            raise _output_error(self.target, refused) from refused

    def write_text(self, text: str) -> None:
        """Write ``text`` as UTF-8; what UTF-8 cannot hold is written as an escape. Raises ``OutputError``."""
        try:
            with self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
        except OSError as refused:
            raise _output_error(self.target, refused) from refused


@dataclass(eq=False)
class Outputs:
    """Files that appear together when ``publish`` is called. What is not published is removed when the block ends.

    ``overwrite``: existing files may be replaced; they stay until all new ones are complete.
    """

    overwrite: bool = False
    _parts: list[PendingFile] = field(default_factory=list)

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.discard()

    def part(self, target: Path) -> PendingFile:
        """A new, empty file to write to, which will be published as ``target``. Raises ``OutputError`` if ``target``
        cannot be written."""
        check_output_path(target, overwrite=self.overwrite)
        folder = target.absolute().parent
        remove_leftovers(folder)
        try:
            part = PendingFile(target, create_locked(folder, _PREFIX, _ENDING))
        except OSError as refused:
            raise _output_error(target, refused) from refused
        self._parts.append(part)
        return part

    def pending(self, path: Path) -> PendingFile | None:
        """The file that is being written at ``path``; None if it is not one of these."""
        return next((part for part in self._parts if part.path == path), None)

    def rewrite(self, path: Path, write: Callable[[Path], None]) -> Path:
        """Replace the file that is being written at ``path`` by the one that ``write(new)`` writes at the path ``new``.

        Returns where it is from now on. If ``write`` raises, everything stays. Raises ``OutputError`` if the disk
        refuses.
        """
        part = self.pending(path)
        assert part is not None, "it is one of the pending files"
        try:
            held = create_locked(part.target.absolute().parent, _PREFIX, _ENDING)
        except OSError as refused:
            raise _output_error(part.target, refused) from refused
        try:
            write(held.path)
        except BaseException as failed:
            held.release()
            _remove(held.path)
            if isinstance(failed, OSError):
                raise _output_error(part.target, failed) from failed
            raise
        part.held.release()
        _remove(part.path)
        part.held = held
        return held.path

    def publish(self) -> None:
        """Give every file its name; the one that was begun first gets its name last.

        Raises ``OutputError`` if another program took one of the names or the disk refuses. Then no file is published,
        and former files are in their places.
        """
        for part in self._parts:
            _flush(part)
        with contextlib.ExitStack() as undo:
            kept = [_publish_one(part, self.overwrite, undo) for part in reversed(self._parts)]
            undo.pop_all()
        for old in filter(None, kept):
            _remove(old)
        for folder in {part.target.absolute().parent for part in self._parts}:
            flush_folder(folder)
        self.discard()

    def discard(self) -> None:
        """Remove all files that are not published."""
        for part in self._parts:
            part.held.release()
            _remove(part.path)
        self._parts.clear()


@contextmanager
def atomic_output(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A path to write one file at; it becomes ``target`` when the block ends without an error.

    Raises ``OutputError`` as ``Outputs`` does; an ``OSError`` of the block becomes one, too.
    """
    with Outputs(overwrite) as outputs:
        part = outputs.part(target)
        try:
            yield part.path
        except OSError as refused:
            raise _output_error(target, refused) from refused
        outputs.publish()


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    r"""Write ``text`` (UTF-8, newline endings) as ``path``. Readers see the old file or the new one, never a part of
    it.

    Halves of surrogate pairs, which stand for the bytes of a name that is not UTF-8, are written as ``\udcff``: in JSON
    they come back as they were. Raises ``OutputError`` if the disk refuses; then nothing is left behind.
    """
    with Outputs(overwrite) as outputs:
        outputs.part(path).write_text(text)
        outputs.publish()


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished files of killed runs from ``folder``; those of running processes stay."""
    try:
        left = [entry for entry in os.scandir(folder) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for entry in left:
        with contextlib.suppress(OSError):
            if entry.name.endswith(_ENDING) and entry.is_file(follow_symlinks=False):
                remove_if_unlocked(Path(entry.path))


def _flush(part: PendingFile) -> None:
    """Wait until the file's content is on the disk, so that a power cut after publishing leaves no empty file."""
    try:
        os.fsync(part.held.descriptor)
    except OSError as refused:
        if refused.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise _output_error(part.target, refused) from refused


def flush_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk, where that can be asked for."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _publish_one(part: PendingFile, overwrite: bool, undo: contextlib.ExitStack) -> Path | None:
    """Give one file its name. Returns where the file that it replaced is kept, or None. ``undo`` gets the way back."""
    if os.name == "nt":
        part.held.release()  # open files cannot be renamed there
    try:
        if overwrite and os.path.lexists(part.target):
            return _replace(part, undo)
        _publish_new(part)
        undo.callback(_remove, part.target)
    except FileExistsError as taken:
        raise OutputError(
            "was made by another program meanwhile", file=part.target, remedy="Choose another name, or add --overwrite"
        ) from taken
    except OSError as refused:
        raise _output_error(part.target, refused) from refused
    return None


def _publish_new(part: PendingFile) -> None:
    """Name a file only if nothing has that name. Raises ``FileExistsError``."""
    if os.name == "nt":
        os.rename(part.path, part.target)  # refuses to replace there
        return
    try:
        os.link(part.path, part.target)
    except OSError as refused:
        if refused.errno not in _NO_LINKS:
            raise
        os.close(os.open(part.target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        os.replace(part.path, part.target)


def _replace(part: PendingFile, undo: contextlib.ExitStack) -> Path:
    """Replace the target by a pending file. Returns the name under which the former file is kept."""
    kept = create_locked(part.target.absolute().parent, _PREFIX, _ENDING)
    kept.release()
    try:
        kept.path.unlink()
        os.link(part.target, kept.path, follow_symlinks=False)
    except (OSError, NotImplementedError):
        os.replace(part.target, kept.path)
    undo.callback(_remove, kept.path)  # renaming a hard link onto its own file changes nothing (rename(2))
    undo.callback(os.replace, kept.path, part.target)
    os.replace(part.path, part.target)
    return kept.path


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _output_error(target: Path, refused: Exception) -> OutputError:
    cause = cause_of(refused)
    return OutputError(f"cannot be written: {cause.what}", file=target, remedy=cause.remedy)
