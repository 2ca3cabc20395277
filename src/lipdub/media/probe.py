"""Measure a file before anything is done with it: when every frame is shown, and what else is inside."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import cast

import av
from av.sidedata.sidedata import SideData
from av.stream import Stream
from av.video.stream import VideoStream

from lipdub.errors import NoPicture, NotMedia
from lipdub.media.container import open_input, picture_stream, sound_stream_index
from lipdub.media.formats import planar_format
from lipdub.media.frame_timestamps import check_duration, decode, frames_from_decoder, frames_from_packets
from lipdub.media.packets import ReadErrors, playback_start
from lipdub.media.stated_duration import picture_warnings
from lipdub.media.window_rgb import display_size
from lipdub.timeline.clip import Clip, FrameTimes

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


def open_clip(path: Path, stream: int | None = None, sound: int | None = None) -> Clip:
    """Measure the picture stream ``stream`` and choose the sound stream ``sound`` of ``path`` (counted from 0; default:
    those that players show and play).

    Times are read from the packets, and the decoder is asked for the first few frames to see that it shows
    what they promise; where packets are vague or do not agree, the whole stream is decoded. What the file states and
    what was read are compared: ``Clip.warnings``.
    Raises ``InputError``, ``NotMedia``, ``NoPicture``, or ``NoSound`` if there is no such sound stream.
    """
    with open_input(path) as container:
        video = picture_stream(container, path, stream)
        number = container.streams.video.index(video)
        listing = frames_from_packets(container, video)
    picture, head, errors = _decode_first_frames(path, number)
    if listing is None or not _decoder_agrees(listing.times.pts[: len(head)].tolist(), head, errors):
        listing = frames_from_decoder(path, number)
    times = listing.times
    check_duration(times, path)
    with open_input(path) as container:
        video = container.streams.video[number]
        doubts = tuple(picture_warnings(container, video, listing))
        features = any(s.codec_context is not None for s in container.streams.audio)
        return Clip(
            path=path,
            times=times,
            size=display_size(*picture.size, picture.pixel_aspect, picture.rotation),
            rate=_plausible_rate(video, times),
            has_sound=features,
            start=playback_start(container),
            stream=number,
            sound=sound_stream_index(container, path, sound) if features or sound is not None else None,
            matched_by_order=listing.repaired > 0,
            warnings=doubts,
        )


def _decoder_agrees(promised: list[int], shown: list[int], errors: int) -> bool:
    """True if the decoder shows what the packets promise, or less of it because of damage."""
    return promised == shown or (errors > 0 and set(shown) <= set(promised) and shown == sorted(set(shown)))


def probe(path: Path) -> MediaFacts:
    """Everything worth telling about ``path``; nothing is decoded but the first frame.

    Raises ``InputError`` or ``NotMedia``.
    """
    with open_input(path) as container:
        streams = tuple(_stream_facts(stream) for stream in container.streams)
        duration = Fraction(container.duration or 0, av.time_base)
        start, name = playback_start(container), container.format.name
        metadata = {key: _printable(value) for key, value in container.metadata.items()}
        try:
            number = container.streams.video.index(picture_stream(container, path))
        except NoPicture:
            number = None
    picture = None if number is None else _decode_first_frames(path, number)[0]
    return MediaFacts(path, name, duration, start, streams, picture, metadata)


def picture_facts(clip: Clip) -> PictureFacts:
    """The picture stream of ``clip`` as coded. Remembered for as long as the file does not change."""
    return _cached_facts(clip.path, clip.stream, clip.path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _cached_facts(path: Path, number: int, changed: int) -> PictureFacts:
    return _decode_first_frames(path, number)[0]


def chosen_sound_stream(path: Path, stream: int | None = None) -> int:
    """The number, counted from 0, of the sound stream that is heard: ``stream``, or the one that players play.

    Raises ``InputError``, ``NotMedia`` or ``NoSound``.
    """
    with open_input(path) as container:
        return sound_stream_index(container, path, stream)


def container_start(path: Path) -> Fraction:
    """The instant (s) at which players begin to play ``path``: time 0 of a dub track for it."""
    with open_input(path) as container:
        return playback_start(container)


def _decode_first_frames(path: Path, number: int) -> tuple[PictureFacts, list[int], int]:
    """Facts from the first decoded frame, the time stamps of the first few, and how many errors came before them."""
    errors = ReadErrors()
    with open_input(path) as container:
        video = container.streams.video[number]
        context = video.codec_context
        first = list(islice(decode(container, video, errors), _HEAD))
        if not first:
            raise NotMedia("holds no frame that can be decoded", file=path, remedy="Export it again.")
        frame = first[0][1]
        matrix = _display_matrix(frame)
        tags = ColourTags(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        facts = PictureFacts(
            codec=context.codec.canonical_name,
            pixel_format=frame.format.name,
            size=(frame.width, frame.height),
            depth=planar_format(frame.format.name).depth,
            pixel_aspect=Fraction(video.sample_aspect_ratio or 1) or Fraction(1),
            rotation=round(frame.rotation / 90) % 4 if matrix else 0,
            matrix=matrix,
            colours=tags,
            field_order=_FIELD_ORDERS.get(context.field_order, "unknown"),
            interlaced=frame.interlaced_frame,
            profile=video.profile,
            side_data=_side_data(frame for _, frame in first),
        )
    return facts, [at for at, _ in first], errors.count


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


def _plausible_rate(video: VideoStream, times: FrameTimes) -> Fraction:
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
