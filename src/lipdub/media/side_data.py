"""Side data of pictures (HDR, captions, ...): one table says what becomes of each kind.

Encoders get pixels only. What H.264 and HEVC can hold inside the coded picture is inserted here (``sei``), the static
HDR10 values are passed to the AV1 encoder as settings, and everything else is reported as lost.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from lipdub.media.container import open_input
from lipdub.media.packets import demux
from lipdub.media.probe import PictureFacts
from lipdub.media.sei import (
    CONTENT_LIGHT,
    MASTERING_DISPLAY,
    T35,
    SeiMessage,
    has_dolby_vision,
    insert_sei,
    length_prefix_size,
    sei_messages,
)

_IN_PICTURE = ("h264", "hevc")


@dataclass(frozen=True, slots=True)
class SideDataKind:
    """One kind of side data: its ``label`` in reports, the picture ``codecs`` in which it is kept, and what its loss
    means for viewers (``loss_effect``)."""

    label: str
    codecs: tuple[str, ...] = ()
    loss_effect: str = ""


SIDE_DATA_KINDS = {
    "MASTERING_DISPLAY_METADATA": SideDataKind(
        "HDR10 mastering display", (*_IN_PICTURE, "av1"), "screens use their default"
    ),
    "CONTENT_LIGHT_LEVEL": SideDataKind(
        "HDR10 content light level", (*_IN_PICTURE, "av1"), "screens use their default"
    ),
    "DYNAMIC_HDR_PLUS": SideDataKind("HDR10+ values of every scene", _IN_PICTURE, "the static HDR10 values are used"),
    "DYNAMIC_HDR_VIVID": SideDataKind("HDR Vivid values", _IN_PICTURE, "the static HDR values are used"),
    "DOVI_RPU_BUFFER": SideDataKind("Dolby Vision", (), "it belongs to the old coding; players show the base picture"),
    "DOVI_METADATA": SideDataKind("Dolby Vision", (), "it belongs to the old coding; players show the base picture"),
    "A53_CC": SideDataKind("closed captions (CEA-608/708)", _IN_PICTURE, "use h264 or hevc, which carry them"),
    "AFD": SideDataKind("active format description", _IN_PICTURE),
    "ICC_PROFILE": SideDataKind("ICC colour profile"),
    "STEREO3D": SideDataKind("stereo 3D layout"),
    "SPHERICAL": SideDataKind("360-degree projection", (), "players show the flat picture"),
    "AMBIENT_VIEWING_ENVIRONMENT": SideDataKind("ambient viewing environment"),
    "S12M_TIMECODE": SideDataKind("timecode inside the picture"),
    "GOP_TIMECODE": SideDataKind("timecode inside the picture"),
    "PANSCAN": SideDataKind("pan and scan rectangle"),
}
"""FFmpeg's name of a kind of frame side data -> what becomes of it. Rotation is not here: the container keeps it."""

_DOLBY_VISION = SeiMessage(-1, b"Dolby Vision")
"""Stands for the values of Dolby Vision, which are not copied."""

_REGISTERED = {
    b"\xb5\x00\x31GA94\x03": "A53_CC",
    b"\xb5\x00\x31DTG1": "AFD",
    b"\xb5\x00\x3c\x00\x01": "DYNAMIC_HDR_PLUS",
    b"\x26\x00\x04\x00\x05": "DYNAMIC_HDR_VIVID",
    _DOLBY_VISION.payload: "DOVI_RPU_BUFFER",
}
"""First bytes of messages registered by T.35 -> their kind (ATSC A/53, SMPTE ST 2094-40, CUVA 005)."""


def side_data_report(facts: PictureFacts, carried: "SideDataCopier", codec: str) -> tuple[list[str], list[str]]:
    """(What was kept, what was lost) of the picture's side data, as texts for the report; the picture is written as
    ``codec``."""
    kept, lost = [], []
    for name in sorted({*dict(facts.side_data), *carried.found}):
        kind = SIDE_DATA_KINDS.get(name, SideDataKind(name.replace("_", " ").lower()))
        found, placed = carried.found.get(name, 0), carried.placed.get(name, 0)
        frames = f" ({found} frames)" if found else ""
        if codec not in kind.codecs:
            means = f"; {kind.loss_effect}" if kind.loss_effect else ""
            lost.append(f"{kind.label}{frames}: cannot be kept in {codec}{means}")
        elif name in _STATIC:
            complete = _STATIC[name](dict(facts.side_data)[name]) is not None
            (kept if complete else lost).append(kind.label if complete else f"{kind.label}: incomplete in the source")
        elif placed == found > 0:
            kept.append(kind.label + frames)
        else:
            lost.append(f"{kind.label}: {found} frames with them were read, {placed} of them could be given them again")
    return list(dict.fromkeys(kept)), list(dict.fromkeys(lost))


def hdr10_messages(facts: PictureFacts) -> list[SeiMessage]:
    """The HDR10 values of the picture as SEI messages for key frames (H.265, D.2.28 and D.2.35)."""
    found, known = [], dict(facts.side_data)
    display = _mastering(known.get("MASTERING_DISPLAY_METADATA", b""))
    if display is not None:
        (red, green, blue, white), (darkest, brightest) = display
        chromaticities = [round(value * 50000) for pair in (green, blue, red, white) for value in pair]
        levels = [round(level * 10000) for level in (brightest, darkest)]
        found.append(SeiMessage(MASTERING_DISPLAY, struct.pack(">8H2I", *chromaticities, *levels)))
    light = _light(known.get("CONTENT_LIGHT_LEVEL", b""))
    if light is not None:
        found.append(SeiMessage(CONTENT_LIGHT, struct.pack(">2H", *light)))
    return found


def hdr10_av1_settings(facts: PictureFacts) -> list[str]:
    """The HDR10 values of the picture as settings of SVT-AV1."""
    settings, known = [], dict(facts.side_data)
    display = _mastering(known.get("MASTERING_DISPLAY_METADATA", b""))
    if display is not None:
        (red, green, blue, white), (darkest, brightest) = display
        points = "".join(
            f"{name}({float(x):.5f},{float(y):.5f})"
            for name, (x, y) in (("G", green), ("B", blue), ("R", red), ("WP", white))
        )
        settings.append(f"mastering-display={points}L({float(brightest):.4f},{float(darkest):.4f})")
    light = _light(known.get("CONTENT_LIGHT_LEVEL", b""))
    if light is not None:
        settings.append(f"content-light={light[0]},{light[1]}")
    return settings


_Pair = tuple[Fraction, Fraction]


def _mastering(data: bytes) -> tuple[list[_Pair], _Pair] | None:
    """((red, green, blue, white) as x and y, (darkest, brightest) in cd/m2) of FFmpeg's struct
    (libavutil/mastering_display_metadata.h); None if one of them is missing."""
    if len(data) < 88:
        return None
    *numbers, has_primaries, has_luminance = struct.unpack("=22i", data[:88])
    if not has_primaries or not has_luminance or not all(numbers[1::2]):
        return None
    values = [Fraction(numbers[i], numbers[i + 1]) for i in range(0, 20, 2)]
    return [(values[i], values[i + 1]) for i in range(0, 8, 2)], (values[8], values[9])


def _light(data: bytes) -> tuple[int, int] | None:
    """(Brightest pixel, brightest frame average) in cd/m2."""
    if len(data) < 8:
        return None
    peak, average = struct.unpack("=2I", data[:8])
    return min(peak, 0xFFFF), min(average, 0xFFFF)


_STATIC = {"MASTERING_DISPLAY_METADATA": _mastering, "CONTENT_LIGHT_LEVEL": _light}
"""Side data that holds for the whole stream -> the function that reads its values."""

_MOST_WAITING = 256
"""Frames with messages that may wait for their packet; more are left over by frames that were not decoded."""


class SideDataCopier:
    """Copies the side data of the source's picture into the packets of the new one, frame by frame.

    For each kind, ``found`` counts the source's frames that have it, and ``placed`` the new frames that got it. The
    source's packets are read a second time, just ahead of the encoder. Frames of the source that are shown at ``until``
    (s) or later are not in the new picture and do not count.
    """

    def __init__(self, path: Path, number: int, facts: PictureFacts, codec: str, stack: ExitStack) -> None:
        """``number`` counts the picture streams of ``path`` from 0; ``codec`` is the new picture's."""
        self.found: Counter[str] = Counter()
        self.placed: Counter[str] = Counter()
        self.until: Fraction | None = None
        self._codec = codec if codec in _IN_PICTURE else None
        self._static = hdr10_messages(facts) if self._codec else []
        self._waiting: dict[Fraction, list[tuple[str, SeiMessage]]] = {}
        self._reached: Fraction | None = None
        self._source = iter(())
        if facts.codec in ("h264", "hevc", "mpeg2video"):
            self._source = _source_messages(path, number, facts.codec, stack)

    def with_side_data(self, packet: av.Packet, at: Fraction | None = None) -> av.Packet:
        """The encoder's ``packet`` with the side data of its frame, which the source shows ``at`` that instant (s;
        None: at the packet's own time)."""
        added = list(self._static) if packet.is_keyframe else []
        own = self._of((packet.pts or 0) * packet.time_base if at is None else at)
        self.placed.update({name for name, _ in own})
        added += [message for _, message in own]
        if self._codec is None or not added:
            return packet
        full = av.Packet(insert_sei(bytes(packet), self._codec, added))
        full.pts, full.dts, full.duration, full.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        full.is_keyframe = packet.is_keyframe
        full.stream = packet.stream
        return full

    def count_copied(self, packet: av.Packet) -> None:
        """Count the side data of the frame of ``packet``, which is copied from the source together with it."""
        self.placed.update({name for name, _ in self._of((packet.pts or 0) * packet.time_base)})

    def _of(self, at: Fraction) -> list[tuple[str, SeiMessage]]:
        """The messages of the source's frame at ``at`` (s). Packets are read until no earlier frame can follow."""
        while self._reached is None or self._reached <= at:
            following = next(self._source, None)
            if following is None:
                break
            shown, self._reached, found = following
            if self.until is not None and shown >= self.until:
                continue
            named = [(name, message) for message in found for name in _kinds_of(message)]
            self.found.update({name for name, _ in named})
            waiting = [(name, message) for name, message in named if self._codec in SIDE_DATA_KINDS[name].codecs]
            if waiting:
                self._waiting.setdefault(shown, []).extend(waiting)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.pop(min(self._waiting))
        return self._waiting.pop(at, [])


def _kinds_of(message: SeiMessage) -> list[str]:
    return [name for start, name in _REGISTERED.items() if message.payload.startswith(start)]


def _source_messages(
    path: Path, number: int, codec: str, stack: ExitStack
) -> Iterator[tuple[Fraction, Fraction, list[SeiMessage]]]:
    """(Display time, decoding time (s), T.35 messages) of every packet of a picture stream."""
    source = stack.enter_context(open_input(path))
    video = source.streams.video[number]
    prefix = length_prefix_size(codec, video.codec_context.extradata)
    for packet in demux(source, video):
        if packet.pts is None:
            continue
        data = bytes(packet)
        found = [m for m in sei_messages(data, codec, prefix) if m.kind == T35]
        if has_dolby_vision(data, codec, prefix):
            found.append(_DOLBY_VISION)
        decoded = packet.pts if packet.dts is None else packet.dts
        yield packet.pts * packet.time_base, decoded * packet.time_base, found
