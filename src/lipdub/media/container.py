"""Opening media files, with a clear error for everything that can be wrong with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import InputError, NoPicture, NoSound, NotMedia

# Demuxers that accept any text or any bytes as a picture.
_NOT_MEDIA = {"tty", "bin", "xbin", "adf", "idf", "data", "lavfi"}
_ANOTHER = "Give a video or sound file that plays in a media player."

MAX_PICTURE_SIDE = 16384
"""Pixels. A picture that claims to be wider or higher than this (four times 4K) is damaged, or no film."""

MAX_DURATION = Fraction(48 * 3600)
"""Seconds that a file may last, and by which its time stamps may jump."""


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """The file at ``path``, open for reading until the block ends. Only local files are read.

    Raises ``InputError`` if it is missing or may not be read, ``NotMedia`` if it is a folder, empty, cut off before its
    index, or no media file.
    """
    _check_exists(path)
    try:
        # Only files: a playlist must not open network addresses.
        options = {"protocol_whitelist": "file"}
        container = av.open(str(path.absolute()), "r", container_options=options, metadata_errors="surrogateescape")
    except PermissionError as refused:
        raise InputError("may not be read", file=path, remedy="Check its permissions.") from refused
    except (FFmpegError, ValueError, OSError) as broken:
        what = "is not a sound or video file, or it is cut off or damaged"
        raise NotMedia(what, file=path, remedy=_ANOTHER) from broken
    try:
        if container.format.name in _NOT_MEDIA or len(container.streams) == 0:
            raise NotMedia("is not a sound or video file", file=path, remedy=_ANOTHER)
        yield container
    finally:
        container.close()


def _check_exists(path: Path) -> None:
    if path.is_dir():
        raise NotMedia("is a folder, not a sound or video file", file=path, remedy="Name a file in it.")
    if not os.path.lexists(path):
        raise InputError("there is no such file", file=path, remedy="Check the name.")
    if check_regular_file(path) == 0:
        raise NotMedia("is empty", file=path, remedy="Copy or export it again.")


def picture_stream(container: InputContainer, path: Path, stream: int | None = None) -> VideoStream:
    """Picture stream ``stream`` (counted from 0). None: the one that players show, which is the first marked as
    default, else the first. Never cover art.

    Raises ``NoPicture`` if there is none, or not that one; ``InputError`` if its picture is too large.
    """
    streams = container.streams.video
    moving = [s for s in streams if s.codec_context is not None and not s.disposition & Disposition.attached_pic]
    still = container.format.name.endswith("_pipe") or container.format.name == "image2"
    if not moving or still:
        what = "is a still picture" if still else "has no picture that can be decoded"
        raise NoPicture(what, file=path, remedy="Give a video file.")
    if stream is None:
        chosen = next((s for s in moving if s.disposition & Disposition.default), moving[0])
        check_picture_size(chosen.codec_context.width, chosen.codec_context.height, path)
        return chosen
    if stream >= len(streams) or streams[stream] not in moving:
        what = f"has no picture stream {stream} ({len(streams)} in all, counted from 0)"
        raise NoPicture(what, file=path, remedy="Choose another stream.")
    check_picture_size(streams[stream].codec_context.width, streams[stream].codec_context.height, path)
    return streams[stream]


def check_picture_size(width: int, height: int, path: Path) -> None:
    """Raise ``InputError`` for a picture that is larger than any film, before memory is allocated for it."""
    if max(width, height) > MAX_PICTURE_SIDE:
        what = f"its picture is {width} x {height} pixels; up to {MAX_PICTURE_SIDE} in each direction can be read"
        raise InputError(what, file=path, remedy="Scale it down, or export it again if it is not really so large.")


def sound_stream(container: InputContainer, path: Path, stream: int | None = None) -> AudioStream:
    """Sound stream ``stream`` (counted from 0). None: the one that players play, which is the first marked as default,
    else the first. Raises ``NoSound`` if there is none that can be decoded, or not that one."""
    return container.streams.audio[sound_stream_index(container, path, stream)]


def sound_stream_index(container: InputContainer, path: Path, stream: int | None = None) -> int:
    """Index (counted from 0) of the sound stream that ``sound_stream`` returns. Raises ``NoSound``."""
    streams = container.streams.audio
    usable = [i for i, s in enumerate(streams) if s.codec_context is not None]
    if not usable:
        raise NoSound("has no sound that can be decoded", file=path, remedy="Give a file with an audio track.")
    if stream is None:
        return next((i for i in usable if streams[i].disposition & Disposition.default), usable[0])
    if stream not in usable:
        what = f"has no sound stream {stream} ({len(streams)} in all, counted from 0)"
        raise NoSound(what, file=path, remedy="Choose another stream.")
    return stream


def discard_other_streams(container: InputContainer, *wanted: Stream) -> None:
    """Let the demuxer skip the packets of every stream that is not ``wanted``."""
    for stream in container.streams:
        if stream not in wanted:
            stream.discard = Discard.all


def time_base_of(stream: Stream) -> Fraction:
    """Seconds in one unit of the stream's time stamps."""
    assert stream.time_base is not None, "streams of an open file have a time base"
    return stream.time_base


def negative_times_are_priming(container: InputContainer) -> bool:
    """True if sound before time 0 is the encoder's priming, which is not played. Not so in MPEG streams: there the
    33-bit clock passed zero (ISO/IEC 13818-1, 2.4.3.7), and FFmpeg gives earlier times as negative."""
    return container.format.name not in ("mpegts", "mpeg")
