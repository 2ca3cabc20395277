"""Decoded sound in one rate and layout, without gaps, and without samples that are not finite."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream

from lipdub.media.container import open_input, sound_stream
from lipdub.media.sound_decode import timed_frames
from lipdub.media.stream_copy import PacketLosses, demux_noting_losses

_SLACK = Fraction(1, 100)
"""Seconds by which time stamps may be off (containers round them) before a gap or an overlap is assumed."""


@dataclass(eq=False)
class SoundRepairs:
    """What was repaired: packets that were ``undecodable``, seconds of missing sound that are ``silence`` now, samples
    that were ``not_finite``; and how many frames came in each of the ``formats`` (rate, layout)."""

    undecodable: int = 0
    silence: Fraction = Fraction(0)
    not_finite: int = 0
    formats: Counter[tuple[int, str]] = field(default_factory=Counter)

    def count_undecodable(self) -> None:
        """Count a packet that could not be decoded."""
        self.undecodable += 1

    @property
    def mixed_formats(self) -> list[tuple[int, str]]:
        """The formats, if there is more than one. A single frame does not count: decoders report a new rate one frame
        late."""
        forms = [form for form, count in self.formats.items() if count > 1]
        return forms if len(forms) > 1 else []


def uniform_frames(
    packets: Iterator[av.Packet], audio: AudioStream, origin: Fraction, damage: SoundRepairs
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Time from ``origin`` on (s), frame) of ``audio`` in the rate, layout and sample format of the first frame.

    ``origin`` is on the file's clock (s). Each frame follows the one before directly: gaps become silence, overlaps are
    cut. Time stamps count samples.
    """
    at, rate, count = Fraction(0), 0, 0
    for begins, frame in _in_one_format(packets, audio, damage):
        if rate == 0:
            rate, at = frame.sample_rate, begins - origin
        late = begins - origin - at - Fraction(count, rate)
        pieces = [frame]
        if late > _SLACK:
            pieces = [*_silence(frame, round(late * rate)), frame]
            damage.silence += late
        elif late < -_SLACK:
            skipped = round(-late * rate)
            pieces = [] if skipped >= frame.samples else [frame_slice(frame, skipped, frame.samples)]
        for piece in pieces:
            piece.sample_rate, piece.time_base = rate, Fraction(1, rate)
            stamp = piece.pts = round(at * rate) + count
            count += piece.samples
            yield Fraction(stamp, rate), piece


def _in_one_format(
    packets: Iterator[av.Packet], audio: AudioStream, damage: SoundRepairs
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """(Time on the file's clock (s), frame), converted to the first frame's format where it differs."""
    first: tuple[str, str, int] | None = None
    current: tuple[str, str, int] | None = None
    resampler: av.AudioResampler | None = None
    for begins, frame in timed_frames(packets, audio, damage.count_undecodable):
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        first = first or kind
        damage.formats[frame.sample_rate, frame.layout.name] += 1
        if kind != current:
            resampler = None if kind == first else av.AudioResampler(format=first[0], layout=first[1], rate=first[2])
        current = kind
        if resampler is None:
            yield begins, _finite(frame, damage)
            continue
        frame.pts, frame.time_base = None, Fraction(1, frame.sample_rate)
        for ready in resampler.resample(_finite(frame, damage)):
            yield begins, ready
            begins += Fraction(ready.samples, first[2])


def _finite(frame: av.AudioFrame, damage: SoundRepairs) -> av.AudioFrame:
    """``frame``; if some of its samples are NaN or infinite, a copy with 0 in their place."""
    if not frame.format.name.startswith(("flt", "dbl")):
        return frame
    array = frame.to_ndarray()
    wrong = ~np.isfinite(array)
    if not wrong.any():
        return frame
    damage.not_finite += int(wrong.sum())
    mended = _frame(np.where(wrong, 0, array).astype(array.dtype), frame)
    mended.pts = frame.pts
    if frame.time_base is not None:
        mended.time_base = frame.time_base
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


def frame_slice(frame: av.AudioFrame, first: int, end: int) -> av.AudioFrame:
    """The samples ``[first, end)`` of a frame as a new frame of the same rate, without a time stamp."""
    width = len(frame.layout.channels) if frame.format.is_packed else 1
    array = np.ascontiguousarray(frame.to_ndarray()[:, first * width : end * width])
    return _frame(array, frame)


def _frame(samples: Any, like: av.AudioFrame) -> av.AudioFrame:
    """A frame with ``samples`` (an array as ``to_ndarray`` returns it) and the format of ``like``."""
    frame = av.AudioFrame.from_ndarray(samples, like.format.name, like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame


def fold_channels(frame: av.AudioFrame, layout: str) -> av.AudioFrame:
    """``frame``, whose channels have no stated positions, mixed to the number of channels of ``layout``: channel 9 of 8
    is added to the first, and so on. All are attenuated equally, so that the sum stays in range."""
    count, wanted = len(frame.layout.channels), len(av.AudioLayout(layout).channels)
    array = frame.to_ndarray()
    rows = array.reshape(-1, count).T if frame.format.is_packed else array
    share = -(-count // wanted)
    middle = 128 if frame.format.name.startswith("u8") else 0
    mixed = np.zeros((wanted, rows.shape[1]), np.float64)
    for number in range(count):
        mixed[number % wanted] += (rows[number].astype(np.float64) - middle) / share
    mixed = mixed + middle
    if array.dtype.kind in "iu":
        mixed = np.round(mixed)
    out = mixed.astype(array.dtype)
    packed: Any = np.ascontiguousarray(out.T).reshape(1, -1) if frame.format.is_packed else np.ascontiguousarray(out)
    small = av.AudioFrame.from_ndarray(packed, frame.format.name, layout)
    small.sample_rate, small.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        small.time_base = frame.time_base
    return small


def repair_reason(path: Path, until: Fraction) -> str:
    """Why the sound in ``path`` cannot be copied as it is, from its first ``until`` seconds; "" if every packet can be
    read and decoded, and rate and channels stay the same."""
    damage, losses = SoundRepairs(), PacketLosses()
    with open_input(path) as source:
        audio = sound_stream(source, path)
        for at, _ in uniform_frames(demux_noting_losses(losses, source, [audio]), audio, Fraction(0), damage):
            if at > until:
                break
    if damage.undecodable or losses.errors:
        return "parts of it cannot be decoded"
    if damage.mixed_formats:
        return "its rate or its channels change"
    return f"{float(damage.silence):.3f} s are missing in it" if damage.silence else ""
