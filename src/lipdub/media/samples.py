"""Decoded sound without surprises: one rate and layout from first to last, no gaps, and nothing that is no number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError

_SLACK = Fraction(1, 100)
"""Seconds by which time stamps may stray (containers round them) before a gap or an overlap is believed."""


@dataclass(eq=False)
class Damage:
    """What was mended: ``packets`` that could not be decoded, seconds that are ``silent`` in their place, samples that
    were ``not_numbers``, and ``changes`` of rate or layout in mid-stream (when, s, and to what)."""

    packets: int = 0
    silent: Fraction = Fraction(0)
    not_numbers: int = 0
    changes: list[tuple[Fraction, str]] = field(default_factory=list)


def even_frames(
    packets: Iterator[av.Packet], heard: AudioStream, origin: Fraction, damage: Damage
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Instant from ``origin`` on, frame) of ``heard`` in the rate, layout and format of the first frame.

    ``origin`` is on the file's clock (s). Each frame comes right after the one before: gaps are silence, overlaps are
    cut. Time stamps count samples.
    """
    at, rate, count = Fraction(0), 0, 0
    for begins, frame in _alike(packets, heard, damage):
        if rate == 0:
            rate, at = frame.sample_rate, begins - origin
        late = begins - origin - at - Fraction(count, rate)
        pieces = [frame]
        if late > _SLACK:
            pieces = [*_silence(frame, round(late * rate)), frame]
            if damage.packets:
                damage.silent += late
        elif late < -_SLACK:
            skipped = round(-late * rate)
            pieces = [] if skipped >= frame.samples else [part_of(frame, skipped, frame.samples)]
        for piece in pieces:
            piece.sample_rate, piece.time_base = rate, Fraction(1, rate)
            stamp = piece.pts = round(at * rate) + count
            count += piece.samples
            yield Fraction(stamp, rate), piece


def _alike(
    packets: Iterator[av.Packet], heard: AudioStream, damage: Damage
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Instant on the file's clock, frame) in the first frame's format: what differs is converted."""
    first: tuple[str, str, int] | None = None
    current: tuple[str, str, int] | None = None
    resampler: av.AudioResampler | None = None
    expected = Fraction(0)
    for frame in _decoded(packets, damage):
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        begins = expected if frame.pts is None else frame.pts * (frame.time_base or heard.time_base or Fraction(0))
        expected = begins + Fraction(frame.samples, frame.sample_rate)
        first = first or kind
        if kind != (current or first):
            damage.changes.append((begins, f"{frame.sample_rate} Hz, {frame.layout.name}"))
        if kind != current:
            resampler = None if kind == first else av.AudioResampler(format=first[0], layout=first[1], rate=first[2])
        current = kind
        if resampler is None:
            yield begins, _numbers_only(frame, damage)
            continue
        frame.pts, frame.time_base = None, Fraction(1, frame.sample_rate)
        for ready in resampler.resample(_numbers_only(frame, damage)):
            yield begins, ready
            begins += Fraction(ready.samples, first[2])


def _decoded(packets: Iterator[av.Packet], damage: Damage) -> Iterator[av.AudioFrame]:
    last: av.Packet | None = None
    for packet in packets:
        last = packet
        try:
            frames = packet.decode()
        except FFmpegError:
            damage.packets += 1
            continue
        yield from (frame for frame in frames if isinstance(frame, av.AudioFrame))
    if last is not None and isinstance(last.stream, AudioStream):
        try:
            yield from last.stream.decode(None)
        except FFmpegError:
            damage.packets += 1


def _numbers_only(frame: av.AudioFrame, damage: Damage) -> av.AudioFrame:
    """``frame``, or, if some of its samples are NaN or infinite, a copy with 0 in their place."""
    if not frame.format.name.startswith(("flt", "dbl")):
        return frame
    array = frame.to_ndarray()
    wrong = ~np.isfinite(array)
    if not wrong.any():
        return frame
    damage.not_numbers += int(wrong.sum())
    mended = av.AudioFrame.from_ndarray(
        np.where(wrong, 0, array).astype(array.dtype), frame.format.name, frame.layout.name
    )
    mended.sample_rate, mended.pts, mended.time_base = frame.pts, frame.time_base
    return mended


def _silence(like: av.AudioFrame, samples: int) -> Iterator[av.AudioFrame]:
    """Frames of silence, ``samples`` long together, in the format of ``like``."""
    pattern = like.to_ndarray()
    width = len(like.layout.channels) if like.format.is_packed else 1
    level = 128 if like.format.name.startswith("u8") else 0
    while samples > 0:
        size = min(samples, 1 << 15)
        array = np.full((pattern.shape[0], size * width), level, pattern.dtype)
        yield _frame(array, like)
        samples -= size


def part_of(frame: av.AudioFrame, first: int, end: int) -> av.AudioFrame:
    """The samples ``[first, end)`` of a frame, at its rate, as a frame without a time stamp."""
    width = len(frame.layout.channels) if frame.format.is_packed else 1
    array = np.ascontiguousarray(frame.to_ndarray()[:, first * width : end * width])
    return _frame(array, frame)


def _frame(samples: np.ndarray, like: av.AudioFrame) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples, like.format.name, like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame
