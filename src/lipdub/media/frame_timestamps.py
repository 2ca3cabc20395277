"""When every frame of a picture is shown: from the packets' time stamps or, where those are unreliable, from
decoding."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from lipdub.errors import NotMedia
from lipdub.media.container import MAX_DURATION, check_picture_size, open_input, time_base_of
from lipdub.media.packets import ReadErrors, demux
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import timecode

# Codecs with exactly one shown frame per packet, if the container has time stamps.
_ONE_FRAME_EACH = frozenset(
    "h264 hevc vp9 av1 mpeg1video mpeg2video mpeg4 prores dnxhd mjpeg ffv1 theora h263 vvc rawvideo".split()
)
# Containers whose picture packets carry decoding order only, or several frames at once.
_VAGUE = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo", "ivf", "gif", "flv", "asf", "rawvideo"})

_LONG_LAST = Fraction(60)
"""Seconds. The stated length of the last frame is not believed if it exceeds this and all other frames together."""


@dataclass(frozen=True, eq=False)
class FrameList:
    """The ``times`` of all frames, and how they were read: number of ``packets`` (also those that are not shown, and
    damaged ones), ``errors`` in reading, and how many frames had equal or falling time stamps that were ``repaired``.
    """

    times: FrameTimes
    packets: int
    errors: int = 0
    repaired: int = 0


def frames_from_packets(container: InputContainer, video: VideoStream) -> FrameList | None:
    """Frame times from the packets' time stamps; None if they cannot be trusted."""
    if video.codec_context.codec.canonical_name not in _ONE_FRAME_EACH or container.format.name in _VAGUE:
        return None
    pts: list[int] = []
    lengths: dict[int, int] = {}
    broken: set[int] = set()
    first_is_key, count, errors = None, 0, ReadErrors()
    for packet in demux(container, video, errors=errors):
        first_is_key = packet.is_keyframe if first_is_key is None else first_is_key
        count += 1
        if packet.is_discard:
            continue
        if packet.pts is None:
            return None
        pts.append(packet.pts)
        lengths[packet.pts] = packet.duration or 0
        if packet.is_corrupt:
            broken.add(packet.pts)
    while pts and pts[-1] in broken:  # incomplete packets at the end of a file that was cut off
        del lengths[pts.pop()]
        count -= 1
    if not pts or not first_is_key or len(lengths) != len(pts):
        return None
    pts.sort()
    times = _times(pts, video, _stated_end(container, video, pts) or lengths[pts[-1]])
    return FrameList(times, count, errors.count)


def frames_from_decoder(path: Path, number: int) -> FrameList:
    """Frame times from decoding, one for every frame that the decoder returns.

    Raises ``NotMedia`` if it returns none, or if they cover more than two days.
    """
    pts: list[int] = []
    length, errors = 0, ReadErrors()
    with open_input(path) as container:
        video = container.streams.video[number]
        for at, frame in decode(container, video, errors):
            length = int(frame.duration or 0) if not pts or at > pts[-1] else length
            pts.append(at)
        if not pts:
            raise NotMedia("holds no frame that can be decoded", file=path, remedy="Export it again.")
        rising, finer, mended = strictly_increasing(pts, _usual_step(video))
        times = _times(rising, video, length * finer, finer)
    return FrameList(times, len(pts), errors.count, mended)


def check_duration(times: FrameTimes, path: Path) -> None:
    """Raise ``NotMedia`` for time stamps that no clip has."""
    if times.whole.duration > MAX_DURATION:
        steps = np.diff(times.pts)
        at = times.instant(int(steps.argmax())) if len(steps) else times.instant(0)
        what = f"its time stamps cover {timecode(times.whole.duration)} hours, so they are damaged"
        raise NotMedia(what, file=path, at=at, remedy="Export it again, or cut it into parts.")


def strictly_increasing(pts: Sequence[int], step: int) -> tuple[list[int], int, int]:
    """Time stamps that strictly increase, for frames in display order.

    As many as possible stay (longest increasing subsequence; C. Schensted, 1961). The others are spread evenly between
    their neighbours, or follow the one before at intervals of ``step``. Returns them in units that are ``finer`` times
    as fine, ``finer``, and how many were changed.
    """
    given = pts
    pts = [min(pts), *pts[1:]]
    stay = _longest_rise(pts)
    finer = 1
    for a, b in pairwise(stay):
        finer = max(finer, -(-(b - a) // (pts[b] - pts[a])))
    out = [0] * len(pts)
    for a, b in pairwise(stay):
        room = (pts[b] - pts[a]) * finer
        for i in range(a, b):
            out[i] = pts[a] * finer + (i - a) * room // (b - a)
    for i in range(stay[-1], len(pts)):
        out[i] = (pts[stay[-1]] + (i - stay[-1]) * step) * finer
    return out, finer, sum(new != old * finer for new, old in zip(out, given, strict=True))


def _longest_rise(pts: Sequence[int]) -> list[int]:
    """Indices of a longest strictly increasing subsequence that begins with the first of ``pts``, which is the
    smallest."""
    first = pts[0]
    ends, values = [0], [first]
    before = [-1] * len(pts)
    for i in range(1, len(pts)):
        if pts[i] <= first:
            continue
        place = bisect_left(values, pts[i])
        if place == len(values):
            values.append(pts[i])
            ends.append(i)
        elif pts[i] < values[place]:
            values[place], ends[place] = pts[i], i
        else:
            continue
        before[i] = ends[place - 1]
    rise: list[int] = []
    at = ends[-1]
    while at >= 0:
        rise.append(at)
        at = before[at]
    return rise[::-1]


def _stated_end(container: InputContainer, video: VideoStream, pts: list[int]) -> int:
    """Length of the last frame (units) according to the stated length of the track; 0 if that says nothing about it.

    In mp4 and mov, packets last until the next one in decoding order, so with reordered frames only the sum is right.
    An implausible value, or that of a file that was cut off, is not used.
    """
    if "mp4" not in container.format.name or video.start_time != pts[0] or not video.duration:
        return 0
    last = max(0, pts[0] + video.duration - pts[-1])
    rest = max(pts[-1] - pts[0], _LONG_LAST / time_base_of(video))
    missing = len(video.index_entries) > len(pts) + 1
    return 0 if last > rest or (missing and last > 2 * _usual_step(video)) else last


def _times(pts: list[int], video: VideoStream, length: int, finer: int = 1) -> FrameTimes:
    steps = np.diff(pts)
    usual = int(np.median(steps)) if len(steps) else _usual_step(video) * finer
    if length <= 0 or length > max(pts[-1] - pts[0], finer * _LONG_LAST / time_base_of(video)):
        length = usual
    return FrameTimes(np.array(pts, np.int64), time_base_of(video) / finer, max(1, length))


def _usual_step(video: VideoStream) -> int:
    """Units between two frames at the stream's stated rate."""
    return max(1, round(1 / (Fraction(video.average_rate or video.guessed_rate or 25) * time_base_of(video))))


def decode(
    container: InputContainer, video: VideoStream, errors: ReadErrors | None = None
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(time stamp, frame) in display order, from the container's current position.

    A packet that cannot be decoded is skipped and counted in ``errors``. Frames without a time stamp follow the one
    before at the stream's rate.
    """
    video.thread_type = "AUTO"
    errors = ReadErrors() if errors is None else errors
    step = _usual_step(video)
    expected = video.start_time or 0
    for packet in chain(demux(container, video, errors=errors), (None,)):
        try:
            frames = video.decode(packet)
        except EOFError:
            continue
        except FFmpegError:
            errors.count += 1
            continue
        for frame in frames:
            check_picture_size(frame.width, frame.height, Path(container.name))
            at = expected if frame.pts is None else frame.pts
            expected = at + step
            yield at, frame
