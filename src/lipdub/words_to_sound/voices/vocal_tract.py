"""How far apart the formants of a person are, which tells how long the vocal tract is.

The formants of a tube that is closed at one end are at (i - 1/2) times their spacing; the spacing of a person's is
found from the first four by least squares (D. Reby, K. McComb, Anim. Behav. 65, 2003). Formants are the angles of the
roots of a linear predictor of each voiced frame (J. Makhoul, Proc. IEEE 63(4), 1975).
"""

import numpy as np
import soxr
from jaxtyping import Float32, Float64

from lipdub.timeline.sound import ANALYSIS_RATE

_RATE = 10_000  # Hz: five formants below 5 kHz, ten coefficients
_ORDER, _FORMANTS = 10, 4
_FRAME, _HOP = 300, 100  # samples at _RATE
_LAGS = (_RATE // 400, _RATE // 75)  # periods of voices
_VOICED, _LOUD = 0.55, 0.05  # correlation a period later; of the 95 % quantile of power
_WIDEST, _LOWEST, _EDGE = 500.0, 200.0, 50.0  # Hz: bandwidth and frequency of roots that are formants
_ENOUGH = 40
"""Voiced frames in which all four formants are found that a spacing needs."""

_BATCH = 2048


def formant_spacing(samples: Float32[np.ndarray, " n"]) -> float | None:
    """The spacing of the formants of speech (mono, 16 kHz) in hertz, 950 to 1100 in most men and 1100 to 1300 in most
    women; None if there is too little speech. Halves of one recording differ by up to five in a hundred."""
    found = formants(samples)
    if len(found) < _ENOUGH:
        return None
    places = np.arange(_FORMANTS) + 0.5
    return float(np.median(found, axis=0) @ places / (places @ places))


def formants(samples: Float32[np.ndarray, " n"]) -> Float64[np.ndarray, "frames 4"]:
    """The first four formants in hertz of each voiced frame (every 10 ms) in which four are found."""
    if len(samples) < ANALYSIS_RATE // 10:
        return np.zeros((0, _FORMANTS))
    sound = soxr.resample(samples, ANALYSIS_RATE, _RATE).astype(np.float64)
    sound[1:] -= np.exp(-2 * np.pi * 50 / _RATE) * sound[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    power = (frames**2).mean(1)
    loud = frames[power > max(_LOUD * float(np.percentile(power, 95)), 1e-12)]
    parts = [_of_frames(loud[i : i + _BATCH]) for i in range(0, len(loud), _BATCH)]
    return np.concatenate([np.zeros((0, _FORMANTS)), *parts])


def _of_frames(frames: Float64[np.ndarray, "frames size"]) -> Float64[np.ndarray, "kept 4"]:
    plain = np.fft.irfft(np.abs(np.fft.rfft(frames, 2 * _FRAME, axis=1)) ** 2)
    lags = np.arange(*_LAGS)
    periodic = (plain[:, lags] / (1 - lags / _FRAME)).max(1) > _VOICED * plain[:, 0]
    chosen = frames[periodic] * np.hamming(_FRAME)
    if not len(chosen):
        return np.zeros((0, _FORMANTS))
    shared = np.fft.irfft(np.abs(np.fft.rfft(chosen, 2 * _FRAME, axis=1)) ** 2)[:, : _ORDER + 1]
    matrices = np.zeros((len(chosen), _ORDER, _ORDER))
    matrices[:, 0] = -_predictors(shared)
    matrices[:, np.arange(1, _ORDER), np.arange(_ORDER - 1)] = 1
    roots = np.linalg.eigvals(matrices)
    hertz = np.angle(roots) * _RATE / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * _RATE / np.pi
    hertz[(hertz < _LOWEST) | (hertz > _RATE / 2 - _EDGE) | (width > _WIDEST)] = np.inf
    first = np.sort(hertz, axis=1)[:, :_FORMANTS]
    return first[np.isfinite(first).all(1)]


def _predictors(shared: Float64[np.ndarray, "frames lags"]) -> Float64[np.ndarray, "frames order"]:
    """The linear predictor of each frame from its autocorrelation (Levinson and Durbin)."""
    out = np.zeros((len(shared), _ORDER + 1))
    out[:, 0] = 1
    error = shared[:, 0] * (1 + 1e-6)
    for i in range(1, _ORDER + 1):
        reflection = -(out[:, :i] * shared[:, i:0:-1]).sum(1) / error
        out[:, 1 : i + 1] += reflection[:, None] * out[:, :i][:, ::-1].copy()
        error = error * (1 - reflection**2)
    return out[:, 1:]
