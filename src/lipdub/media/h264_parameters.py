"""Sequence and picture parameter sets of H.264, and the avcC record that holds them in mp4, mov and Matroska.

Syntax: ITU-T H.264, 7.3.2.1 (SPS), 7.3.2.2 (PPS), E.1.1 (VUI), E.1.2 (HRD); avcC: ISO/IEC 14496-15, 5.3.3.1.
"""

from dataclasses import dataclass, replace

SPS, PPS = 7, 8
"""Types of NAL units with parameter sets."""

_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_ANY_ASPECT = 255


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What one SPS says. ``colours`` are primaries, transfer, matrix (H.273; 2: not stated). ``reorder`` and
    ``buffered`` (frames) are None if not stated. ``hrd``: it describes a buffer, with times in SEI messages."""

    number: int
    profile: int
    level: int
    chroma_format: int
    depths: tuple[int, int]
    coded_size: tuple[int, int]
    cropping: tuple[int, int, int, int]
    frames_only: bool
    aspect: tuple[int, int] = (0, 0)
    full_range: bool = False
    colours: tuple[int, int, int] = (2, 2, 2)
    chroma_location: tuple[int, int] = (0, 0)
    hrd: bool = False
    reorder: int | None = None
    buffered: int | None = None


@dataclass(frozen=True, slots=True)
class AvcHeader:
    """An avcC record: the bytes before its parameter sets, the sets, and what follows them. ``prefix`` bytes give the
    length before every NAL unit of a packet."""

    head: bytes
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    tail: bytes

    @property
    def prefix(self) -> int:
        """Bytes of the length before each NAL unit."""
        return (self.head[4] & 3) + 1

    @classmethod
    def parse(cls, extradata: bytes) -> "AvcHeader | None":
        """The record; None if these bytes are none."""
        if len(extradata) < 7 or extradata[0] != 1:
            return None
        try:
            sps, at = _sets(extradata, 6, extradata[5] & 31)
            pps, at = _sets(extradata, at + 1, extradata[at])
        except IndexError:
            return None
        return cls(extradata[:5], sps, pps, extradata[at:])

    def with_sets(self, sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> bytes:
        """The bytes of this record with further parameter sets."""
        more_sps, more_pps = (*self.sps, *sps), (*self.pps, *pps)
        assert len(more_sps) < 32
        assert len(more_pps) < 256
        body = self.head + bytes([0xE0 | len(more_sps)]) + b"".join(map(_with_length, more_sps))
        return body + bytes([len(more_pps)]) + b"".join(map(_with_length, more_pps)) + self.tail


def _sets(data: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets = []
    for _ in range(count):
        size = data[at] << 8 | data[at + 1]
        sets.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    if at > len(data):
        raise IndexError
    return tuple(sets), at


def _with_length(unit: bytes) -> bytes:
    return len(unit).to_bytes(2, "big") + unit


def split_start_codes(data: bytes) -> list[bytes]:
    """The NAL units of ``data``, which begin with start codes (Annex B), without them."""
    parts = data.split(b"\x00\x00\x01")[1:]
    # A unit never ends with a zero byte; zeros belong to the next start code.
    return [unit for part in parts if (unit := part.rstrip(b"\x00"))]


def picture_parameters_number(pps: bytes) -> int:
    """The id of a PPS (a NAL unit with its header). Raises ``IndexError`` if it is cut off."""
    return _Bits(pps[1:]).number()


def sequence_parameters(sps: bytes) -> SequenceParameters | None:
    """What an SPS (a NAL unit with its header) says; None if it is damaged or of a profile that is not known here."""
    try:
        return _sequence_parameters(_Bits(sps[4:]), sps[1], sps[3])
    except IndexError:
        return None


def _sequence_parameters(bits: "_Bits", profile: int, level: int) -> SequenceParameters | None:
    number = bits.number()
    chroma, depths = 1, (8, 8)
    if profile in _CHROMA_PROFILES:
        chroma = bits.number()
        if chroma == 3:
            bits.flag()
        depths = (8 + bits.number(), 8 + bits.number())
        bits.flag()
        if bits.flag():
            for index in range(8 if chroma != 3 else 12):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.number()
    match bits.number():
        case 0:
            bits.number()
        case 1:
            bits.flag()
            bits.signed()
            bits.signed()
            for _ in range(bits.number()):
                bits.signed()
    bits.number()
    bits.flag()
    width, height = 16 * (bits.number() + 1), 16 * (bits.number() + 1)
    frames_only = bits.flag()
    if not frames_only:
        height *= 2
        bits.flag()
    bits.flag()
    crop = (bits.number(), bits.number(), bits.number(), bits.number()) if bits.flag() else (0, 0, 0, 0)
    plain = SequenceParameters(number, profile, level, chroma, depths, (width, height), crop, frames_only)
    return _with_usability(bits, plain) if bits.flag() else plain


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _with_usability(bits: "_Bits", plain: SequenceParameters) -> SequenceParameters:
    """``plain`` with what the video usability information says."""
    aspect, full_range, colours, location = plain.aspect, plain.full_range, plain.colours, plain.chroma_location
    if bits.flag():
        kind = bits.read(8)
        aspect = (bits.read(16), bits.read(16)) if kind == _ANY_ASPECT else _ASPECTS.get(kind, (0, 0))
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.read(3)
        full_range = bits.flag()
        if bits.flag():
            colours = (bits.read(8), bits.read(8), bits.read(8))
    if bits.flag():
        location = (bits.number(), bits.number())
    if bits.flag():
        bits.read(65)
    buffers = [_skip_hrd(bits) for _ in range(2) if bits.flag()]
    if buffers:
        bits.flag()
    bits.flag()
    reorder = buffered = None
    if bits.flag():
        bits.flag()
        for _ in range(4):
            bits.number()
        reorder, buffered = bits.number(), bits.number()
    return replace(
        plain, aspect=aspect, full_range=full_range, colours=colours, chroma_location=location, hrd=bool(buffers),
        reorder=reorder, buffered=buffered,
    )  # fmt: skip


def _skip_hrd(bits: "_Bits") -> bool:
    count = bits.number() + 1
    bits.read(8)
    for _ in range(count):
        bits.number()
        bits.number()
        bits.flag()
    bits.read(20)
    return True


_ASPECTS = dict(
    enumerate(
        ((1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11),
         (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
        1,
    )
)  # fmt: skip
"""aspect_ratio_idc -> width and height of a pixel (H.264, table E-1)."""


class _Bits:
    """Reads the bits of a NAL unit; emulation prevention bytes are removed (7.3.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._at = 0

    def flag(self) -> bool:
        """One bit. Raises ``IndexError`` at the end."""
        byte = self._data[self._at >> 3]
        bit = byte >> (7 - (self._at & 7)) & 1
        self._at += 1
        return bool(bit)

    def read(self, count: int) -> int:
        """``count`` bits as a number."""
        value = 0
        for _ in range(count):
            value = value << 1 | self.flag()
        return value

    def number(self) -> int:
        """An Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number (9.1.1)."""
        value = self.number()
        return (value + 1) // 2 if value & 1 else -(value // 2)
