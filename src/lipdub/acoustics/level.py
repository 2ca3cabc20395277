"""The level of a sound in rows of 20 ms, in the telephone band and over all frequencies."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lipdub.acoustics.chunks import HOP, padded, rows_of
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE

ACTIVE_RMS = 0.08
"""The RMS that active sound is scaled to before it goes into a network."""

_FRAME = 480  # 30 ms
_FFT = 512
_BAND = (300.0, 3400.0)  # the telephone band, ITU-T G.712
_FLOOR = 1e-9
_BLOCK = 4096


def row_levels(samples: Samples) -> Float64[np.ndarray, "rows 2"]:
    """Decibels of the 300-3400 Hz band and of all frequencies, in 30 ms frames centred on each 20 ms row."""
    rows = rows_of(len(samples))
    out = np.empty((rows, 2))
    window = np.hanning(_FRAME).astype(np.float32)
    frequency = np.fft.rfftfreq(_FFT, 1 / ANALYSIS_RATE)
    band = (frequency > _BAND[0]) & (frequency < _BAND[1])
    for first in range(0, rows, _BLOCK):
        stop = min(first + _BLOCK, rows)
        cut = padded(samples, first * HOP - _FRAME // 2, (stop - 1) * HOP + _FRAME // 2)
        frames = np.lib.stride_tricks.sliding_window_view(cut, _FRAME)[::HOP]
        spectrum = np.abs(np.fft.rfft(frames * window, _FFT)) ** 2
        out[first:stop, 0] = 10 * np.log10(spectrum[:, band].sum(1) + _FLOOR)
        out[first:stop, 1] = 10 * np.log10((frames.astype(np.float64) ** 2).mean(1) + _FLOOR)
    return out


def active_rows(decibels: Float64[np.ndarray, "rows 2"]) -> Bool[np.ndarray, " rows"]:
    """True for rows within 60 dB of the loudest row and above -80 dB of full scale.

    Levels and scales are measured on these rows only, so silence around a sound changes neither.
    """
    full = decibels[:, 1]
    return full > max(-80.0, float(full.max(initial=-90.0)) - 60)


def gain_to_level(decibels: Float64[np.ndarray, "rows 2"]) -> float:
    """The factor for the samples that gives the active rows the RMS ``ACTIVE_RMS``; 0 if there are none."""
    rows = active_rows(decibels)
    if not rows.any():
        return 0.0
    return float(ACTIVE_RMS / np.sqrt((10 ** (decibels[rows, 1] / 10)).mean()))


def scaled_by_quantiles(decibels: Float64[np.ndarray, "rows 2"]) -> Float32[np.ndarray, "rows 2"]:
    """Each column scaled to 0..1 between the 5 % and 95 % quantiles of its active rows; zeros if all is silent."""
    rows = active_rows(decibels)
    if not rows.any():
        return np.zeros(decibels.shape, np.float32)
    low, high = np.quantile(decibels[rows], [0.05, 0.95], axis=0)
    return np.clip((decibels - low) / np.maximum(high - low, 3.0), 0, 1).astype(np.float32)
