"""SEI messages of H.264 and HEVC and user data of MPEG-2: read from packets, inserted into packets.

Syntax: ITU-T H.264 and H.265, 7.3.1 (NAL units) and 7.3.2 (SEI), Annex B (start codes); ISO/IEC 14496-15 (units after
their length); ITU-T H.262, 6.2.2.2.2 (user data).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

T35 = 4
"""Payload type of messages registered by ITU-T T.35: closed captions, HDR10+ and others."""

MASTERING_DISPLAY, CONTENT_LIGHT = 137, 144
"""Payload types of the static HDR10 messages; the same in H.264 and HEVC."""

_SEI = {"h264": 6, "hevc": 39}
_HEADER = {"h264": b"\x06", "hevc": b"\x4e\x01"}
_START = b"\x00\x00\x01"
_USER_DATA = b"\x00\x00\x01\xb2"
_CAPTIONS = b"\xb5\x00\x31"
"""Country and provider code of ATSC messages (ATSC A/53 Part 4, 6.2.3.1), which MPEG-2 omits before 'GA94'."""


@dataclass(frozen=True, slots=True)
class SeiMessage:
    """One SEI message: its payload type ``kind``, and its bytes without emulation prevention."""

    kind: int
    payload: bytes


def length_prefix_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each NAL unit in packets with this ``extradata``; 0 if units begin with start
    codes."""
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) > 6:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22:
        return (extradata[21] & 3) + 1
    return 0


def sei_messages(data: bytes, codec: str, prefix: int) -> Iterator[SeiMessage]:
    """The messages in a packet of ``codec`` (h264, hevc, mpeg2video; none in any other), in order.

    ``prefix`` is the result of ``length_prefix_size``. Damaged messages are skipped.
    """
    if codec == "mpeg2video":
        yield from _user_data(data)
    elif codec in _SEI:
        for first, end in nal_units(data, prefix):
            if _unit_type(data[first], codec) == _SEI[codec]:
                yield from _unpacked(_unescaped(data[first + len(_HEADER[codec]) : end]))


def has_dolby_vision(data: bytes, codec: str, prefix: int) -> bool:
    """True if a packet has a NAL unit of type 62, which Dolby Vision uses for its values (H.265 leaves it
    unspecified)."""
    return codec == "hevc" and any(_unit_type(data[first], codec) == 62 for first, _ in nal_units(data, prefix))


def insert_sei(data: bytes, codec: str, added: Iterable[SeiMessage]) -> bytes:
    """An encoder's packet (h264 or hevc) with messages before its first slice, the order that both standards
    ask for."""
    body = b"".join(_packed(message) for message in added)
    unit = _HEADER[codec] + _escaped(body + b"\x80")
    prefix = 4 if _has_lengths(data) else 0
    head = b"\x00" + _START if prefix == 0 else len(unit).to_bytes(4, "big")
    for first, _ in nal_units(data, prefix):
        if _is_slice(_unit_type(data[first], codec), codec):
            at = first - (prefix or 3)
            at -= int(prefix == 0 and at > 0 and data[at - 1] == 0)
            return data[:at] + head + unit + data[at:]
    return data


def _has_lengths(data: bytes) -> bool:
    """True if ``data`` consists of NAL units behind their length in four bytes. (A length from 256 to 511 looks like a
    start code.)"""
    at = 0
    while at + 4 <= len(data):
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return at == len(data)


def _unit_type(first: int, codec: str) -> int:
    return first & 31 if codec == "h264" else first >> 1 & 63


def _is_slice(kind: int, codec: str) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind <= 31


def nal_units(data: bytes, prefix: int) -> Iterator[tuple[int, int]]:
    """(First byte, end) of every non-empty NAL unit."""
    if prefix:
        at = 0
        while at + prefix < len(data):
            first = at + prefix
            at = first + int.from_bytes(data[at:first], "big")
            if first < at <= len(data):
                yield first, at
        return
    at = data.find(_START)
    while at >= 0:
        following = data.find(_START, at + 3)
        end = len(data) if following < 0 else following
        if at + 3 < end:
            yield at + 3, end
        at = following


def _unpacked(body: bytes) -> Iterator[SeiMessage]:
    at = 0
    while at + 2 < len(body) and body[at:] != b"\x80":
        kind, at = _number(body, at)
        size, at = _number(body, at)
        if at + size > len(body):
            return
        yield SeiMessage(kind, body[at : at + size])
        at += size


def _number(body: bytes, at: int) -> tuple[int, int]:
    """A number written as bytes of 255 and a last smaller one; and the position after it."""
    value = 0
    while at < len(body) and body[at] == 255:
        value, at = value + 255, at + 1
    return (value + body[at], at + 1) if at < len(body) else (value, at)


def _packed(message: SeiMessage) -> bytes:
    parts = []
    for value in (message.kind, len(message.payload)):
        parts.append(b"\xff" * (value // 255) + bytes([value % 255]))
    return b"".join(parts) + message.payload


def _unescaped(data: bytes) -> bytes:
    return data.replace(b"\x00\x00\x03", b"\x00\x00")


def _escaped(data: bytes) -> bytes:
    """``data`` with emulation prevention: a byte 3 wherever two zeros would be followed by a byte below 4."""
    out = bytearray()
    zeros = 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _user_data(data: bytes) -> Iterator[SeiMessage]:
    at = data.find(_USER_DATA)
    while at >= 0:
        following = data.find(_START, at + 4)
        body = data[at + 4 : len(data) if following < 0 else following]
        if body.startswith(b"GA94"):
            yield SeiMessage(T35, _CAPTIONS + body)
        at = data.find(_USER_DATA, at + 4)
