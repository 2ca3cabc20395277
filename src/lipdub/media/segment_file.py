"""Files of encoded segments: a header, then the packets of one segment in decoding order.

The first line is JSON: frames, encoder, the codec's header ("extradata", base64), time base; the second line is its
CRC-32 in hex. Each packet follows as a record: display time (int64), key flag (uint8), size of its alpha channel and of
its data (uint32 each), little-endian, CRC-32 of these and of what follows (uint32), then the bytes of both. A file is
read and written packet by packet, and appears under its name only when complete.
"""

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, get_args
from zlib import crc32

import av
from av.packet import PacketSideData, PktSideDataT

from lipdub.disk.atomic import written_beside
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OutputError
from lipdub.media.output_errors import output_errors

_VERSION = 2
_RECORD = struct.Struct("<qBII")
_CHECK = struct.Struct("<I")
_ALPHA: PktSideDataT = "matroska_block_additional"
"""Side data in which the VP9 encoder gives the alpha channel, as a stream of its own, beside each packet."""

_ALPHA_NUMBER = get_args(PktSideDataT).index(_ALPHA)


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The first line of a segment's file: frames ``[first, stop)``, the ``encoder`` and its ``extradata``, and the
    ``time_base`` (s) of the packets' times."""

    first: int
    stop: int
    encoder: str
    extradata: bytes
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class SegmentIndex:
    """The header of a segment's file, and the display times (units) of its packets in decoding order."""

    header: SegmentHeader
    pts: tuple[int, ...]


class SegmentFileWriter:
    """Writes packets to an open file; the header is written before the first one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.packets = 0

    def write_header(self, header: SegmentHeader) -> None:
        """Write the first line."""
        said = {
            "lipdub segment": _VERSION,
            "first": header.first,
            "stop": header.stop,
            "encoder": header.encoder,
            "extradata": b64encode(header.extradata).decode(),
            "time_base": str(header.time_base),
        }
        line = json.dumps(said).encode()
        self._file.write(line + b"\n%08x\n" % crc32(line))

    def write(self, packet: av.Packet) -> None:
        """Append a packet."""
        alpha = bytes(packet.get_sidedata(_ALPHA)) if packet.has_sidedata(_ALPHA) else b""
        data = bytes(packet)
        assert packet.pts is not None
        record = _RECORD.pack(packet.pts, packet.is_keyframe, len(alpha), len(data))
        self._file.write(record + _CHECK.pack(_checksum(record, alpha, data)))
        self._file.write(alpha)
        self._file.write(data)
        self.packets += 1


def read_index(path: Path) -> SegmentIndex:
    """The index of the segment's file at ``path``; the packets' data is not read. Raises ``OutputError`` if the file
    cannot be read, or is no complete file of a segment."""
    with _reading(path) as file:
        header = _header(file, path)
        begin, pts = file.tell(), []
        end = file.seek(0, 2)
        file.seek(begin)
        while record := file.read(_RECORD.size):
            if len(record) < _RECORD.size:
                raise _damaged(path)
            at, _, alpha, size = _RECORD.unpack(record)
            pts.append(at)
            if file.seek(_CHECK.size + alpha + size, 1) > end:
                raise _damaged(path)
    if len(pts) != header.stop - header.first:
        raise _damaged(path)
    return SegmentIndex(header, tuple(pts))


def read_packets(path: Path) -> Iterator[av.Packet]:
    """The packets of the segment's file at ``path`` with their display times, without decoding times. Raises
    ``OutputError`` as ``read_index`` does."""
    with _reading(path) as file:
        base = _header(file, path).time_base
        while record := file.read(_RECORD.size):
            if len(record) < _RECORD.size:
                raise _damaged(path)
            at, key, alpha, size = _RECORD.unpack(record)
            check, beside, data = file.read(_CHECK.size), file.read(alpha), file.read(size)
            if len(data) < size or check != _CHECK.pack(_checksum(record, beside, data)):
                raise _damaged(path)
            packet = av.Packet(size)
            packet.update(data)
            packet.pts, packet.time_base, packet.is_keyframe = at, base, bool(key)
            if beside:
                side = PacketSideData(_ALPHA_NUMBER, alpha)  # pyright: ignore[reportCallIssue]  (missing in PyAV's stub)
                side.update(beside)
                packet.set_sidedata(side)
            yield packet


def check_segment_file(path: Path) -> None:
    """Read the segment's file at ``path`` wholly. Raises ``OutputError`` if it cannot be read, or is damaged."""
    read_index(path)
    for _ in read_packets(path):
        pass


@contextmanager
def written_segment(path: Path) -> Iterator[BinaryIO]:
    """A file to write a segment to; it becomes ``path`` when the block ends, and is removed if the block raises. Raises
    ``OutputError`` if the disk refuses."""
    with ExitStack() as stack:
        with output_errors(path):
            partial = stack.enter_context(written_beside(path))
            file = stack.enter_context(partial.open("wb"))
        yield file
        with output_errors(path):
            stack.close()


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as refused:
        raise OutputError(f"cannot be read: {cause_of(refused).what}", file=path) from refused


def _header(file: BinaryIO, path: Path) -> SegmentHeader:
    try:
        line, check = file.readline()[:-1], file.readline()
        if check != b"%08x\n" % crc32(line):
            raise _damaged(path)
        said = json.loads(line)
        if said["lipdub segment"] != _VERSION:
            raise _damaged(path)
        extradata, base = b64decode(said["extradata"]), Fraction(said["time_base"])
        return SegmentHeader(said["first"], said["stop"], said["encoder"], extradata, base)
    except (ValueError, KeyError, TypeError) as broken:
        raise _damaged(path) from broken


def _checksum(record: bytes, alpha: bytes, data: bytes) -> int:
    return crc32(data, crc32(alpha, crc32(record)))


def _damaged(path: Path) -> OutputError:
    what = "is no complete segment: it was cut off or altered"
    return OutputError(what, file=path, remedy="Run it again: it is made anew")
