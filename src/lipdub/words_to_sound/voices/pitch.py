"""How high somebody speaks.

The period of voiced sound is where its normalised difference with itself, delayed, dips first (YIN: A. de Cheveigné,
H. Kawahara, J. Acoust. Soc. Am. 111(4), 2002; steps 2 to 5).
"""

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.timeline.sound import ANALYSIS_RATE

LOWEST, HIGHEST = 65.0, 400.0
"""Hertz between which voices are looked for."""

_FRAME, _HOP = 0.05, 0.025  # seconds; a frame holds three periods of the lowest voice
_DIP = 0.15  # a delay whose difference dips below this may be the period
_LOUD = 0.05  # of the loud frames' power, from which a frame is listened to
_ENOUGH = 12  # voiced frames without which nothing is said
_BATCH = 512


def median_pitch(samples: Float32[np.ndarray, " n"]) -> float | None:
    """The median pitch in hertz of speech (mono, 16 kHz); None if hardly anything in it is voiced."""
    found = frame_pitches(samples)
    return float(np.median(found)) if len(found) >= _ENOUGH else None


def frame_pitches(samples: Float32[np.ndarray, " n"]) -> Float64[np.ndarray, " voiced"]:
    """The pitch of every frame that is voiced, in order."""
    size, hop = round(_FRAME * ANALYSIS_RATE), round(_HOP * ANALYSIS_RATE)
    if len(samples) < size:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    power = (frames.astype(np.float64) ** 2).mean(1)
    loud = frames[power > _LOUD * np.percentile(power, 95)]
    found = [_periods(loud[first : first + _BATCH]) for first in range(0, len(loud), _BATCH)]
    periods = np.concatenate([np.zeros(0), *found])
    return ANALYSIS_RATE / periods[np.isfinite(periods)]


def _periods(frames: Float32[np.ndarray, "frames size"]) -> Float64[np.ndarray, " frames"]:
    """The period of every frame in samples; NaN where it has none."""
    shortest, longest = int(ANALYSIS_RATE / HIGHEST), int(ANALYSIS_RATE / LOWEST)
    window = frames.shape[1] - longest
    spectrum = np.fft.rfft(frames, 2 * frames.shape[1])
    head = np.fft.rfft(frames[:, :window], 2 * frames.shape[1])
    shared = np.fft.irfft(spectrum * np.conj(head))[:, : longest + 1]
    sums = np.cumsum(np.pad(frames.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    energy = sums[:, window : window + longest + 1] - sums[:, : longest + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * shared, 0)
    delays = np.arange(1, longest + 1)
    normal = difference[:, 1:] * delays / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-12)
    normal[:, : shortest - 1] = 1
    return np.array([_first_dip(one) for one in normal])


def _first_dip(normal: Float64[np.ndarray, " delays"]) -> float:
    """The delay of the first deep dip, between samples by a parabola."""
    deep = np.flatnonzero(normal < _DIP)
    if not len(deep):
        return np.nan
    at = deep[0]
    while at + 1 < len(normal) and normal[at + 1] < normal[at]:
        at += 1
    if at in (0, len(normal) - 1):
        return float(at + 1)
    left, middle, right = normal[at - 1 : at + 2]
    bend = left - 2 * middle + right
    return float(at + 1 + (0.5 * (left - right) / bend if bend > 0 else 0))
