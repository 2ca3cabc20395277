"""Verifying a film that was made of segments: its packets, its times, and that decoders get over every join."""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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

_JOINS_AT_ONCE = 2
"""Joins that are decoded at the same time, each in a thread of its own."""


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
    with open_input(path) as container, _JoinChecks() as joins:
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
                fault = check.fault(copied) or joins.add(check.join())
                following = next(left, None)
                if fault or following is None:
                    return fault or f"it has more than {len(clip)} packets"
                check = _SegmentCheck(video, header, following, check)
            frame = int(np.searchsorted(expected, packet.pts or 0))
            check.add(packet, frame)
            shown.append(packet.pts)
            found += 1
        fault = check.fault(copied) or joins.add(check.join()) or joins.fault()
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
        """What is wrong with the packets of this segment; "" if nothing is."""
        if self.segment is None or self.missing or not self.segment.copied:
            return ""
        if copied.get(self.segment.first) == self.digest.value():
            return ""
        return f"the copied packets from frame {self.segment.first} on are not those of the source"

    def join(self) -> "_Join | None":
        """The join of this segment to the one before, if one of them was copied and the other was not."""
        before = self.before
        if self.segment is None or self.missing or before is None or before.segment is None:
            return None
        if before.segment.copied == self.segment.copied:
            return None
        context = self.video.codec_context
        decoder = _Decoder(context.codec.canonical_name, (context.width, context.height))
        alone = self.start if self.segment.copied else before.latest
        return _Join(
            self.segment.first, decoder, (*before.latest, *self.start), tuple(alone), context.extradata, self.header
        )


_Pictures = dict[int, bytes]
"""Time stamp -> digest of the samples of a frame."""


@dataclass(frozen=True)
class _Decoder:
    """A codec, and the size of its pictures."""

    codec: str
    size: tuple[int, int]

    def pictures(self, packets: Sequence[av.Packet], header: bytes | None) -> _Pictures | None:
        """The frames in ``packets``, from a new decoder that stops at errors; None if it does."""
        context = av.CodecContext.create(self.codec, "r")
        assert isinstance(context, VideoCodecContext)
        if header:
            context.extradata = header
        context.width, context.height = self.size
        context.options = {"err_detect": "explode"}
        context.thread_count = 1
        reader, pictures = PlaneReader(), {}
        try:
            for packet in (*packets, None):
                for frame in context.decode(packet):
                    if frame.is_corrupt or frame.pts is None:
                        return None
                    planes = reader.planes(frame, frame.format.name, frame.width, frame.height)
                    pictures[frame.pts] = _samples_digest(planes)
        except FFmpegError:
            return None
        return pictures


@dataclass(frozen=True, eq=False)
class _Join:
    """The packets around the join before ``frame``; ``alone`` are those that were copied, with the header of the source
    ("extradata"), ``packets`` all, with the header of the film."""

    frame: int
    decoder: _Decoder
    packets: Sequence[av.Packet]
    alone: Sequence[av.Packet]
    film_header: bytes | None
    source_header: bytes | None

    def fault(self) -> str:
        """What is wrong with the join; "" if nothing is."""
        where = f"at the join before frame {self.frame}"
        together = self.decoder.pictures(self.packets, self.film_header)
        alone = self.decoder.pictures(self.alone, self.source_header)
        if together is None or alone is None or len(together) != len(self.packets):
            return f"a decoder fails {where}"
        if any(together.get(at) != digest for at, digest in alone.items()):
            return f"copied frames look different {where}"
        return ""


class _JoinChecks:
    """Joins that are checked in threads, in order; few at once, because their packets are kept in memory."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_JOINS_AT_ONCE, "lipdub-joins")
        self._waiting: deque[Future[str]] = deque()

    def __enter__(self) -> "_JoinChecks":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def add(self, join: _Join | None) -> str:
        """Have ``join`` checked, if there is one; return what is wrong with an earlier one ("": nothing known)."""
        if join is None:
            return ""
        self._waiting.append(self._threads.submit(join.fault))
        return self._waiting.popleft().result() if len(self._waiting) > 2 * _JOINS_AT_ONCE else ""

    def fault(self) -> str:
        """What is wrong with the first faulty join of those that are left; "" if nothing is."""
        return next(filter(None, (waiting.result() for waiting in self._waiting)), "")


def _samples_digest(planes: Sequence[np.ndarray]) -> bytes:
    digest = blake2b(digest_size=16)
    for plane in planes:
        digest.update(f"{plane.shape}{plane.dtype}".encode())
        digest.update(np.ascontiguousarray(plane).data)
    return digest.digest()
