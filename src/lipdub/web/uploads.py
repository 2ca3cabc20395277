"""Files that come in, in one piece or in parts, as tus 1.0 has it (https://tus.io/protocols/resumable-upload): an
upload that breaks off is gone on with where it is.

    .studio/uploads/<id>.part    the bytes that are here
    .studio/uploads/<id>.about   name and size; written first

A name from outside is never part of a path: files are called by random ids until a project takes them.
"""

import json
import os
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from lipdub.disk.json_text import parse_json
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OutputError
from lipdub.web.problems import Busy, NotThere, TooLarge, TooMany, WrongField

DAY = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{32}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)")
_ROOM = 256 * 2**20
"""Bytes that stay free on the disk."""


@dataclass(frozen=True)
class Upload:
    """A file that comes in: ``offset`` bytes of ``size`` are in ``file``. ``name`` is what its sender calls it, cleaned
    (see ``file_name``)."""

    id: str
    name: str
    size: int
    offset: int
    file: Path

    @property
    def complete(self) -> bool:
        """True if all of it is here."""
        return self.offset == self.size


@dataclass
class Uploads:
    """All uploads, in ``folder``. A file may have ``largest`` bytes, and ``most`` may be under way at a time."""

    folder: Path
    largest: int
    most: int = 50
    _busy: set[str] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def begin(self, name: str, size: int | None, room: int = 0) -> Upload:
        """A new upload. ``size`` None: not known yet, ``room`` bytes at most (see ``settle``). Raises ``TooLarge``,
        ``TooMany``, ``OutputError`` without room on the disk."""
        self.check_size(size or 0)
        with self._told():
            if sum(1 for _ in self.folder.glob("*.about")) >= self.most:
                self.remove_old()
                if sum(1 for _ in self.folder.glob("*.about")) >= self.most:
                    what = f"{self.most} files are being uploaded already"
                    raise TooMany(what, remedy="Finish or remove some: DELETE /v1/uploads/ID")
            if shutil.disk_usage(self.folder).free < (size or room) + _ROOM:
                raise OutputError("the disk has no room for it", remedy="Free some space")
            id = secrets.token_hex(16)
            (self.folder / f"{id}.part").open("xb").close()
            self._write(id, file_name(name), size)
        return self.upload(id)

    def settle(self, id: str) -> Upload:
        """An upload whose size was not known is complete as it is. Raises ``WrongField`` if it is empty."""
        found = self.upload(id)
        if not found.offset:
            raise WrongField(f"the file '{found.name}' is empty", "size")
        with self._told():
            self._write(id, found.name, found.offset)
        return self.upload(id)

    def _write(self, id: str, name: str, size: int | None) -> None:
        about, beside = self.folder / f"{id}.about", self.folder / f"{id}.new"
        beside.write_text(json.dumps({"name": name, "size": -1 if size is None else size}), "utf-8")
        os.replace(beside, about)

    def check_size(self, size: int) -> None:
        """Raise ``TooLarge`` for a file that is larger than is taken."""
        if size > self.largest:
            most = f"{self.largest / 2**30:.1f} GiB" if self.largest >= 2**30 else f"{self.largest} bytes"
            raise TooLarge(f"the file has {size} bytes; up to {most} are taken")

    def upload(self, id: str) -> Upload:
        """The upload with this ``id``. Raises ``NotThere``."""
        if not _ID.fullmatch(id):
            raise NotThere("there is no such upload")
        file = self.folder / f"{id}.part"
        try:
            about = parse_json((self.folder / f"{id}.about").read_bytes())
            return Upload(id, str(about["name"]), int(about["size"]), file.stat().st_size, file)
        except (OSError, ValueError, KeyError, TypeError):
            raise NotThere("there is no such upload", remedy="Uploads are kept for a day. Begin another one") from None

    def finished(self, id: str, field: str) -> Upload:
        """An upload that is complete. Raises ``WrongField`` about ``field``, which names it."""
        try:
            found = self.upload(id)
        except NotThere:
            raise WrongField(f"{field}: there is no such upload", field) from None
        if not found.complete:
            what = f"{field}: {found.offset} bytes of {found.size} are here"
            raise WrongField(what, field, remedy="Send the rest first: PATCH /v1/uploads/ID")
        return found

    @contextmanager
    def writing(self, id: str, *, flush: bool = True) -> Iterator[FileIO]:
        """The file of an upload, to write at its end, while nobody else does. What was written stays if the block
        raises. ``flush``: it is on the disk at the end. Raises ``NotThere``, and ``Busy`` if another request writes."""
        found = self.upload(id)
        with self._lock:
            if id in self._busy:
                raise Busy("another request sends this file", remedy="Wait until it has ended; then ask for the offset")
            self._busy.add(id)
        try:
            with self._told(), FileIO(found.file, "a") as file:
                yield file
                if flush:
                    os.fsync(file.fileno())
        finally:
            with self._lock:
                self._busy.discard(id)

    def remove(self, id: str) -> None:
        """Remove an upload. Raises ``NotThere`` and ``Busy``."""
        found = self.upload(id)
        if id in self._busy:
            raise Busy("another request sends this file")
        for file in (found.file.with_suffix(".about"), found.file):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    @contextmanager
    def named(self, id: str) -> Iterator[Path]:
        """The file of a complete upload under a name with its own suffix while the block runs: programs that read
        scripts tell the format by it. Raises ``OutputError``."""
        found = self.upload(id)
        path = self.folder / f"{id}-look{Path(found.name).suffix}"
        with self._told():
            path.unlink(missing_ok=True)
            try:
                os.link(found.file, path)
            except OSError:
                shutil.copyfile(found.file, path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def take(self, id: str, target: Path) -> None:
        """Move the file of a complete upload to ``target``, which must not exist. Raises ``OutputError``."""
        found = self.upload(id)
        with self._told():
            try:
                os.link(found.file, target)
            except FileExistsError:
                raise OutputError("exists already", file=target, remedy="Choose another name") from None
            except OSError:  # another disk, or one without hard links
                shutil.copyfile(found.file, target)
        self.remove(id)

    def remove_old(self, older: float = DAY) -> int:
        """Remove the uploads to which nothing was written for ``older`` seconds; returns how many."""
        count = 0
        for file in self.folder.iterdir():
            with suppress(OSError):
                if file.stem not in self._busy and time.time() - file.stat().st_mtime > older:
                    file.unlink(missing_ok=True)
                    count += file.suffix == ".part"
        return count

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as refused:
            cause = cause_of(refused)
            raise OutputError(f"the upload cannot be written: {cause.what}", remedy=cause.remedy) from refused


def write_all(file: FileIO, data: bytes) -> None:
    """Write all of ``data``. Raises ``OSError``."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def file_name(given: str) -> str:
    r"""``given`` as the name of a file that every system takes: the part after the last slash or backslash, without
    control characters and ``<>:"|?*``, dots and spaces at its ends, and at most 120 bytes long. "file" if nothing is
    left; a name that Windows reserves gets an underscore."""
    name = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode()).replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter not in '<>:"|?*' and unicodedata.category(letter)[0] != "C")
    name = name.strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,8}", suffix):
        stem, suffix = name, ""
    stem = _within(stem.strip(" ."), 120 - len(suffix) - 1) or "file"
    if _RESERVED.fullmatch(stem.partition(".")[0]):
        stem = f"_{stem}"
    return f"{stem}.{suffix}" if suffix else stem


def _within(text: str, most: int) -> str:
    """The beginning of ``text`` that takes at most ``most`` bytes in UTF-8."""
    return text.encode()[:most].decode("utf-8", "ignore").strip(" .")
