"""Files of encoded pieces of sound, and the sound that they make together.

The first line is the SHA-256 of the rest in hex, the second is JSON: time, duration and size of every packet (samples,
bytes), and its side data that tells how many samples are skipped (hex). The bytes of the packets follow. A file appears
under its name only when it is complete.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
from av.packet import PacketSideData, PktSideDataT

from lipdub.disk.atomic import remove_partial, written_beside
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OutputError
from lipdub.media.output_errors import output_errors
from lipdub.media.sound_encoding import SoundEncoding
from lipdub.media.sound_pieces import joined_pieces

_SKIPPED: PktSideDataT = "skip_samples"
"""Side data of the last packet of Opus: how many of its samples are not part of the sound."""

_SKIPPED_NUMBER = get_args(PktSideDataT).index(_SKIPPED)


SUFFIX = ".sound"
"""Of the names of these files."""


@dataclass(frozen=True)
class PiecedSound:
    """Sound that is encoded in pieces: ``how``, its ``length`` (s), and the ``files`` of its pieces in order."""

    how: SoundEncoding
    length: Fraction
    files: tuple[Path, ...]

    def packets(self) -> Iterator[av.Packet]:
        """All packets. Raises ``OutputError`` as ``read_piece`` does."""
        return joined_pieces((read_piece(file, self.how.rate) for file in self.files), self.how.encoder)


def write_piece(file: Path, packets: Sequence[av.Packet]) -> None:
    """Write the packets of a piece. Raises ``OutputError`` if the disk refuses."""
    told = [[packet.pts, packet.duration or 0, packet.size, _skipped(packet)] for packet in packets]
    body = json.dumps(told).encode() + b"\n" + b"".join(map(bytes, packets))
    with output_errors(file), written_beside(file) as partial:
        partial.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def read_piece(file: Path, rate: int) -> list[av.Packet]:
    """The packets of a piece, whose times count samples at ``rate``. Raises ``OutputError`` if the file cannot be read,
    or was altered."""
    try:
        digest, _, body = file.read_bytes().partition(b"\n")
    except OSError as refused:
        raise OutputError(f"cannot be read: {cause_of(refused).what}", file=file) from refused
    if hashlib.sha256(body).hexdigest().encode() != digest:
        what = "is no complete piece of sound: it was cut off or altered"
        raise OutputError(what, file=file, remedy="Run it again: it is made anew")
    told, _, data = body.partition(b"\n")
    packets, at = [], 0
    for pts, duration, size, skipped in json.loads(told):
        packets.append(_packet(data[at : at + size], skipped))
        packets[-1].pts = packets[-1].dts = pts
        packets[-1].duration, packets[-1].time_base = duration, Fraction(1, rate)
        at += size
    return packets


def _packet(data: bytes, skipped: str) -> av.Packet:
    packet = av.Packet(len(data))
    packet.update(data)
    packet.is_keyframe = True
    if skipped:
        side = PacketSideData(_SKIPPED_NUMBER, len(skipped) // 2)  # pyright: ignore[reportCallIssue]  (not in the stub)
        side.update(bytes.fromhex(skipped))
        packet.set_sidedata(side)
    return packet


def _skipped(packet: av.Packet) -> str:
    return bytes(packet.get_sidedata(_SKIPPED)).hex() if packet.has_sidedata(_SKIPPED) else ""


def remove_old_pieces(folder: Path, used: PiecedSound) -> None:
    """Remove pieces of earlier films from ``folder`` that this sound does not use. What cannot be removed stays."""
    with suppress(OSError):
        remove_partial(folder)
    for file in folder.glob(f"*{SUFFIX}"):
        if file not in used.files:
            with suppress(OSError):
                file.unlink(missing_ok=True)
