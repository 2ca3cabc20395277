"""What a file states about its length, compared with what could be read. A warning gives both numbers.

Only what the writer of the file stated counts: the list of samples in an mp4, a duration in a header. Durations that
demuxers estimate from the last time stamp or from the size of the file do not count.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from lipdub.media.container import open_input, time_base_of
from lipdub.media.frame_timestamps import FrameList
from lipdub.media.packets import clock_joins, demux
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import timecode

DURATION_TOLERANCE = Fraction(1, 10)
"""Seconds by which a stated duration may differ without a warning: writers round, codecs pad."""

_STATED = frozenset({"mov", "avi", "flac", "wav", "w64", "aiff", "caf"})
"""Formats (one of FFmpeg's names for each) whose streams have stated durations of their own."""

_STATED_WHOLE = frozenset({"matroska", "webm", "flv", "asf"})
"""Formats that state the duration of the longest stream only."""

_EXAMPLES = 5


def picture_warnings(container: InputContainer, video: VideoStream, listing: FrameList) -> Iterator[str]:
    """Sentences on differences between the stated length and the ``listing`` of frames, joined recordings, and missing
    frames."""
    times = listing.times
    yield from _joined(container)
    if listing.repaired:
        yield (
            f"{listing.repaired} of {len(times)} frames had the same time stamp as another or an earlier one; "
            "each was kept and got a time between its neighbours"
        )
    yield from _ends_early(container, video, listing)
    if "mov" not in _names(container):  # mov lists every frame, so its gaps are intended
        yield from _gaps(times)


def _joined(container: InputContainer) -> Iterator[str]:
    joins = [join for join in clock_joins(container) if join.position > 0]
    if joins:
        yield (
            f"it is {len(joins) + 1} recordings joined into one file: its time stamps begin again at "
            f"{first_examples(timecode(join.at) for join in joins)} and were continued there"
        )


def _ends_early(container: InputContainer, video: VideoStream, listing: FrameList) -> Iterator[str]:
    times = listing.times
    read = times.whole.duration
    if "mov" in _names(container):
        missing = len(video.index_entries) - listing.packets
        if missing > 0:
            length = max(_own_duration(video) or read, read)
            yield _short(f"{len(times) + missing} frames ({_seconds(length)})", f"{len(times)} ({_seconds(read)})")
        return
    end, whole = stated_end(container, video)
    slack = max(DURATION_TOLERANCE, 2 * Fraction(times.last) * times.time_base)
    if end is None or abs(end - times.whole.end) <= slack:
        return
    if whole and abs(end - _last_end(Path(container.name))) <= slack:
        return  # another stream is that long
    if end > times.whole.end:
        yield _short(_seconds(end), f"{_seconds(times.whole.end)} ({len(times)} frames)")
    elif times.whole.end - end > 1:
        yield f"the file states {_seconds(end)}; {_seconds(times.whole.end)} ({len(times)} frames) were read"


def _short(stated: str, read: str) -> str:
    return f"the file states {stated}; {read} could be read: it ends early or is damaged"


def _gaps(times: FrameTimes) -> Iterator[str]:
    """Gaps in a picture whose frames are otherwise evenly spaced."""
    steps = np.diff(times.pts)
    if len(steps) < 10:
        return
    usual = int(np.median(steps))
    if np.count_nonzero(np.abs(steps - usual) <= max(1, usual // 10)) < 0.9 * len(steps):
        return
    wide = [int(i) for i in np.flatnonzero(steps > 1.5 * usual)]
    if wide:
        missing = sum(round(int(steps[i]) / usual) - 1 for i in wide)
        spans = first_examples(f"{timecode(times.instant(i))} to {timecode(times.instant(i + 1))}" for i in wide)
        yield f"about {missing} frames are missing ({spans}): the frame before is shown meanwhile"


def stated_sound_end(container: InputContainer, audio: AudioStream) -> Fraction | None:
    """When the sound ends (s) as the file states; None if the file does not state it for the sound itself."""
    end, longest = stated_end(container, audio)
    return None if longest and len(container.streams) > 1 else end


def stated_end(container: InputContainer, stream: Stream) -> tuple[Fraction | None, bool]:
    """(When the stream ends (s) as the file states, or None; True if that is stated for the longest stream only.)"""
    names = _names(container)
    if names & _STATED_WHOLE:
        own = _tagged(stream)
        if own is not None:
            return own, False
        return (Fraction(container.duration, av.time_base), True) if container.duration else (None, True)
    if not names & _STATED and not _counted_mp3(container):
        return None, False
    own = _riff_duration(container, stream) or _own_duration(stream)
    return (None if own is None else own + (stream.start_time or 0) * time_base_of(stream)), False


def _own_duration(stream: Stream) -> Fraction | None:
    return stream.duration * time_base_of(stream) if stream.duration else None


def _names(container: InputContainer) -> set[str]:
    return set(container.format.name.split(","))


def _tagged(stream: Stream) -> Fraction | None:
    """Duration (s) in Matroska's tag DURATION, as its writers format it: 00:00:08.000000000."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", "").strip())
    if found is None:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])


def _last_end(path: Path) -> Fraction:
    """When the last packet of any stream ends (s). The file is read; nothing is decoded."""
    with open_input(path) as container:
        flowing = [s for s in container.streams if s.type in ("video", "audio", "subtitle")]
        ends = ((p.pts + (p.duration or 0)) * p.time_base for p in demux(container, *flowing) if p.pts is not None)
        return max(ends, default=Fraction(0))


def _counted_mp3(container: InputContainer) -> bool:
    """True for an mp3 that states its number of frames (header of Xing, LAME or Fraunhofer)."""
    if "mp3" not in _names(container):
        return False
    with Path(container.name).open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
        else:
            file.seek(0)
        first = file.read(512)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _riff_duration(container: InputContainer, stream: Stream) -> Fraction | None:
    """Duration (s) that a WAV file states; FFmpeg's own is corrected by the size of the file."""
    if "wav" not in _names(container) or not isinstance(stream, AudioStream) or not stream.codec_context.bit_rate:
        return None
    with Path(container.name).open("rb") as file:
        size = _riff_data(file)
    return None if size is None else Fraction(size * 8, stream.codec_context.bit_rate)


def _riff_data(file: BinaryIO) -> int | None:
    """Bytes of samples that a RIFF file states; None if it leaves that open, as writers to a pipe do."""
    if file.read(4) != b"RIFF":
        return None
    file.seek(12)
    for _ in range(64):
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if len(head) < 8:
            return None
        if head[:4] == b"data":
            return size if 0 < size < 0xFFFF_FF00 else None
        file.seek(size + size % 2, 1)
    return None


def _seconds(span: Fraction) -> str:
    return f"{float(span):.3f} s"


def first_examples(texts: Iterable[str]) -> str:
    """The first few of ``texts``, and how many more there are."""
    every = list(texts)
    more = f" and {len(every) - _EXAMPLES} more" if len(every) > _EXAMPLES else ""
    return ", ".join(every[:_EXAMPLES]) + more
