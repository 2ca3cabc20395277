"""Room tone: the sound of a place when nobody speaks, estimated from pauses and synthesised where speech was removed.

Estimated: the mean cross-spectra (power per band, and correlation of the channels) of the quietest frames in the pauses
of every 15 seconds. Synthesised: Gaussian noise with these spectra in frames that overlap by half, each from a seed of
its own, so that any sample can be computed at any time. Digital silence stays digital silence.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np
from jaxtyping import Complex64, Float32, Float64
from scipy.stats import gamma

from lipdub.compose.mix.stems import Block, MixFormat
from lipdub.timeline.time import Span

STRETCH = 15
"""Seconds for which one tone is estimated: rooms change with scenes."""

_FRAME = 0.085
"""Seconds in a frame, about; the spectral resolution is 12 Hz."""

_AFTER, _BEFORE = Fraction(3, 10), Fraction(1, 10)
"""Seconds after and before speech that do not count as pause: reverberation, breath."""

_QUIET_FRAMES = 25, 2.0
"""Frames of a pause count as room tone up to this many dB (second) above this percentile (first) of their levels."""

_FLOOR_PERCENTILE = 10
"""Percentile of the power in a band that counts as noise in sound without pauses."""

_MIN_FRAMES = 3
"""Frames that a stretch must have for an estimate of its own; else those of its neighbours are used."""

_LEVEL_RANGE = 60.0, 12000.0
"""Hz between which the level of a frame is measured: below is rumble."""

_FINE, _PER_OCTAVE = 500.0, 12
"""Bands are single FFT lines up to this frequency (Hz), then this many per octave."""


@dataclass(frozen=True, eq=False)
class RoomTone:
    """Synthesises room tone. ``powers`` are cross-spectra of the channels in bands, one for every stretch; ``level_db``
    is their level (dB of full scale RMS, mean of the stretches; None if all is silence); ``pauses`` is True if they
    come from pauses, else they come from the quietest moments of speech."""

    bands: "FrequencyBands"
    powers: Complex64[np.ndarray, "stretches bands channels channels"]
    level_db: float | None
    pauses: bool
    seed: int = 0

    def samples(self, first: int, stop: int) -> Float64[np.ndarray, "channels n"]:
        """The tone's samples [first, stop) (channels, samples); neighbouring calls fit together."""
        hop = self.bands.size // 2
        out = np.zeros((self.powers.shape[-1], stop - first))
        for number in range(first // hop - 1, -(-stop // hop)):
            frame, begin = self._frame(number), number * hop
            a, b = max(begin, first), min(begin + 2 * hop, stop)
            if a < b:
                out[:, a - first : b - first] += frame[:, a - begin : b - begin]
        return out

    def _frame(self, number: int) -> np.ndarray:
        lines, channels = self.bands.size // 2 + 1, self.powers.shape[-1]
        noise = np.random.default_rng([self.seed, number + 1]).standard_normal((2, channels, lines), np.float32)
        shaped = np.einsum("fij,jf->if", self._shape(number), noise[0] + 1j * noise[1])
        window = np.sin(np.pi * (np.arange(self.bands.size) + 0.5) / self.bands.size)
        return np.fft.irfft(shaped, self.bands.size, axis=1) * window

    def _shape(self, number: int) -> Complex64[np.ndarray, "lines channels channels"]:
        """The factor from white noise to the tone of frame ``number``; it changes from stretch to stretch, every
        second."""
        second = number * self.bands.size // 2 // self.bands.rate
        place = float(np.clip((second + 0.5) / STRETCH - 0.5, 0, len(self.powers) - 1))
        return _spectral_root(self, int(place), round(place % 1, 6))


@lru_cache(maxsize=8)
def _spectral_root(tone: RoomTone, stretch: int, share: float) -> Complex64[np.ndarray, "lines channels channels"]:
    """Square roots (Hermitian) of the cross-spectra between ``stretch`` and the next, at every FFT line."""
    powers = tone.powers[stretch]
    if share:
        powers = (1 - share) * powers + share * tone.powers[stretch + 1]
    values, vectors = np.linalg.eigh(powers)
    roots = (vectors * np.sqrt(np.maximum(values, 0))[:, None]) @ np.conj(np.swapaxes(vectors, 1, 2))
    return tone.bands.to_lines(roots).astype(np.complex64)


@dataclass(frozen=True, eq=False)
class FrequencyBands:
    """Frames of ``size`` samples at ``rate``, and their frequency bands: band b begins at FFT line ``edges[b]``."""

    rate: int
    size: int = field(init=False)
    edges: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """The size of a frame is a power of two, so that its FFT is fast."""
        size = 1 << round(np.log2(_FRAME * self.rate))
        step = self.rate / size
        edges = list(range(int(_FINE / step) + 1))
        while edges[-1] < size // 2:
            edges.append(max(edges[-1] + 1, round(edges[-1] * 2 ** (1 / _PER_OCTAVE))))
        edges = [edge for edge in edges if edge <= size // 2]
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "edges", np.array(edges))

    def cross_spectrum(self, frame: Float64[np.ndarray, "channels size"]) -> np.ndarray:
        """Mean cross-spectra (bands, channels, channels) of a frame with a sine window, scaled such that noise made
        from them is as loud."""
        lines = np.fft.rfft(frame, axis=1)
        both = lines[:, None] * np.conj(lines)[None]
        sums = np.add.reduceat(both, self.edges, axis=2)
        widths = np.diff(np.append(self.edges, self.size // 2 + 1))
        # The window keeps half the power; complex noise has two parts, real and imaginary.
        return np.moveaxis(sums / widths, 2, 0)

    def to_lines(self, values: np.ndarray) -> np.ndarray:
        """``values`` of bands (first axis) at every FFT line, linear between the middles of bands."""
        stops = np.append(self.edges[1:], self.size // 2 + 1)
        middles = (self.edges + stops - 1) / 2
        lines = np.clip(np.arange(self.size // 2 + 1), middles[0], middles[-1])
        right = np.clip(np.searchsorted(middles, lines, side="right"), 1, len(middles) - 1)
        share = (lines - middles[right - 1]) / (middles[right] - middles[right - 1])
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        return (1 - share) * values[right - 1] + share * values[right]

    @property
    def audible(self) -> np.ndarray:
        """The bands that count for the level of a frame."""
        hertz = self.edges * self.rate / self.size
        return (hertz >= _LEVEL_RANGE[0]) & (hertz <= _LEVEL_RANGE[1])


class RoomToneEstimator:
    """Estimates the room tone of the clip's sound from its blocks; holds one stretch at a time."""

    def __init__(self, speech: Iterable[Span], mix_format: MixFormat) -> None:
        """``speech`` of the clip's sound, in clip time."""
        self._bands, self._channels = FrequencyBands(mix_format.rate), len(mix_format.channels)
        wide = (Span(s.start - _BEFORE, s.end + _AFTER) for s in speech)
        self._speech = np.array(mix_format.ranges(wide), np.int64).reshape(-1, 2)
        self._window = np.sin(np.pi * (np.arange(self._bands.size) + 0.5) / self._bands.size)
        self._held = np.zeros((self._channels, 0), np.float32)
        self._first = 0
        self._frames: list[tuple[bool, np.ndarray]] = []
        self._stretch = 0
        self._pauses: dict[int, np.ndarray] = {}
        self._softest: dict[int, np.ndarray] = {}

    def add(self, block: Block) -> None:
        """Use the next samples."""
        self._held = np.concatenate([self._held, block], 1)
        size, hop, at = self._bands.size, self._bands.size // 2, 0
        while self._held.shape[1] - at >= size:
            stretch = self._first // (STRETCH * self._bands.rate)
            if stretch != self._stretch:
                self._finish_stretch()
                self._stretch = stretch
            quiet = not np.any((self._speech[:, 0] < self._first + size) & (self._speech[:, 1] > self._first))
            if quiet or not self._pauses:
                frame = self._held[:, at : at + size].astype(np.float64) * self._window
                self._frames.append((quiet, self._bands.cross_spectrum(frame).astype(np.complex64)))
            at, self._first = at + hop, self._first + hop
        self._held = self._held[:, at:]

    def estimate(self, seed: int = 0) -> RoomTone:
        """The room tone of all samples so far."""
        self._finish_stretch()
        self._frames = []
        found = self._pauses or self._softest
        count = self._stretch + 1
        bands = len(self._bands.edges)
        powers = np.zeros((count, bands, self._channels, self._channels), np.complex64)
        for stretch in range(count if found else 0):
            powers[stretch] = found[min(found, key=lambda other: (abs(other - stretch), other))]
        return RoomTone(self._bands, powers, _level(self._bands, powers), bool(self._pauses), seed)

    def _finish_stretch(self) -> None:
        """Estimate the tone of the stretch that has ended."""
        pauses = np.array([power for quiet, power in self._frames if quiet])
        if len(pauses) >= _MIN_FRAMES:
            self._pauses[self._stretch] = _mean_of_quietest(pauses, self._bands, *_QUIET_FRAMES)
        elif self._frames:
            every = np.array([power for _, power in self._frames])
            self._softest[self._stretch] = _noise_floor(every, self._bands)
        self._frames = []


def _noise_floor(powers: np.ndarray, bands: FrequencyBands) -> np.ndarray:
    """The noise floor of sound without pauses: in every band a low percentile of ``powers``, which speech and music
    seldom fill (after R. Martin's minimum statistics, IEEE Trans. Speech and Audio Processing 9(5), 2001)."""
    own = np.einsum("nbcc->nbc", powers).real
    widths = np.diff(np.append(bands.edges, bands.size // 2 + 1))
    # Steady noise varies too: the power of a band of n lines has a gamma distribution.
    stray = gamma.ppf(_FLOOR_PERCENTILE / 100, widths) / widths
    root = np.sqrt(np.percentile(own, _FLOOR_PERCENTILE, axis=0) / stray[:, None])
    alike = _mean_of_quietest(powers, bands, 5, 1.0)
    scale = np.sqrt(np.einsum("bcc->bc", alike).real)
    root = np.divide(root, scale, out=np.zeros_like(root), where=scale > 0)
    root = np.minimum(root, 1)  # no louder than its quietest moments
    return alike * (root[:, :, None] * root[:, None])


def _mean_of_quietest(powers: np.ndarray, bands: FrequencyBands, percentile: int, over: float) -> np.ndarray:
    """Mean of the quietest of ``powers`` (frames, bands, channels, channels)."""
    own = np.einsum("nbcc->nb", powers).real
    widths = np.diff(np.append(bands.edges, bands.size // 2 + 1))
    levels = (own * widths)[:, bands.audible].sum(1)
    limit = np.percentile(levels, percentile) * 10 ** (over / 10)
    return powers[levels <= max(limit, levels.min())].mean(0)


def _level(bands: FrequencyBands, powers: np.ndarray) -> float | None:
    """Level of one channel in dB of full scale (RMS)."""
    widths = np.diff(np.append(bands.edges, bands.size // 2 + 1))
    own = np.einsum("sbcc->sb", powers).real / powers.shape[-1]
    power = 4 * float((own * widths).sum(1).mean()) / bands.size**2
    return 10 * float(np.log10(power)) if power > 0 else None


def scaled_tone(tone: RoomTone, first: int, fill: Float64[np.ndarray, " n"]) -> Float32[np.ndarray, "channels n"]:
    """The tone from sample ``first`` on, with the gain ``fill`` (0..1) at every sample."""
    return (tone.samples(first, first + len(fill)) * fill).astype(np.float32)
