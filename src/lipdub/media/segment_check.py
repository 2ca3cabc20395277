"""Verifying a film that was made of segments: its packets, its times, and that decoders get over every join."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from lipdub.media.container import discard_other_streams, open_input, time_base_of
from lipdub.media.formats import PlaneReader
from lipdub.media.packets import ReadErrors, demux_past_errors
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.take import Segment

_DECODED = 8
"""Packets on each side of a join that are decoded. They begin at a key frame, so they need no others."""


class PacketDigest:
    """A digest of the bytes of packets, of the frames that they show, and of their order."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def add(self, packet: av.Packet, frame: int) -> None:
        """Add the next packet, which shows frame number ``frame``."""
        self._hash.update(frame.to_bytes(8, "big") + packet.size.to_bytes(8, "big"))
        self._hash.update(bytes(packet))

    def value(self) -> bytes:
        """The digest of all packets that were added."""
        return self._hash.digest()


def film_fault(
    path: Path, clip: Clip, segments: Sequence[Segment], copied: Mapping[int, bytes], header: bytes | None
) -> str:
    """What is wrong with the picture of the film at ``path``, as a sentence; "" if nothing is.

    ``copied``: the digest of the source's packets of each copied segment, by the segment's first frame. ``header``: the
    codec's header ("extradata") of the source. Every packet is read, and some around each join are decoded: the copied
    ones must give the samples that they give in the source. Raises ``NotMedia`` if the film cannot be opened.
    """
    errors, found = ReadErrors(), 0
    with open_input(path) as container:
        video = container.streams.video[0]
        discard_other_streams(container, video)
        expected = _written_times(clip.times, video)
        left = iter(segments)
        check = _SegmentCheck(video, header, None)
        shown = []
        for packet in demux_past_errors(container, [video], errors):
            if not packet.size:
                continue
            if check.missing == 0:
                fault = check.fault(copied)
                following = next(left, None)
                if fault or following is None:
                    return fault or f"it has more than {len(clip)} packets"
                check = _SegmentCheck(video, header, following, check)
            frame = int(np.searchsorted(expected, packet.pts or 0))
            check.add(packet, frame)
            shown.append(packet.pts)
            found += 1
        fault = check.fault(copied)
    if errors.count:
        return "it cannot be read without errors"
    if found != len(clip) or check.missing:
        return f"it has {found} packets for {len(clip)} frames"
    if not np.array_equal(np.sort(np.array(shown, np.int64)), expected):
        return "its frames do not have the times of the source's"
    return fault


def _written_times(times: FrameTimes, video: VideoStream) -> np.ndarray:
    """The time stamps of all frames in units of the written stream, which may be coarser (rounded half up)."""
    scale = times.time_base / time_base_of(video)
    top, bottom = scale.numerator, scale.denominator
    return np.sign(times.pts) * ((np.abs(times.pts) * (2 * top) + bottom) // (2 * bottom))


@dataclass(eq=False)
class _SegmentCheck:
    """Packets of one segment of the written film, and of the beginning of the GOP before it."""

    video: VideoStream
    header: bytes | None
    segment: Segment | None
    before: "_SegmentCheck | None" = None
    missing: int = 0
    digest: PacketDigest = field(default_factory=PacketDigest)
    start: list[av.Packet] = field(default_factory=list)
    latest: list[av.Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.missing = 0 if self.segment is None else len(self.segment)
        if self.before is not None:
            self.before.before = None

    def add(self, packet: av.Packet, frame: int) -> None:
        """Add the next packet, which shows frame number ``frame``."""
        self.missing -= 1
        if self.segment is not None and self.segment.copied:
            self.digest.add(packet, frame)
        if packet.is_keyframe:
            self.latest = []
        for kept in (self.start, self.latest):
            if len(kept) < _DECODED:
                kept.append(packet)

    def fault(self, copied: Mapping[int, bytes]) -> str:
        """What is wrong with this segment or with its join to the one before; "" if nothing is."""
        if self.segment is None or self.missing:
            return ""
        if self.segment.copied and copied.get(self.segment.first) != self.digest.value():
            return f"the copied packets from frame {self.segment.first} on are not those of the source"
        before = self.before
        if before is None or before.segment is None or before.segment.copied == self.segment.copied:
            return ""
        where = f"at the join before frame {self.segment.first}"
        own = self.start
        together = _decoded(self.video, [*before.latest, *own], self.video.codec_context.extradata)
        alone = _decoded(self.video, own if self.segment.copied else before.latest, self.header)
        if together is None or alone is None or len(together) != len(before.latest) + len(own):
            return f"a decoder fails {where}"
        if any(not _same(together.get(at), planes) for at, planes in alone.items()):
            return f"copied frames look different {where}"
        return ""


_Pictures = dict[int, tuple[np.ndarray, ...]]


def _decoded(video: VideoStream, packets: Sequence[av.Packet], header: bytes | None) -> _Pictures | None:
    """Time stamp -> planes of the frames in ``packets``, from a new decoder that stops at errors; None if it does."""
    context = av.CodecContext.create(video.codec_context.codec.canonical_name, "r")
    assert isinstance(context, VideoCodecContext)
    if header:
        context.extradata = header
    context.width, context.height = video.codec_context.width, video.codec_context.height
    context.options = {"err_detect": "explode"}
    context.thread_count = 1
    reader, pictures = PlaneReader(), {}
    try:
        for packet in (*packets, None):
            for frame in context.decode(packet):
                if frame.is_corrupt or frame.pts is None:
                    return None
                pictures[frame.pts] = reader.planes(frame, frame.format.name, frame.width, frame.height)
    except FFmpegError:
        return None
    return pictures


def _same(one: tuple[np.ndarray, ...] | None, other: tuple[np.ndarray, ...]) -> bool:
    return one is not None and all(map(np.array_equal, one, other))
