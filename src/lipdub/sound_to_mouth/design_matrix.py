"""Design matrices: speech features as rows from which mouth shapes are predicted linearly.

Each function takes ``seconds`` relative to ``features.start`` and gives one row per instant. Before the first and after
the last row of the features, that row is repeated.
"""

import numpy as np
from jaxtyping import Float, Float32

from lipdub.sound_to_mouth.phones import CLASSES
from lipdub.timeline.speech_features import FEATURE_STEP, SpeechFeatures

ENCODER_OFFSETS = np.arange(-3, 4) * 0.04
PHONE_OFFSETS = np.arange(-8, 9) * 0.02
ENERGY_OFFSETS = np.arange(-4, 5) * 0.04

_STEP = float(FEATURE_STEP)
_MARGIN = 16  # rows: the widest offset, the widest filter, and one to interpolate
# How strongly each phone class determines the lips, in the order of CLASSES (dominance: Cohen and Massaro, 1993).
_DOMINANCE = np.array([1.6, 1.2, 0.5, 0.45, 0.8, 0.9, 0.6, 1.2, 0.35, 1.0, 1.0, 0.9, 0.9, 0.9, 0.5], np.float32)
_SMOOTHING = np.hanning(13).astype(np.float32)
_ENERGY_SMOOTHING = np.array([1, 2, 3, 2, 1], np.float32) / 9


def sample_rows(values: Float32[np.ndarray, "rows k"], seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n k"]:
    """Rows of ``values`` (50 a second) linearly interpolated at ``seconds``; the end rows are repeated outside."""
    where = np.clip(seconds / _STEP, 0, len(values) - 1)
    low = where.astype(np.intp)
    high = np.minimum(low + 1, len(values) - 1)
    part = (where - low).astype(np.float32)[:, None]
    return values[low] * (1 - part) + values[high] * part


def features_near(
    features: SpeechFeatures, seconds: Float[np.ndarray, " n"]
) -> tuple[SpeechFeatures, Float[np.ndarray, " n"]]:
    """The part of ``features`` that the designs at ``seconds`` need, and ``seconds`` relative to the part's start.

    A design of few instants then costs little, however long the sound.
    """
    if len(seconds) == 0 or len(features) == 0:
        return features, seconds
    last = len(features) - 1
    low, high = np.clip([np.floor(seconds.min() / _STEP), np.ceil(seconds.max() / _STEP)], 0, last).astype(int)
    first, stop = max(int(low) - _MARGIN, 0), min(int(high) + _MARGIN, last) + 1
    part = SpeechFeatures(
        features.start + first * FEATURE_STEP,
        features.phone_posteriors[first:stop],
        features.voice_activity[first:stop],
        features.energy[first:stop],
        None if features.encoder_features is None else features.encoder_features[first:stop],
    )
    return part, seconds - first * _STEP


def encoder_design(features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 918"]:
    """Encoder features and energy at -120 .. 120 ms, and a constant 1. ``features.encoder_features`` must not be
    None."""
    assert features.encoder_features is not None
    return _context(np.concatenate([features.encoder_features, features.energy], axis=1), seconds, ENCODER_OFFSETS)


def phone_design(features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 341"]:
    """Log posteriors of phones and energy at -160 .. 160 ms, and a constant 1."""
    log_posteriors = np.log(features.phone_posteriors + np.float32(1e-3)) / np.float32(3)
    return _context(np.concatenate([log_posteriors, features.energy], axis=1), seconds, PHONE_OFFSETS)


def smoothed_phone_design(features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 18"]:
    """Posteriors of the 15 classes weighted by dominance and smoothed over 260 ms, energy, voice activity, and 1."""
    weighted = features.phone_posteriors[:, : len(CLASSES)] * _DOMINANCE
    spread = np.stack([np.convolve(column, _SMOOTHING)[6 : 6 + len(column)] for column in weighted.T], axis=1)
    spread /= spread.sum(1, keepdims=True) + np.float32(0.15)
    loud = np.convolve(np.pad(features.energy[:, 0], 2, mode="edge"), _ENERGY_SMOOTHING, "valid")
    return _context(
        np.concatenate([spread, loud[:, None], features.voice_activity[:, None]], axis=1), seconds, np.zeros(1)
    )


def energy_design(features: SpeechFeatures, seconds: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n 28"]:
    """Energy alone at -160 .. 160 ms, and a constant 1."""
    return _context(features.energy, seconds, ENERGY_OFFSETS)


def _context(rows: np.ndarray, seconds: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """``rows`` sampled at ``seconds`` + each of ``offsets``, side by side, and a constant 1."""
    around = sample_rows(rows, (seconds[:, None] + offsets).ravel()).reshape(len(seconds), -1)
    return np.concatenate([around, np.ones((len(seconds), 1), np.float32)], axis=1)
