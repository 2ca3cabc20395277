"""Stems: sounds in the rate, channels and length of the mix, read in blocks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
import soxr
from jaxtyping import Float32, Float64

from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import PlacedLine
from lipdub.timeline.time import Span

Block = Float32[np.ndarray, "channels _samples"]

BLOCK_SAMPLES = 1 << 15
"""Samples per block. All mixing uses this grid, so results do not depend on the blocks in which a file is read."""

EQUAL_POWER = 0.5**0.5
"""Gain of each of two loudspeakers for a voice in the middle: -3 dB, so that power and loudness (ITU-R BS.1770) equal
those of one loudspeaker. Also the gain of the centre in the stereo downmix of ITU-R BS.775-4, table 2."""

FADE = Fraction(5, 1000)
"""Seconds over which a line is faded in and out, so that it does not click."""

_DOWNMIX = {
    "FC": (("FL", EQUAL_POWER), ("FR", EQUAL_POWER)),
    "BC": (("BL", EQUAL_POWER), ("BR", EQUAL_POWER)),
    "BL": (("SL", 1.0), ("FL", EQUAL_POWER)),
    "BR": (("SR", 1.0), ("FR", EQUAL_POWER)),
    "SL": (("BL", 1.0), ("FL", EQUAL_POWER)),
    "SR": (("BR", 1.0), ("FR", EQUAL_POWER)),
    "FLC": (("FL", 1.0),),
    "FRC": (("FR", 1.0),),
}
"""Where a channel goes that the mix does not have; the first match is used. ITU-R BS.775-4 table 2."""


@dataclass(frozen=True)
class MixFormat:
    """The format of a mix: ``samples`` at ``rate`` from the time ``start`` (s, clip time), in ``channels`` (FFmpeg's
    names, in its order: ``("FL", "FR")``; ``("FC",)`` is mono)."""

    rate: int
    channels: tuple[str, ...]
    start: Fraction
    samples: int

    @classmethod
    def for_span(cls, span: Span, rate: int, channels: tuple[str, ...]) -> "MixFormat":
        """From ``span.start`` to ``span.end``; an incomplete last sample is left out."""
        return cls(rate, channels, span.start, floor(span.duration * rate))

    def sample_at(self, instant: Fraction) -> int:
        """Number of the sample nearest to the time ``instant`` (s); negative before the start."""
        return round((instant - self.start) * self.rate)

    def ranges(self, spans: Iterable[Span]) -> tuple[tuple[int, int], ...]:
        """Half-open ranges of samples for ``spans``, without empty ones; they may reach beyond the mix."""
        ranges = ((self.sample_at(s.start), self.sample_at(s.end)) for s in spans)
        return tuple((first, stop) for first, stop in ranges if stop > first)


@dataclass(frozen=True, eq=False)
class Stem:
    """One sound at the rate of the mix that starts with it. ``open`` returns its blocks (any lengths, each (channels,
    samples)) from the beginning every time it is called; ``channels`` are their names."""

    channels: tuple[str, ...]
    open: Callable[[], Iterable[Block]]


def stem_blocks(stem: Stem, mix_format: MixFormat) -> Iterator[Block]:
    """``stem`` in the channels and length of the mix, in blocks of ``BLOCK_SAMPLES`` (the last may be shorter)."""
    matrix = channel_matrix(stem.channels, mix_format.channels)
    same = stem.channels == mix_format.channels
    for block in _equal_blocks(stem.open(), len(stem.channels), mix_format.samples):
        yield block if same else matrix @ block


def channel_matrix(given: tuple[str, ...], wanted: tuple[str, ...]) -> Float32[np.ndarray, "wanted given"]:
    """The matrix that mixes ``given`` channels into ``wanted`` ones.

    A channel goes to the one of the same name. Mono is a voice: it goes to the centre, else to left and right at -3 dB
    each. Channels that the mix does not have are folded as in ITU-R BS.775-4. Mono mixes are the mean of left and right
    plus the centre (as loud as one channel if all are alike). A missing low-frequency channel is left out.
    """
    matrix = np.zeros((len(wanted), len(given)), np.float32)
    for column, name in enumerate(given):
        for target, share in _targets(name, wanted):
            matrix[wanted.index(target), column] += share
    if len(wanted) == 1 and len(given) > 1 and matrix.sum() > 0:
        matrix /= matrix.sum()
    return matrix


def _targets(name: str, wanted: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    if name in wanted:
        return ((name, 1.0),)
    if len(wanted) == 1:
        return () if name.startswith("LFE") else ((wanted[0], 1.0 if name in ("FL", "FR", "FC") else 0.5),)
    for target, share in _DOWNMIX.get(name, ()):
        if target in wanted:
            both = name in ("FC", "BC")
            return tuple(t for t in _DOWNMIX[name] if t[0] in wanted) if both else ((target, share),)
    return ()


def _equal_blocks(blocks: Iterable[Block], channels: int, samples: int) -> Iterator[Block]:
    """``blocks`` cut into blocks of ``BLOCK_SAMPLES``, exactly ``samples`` in all: cut, or filled with zeros."""
    waiting: list[np.ndarray] = []
    held = given = 0
    for block in blocks:
        assert block.shape[0] == channels, f"a block of {block.shape[0]} channels, not {channels}"
        waiting.append(block)
        held += block.shape[1]
        while held >= BLOCK_SAMPLES and samples - given >= BLOCK_SAMPLES:
            whole = waiting[0] if len(waiting) == 1 else np.concatenate(waiting, 1)
            yield np.ascontiguousarray(whole[:, :BLOCK_SAMPLES])
            waiting, held, given = [whole[:, BLOCK_SAMPLES:]], held - BLOCK_SAMPLES, given + BLOCK_SAMPLES
        if given + held >= samples:
            break
    rest = np.concatenate([*waiting, np.zeros((channels, 0), np.float32)], 1)[:, : samples - given]
    while given < samples:
        size = min(BLOCK_SAMPLES, samples - given)
        part, rest = rest[:, :size], rest[:, size:]
        yield np.ascontiguousarray(np.pad(part, ((0, 0), (0, size - part.shape[1]))))
        given += size


def speech_stem(lines: Callable[[], Iterable[PlacedLine]], mix_format: MixFormat) -> Stem:
    """The placed ``lines`` as one mono stem: resampled to the mix's rate, faded at their ends, summed.

    ``lines`` is called for every pass and returns them in order of their starts; only lines that sound at the same time
    are held in memory. Sound outside the mix is cut off.
    """
    return Stem(("FC",), lambda: _speech_blocks(lines(), mix_format))


def _speech_blocks(lines: Iterable[PlacedLine], mix_format: MixFormat) -> Iterator[Block]:
    coming = iter(lines)
    following = next(coming, None)
    sounding: list[tuple[int, np.ndarray]] = []
    for first in range(0, mix_format.samples, BLOCK_SAMPLES):
        stop = min(first + BLOCK_SAMPLES, mix_format.samples)
        while following is not None and mix_format.sample_at(following.sound.start) < stop:
            sounding.append((mix_format.sample_at(following.sound.start), _voice(following.sound, mix_format.rate)))
            following = next(coming, None)
        out = np.zeros(stop - first, np.float32)
        for begin, samples in sounding:
            a, b = max(begin, first), min(begin + len(samples), stop)
            if a < b:
                out[a - first : b - first] += samples[a - begin : b - begin]
        sounding = [(begin, samples) for begin, samples in sounding if begin + len(samples) > stop]
        yield out[None]


def _voice(sound: Sound, rate: int) -> Float32[np.ndarray, " n"]:
    """``sound`` as mono at ``rate`` (libsoxr, high quality), with faded ends."""
    samples = sound.samples[0] if len(sound.samples) == 1 else sound.samples.mean(0)
    if sound.rate != rate:
        samples = soxr.resample(samples, sound.rate, rate, quality="HQ")
    length = min(round(FADE * rate), len(samples) // 2)
    out = np.array(samples, np.float32)
    if length:
        ramp = fade_in(length).astype(np.float32)
        out[:length] *= ramp
        out[-length:] *= ramp[::-1]
    return out


def fade_in(length: int) -> Float64[np.ndarray, " length"]:
    """A raised cosine from almost 0 to almost 1 in ``length`` steps."""
    return 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
