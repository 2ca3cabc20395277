"""Demuxing: the packets of a file from first to last, also past damage.

After a read error, reading goes on behind the damage. Recordings that were joined byte by byte (``cat a.ts b.ts``)
begin their time stamps again; the second one is shifted to where the first one ends, all its streams by the same time.
FFmpeg's own program does the same for these formats (``ts_discontinuity`` in ffmpeg_demux.c).
"""

import errno
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from lipdub.disk.os_errors import OUT_OF_MEMORY
from lipdub.errors import MachineError
from lipdub.media.container import (
    discard_other_streams,
    negative_times_are_priming,
    open_input,
    time_base_of,
)

_TS_DISCONT = 0x0200
"""AVFMT_TS_DISCONT of libavformat/avformat.h: time stamps may begin again in this format."""

_BACK, _AHEAD = Fraction(1, 10), Fraction(10)
"""Seconds by which decoding times may fall or jump ahead within one recording (ffmpeg's dts_delta_threshold)."""

_MAX_REORDER = Fraction(2)
"""Seconds between decoding and display that no codec needs."""

_SEAMLESS = Fraction(1, 4)
"""Seconds. Two packets of a stream that are less apart follow each other directly."""

_OVERLAP = Fraction(1, 4)
"""Seconds that may be cut from a stream's end at a join so that the picture's frames stay evenly spaced."""

_RECENT = 32
"""Number of frames at a recording's end from which its frame interval is taken."""

_MOST_ERRORS = 100_000
"""Read errors in a row after which a file is given up: demuxers advance by a few bytes at each."""


@dataclass(slots=True)
class ReadErrors:
    """``count``: how often reading a file failed and went on behind the damage."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class ClockJoin:
    """A place where recordings were joined. From byte ``position`` on, everything is ``shift`` seconds later than its
    time stamps say; the continued clock shows ``at`` (s) there."""

    position: int
    shift: Fraction
    at: Fraction


def demux(container: InputContainer, *streams: Stream, errors: ReadErrors | None = None) -> Iterator[av.Packet]:
    """Every non-empty packet of ``streams`` from the current position to the end, in file order.

    Damage is skipped and counted in ``errors``. Times are continued over joins if reading begins at the start of the
    file; after seeking they are those of the file. Raises ``MachineError`` if memory runs out.
    """
    discard_other_streams(container, *streams)
    errors = ReadErrors() if errors is None else errors
    continued = ContinuedClock(clock_joins(container))
    for packet in demux_past_errors(container, streams, errors):
        if packet.size:
            continued.retime(packet)
            yield packet


def demux_past_errors(container: InputContainer, streams: Iterable[Stream], errors: ReadErrors) -> Iterator[av.Packet]:
    """Every packet of ``streams`` as it is in the file, also empty ones; read errors are counted in ``errors``. Raises
    ``MachineError`` if memory runs out."""
    chosen = list(streams)
    demuxed, failed = container.demux(chosen), 0
    while failed < _MOST_ERRORS:
        try:
            packet = next(demuxed, None)
        except FFmpegError as broken:
            if broken.errno == errno.ENOMEM:
                raise MachineError(
                    OUT_OF_MEMORY.what, file=Path(container.name), remedy=OUT_OF_MEMORY.remedy
                ) from broken
            errors.count, failed = errors.count + (failed == 0), failed + 1
            demuxed = container.demux(chosen)
            continue
        if packet is None:
            return
        failed = 0 if packet.size else failed  # empty packets mostly mark the end of the file
        yield packet


class ContinuedClock:
    """Moves packets onto one clock that goes on over ``joins``. Use a new one for each reading of a file from its
    start."""

    def __init__(self, joins: tuple[ClockJoin, ...]) -> None:
        self._joins = joins
        self._positions = [join.position for join in joins]
        self._first = bisect_right(self._positions, 0)
        self._passed: dict[int, int] = {}
        self._last: dict[int, Fraction] = {}

    def retime(self, packet: av.Packet) -> None:
        """Set the time stamps of the next ``packet``; packets come in file order."""
        if not self._joins or (at := _decoded_at(packet)) is None:
            return
        stream, time_base = packet.stream_index, packet.time_base
        passed = self._passed.get(stream, self._first)
        step = at + self._shift(passed) - self._last.get(stream, at + self._shift(passed) - _AHEAD)
        if packet.pos is not None and packet.pos >= 0:
            # Some demuxers still give the first packet behind a join a time on the former clock.
            reached = max(passed, bisect_right(self._positions, packet.pos))
            passed = passed if 0 <= step < _SEAMLESS else reached
        elif passed < len(self._joins) and step < -_BACK:
            passed += 1  # some packets have no position; this one's time falls behind the one before
        self._passed[stream], self._last[stream] = passed, at + self._shift(passed)
        if _has_guessed_dts(packet):
            packet.dts = packet.pts
        later = round(self._shift(passed) / time_base)
        if later and packet.pts is not None:
            packet.pts += later
        if later and packet.dts is not None:
            packet.dts += later

    def _shift(self, passed: int) -> Fraction:
        return self._joins[passed - 1].shift if passed else Fraction(0)


def playback_start(container: InputContainer) -> Fraction:
    """Time (s) on the container's clock, continued as by ``demux``, at which players begin: the earliest start of
    picture or sound. Codec priming before zero does not count (see ``negative_times_are_priming``)."""
    starts = []
    for stream in (*container.streams.video, *container.streams.audio):
        if stream.start_time is not None and not stream.disposition & Disposition.attached_pic:
            start = stream.start_time * time_base_of(stream)
            priming = stream.type == "audio" and negative_times_are_priming(container)
            starts.append(max(start, Fraction(0)) if priming else start)
    joins = clock_joins(container)
    later = joins[0].shift if joins and joins[0].position == 0 else Fraction(0)
    return min(starts, default=Fraction(0)) + later


def clock_joins(container: InputContainer) -> tuple[ClockJoin, ...]:
    """Where the open file was joined from recordings with clocks of their own; () for most files.

    A clock that begins before zero (see ``negative_times_are_priming``) is shifted to zero by a join at byte 0. In
    formats that allow joins the file is read once (nothing is decoded), and the result is remembered.
    """
    if not container.format.flags & _TS_DISCONT:
        return ()
    path = Path(container.name)
    state = path.stat()
    return _cached_joins(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _cached_joins(path: Path, size: int, changed: int) -> tuple[ClockJoin, ...]:
    with open_input(path) as container:
        tracks = {
            s.index: _StreamRecordings(s, s.type == "video") for s in container.streams if s.type in ("video", "audio")
        }
        last = -1
        for packet in demux_past_errors(container, [t.stream for t in tracks.values()], ReadErrors()):
            if not packet.size:
                continue
            position = last + 1 if packet.pos is None or packet.pos < 0 else packet.pos
            tracks[packet.stream_index].add(packet, position)
            last = max(last, packet.pos or 0)
        begun = [track.parts[0].start for track in tracks.values() if track.parts]
        early = min(begun, default=Fraction(0))
        first = -early if early < -_BACK and not negative_times_are_priming(container) else Fraction(0)
        joins = tuple(_joins_from_jumps(list(tracks.values()), first))
        return (ClockJoin(0, first, Fraction(0)), *joins) if first else joins


@dataclass(slots=True)
class _Recording:
    """One stream of one recording: the byte where it begins, and its first and last time on its own clock (s)."""

    position: int
    start: Fraction
    last: Fraction
    length: Fraction = Fraction(0)
    recent: deque[Fraction] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def grow(self, packet: av.Packet) -> None:
        """Add the next packet."""
        shown = _shown_at(packet)
        self.start, self.last = min(self.start, shown), max(self.last, shown)
        self.length = (packet.duration or 0) * packet.time_base
        self.recent.append(shown)

    def end(self, picture: bool) -> Fraction:
        """When its last frame or sound ends (s). Parsers state the length of a sound, but not always that of a
        frame."""
        steps = [b - a for a, b in pairwise(sorted(self.recent)) if b > a]
        return self.last + (min(steps) if picture and steps else self.length)


@dataclass(slots=True)
class _StreamRecordings:
    """The recordings of one stream. A jump in time counts only if the next packet follows on from it."""

    stream: Stream
    is_picture: bool
    parts: list[_Recording] = field(default_factory=list)
    last: Fraction | None = None
    pending: tuple[Fraction, _Recording] | None = None

    def add(self, packet: av.Packet, position: int) -> None:
        """Add the next packet, which lies near byte ``position``."""
        at = _decoded_at(packet)
        if at is None:
            return
        if self.pending is not None:
            begun, part = self.pending
            self.pending = None
            if -_BACK < at - begun < _AHEAD:
                self.parts.append(part)
                self.last = begun
        if self.last is not None and not -_BACK <= at - self.last <= _AHEAD:
            self.pending = at, _Recording(position, _shown_at(packet), _shown_at(packet))
            self.pending[1].grow(packet)
            return
        if not self.parts:
            self.parts.append(_Recording(position, _shown_at(packet), _shown_at(packet)))
        self.parts[-1].grow(packet)
        self.last = at


def _joins_from_jumps(tracks: list[_StreamRecordings], shift: Fraction) -> Iterator[ClockJoin]:
    """The joins of a file from the time jumps of its streams. The first recording is ``shift`` seconds later. Frames
    stay evenly spaced, and at most ``_OVERLAP`` is cut from the end of the sound."""
    tracks = sorted(tracks, key=lambda track: not track.is_picture)
    for jumps in _grouped_jumps(tracks):
        before = [(track.parts[i - 1].end(track.is_picture), track.parts[i].start) for track, i in jumps]
        new = shift + before[0][0] - before[0][1]
        new += max(0, *(end + shift - start - new - _OVERLAP for end, start in before), 0)
        base = time_base_of(jumps[0][0].stream)
        shift = round(new / base) * base
        position = min(track.parts[i].position for track, i in jumps)
        yield ClockJoin(position, shift, min(start for _, start in before) + shift)


def _grouped_jumps(tracks: list[_StreamRecordings]) -> Iterator[list[tuple[_StreamRecordings, int]]]:
    """The time jumps of all streams, grouped by join, in file order."""
    jumps = [(track, i) for track in tracks for i in range(1, len(track.parts))]
    group: list[tuple[_StreamRecordings, int]] = []
    for track, i in sorted(jumps, key=lambda jump: jump[0].parts[jump[1]].position):
        if any(track is other for other, _ in group):
            yield sorted(group, key=lambda jump: tracks.index(jump[0]))
            group = []
        group.append((track, i))
    if group:
        yield sorted(group, key=lambda jump: tracks.index(jump[0]))


def _shown_at(packet: av.Packet) -> Fraction:
    """Display time (s) of a packet that has a time stamp."""
    at = packet.pts if packet.pts is not None else packet.dts
    assert at is not None
    return at * packet.time_base


def _decoded_at(packet: av.Packet) -> Fraction | None:
    """Decoding time (s) of a packet, or its display time if that is unknown or guessed; None without either."""
    at = packet.pts if packet.dts is None or _has_guessed_dts(packet) else packet.dts
    return None if at is None or not packet.time_base else at * packet.time_base


def _has_guessed_dts(packet: av.Packet) -> bool:
    """True if display and decoding time belong to different recordings: demuxers extrapolate missing decoding times."""
    if packet.pts is None or packet.dts is None:
        return False
    return abs(packet.pts - packet.dts) * packet.time_base > _MAX_REORDER
