"""Opening files: one way in, with plain words for everything that can be wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from lipdub.errors import InputError, NoPicture, NotMedia

# Demuxers that take any text or any bytes for a picture.
_NOT_MEDIA = {"tty", "bin", "xbin", "adf", "idf", "data", "lavfi"}
_ANOTHER = "Give a video or sound file that plays in a media player."


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file at ``path``, open for reading; closed on the way out. Only local files are ever read.

    Raises ``InputError`` if it is missing or may not be read, ``NotMedia`` if it is a folder, empty, cut off
    before its index, or no media at all.
    """
    _check_exists(path)
    try:
        # Only files: a playlist must not reach out to the network.
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
    try:
        size = path.stat().st_size
    except FileNotFoundError as missing:
        raise InputError("there is no such file", file=path, remedy="Check the name.") from missing
    except OSError as refused:
        raise InputError("may not be read", file=path, remedy="Check its permissions.") from refused
    if path.is_file() and size == 0:
        raise NotMedia("is empty", file=path, remedy="Copy or export it again.")


def picture_stream(container: InputContainer, path: Path, stream: int | None = None) -> VideoStream:
    """Picture stream ``stream`` (counted from 0), or the one a player shows: the first that is marked default,
    else the first; never cover art.

    Raises ``NoPicture`` if there is none, or no such one.
    """
    streams = container.streams.video
    moving = [s for s in streams if s.codec_context is not None and not s.disposition & Disposition.attached_pic]
    still = container.format.name.endswith("_pipe") or container.format.name == "image2"
    if not moving or still:
        what = "is a still picture" if still else "has no picture that can be decoded"
        raise NoPicture(what, file=path, remedy="Give a video file.")
    if stream is None:
        return next((s for s in moving if s.disposition & Disposition.default), moving[0])
    if stream >= len(streams) or streams[stream] not in moving:
        what = f"has no picture stream {stream} ({len(streams)} in all, counted from 0)"
        raise NoPicture(what, file=path, remedy="Choose another stream.")
    return streams[stream]


def only(container: InputContainer, *wanted: Stream) -> None:
    """Let the demuxer skip the packets of every other stream."""
    for stream in container.streams:
        if stream not in wanted:
            stream.discard = Discard.all


def base_of(stream: Stream) -> Fraction:
    """Seconds in one unit of the stream's time stamps."""
    assert stream.time_base is not None, "streams of an open file have a time base"
    return stream.time_base


def start_of(container: InputContainer) -> Fraction:
    """The instant (s) on the container's clock at which players begin: the first start of picture or sound.

    Codec priming before zero is not counted as sound.
    """
    starts = []
    for stream in (*container.streams.video, *container.streams.audio):
        if stream.start_time is not None and not stream.disposition & Disposition.attached_pic:
            start = stream.start_time * base_of(stream)
            starts.append(max(start, Fraction(0)) if stream.type == "audio" else start)
    return min(starts, default=Fraction(0))
