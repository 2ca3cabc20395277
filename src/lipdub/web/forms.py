"""Forms with files (multipart/form-data, RFC 7578), as ``curl -F`` and browsers send them.

Files go straight to where uploads are kept, in pieces of a megabyte: nothing is held in memory or copied.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from lipdub.web.problems import BadRequest, TooLarge, WrongField
from lipdub.web.uploads import Upload, Uploads, write_all

_PIECE = 2**20
_MOST_PARTS, _LONGEST_VALUE, _LONGEST_HEADER = 32, 64 * 2**10, 8 * 2**10


@dataclass
class Form:
    """What a form holds: ``values`` of its fields, and the uploads that its ``files`` became, by the field's name."""

    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)


async def read_form(request: Request, uploads: Uploads, file_fields: Collection[str], fields: Collection[str]) -> Form:
    """The form that a request sends. Files are taken in ``file_fields``; there and in ``fields`` texts are.

    Raises ``BadRequest``, ``WrongField`` for a field that is not known or comes twice, ``TooLarge``, and what
    ``Uploads`` raises. Then no upload is left.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise BadRequest("the form has no boundary")
    reader = _Reader(uploads, file_fields, fields, int(request.headers.get("content-length") or 0))
    parser = MultipartParser(boundary, reader.callbacks())
    try:
        async for chunk in request.stream():
            if chunk:
                parser.write(chunk)
                await reader.work()
        parser.finalize()
        await reader.work(last=True)
        if not reader.ended:
            raise BadRequest("the form is cut off")
    except FormParserError as wrong:
        await run_in_threadpool(reader.discard)
        raise BadRequest("this is not a form that can be read") from wrong
    except BaseException:
        reader.discard()
        raise
    return reader.form


@dataclass
class _Part:
    """One part of a form, as far as it came. ``begun`` is its file's upload."""

    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    file: str | None = None
    data: bytearray = field(default_factory=bytearray)
    begun: Upload | None = None


@dataclass
class _Reader:
    """Collects what the parser finds; ``work`` does what takes time."""

    uploads: Uploads
    file_fields: Collection[str]
    fields: Collection[str]
    room: int
    form: Form = field(default_factory=Form)
    ended: bool = False
    _part: _Part = field(default_factory=_Part)
    _done: list[_Part] = field(default_factory=list)
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _parts: int = 0

    def callbacks(self) -> Any:
        """The functions that the parser calls."""
        return {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
            "on_header_field": self._header_name, "on_header_value": self._header_value,
            "on_header_end": self._header_end, "on_headers_finished": self._headers_finished, "on_end": self._finished,
        }  # fmt: skip

    async def work(self, last: bool = False) -> None:
        """Write what came of files, and note the values of fields that are complete."""
        for part in self._done:
            await self._settle(part)
        self._done.clear()
        part = self._part
        if part.file is not None and (len(part.data) >= _PIECE or last):
            await run_in_threadpool(self._write, part)

    async def _settle(self, part: _Part) -> None:
        if part.file is None:
            try:
                self.form.values[part.name] = part.data.decode("utf-8")
            except UnicodeDecodeError:
                raise WrongField(f"{part.name}: this is not UTF-8", part.name) from None
            return
        await run_in_threadpool(self._write, part)
        assert part.begun is not None, "it was written"
        self.form.files[part.name] = await run_in_threadpool(self.uploads.settle, part.begun.id)

    def _write(self, part: _Part) -> None:
        if part.begun is None:
            assert part.file is not None, "it is a file"
            part.begun = self.uploads.begin(part.file, None, self.room)
            self.form.files[part.name] = part.begun
        found = self.uploads.upload(part.begun.id)
        self.uploads.check_size(found.offset + len(part.data))
        with self.uploads.writing(found.id, flush=False) as file:
            write_all(file, bytes(part.data))
        part.data.clear()

    def discard(self) -> None:
        """Remove the uploads that were begun."""
        for upload in self.form.files.values():
            self.uploads.remove(upload.id)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise TooLarge("the form has too many fields")
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._name) + len(self._value) > _LONGEST_HEADER or len(self._part.headers) > 16:
            raise TooLarge("the headers of a field are too long")

    def _header_end(self) -> None:
        self._part.headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._part.headers.get("content-disposition", ""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not name:
            raise BadRequest("a part of the form has no name")
        file = options.get(b"filename")
        if name not in (self.file_fields if file is not None else (*self.fields, *self.file_fields)):
            raise WrongField(f"there is no field '{name[:60]}' here", name[:60])
        if name in self.form.values or name in self.form.files or name in (part.name for part in self._done):
            raise WrongField(f"{name}: it is given twice", name)
        self._part.name = name
        self._part.file = None if file is None else file.decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._part.data += data[start:end]
        if self._part.file is None and len(self._part.data) > _LONGEST_VALUE:
            raise TooLarge(f"the field '{self._part.name}' is too long")

    def _end(self) -> None:
        self._done.append(self._part)
        self._part = _Part()

    def _finished(self) -> None:
        self.ended = True
