"""What is in a file: its streams, and when every frame is shown."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.stream import Stream
from av.video.stream import VideoStream

from lipdub.errors import NoPicture, NotMedia
from lipdub.media.container import open_input, picture_stream, sound_stream_index
from lipdub.media.formats import planar_format
from lipdub.media.frame_timestamps import check_duration, decode, frames_from_decoder, frames_from_packets
from lipdub.media.packets import ReadErrors, playback_start
from lipdub.media.stated_duration import picture_warnings
from lipdub.timeline.clip import Clip, FrameTimes
from lipdub.timeline.picture import display_size

_HEAD = 8
_FIELD_ORDERS = {0: "unknown", 1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}


@dataclass(frozen=True, slots=True)
class ColourTags:
    """The stream's colour tags, as numbers of ITU-T H.273; 2 means 'unspecified'.

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
    """The picture stream as coded. ``matrix`` is the display matrix (9 numbers), or None.

    ``rotation`` is the number of quarter turns counter-clockwise that bring it upright. ``side_data`` is what else the
    first frames carry, by FFmpeg's names (``MASTERING_DISPLAY_METADATA``), with the bytes if they hold for the whole
    stream.
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
    """What is in a file. ``duration`` and ``start``, where players begin, are in seconds.

    ``picture`` is None for a file without a picture that can be decoded.
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
        """True if the file has a sound stream."""
        return any(stream.kind == "audio" for stream in self.streams)


def open_clip(path: Path, stream: int | None = None, sound: int | None = None) -> Clip:
    """Measure picture stream ``stream`` of ``path`` and choose its sound stream ``sound`` (counted from 0; default:
    those that players show and play).

    Times are read from the packets, and the first few frames are decoded to check them. If the packets are unreliable
    or disagree, the whole stream is decoded. Differences between what the file states and what was read are in
    ``Clip.warnings``. Raises ``InputError``, ``NotMedia``, ``NoPicture``, or ``NoSound`` if there is no such sound
    stream.
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
        has_sound = any(s.codec_context is not None for s in container.streams.audio)
        return Clip(
            path=path,
            times=times,
            size=display_size(*picture.size, picture.pixel_aspect, picture.rotation),
            rate=_plausible_rate(video, times),
            has_sound=has_sound,
            start=playback_start(container),
            stream=number,
            sound=sound_stream_index(container, path, sound) if has_sound or sound is not None else None,
            matched_by_order=listing.repaired > 0,
            warnings=doubts,
        )


def clip_as_stated(path: Path, sound: int | None = None) -> Clip | None:
    """What ``open_clip`` would measure, as the file's header states it: as many frames as duration and rate say, evenly
    spaced. For checks of large files only. None if the header does not state it.

    The first few frames are decoded. Raises what ``open_clip`` raises for a file that is damaged there.
    """
    with open_input(path) as container:
        video = picture_stream(container, path)
        number, rate = container.streams.video.index(video), Fraction(video.average_rate or 0)
        length = Fraction(container.duration or 0, av.time_base)
        start = playback_start(container)
        has_sound = any(s.codec_context is not None for s in container.streams.audio)
        stream = sound_stream_index(container, path, sound) if has_sound or sound is not None else None
    frames = round(length * rate)
    if frames < 1:
        return None
    facts = _decode_first_frames(path, number)[0]
    first = round(start * rate)
    return Clip(
        path=path,
        times=FrameTimes(np.arange(first, first + frames, dtype=np.int64), 1 / rate),
        size=display_size(*facts.size, facts.pixel_aspect, facts.rotation),
        rate=rate,
        has_sound=has_sound,
        start=start,
        stream=number,
        sound=stream,
    )


def _decoder_agrees(stated: list[int], shown: list[int], errors: int) -> bool:
    """True if the decoder returns the frames that the packets announce, or fewer of them because of damage."""
    return stated == shown or (errors > 0 and set(shown) <= set(stated) and shown == sorted(set(shown)))


def probe(path: Path) -> MediaFacts:
    """What is in the file ``path``; only the first frames are decoded.

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
    """The picture stream of ``clip`` as coded. Remembered as long as the file does not change."""
    return _cached_facts(clip.path, clip.stream, clip.path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _cached_facts(path: Path, number: int, changed: int) -> PictureFacts:
    return _decode_first_frames(path, number)[0]


def chosen_sound_stream(path: Path, stream: int | None = None) -> int:
    """Index (counted from 0) of the sound stream that is used: ``stream``, or the one that players play.

    Raises ``InputError``, ``NotMedia`` or ``NoSound``.
    """
    with open_input(path) as container:
        return sound_stream_index(container, path, stream)


def container_start(path: Path) -> Fraction:
    """Time (s) on the file's clock at which players begin: there a dub track of it starts."""
    with open_input(path) as container:
        return playback_start(container)


def _decode_first_frames(path: Path, number: int) -> tuple[PictureFacts, list[int], int]:
    """Facts from the first decoded frame, the time stamps of the first few, and the number of errors before them."""
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
"""Side data that is reported elsewhere, that encoders write about themselves, or that is in the pixels already."""


def _side_data(frames: Iterable[av.VideoFrame]) -> tuple[tuple[str, bytes], ...]:
    """Name of every kind of side data on ``frames``, sorted, with its bytes if it holds for the whole stream."""
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
    """Metadata text with replacement characters for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _plausible_rate(video: VideoStream, times: FrameTimes) -> Fraction:
    """The stated average frame rate; the measured one if that is missing or implausible."""
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
