"""Messages of Protocol Buffers (wire format of version 3), field by field, for files in ONNX."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_SIZES = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its ``number``, its ``value`` (a whole number of 64 bits without a sign, or bytes: text,
    an inner message, a float), all its bytes in the message, ``whole``, and the ``place`` where they begin."""

    number: int
    value: int | memoryview
    whole: memoryview
    place: int

    @property
    def text(self) -> str:
        """The value as text. Raises ``ValueError`` if it is none."""
        return str(self.inner, "utf-8")

    @property
    def start(self) -> int:
        """Where the value begins. Raises ``ValueError`` if it is a number."""
        return self.place + len(self.whole) - len(self.inner)

    @property
    def inner(self) -> memoryview:
        """The bytes of the value. Raises ``ValueError`` if it is a number."""
        if isinstance(self.value, int):
            raise ValueError(f"field {self.number} is a number")
        return self.value


def fields(message: bytes | memoryview | Field) -> Iterator[Field]:
    """The fields of ``message``, in order; nothing is copied. Those of a ``Field`` are the fields of the message in it,
    with places in the outermost message. Raises ``ValueError`` where it is damaged."""
    if isinstance(message, Field):
        yield from (replace(each, place=each.place + message.start) for each in fields(message.inner))
        return
    content, at = memoryview(message), 0
    while at < len(content):
        begun = at
        key, at = _read_varint(content, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _read_varint(content, at)
            yield Field(key >> 3, value, content[begun:at], begun)
            continue
        if kind == _BYTES:
            size, at = _read_varint(content, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at + size > len(content):
            raise ValueError("a field is longer than its message")
        yield Field(key >> 3, content[at : at + size], content[begun : at + size], begun)
        at += size


def field(number: int, value: "int | str | bytes") -> bytes:
    """One field to write: a whole number from 0, or text, bytes or an inner message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def head(number: int, size: int) -> bytes:
    """The beginning of a field with ``size`` bytes that are written after it."""
    return _varint(number << 3 | _BYTES) + _varint(size)


def _read_varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for k, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << 7 * k
        if byte < 128:
            return value & (1 << 64) - 1, at + k + 1
    raise ValueError("a number does not end")


def _varint(value: int) -> bytes:
    assert value >= 0, "negative numbers are not needed"
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
