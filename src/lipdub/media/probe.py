"""Measure a file before anything is done with it: when every frame is shown, and what else is inside."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import SideData
from av.stream import Stream
from av.video.stream import VideoStream

from lipdub.errors import NoPicture, NotMedia
from lipdub.media.container import base_of, only, opened, picture_stream, start_of
from lipdub.media.formats import planar
from lipdub.media.sight import display_size
from lipdub.timeline.clip import Clip, FrameTimes

# Codecs of which every packet is one shown frame, where the container says when.
_ONE_FRAME_EACH = frozenset(
    "h264 hevc vp9 av1 mpeg1video mpeg2video mpeg4 prores dnxhd mjpeg ffv1 theora h263 vvc rawvideo".split()
)
# Containers whose picture packets carry decoding order only, or several frames at once.
_VAGUE = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo", "ivf", "gif", "flv", "asf", "rawvideo"})
_HEAD = 8
_FIELD_ORDERS = {0: "unknown", 1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What the stream says about its colours, as numbers of ITU-T H.273; 2 is 'unspecified'.

    ``range`` is FFmpeg's: 0 unspecified, 1 limited, 2 full.
    """

    matrix: int
    primaries: int
    transfer: int
    range: int


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of a file. Fields that do not apply to its ``kind`` are None. ``start`` is in seconds."""

    index: int
    kind: str
    codec: str
    language: str | None = None
    start: Fraction | None = None
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    pixel_format: str | None = None
    channels: int | None = None
    sample_rate: int | None = None


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The picture stream as coded. ``matrix`` is the display matrix (9 numbers) if there is one.

    ``rotation`` is quarter turns counter-clockwise that bring it upright. ``side_data`` is what else the first frames
    carry, by FFmpeg's names (``MASTERING_DISPLAY_METADATA``), with the bytes where they hold for the whole stream.
    """

    codec: str
    pixel_format: str
    size: tuple[int, int]
    depth: int
    pixel_aspect: Fraction
    rotation: int
    matrix: tuple[int, ...] | None
    colours: ColourTags
    field_order: str
    interlaced: bool
    profile: str | None
    side_data: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What is in a file. ``duration`` and ``start`` in seconds; ``start`` is where players begin.

    ``picture`` is None for a file without (decodable) picture.
    """

    path: Path
    container: str
    duration: Fraction
    start: Fraction
    streams: tuple[StreamFacts, ...]
    picture: PictureFacts | None
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def has_sound(self) -> bool:
        """True if some stream is sound."""
        return any(stream.kind == "audio" for stream in self.streams)


def open_clip(path: Path, stream: int | None = None) -> Clip:
    """Measure the picture stream ``stream`` (counted from 0; default: the one players show) of ``path``.

    Times are read from the packets, and the decoder is asked for the first few frames to see that it shows
    what they promise; where packets are vague or do not agree, the whole stream is decoded.
    Raises ``InputError``, ``NotMedia`` or ``NoPicture``.
    """
    with opened(path) as container:
        video = picture_stream(container, path, stream)
        number = container.streams.video.index(video)
        listed = _listed(container, video)
    picture, head = _first_look(path, number)
    times = listed if listed is not None and listed.pts[: len(head)].tolist() == head else _decoded(path, number)
    with opened(path) as container:
        video = container.streams.video[number]
        rate = _credible_rate(video, times)
        size = display_size(*picture.size, picture.pixel_aspect, picture.rotation)
        heard = any(s.codec_context is not None for s in container.streams.audio)
        return Clip(path, times, size, rate, heard, start_of(container), number)


def probe(path: Path) -> MediaFacts:
    """Everything worth telling about ``path``; nothing is decoded but the first frame.

    Raises ``InputError`` or ``NotMedia``.
    """
    with opened(path) as container:
        streams = tuple(_stream_facts(stream) for stream in container.streams)
        duration = Fraction(container.duration or 0, av.time_base)
        start, name = start_of(container), container.format.name
        metadata = {key: _printable(value) for key, value in container.metadata.items()}
        try:
            number = container.streams.video.index(picture_stream(container, path))
        except NoPicture:
            number = None
    picture = None if number is None else _first_look(path, number)[0]
    return MediaFacts(path, name, duration, start, streams, picture, metadata)


def picture_facts(clip: Clip) -> PictureFacts:
    """The picture stream of ``clip`` as coded. Remembered for as long as the file does not change."""
    return _remembered_facts(clip.path, clip.stream, clip.path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _remembered_facts(path: Path, number: int, changed: int) -> PictureFacts:
    return _first_look(path, number)[0]


def container_start(path: Path) -> Fraction:
    """The instant (s) at which players begin to play ``path``: time 0 of a dub track for it."""
    with opened(path) as container:
        return start_of(container)


def _listed(container: InputContainer, video: VideoStream) -> FrameTimes | None:
    """Frame times as the packets state them; None where they cannot be trusted."""
    if video.codec_context.codec.canonical_name not in _ONE_FRAME_EACH or container.format.name in _VAGUE:
        return None
    only(container, video)
    pts: list[int] = []
    lengths: dict[int, int] = {}
    first_is_key, whole = None, True
    try:
        for packet in container.demux(video):
            if packet.size == 0:
                continue
            first_is_key = packet.is_keyframe if first_is_key is None else first_is_key
            if packet.is_discard:
                continue
            if packet.pts is None or packet.is_corrupt:
                return None
            pts.append(packet.pts)
            lengths[packet.pts] = packet.duration or 0
    except FFmpegError:
        whole = False
    if not pts or not first_is_key or not whole or len(lengths) != len(pts):
        return None
    pts.sort()
    return _times(pts, video, _stated_end(container, video, pts) or lengths[pts[-1]])


def _stated_end(container: InputContainer, video: VideoStream, pts: list[int]) -> int:
    """How long the last frame lasts by the length of the whole track; 0 where that says nothing about it.

    In mp4 and mov, packets last until the next one in coded order, so with reordered frames only the sum is right.
    """
    if "mp4" not in container.format.name or video.start_time != pts[0] or not video.duration:
        return 0
    return max(0, pts[0] + video.duration - pts[-1])


def _decoded(path: Path, number: int) -> FrameTimes:
    """Frame times as decoding yields them, for streams whose packets are vague."""
    pts: list[int] = []
    length = 0
    with opened(path) as container:
        video = container.streams.video[number]
        for at, frame in shown(container, video):
            if not pts or at > pts[-1]:
                pts.append(at)
                length = int(frame.duration or 0)
        if not pts:
            raise NotMedia("holds no frame that can be decoded", file=path, remedy="Export it again.")
        return _times(pts, video, length)


def _times(pts: list[int], video: VideoStream, length: int) -> FrameTimes:
    if length <= 0:
        steps = np.diff(pts)
        length = int(np.median(steps)) if len(steps) else _usual_step(video)
    return FrameTimes(np.array(pts, np.int64), base_of(video), max(1, length))


def _usual_step(video: VideoStream) -> int:
    """Units between two frames at the stream's stated rate."""
    return max(1, round(1 / (Fraction(video.average_rate or video.guessed_rate or 25) * base_of(video))))


def shown(container: InputContainer, video: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
    """(time stamp, frame) as the decoder shows them, from where the container stands.

    A packet that cannot be decoded is passed over. Frames without a time stamp follow the one before at the
    stream's rate.
    """
    only(container, video)
    video.thread_type = "AUTO"
    step = _usual_step(video)
    expected = video.start_time or 0
    for packet in chain(_packets(container, video), (None,)):
        try:
            decoded = video.decode(packet)
        except FFmpegError:
            continue
        for frame in decoded:
            at = expected if frame.pts is None else frame.pts
            expected = at + step
            yield at, frame


def _packets(container: InputContainer, video: VideoStream) -> Iterator[av.Packet]:
    """Packets up to the end, or to where a file that was cut off ends."""
    try:
        yield from container.demux(video)
    except FFmpegError:
        return


def _first_look(path: Path, number: int) -> tuple[PictureFacts, list[int]]:
    """Facts from the first decoded frame, and the time stamps of the first few."""
    with opened(path) as container:
        video = container.streams.video[number]
        context = video.codec_context
        first = list(islice(shown(container, video), _HEAD))
        if not first:
            raise NotMedia("holds no frame that can be decoded", file=path, remedy="Export it again.")
        frame = first[0][1]
        matrix = _display_matrix(frame)
        tags = ColourTags(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        facts = PictureFacts(
            codec=context.codec.canonical_name,
            pixel_format=frame.format.name,
            size=(frame.width, frame.height),
            depth=planar(frame.format.name).depth,
            pixel_aspect=Fraction(video.sample_aspect_ratio or 1) or Fraction(1),
            rotation=round(frame.rotation / 90) % 4 if matrix else 0,
            matrix=matrix,
            colours=tags,
            field_order=_FIELD_ORDERS.get(context.field_order, "unknown"),
            interlaced=frame.interlaced_frame,
            profile=video.profile,
            side_data=_side_data(frame for _, frame in first),
        )
    return facts, [at for at, _ in first]


_WHOLE_STREAM = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
_OF_DECODING = frozenset(
    "DISPLAYMATRIX SEI_UNREGISTERED MOTION_VECTORS VIDEO_ENC_PARAMS REGIONS_OF_INTEREST DETECTION_BBOXES VIDEO_HINT "
    "FILM_GRAIN_PARAMS".split()
)
"""Side data that is told elsewhere, that encoders write about themselves, or that is in the pixels already."""


def _side_data(frames: Iterable[av.VideoFrame]) -> tuple[tuple[str, bytes], ...]:
    """Name of every kind of side data on ``frames``, sorted, with the bytes of those that hold for the whole stream."""
    found: dict[str, bytes] = {}
    for frame in frames:
        for data in cast("Iterable[SideData]", frame.side_data):
            name = data.type.name
            if name not in _OF_DECODING:
                found.setdefault(name, bytes(data) if name in _WHOLE_STREAM else b"")
    return tuple(sorted(found.items()))


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The 3 x 3 matrix (16.16 and 2.30 fixed point, row by row) that turns the coded picture upright."""
    for data in cast("Iterable[SideData]", frame.side_data):
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return None


def _printable(text: str) -> str:
    """Metadata that is not UTF-8, with marks for what cannot be read."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _credible_rate(video: VideoStream, times: FrameTimes) -> Fraction:
    """The stated average rate; the measured one where that is missing or beyond belief."""
    mean = len(times) / times.whole.duration
    stated = Fraction(video.average_rate or video.guessed_rate or 0)
    return stated if mean / 2 < stated < mean * 2 else mean


def _stream_facts(stream: Stream) -> StreamFacts:
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else (getattr(stream, "name", None) or "unknown")
    start = None if stream.start_time is None or not stream.time_base else stream.start_time * stream.time_base
    common = (stream.index, stream.type, codec, stream.language, start)
    if isinstance(context, av.VideoCodecContext):
        return StreamFacts(*common, (context.width, context.height), stream.average_rate, context.pix_fmt)
    if isinstance(context, av.AudioCodecContext):
        return StreamFacts(*common, channels=context.channels, sample_rate=context.sample_rate)
    return StreamFacts(*common)
