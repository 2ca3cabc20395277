"""True peaks (ITU-R BS.1770-5, Annex 2), and a look-ahead limiter that keeps them under a ceiling."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import oaconvolve, upfirdn

from lipdub.compose.mix.stems import Block

_FILTER_REACH = 16
"""Samples on either side that the interpolation filter uses."""

_LOOKAHEAD = 0.005
"""Seconds before a peak in which the gain goes down."""

_RELEASE = 40.0
"""dB per second by which the gain comes back: too slow to follow the waveform of a low voice."""

_MOST = 80.0
"""dB by which a peak is reduced at most: so a peak is forgotten after a known time."""

LIMITER_MARGIN = 0.15
"""dB below the ceiling at which the limiter aims: moving gains and interpolation are not exact."""

_PIECE = 512


class TruePeakMeter:
    """Measures the highest true peak of blocks."""

    def __init__(self, channels: int) -> None:
        """For sound with this number of ``channels``."""
        self._oversampler = Oversampler()
        self._held = np.zeros((channels, 2 * _FILTER_REACH), np.float32)
        self._highest = 0.0

    def add(self, block: Block) -> None:
        """Measure the next samples (channels, samples)."""
        padded = np.concatenate([self._held, block], 1)
        self._held = padded[:, -2 * _FILTER_REACH :]
        self._highest = max(self._highest, float(self._oversampler.peaks(padded, self._highest).max(initial=0)))

    def true_peak(self) -> float | None:
        """The highest true peak in dBTP; None for silence. The last samples are measured as if silence followed."""
        end = np.concatenate([self._held, np.zeros((len(self._held), 2 * _FILTER_REACH), np.float32)], 1)
        highest = max(self._highest, float(self._oversampler.peaks(end, 0.0).max(initial=0)))
        return 20 * float(np.log10(highest)) if highest > 0 else None


class Oversampler:
    """Interpolates by 8, twice as finely as Annex 2 asks for; the error of a peak is at most 0.1 dB."""

    def __init__(self) -> None:
        """The filter, a windowed sinc, is the same at every rate."""
        self._times = 8
        taps = np.arange(-_FILTER_REACH * self._times, _FILTER_REACH * self._times + 1)
        self._filter = np.sinc(taps / self._times) * np.kaiser(len(taps), 6.0)
        phases = np.abs(np.append(self._filter, np.zeros(self._times - 1)).reshape(-1, self._times))
        self._most = float(phases.sum(0).max())

    def peaks(self, padded: Block, threshold: float) -> Float64[np.ndarray, " n"]:
        """The highest magnitude (samples,) in any channel between each sample of ``padded`` (channels, samples) and the
        next one. The first and last ``_FILTER_REACH`` samples are context only.

        Blocks that cannot exceed ``threshold`` between samples are not interpolated: there it is the samples' own.
        """
        size = padded.shape[1] - 2 * _FILTER_REACH
        rough = np.abs(padded).max(0).astype(np.float64)
        out = rough[_FILTER_REACH : _FILTER_REACH + size].copy()
        for first in range(0, size, _PIECE):
            stop = min(first + _PIECE, size)
            if rough[first : stop + 2 * _FILTER_REACH].max() * self._most <= threshold:
                continue
            piece = padded[:, first : stop + 2 * _FILTER_REACH]
            loud = np.abs(piece).max(1) * self._most > threshold
            fine = upfirdn(self._filter, piece[loud], up=self._times, axis=1)
            # fine[k * times + REACH * times] lies on sample k; each sample gets the peak up to the next one.
            begin = 2 * _FILTER_REACH * self._times
            between = np.abs(fine[:, begin : begin + (stop - first) * self._times]).max(0)
            np.maximum(out[first:stop], between.reshape(-1, self._times).max(1), out=out[first:stop])
        return out


@dataclass
class LimiterStats:
    """What a limiter did so far: its largest reduction ``max_reduction_db`` (>= 0), and the number of ``samples`` it
    reduced."""

    max_reduction_db: float = 0.0
    samples: int = 0


def limiter_memory(rate: int) -> int:
    """The number of samples after which a peak has no influence on the output of ``limit_peaks`` any more, not on a
    single bit."""
    return ceil((_MOST / _RELEASE + 2 * _LOOKAHEAD) * rate) + 2 * _FILTER_REACH


def limit_peaks(
    blocks: Iterable[Block], rate: int, ceiling_db: float, stats: LimiterStats, measured: int | None = None
) -> Iterator[Block]:
    """``blocks`` with their true peaks under ``ceiling_db`` (dBTP), all channels by the same gain; the length stays.

    Samples that need no reduction are not changed. ``stats`` is kept up to date. Only the first ``measured`` channels
    are measured (None: all of them); the others are reduced with them.
    """
    ahead = max(1, round(_LOOKAHEAD * rate))
    window = np.hanning(2 * ahead + 3)[1:-1]
    window /= window.sum()
    for padded in with_context(_with_reduction(blocks, rate, ceiling_db, measured), 2 * ahead):
        block, reduction = padded[:-1, 2 * ahead : -2 * ahead].astype(np.float32), padded[-1]
        if not reduction.any():
            yield block
            continue
        held = minimum_filter1d(reduction, 2 * ahead + 1)
        smooth = np.minimum(oaconvolve(held, window, "same")[2 * ahead : -2 * ahead], 0.0)
        smooth[smooth > -1e-6] = 0.0
        stats.max_reduction_db = max(stats.max_reduction_db, -float(smooth.min(initial=0)))
        stats.samples += int(np.count_nonzero(smooth))
        yield (block * 10 ** (smooth / 20)).astype(np.float32)


def _with_reduction(
    blocks: Iterable[Block], rate: int, ceiling_db: float, measured: int | None
) -> Iterator[Float64[np.ndarray, "rows _n"]]:
    """Every block, float64, with a last row: the dB (<= 0) by which each sample must be reduced, with its release."""
    oversampler, fall = Oversampler(), _RELEASE / rate
    ceiling = 10 ** ((ceiling_db - LIMITER_MARGIN) / 20)
    carried = 0.0
    for padded in with_context(blocks, _FILTER_REACH):
        block = padded[:, _FILTER_REACH:-_FILTER_REACH]
        # A peak between two samples reduces both.
        peaks = maximum_filter1d(oversampler.peaks(padded[:measured], ceiling), 3, mode="nearest")
        reduction = np.clip(20 * np.log10(ceiling / np.maximum(peaks, ceiling)), -_MOST, 0.0)
        if carried < 0 or reduction.any():
            slope = fall * np.arange(1, len(reduction) + 1)
            reduction = np.minimum(np.minimum.accumulate(np.minimum(reduction - slope, carried)) + slope, 0.0)
            carried = float(reduction[-1])
        yield np.concatenate([block.astype(np.float64), reduction[None]])


def with_context(blocks: Iterable[Float[np.ndarray, "rows _n"]], reach: int) -> Iterator[np.ndarray]:
    """Every block with ``reach`` samples of its neighbours at both ends; zeros before the first and after the last."""
    before: np.ndarray | None = None
    now: np.ndarray | None = None
    for block in blocks:
        if now is None or before is None:
            before, now = np.zeros((block.shape[0], reach), block.dtype), block
        elif block.shape[1] < reach:
            now = np.concatenate([now, block], 1)  # a last block too short to be a neighbour
        else:
            yield np.concatenate([before, now, block[:, :reach]], 1)
            before, now = np.concatenate([before, now], 1)[:, -reach:], block
    if now is not None and before is not None:
        yield np.concatenate([before, now, np.zeros((now.shape[0], reach), now.dtype)], 1)
