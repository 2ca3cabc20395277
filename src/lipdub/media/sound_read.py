"""Sound of files as floats, on the file's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream
from av.container import InputContainer
from jaxtyping import Float32

from lipdub.disk.os_errors import OUT_OF_MEMORY
from lipdub.errors import MachineError, NotMedia
from lipdub.media.container import MAX_DURATION, negative_times_are_priming, open_input, sound_stream
from lipdub.media.packets import demux
from lipdub.media.sound_clock import clock_origin
from lipdub.media.sound_damage import SoundLog
from lipdub.media.sound_decode import timed_frames
from lipdub.media.stated_duration import stated_sound_end
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span, timecode

_SLACK = Fraction(1, 100)
"""Seconds by which time stamps may be off (containers round them) before a gap or an overlap is assumed."""

_TOLD = Fraction(15, 1000)
"""Seconds. Shorter gaps are not reported: this is less than the shortest packet of the usual codecs."""

_LEAST_BYTES = 50
"""Bytes that a second of sound takes at least: digital silence in FLAC takes more."""

_FLOATS = frozenset({"flt", "fltp", "dbl", "dblp"})

_QUIET = 1 << 18
"""Samples of silence that are returned at once."""

_LARGE = 1 << 14
"""Samples from which a block is large enough."""

_WEIGHTS = {"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0}
_SURROUND = 0.5
"""Mono from surround sound, ITU-R BS.775-4 table 2: centre in full, left and right -3 dB, surrounds -6 dB."""

Block = Float32[np.ndarray, "channels samples"]


@dataclass(frozen=True, eq=False)
class SoundReadOptions:
    """How much of a sound is read: up to the time ``until`` (s) of its own clock and a little further; None: all.
    Damage is collected in ``log``."""

    until: Fraction | None = None
    log: SoundLog | None = None


READ_WHOLE = SoundReadOptions()
"""Read to the end, without collecting damage."""


def read_sound(
    path: Path,
    *,
    rate: int | None = None,
    mono: bool = False,
    stream: int | None = None,
    reading: SoundReadOptions = READ_WHOLE,
) -> Sound:
    """Sound stream ``stream`` (counted from 0; None: the one that players play) of ``path`` as floats.

    ``start`` of the result is the time of its first sample on the file's clock; the encoder's priming is left out.
    Gaps, and what cannot be decoded, are silence. ``rate`` resamples (libsoxr, high quality); ``mono`` mixes down: the
    mean of the channels, or ITU-R BS.775 if there is a centre channel. Only the result is held in memory. Raises
    ``InputError``, ``NotMedia``, ``NoSound``, or ``MachineError`` without memory.
    """
    with open_input(path) as container:
        audio = sound_stream(container, path, stream)
        channels, own = audio.codec_context.channels, audio.codec_context.sample_rate
        store = _SampleBuffer(1 if mono else channels, _expected_length(container, audio, rate or own))
    start = Fraction(0)
    try:
        for at, piece in _chunks(path, rate, mono, stream, reading):
            start = start if store.length else at
            store.append(piece)
    except MemoryError as full:
        raise MachineError(OUT_OF_MEMORY.what, file=path, remedy=OUT_OF_MEMORY.remedy) from full
    return Sound(store.samples(), rate or own, start)


def read_sound_chunks(
    path: Path,
    *,
    rate: int | None = None,
    mono: bool = False,
    stream: int | None = None,
    reading: SoundReadOptions = READ_WHOLE,
) -> Iterator[Sound]:
    """As ``read_sound``, in chunks that follow each other directly, for sound that is too long to be held in memory.

    Raises as ``read_sound`` does, when the first chunk is taken.
    """
    count, start, clock = 0, None, rate
    for at, piece in _chunks(path, rate, mono, stream, reading):
        if start is None:
            start, clock = at, rate or _rate_of(path, stream)
        assert clock is not None
        yield Sound(piece, clock, start + Fraction(count, clock))
        count += piece.shape[1]


def _rate_of(path: Path, stream: int | None) -> int:
    with open_input(path) as container:
        return sound_stream(container, path, stream).codec_context.sample_rate


def _chunks(
    path: Path, rate: int | None, mono: bool, stream: int | None, reading: SoundReadOptions
) -> Iterator[tuple[Fraction, Block]]:
    """(Start of the whole sound (s), non-empty samples) from first to last."""
    with open_input(path) as container:
        audio = sound_stream(container, path, stream)
        weights = _mixdown(audio) if mono else None
        source = _Resampler(audio.codec_context.sample_rate, 1 if mono else audio.codec_context.channels)
        start = Fraction(0)
        for number, (at, block) in enumerate(gapless_blocks(container, audio, reading)):
            start = start if number else at
            mixed = block if weights is None else (weights @ block)[None]
            for piece in source.resampled(mixed, rate):
                if piece.shape[1]:
                    yield start, piece
        for piece in source.finished(rate):
            if piece.shape[1]:
                yield start, piece


@dataclass(slots=True)
class _Resampler:
    """Resamples the blocks of a sound of ``rate`` and ``channels``; the filter is made when it is needed."""

    rate: int
    channels: int
    resampler: "soxr.ResampleStream | None" = None

    def resampled(self, block: Block, rate: int | None) -> Iterator[Block]:
        """``block`` (channels, samples) at ``rate``; what the filter holds back comes with later blocks."""
        if rate is None or rate == self.rate:
            yield block
            return
        if self.resampler is None:
            self.resampler = soxr.ResampleStream(self.rate, rate, self.channels, dtype="float32", quality="HQ")
        yield self.resampler.resample_chunk(np.ascontiguousarray(block.T)).T

    def finished(self, rate: int | None) -> Iterator[Block]:
        """What the filter still holds."""
        if self.resampler is not None:
            yield self.resampler.resample_chunk(np.zeros((0, self.channels), np.float32), last=True).T


class _SampleBuffer:
    """Samples in one growing array, so that the sound is not held twice."""

    def __init__(self, channels: int, expected: int) -> None:
        self._array = np.empty((channels, max(expected, 1)), np.float32)
        self._length = 0

    @property
    def length(self) -> int:
        """Samples so far."""
        return self._length

    def append(self, block: Block) -> None:
        """Add samples (channels, samples)."""
        end = self._length + block.shape[1]
        if end > self._array.shape[1]:
            grown = np.empty((self._array.shape[0], max(end, self._array.shape[1] * 5 // 4)), np.float32)
            grown[:, : self._length] = self._array[:, : self._length]
            self._array = grown
        self._array[:, self._length : end] = block
        self._length = end

    def samples(self) -> Block:
        """All samples so far."""
        return self._array[:, : self._length]


def _expected_length(container: InputContainer, audio: AudioStream, rate: int) -> int:
    """Number of samples to allocate: as the header says, if a file of this size can hold so much."""
    whole = Fraction(container.duration or 0, av.time_base)
    seconds = audio.duration * audio.time_base if audio.duration and audio.time_base else whole
    seconds = max(Fraction(0), min(seconds, Fraction(max(container.size, 0), _LEAST_BYTES)))
    return int((seconds + Fraction(1, 4)) * rate)


def _mixdown(audio: AudioStream) -> np.ndarray:
    """Weights (channels,) float32 of a mono mix; they sum to 1, so nothing clips."""
    names = [channel.name for channel in audio.codec_context.layout.channels]
    if len(names) > 2 and "FC" in names:
        weights = np.array([_WEIGHTS.get(name, _SURROUND) for name in names], np.float32)
    else:
        weights = np.ones(len(names), np.float32)
    return weights / weights.sum()


def gapless_blocks(
    container: InputContainer, audio: AudioStream, reading: SoundReadOptions = READ_WHOLE
) -> Iterator[tuple[Fraction, Block]]:
    """(Time of its first sample (s), block) of blocks that follow each other directly: gaps are filled with silence,
    overlaps and priming are cut.

    Raises ``NotMedia`` if the time stamps jump by days.
    """
    rate = audio.codec_context.sample_rate
    log = SoundLog() if reading.log is None else reading.log
    start, count, origin = None, 0, clock_origin(audio)
    stated, log.channels = stated_sound_end(container, audio), audio.codec_context.channels
    log.stated_end = None if stated is None else stated - origin
    for at, block in _joined(_blocks(container, audio, log), rate):
        at -= origin
        if start is None:
            before = min(max(0, round(-at * rate)), block.shape[1]) if negative_times_are_priming(container) else 0
            block, at = block[:, before:], at + Fraction(before, rate)
            if block.shape[1] == 0:
                continue
            start = log.start = at
        position = start + Fraction(count, rate)
        if reading.until is not None and position > reading.until:
            log.whole = False
            return
        late = at - position
        if late > MAX_DURATION:
            what = f"the time stamps of its sound jump by {timecode(late)} hours, so they are damaged"
            raise NotMedia(what, file=Path(container.name), at=position, remedy="Export it again.")
        if late > _SLACK:
            if late > _TOLD:
                log.gaps.append(Span(position, at))
            for silence in _silence(block.shape[0], round(late * rate)):
                yield start + Fraction(count, rate), silence
                log.add(silence, rate)
                count += silence.shape[1]
        elif late < -_SLACK:
            block = block[:, min(round(-late * rate), block.shape[1]) :]
        if block.shape[1]:
            yield start + Fraction(count, rate), block
            log.add(block, rate)
            count += block.shape[1]


def _joined(blocks: Iterator[tuple[Fraction, Block]], rate: int) -> Iterator[tuple[Fraction, Block]]:
    """``blocks`` of packets, joined where one begins within half a sample of where the one before ends: a few large
    blocks cost less than many small ones."""
    begin, together, count = Fraction(0), [], 0
    for at, block in blocks:
        if together and (count >= _LARGE or abs(2 * ((at - begin) * rate - count)) > 1):
            yield begin, np.concatenate(together, 1)
            together = []
        if not together:
            begin, count = at, 0
        together.append(block)
        count += block.shape[1]
    if together:
        yield begin, np.concatenate(together, 1)


def _silence(channels: int, samples: int) -> Iterator[Block]:
    while samples > 0:
        size = min(samples, _QUIET)
        yield np.zeros((channels, size), np.float32)
        samples -= size


def _blocks(container: InputContainer, audio: AudioStream, log: SoundLog) -> Iterator[tuple[Fraction, Block]]:
    """(Time (s), float block) of every decoded packet; what cannot be decoded is left out and becomes a gap."""
    channels = audio.codec_context.channels
    for at, frame in timed_frames(demux(container, audio), audio):
        block = _floats(frame, channels)
        if frame.format.name in _FLOATS and not np.isfinite(block).all():
            wrong = ~np.isfinite(block)
            log.not_finite += int(wrong.sum())
            block = np.where(wrong, np.float32(0), block)
        yield at, block


def _floats(frame: av.AudioFrame, channels: int) -> Block:
    """(channels, samples) in -1..1 from any sample format."""
    array = frame.to_ndarray()
    if frame.format.is_packed:
        array = array.reshape(-1, len(frame.layout.channels)).T
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype.kind == "i":
        array = array.astype(np.float32) / np.float32(2 ** (8 * array.dtype.itemsize - 1))
    out = array.astype(np.float32, copy=False)
    if out.shape[0] != channels:
        # The layout changed inside the stream: keep the first channels, repeat the last one.
        out = out[np.minimum(np.arange(channels), out.shape[0] - 1)]
    return np.ascontiguousarray(out)
