"""The pitch (f0) of speech.

The period of a voiced frame is the first delay at which the normalised difference between the frame and the delayed
frame has a deep minimum (YIN: A. de Cheveigné, H. Kawahara, J. Acoust. Soc. Am. 111(4), 2002; steps 2 to 5).
"""

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.timeline.sound import ANALYSIS_RATE

LOWEST, HIGHEST = 65.0, 400.0
"""The range of pitches that are found, in hertz."""

_FRAME, _HOP = 0.05, 0.025  # seconds; a frame holds three periods of the lowest voice
_DIP = 0.15  # a delay whose normalised difference is below this may be the period
_LOUD = 0.05  # of the 95 % quantile of power: quieter frames are left out
_ENOUGH = 12  # voiced frames that a median pitch needs
_BATCH = 512


def median_pitch(samples: Float32[np.ndarray, " n"]) -> float | None:
    """The median pitch of speech (mono, 16 kHz) in hertz; None if it has fewer than 12 voiced frames."""
    found = frame_pitches(samples)
    return float(np.median(found)) if len(found) >= _ENOUGH else None


def frame_pitches(samples: Float32[np.ndarray, " n"]) -> Float64[np.ndarray, " voiced"]:
    """The pitch of each voiced frame in hertz, in order."""
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
    """The period of each frame in samples; NaN for a frame that is not voiced."""
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
    """The delay of the first deep minimum, interpolated by a parabola; NaN if there is none."""
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
