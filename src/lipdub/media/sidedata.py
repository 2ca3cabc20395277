"""What a picture carries besides its pixels (HDR, captions, ...): what becomes of each kind, in one table.

Encoders get pixels only. What H.264 and HEVC can carry inside the coded picture is written there by us (``nal``), the
static HDR10 values are given to the AV1 encoder as settings, and everything else is named as lost.
"""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from lipdub.media.container import only, opened
from lipdub.media.nal import CONTENT_LIGHT, MASTERING_DISPLAY, T35, Message, messages, prefix_size, with_messages
from lipdub.media.probe import PictureFacts

_IN_PICTURE = ("h264", "hevc")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of side data: its ``words`` in reports, the picture codecs in which it is ``kept``, and what its loss
    ``means``."""

    words: str
    kept: tuple[str, ...] = ()
    means: str = ""


KINDS = {
    "MASTERING_DISPLAY_METADATA": Kind("HDR10 mastering display", (*_IN_PICTURE, "av1"), "screens use their default"),
    "CONTENT_LIGHT_LEVEL": Kind("HDR10 content light level", (*_IN_PICTURE, "av1"), "screens use their default"),
    "DYNAMIC_HDR_PLUS": Kind("HDR10+ values of every scene", _IN_PICTURE, "the static HDR10 values are used"),
    "DYNAMIC_HDR_VIVID": Kind("HDR Vivid values", _IN_PICTURE, "the static HDR values are used"),
    "DOVI_RPU_BUFFER": Kind("Dolby Vision", (), "it belongs to the old coding; players show the base picture"),
    "DOVI_METADATA": Kind("Dolby Vision", (), "it belongs to the old coding; players show the base picture"),
    "A53_CC": Kind("closed captions (CEA-608/708)", _IN_PICTURE, "use h264 or hevc, which carry them"),
    "AFD": Kind("active format description", _IN_PICTURE),
    "ICC_PROFILE": Kind("ICC colour profile"),
    "STEREO3D": Kind("stereo 3D layout"),
    "SPHERICAL": Kind("360-degree projection", (), "players show the flat picture"),
    "AMBIENT_VIEWING_ENVIRONMENT": Kind("ambient viewing environment"),
    "S12M_TIMECODE": Kind("timecode inside the picture"),
    "GOP_TIMECODE": Kind("timecode inside the picture"),
    "PANSCAN": Kind("pan and scan rectangle"),
}
"""FFmpeg's name of a kind of frame side data -> what becomes of it. Rotation is not here: the container keeps it."""

_REGISTERED = {
    b"\xb5\x00\x31GA94\x03": "A53_CC",
    b"\xb5\x00\x31DTG1": "AFD",
    b"\xb5\x00\x3c\x00\x01": "DYNAMIC_HDR_PLUS",
    b"\x26\x00\x04\x00\x05": "DYNAMIC_HDR_VIVID",
}
"""How messages registered by T.35 begin -> what they are (ATSC A/53, SMPTE ST 2094-40, CUVA 005)."""


def fates_of_side_data(facts: PictureFacts, counts: dict[str, int], codec: str) -> tuple[list[str], list[str]]:
    """(What was kept, what was lost, each as words for the report) of what the picture carried, written as ``codec``.

    ``counts`` are the frames on which ``Carried`` found a kind.
    """
    kept, lost = [], []
    of_frames = set(_REGISTERED.values())
    for name in sorted({*dict(facts.side_data), *counts}):
        kind, count = KINDS.get(name, Kind(name.replace("_", " ").lower())), counts.get(name, 0)
        frames = f" ({count} frames)" if count else ""
        if codec in kind.kept and (count or name not in of_frames):
            kept.append(kind.words + frames)
            continue
        means = f"; {kind.means}" if kind.means else ""
        why = "could not be read from the source's packets" if codec in kind.kept else f"cannot be kept in {codec}"
        lost.append(f"{kind.words}{frames}: {why}{means}")
    return list(dict.fromkeys(kept)), list(dict.fromkeys(lost))


def static_messages(facts: PictureFacts) -> list[Message]:
    """The HDR10 values of the picture as SEI messages for its key frames (H.265, D.2.28 and D.2.35)."""
    found, known = [], dict(facts.side_data)
    display = _mastering(known.get("MASTERING_DISPLAY_METADATA", b""))
    if display is not None:
        (red, green, blue, white), (darkest, brightest) = display
        chromaticities = [round(value * 50000) for pair in (green, blue, red, white) for value in pair]
        levels = [round(level * 10000) for level in (brightest, darkest)]
        found.append(Message(MASTERING_DISPLAY, struct.pack(">8H2I", *chromaticities, *levels)))
    light = _light(known.get("CONTENT_LIGHT_LEVEL", b""))
    if light is not None:
        found.append(Message(CONTENT_LIGHT, struct.pack(">2H", *light)))
    return found


def av1_settings(facts: PictureFacts) -> list[str]:
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
    (libavutil/mastering_display_metadata.h); None if either is missing."""
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


class Carried:
    """Puts what the source's picture carries into the packets of the new one, frame by frame.

    ``counts`` tells for each kind on how many frames it was found. The source's packets are read once more beside the
    work, never far ahead of it.
    """

    def __init__(self, path: Path, number: int, facts: PictureFacts, codec: str, stack: ExitStack) -> None:
        """``number`` counts the picture streams of ``path``; ``codec`` is the new picture's."""
        self.counts: dict[str, int] = {}
        self._codec = codec if codec in _IN_PICTURE else None
        self._static = static_messages(facts) if self._codec else []
        self._waiting: dict[int, list[Message]] = {}
        self._reached: int | None = None
        self._source = iter(())
        if facts.codec in ("h264", "hevc", "mpeg2video"):
            self._source = _source_messages(path, number, facts.codec, stack)

    def loaded(self, packet: av.Packet) -> av.Packet:
        """``packet`` of the encoder with all that its picture carries."""
        added = list(self._static) if packet.is_keyframe else []
        added += self._of(packet.pts or 0)
        if self._codec is None or not added:
            return packet
        full = av.Packet(with_messages(bytes(packet), self._codec, added))
        full.pts, full.dts, full.duration, full.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        full.is_keyframe = packet.is_keyframe
        full.stream = packet.stream
        return full

    def _of(self, pts: int) -> list[Message]:
        """The messages of the source's frame at ``pts``: packets are read until none before it can follow."""
        while self._reached is None or self._reached <= pts:
            following = next(self._source, None)
            if following is None:
                break
            at, decoded, found = following
            self._reached = decoded
            for message in found:
                name = next((name for start, name in _REGISTERED.items() if message.payload.startswith(start)), None)
                if name is not None:
                    self.counts[name] = self.counts.get(name, 0) + 1
                    if self._codec is not None:
                        self._waiting.setdefault(at, []).append(message)
        return self._waiting.pop(pts, [])


def _source_messages(path: Path, number: int, codec: str, stack: ExitStack) -> Iterator[tuple[int, int, list[Message]]]:
    """(Time stamp, decoding time stamp, T.35 messages) of every packet of a picture stream."""
    source = stack.enter_context(opened(path))
    video = source.streams.video[number]
    prefix = prefix_size(codec, video.codec_context.extradata)
    only(source, video)
    try:
        for packet in source.demux(video):
            if packet.size == 0 or packet.pts is None:
                continue
            found = [m for m in messages(bytes(packet), codec, prefix) if m.kind == T35]
            yield packet.pts, packet.pts if packet.dts is None else packet.dts, found
    except FFmpegError:
        return
