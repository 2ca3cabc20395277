"""Loudness by ITU-R BS.1770-5 and EBU R 128 (Tech 3341, Tech 3342), measured in blocks.

Only the energy of every tenth of a second is kept: 108 000 numbers for three hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32, Float64
from scipy.signal import bilinear, sosfilt

from lipdub.timeline.time import Span

STEP = Fraction(1, 10)
"""Seconds; measuring blocks of 400 ms overlap by 75 %, so they are four steps long."""

_OFFSET = -0.691
_ABSOLUTE = -70.0
_SIDES = ("SL", "SR")
_BACKS = ("BL", "BR", "BC")
_LOUDER = 1.41
"""Weight of sound from the side, BS.1770-5 table 4 (azimuth 60..120 degrees). In layouts without side channels (5.1)
the back channels are there."""


@dataclass(frozen=True)
class LoudnessLevels:
    """``integrated`` loudness (LUFS), ``loudness_range`` (LU) and ``true_peak`` (dBTP) of a sound.

    None: too short, or silent.
    """

    integrated: float | None
    loudness_range: float | None
    true_peak: float | None


class LoudnessMeter:
    """Measures the loudness of a sound that is given in blocks."""

    def __init__(self, rate: int, channels: tuple[str, ...]) -> None:
        """``channels`` are FFmpeg's channel names, in the order of the rows of every block."""
        self._filter = k_weighting(rate)
        self._state = np.zeros((len(self._filter), len(channels), 2))
        self._weights = channel_weights(channels)
        self._rate, self._samples = rate, 0
        self._open = np.zeros(0)
        self._steps: list[np.ndarray] = []

    def add(self, block: Float32[np.ndarray, "channels samples"]) -> None:
        """Measure the next samples."""
        weighted, self._state = sosfilt(self._filter, block, axis=1, zi=self._state)
        power = np.concatenate([self._open, self._weights @ (weighted * weighted)])
        begin = self._samples - len(self._open)
        self._samples += block.shape[1]
        edges = self._edges(self._whole(begin), self._whole(self._samples)) - begin
        if len(edges) > 1:
            sums = np.add.reduceat(power[: edges[-1]], edges[:-1])
            self._steps.append(sums / np.diff(edges))
            power = power[edges[-1] :]
        self._open = power

    def _whole(self, samples: int) -> int:
        """Number of whole steps that end within ``samples``."""
        return samples * 10 // self._rate

    def _edge(self, step: int) -> int:
        return -(-step * self._rate // 10)

    def _edges(self, first: int, last: int) -> np.ndarray:
        return np.array([self._edge(step) for step in range(first, last + 1)], np.int64)

    @property
    def steps(self) -> Float64[np.ndarray, " steps"]:
        """Mean square, K-weighted and summed over the channels, of every whole step so far."""
        return np.concatenate([np.zeros(0), *self._steps])

    def integrated(self) -> float | None:
        """Gated loudness of all samples in LUFS, BS.1770-5; None if nothing exceeds the absolute gate."""
        return _gated(_means(self.steps, 4))

    def loudness_range(self) -> float | None:
        """Loudness range in LU, EBU Tech 3342: 10 to 95 % of 3 s windows above -70 LUFS and -20 LU."""
        windows = _means(self.steps, 30)
        loud = windows[windows > _energy(_ABSOLUTE)]
        if not len(loud):
            return None
        loud = np.sort(loud[loud > loud.mean() / 100])
        low, high = (float(loud[round((len(loud) - 1) * p)]) for p in (0.10, 0.95))
        return _lufs(high) - _lufs(low)

    def integrated_within(self, speech: Iterable[Span], start: Fraction) -> float | None:
        """Loudness in LUFS of the steps whose middle lies in ``speech``, gated at -70 LUFS and -10 LU.

        ``start`` is the time (s) of the first sample. Speech is measured in single steps because words are short.
        """
        steps = self.steps
        inside = np.zeros(len(steps), bool)
        for span in speech:
            first, stop = ((instant - start) / STEP - Fraction(1, 2) for instant in (span.start, span.end))
            inside[max(0, -(-first // 1)) : max(0, -(-stop // 1))] = True
        return _gated(steps[inside])


def k_weighting(rate: int) -> Float64[np.ndarray, "2 6"]:
    """The two filters of BS.1770-5 (a shelf for the head, a high-pass) at ``rate``, as second-order sections.

    The standard lists coefficients for 48 kHz. These analogue prototypes give the same there to 1e-8, and equivalent
    filters at other rates (B. De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement", AES 145,
    2018).
    """
    height = 10 ** (3.999843853973347 / 20)
    middle = height**0.4996667741545416
    shelf = _section(rate, 1681.974450955533, 0.7071752369554196, (height, middle, 1.0))
    high = _section(rate, 38.13547087602444, 0.5003270373238773, (1.0, 0.0, 0.0))
    high[:3] /= high[0]
    return np.stack([shelf, high])


def _section(rate: int, hertz: float, quality: float, top: tuple[float, float, float]) -> np.ndarray:
    """A section with numerator ``top`` (s², s·w/Q, w²), by the bilinear transform, exact at ``hertz``."""
    w = 2 * rate * np.tan(np.pi * hertz / rate)
    above, below = bilinear([top[0], top[1] * w / quality, top[2] * w * w], [1, w / quality, w * w], rate)
    return np.array([*above, *below])


def channel_weights(channels: tuple[str, ...]) -> Float64[np.ndarray, " channels"]:
    """Weights of BS.1770-5: 0 for low-frequency channels, 1.41 for sound from the sides, else 1."""
    louder = _SIDES if any(name in _SIDES for name in channels) else _BACKS
    return np.array([0.0 if n.startswith("LFE") else _LOUDER if n in louder else 1.0 for n in channels])


def _means(steps: np.ndarray, count: int) -> np.ndarray:
    """Means of every ``count`` neighbouring ``steps``."""
    if len(steps) < count:
        return np.zeros(0)
    return np.lib.stride_tricks.sliding_window_view(steps, count).mean(1)


def _gated(energies: np.ndarray) -> float | None:
    loud = energies[energies > _energy(_ABSOLUTE)]
    if not len(loud):
        return None
    return _lufs(float(loud[loud > loud.mean() / 10].mean()))


def _lufs(energy: float) -> float:
    return _OFFSET + 10 * float(np.log10(energy))


def _energy(lufs: float) -> float:
    return 10 ** ((lufs - _OFFSET) / 10)
