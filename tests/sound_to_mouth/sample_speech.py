"""Speech for tests: voices from the offline synthesiser, and features, priors and mouths made by hand."""

from fractions import Fraction

import numpy as np
import pytest

from lipdub.sound_to_mouth.phones import BLANK, PBM
from lipdub.sound_to_mouth.prior import DESIGNS, Prior
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.words_to_sound.voices.pico import synthesise

SENTENCE = "My baby bought a big map of Bombay. Perhaps somebody may move the papers before breakfast."


def spoken(text: str = SENTENCE, voice: str = "en-GB") -> np.ndarray:
    """``text`` as float32 samples at 16 kHz, without the silence that the synthesiser adds at the end; skips the test
    where the synthesiser is not installed."""
    pytest.importorskip("py_nanotts")
    samples = synthesise(text, voice).astype(np.float32) / 32768
    return samples[: np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())[-1] + 1]


def sound(samples: np.ndarray, start: Fraction = Fraction(0)) -> Sound:
    """Mono sound at 16 kHz."""
    return Sound(np.ascontiguousarray(samples[None], np.float32), ANALYSIS_RATE, start)


def babble(rows: int, seed: int = 0, start: Fraction = Fraction(0), encoded: bool = True) -> SpeechFeatures:
    """Features like those of speech without pauses: smooth random posteriors, energy and encoder features."""
    rng = np.random.default_rng(seed)
    smooth = np.hanning(9) / np.hanning(9).sum()

    def wave(columns: int) -> np.ndarray:
        noise = rng.standard_normal((rows + 8, columns))
        return np.stack([np.convolve(c, smooth, "valid") for c in noise.T], 1)

    phones = np.exp(4 * wave(17))
    phones /= phones.sum(1, keepdims=True)
    loud = np.clip(0.5 + 0.4 * wave(2), 0, 1)
    voiced = np.full(rows, 0.9)
    energy = np.concatenate([loud, voiced[:, None]], 1)
    f = np.float32
    return SpeechFeatures(
        start, phones.astype(f), voiced.astype(f), energy.astype(f), wave(128).astype(f) if encoded else None
    )


def hush(rows: int, start: Fraction = Fraction(0)) -> SpeechFeatures:
    """The features of silence."""
    phones = np.zeros((rows, 17), np.float32)
    phones[:, BLANK] = 1
    return SpeechFeatures(start, phones, np.zeros(rows, np.float32), np.zeros((rows, 3), np.float32))


def with_closure(features: SpeechFeatures, row: int) -> SpeechFeatures:
    """``features`` with a lip closure at ``row`` and nowhere else."""
    phones = features.phone_posteriors.copy()
    phones[:, PBM] = 0.0
    phones[row, PBM] = 0.9
    return SpeechFeatures(features.start, phones, features.voice_activity, features.energy, features.encoder_features)


def linear_world(seed: int = 0) -> Prior:
    """A prior with random maps: a mouth made by ``mouth`` then follows the features exactly linearly."""
    rng = np.random.default_rng(seed)
    probe = babble(60)
    maps = {}
    for name, design in DESIGNS.items():
        rows = design(probe, np.arange(60) * 0.02)
        maps[name] = (rng.standard_normal((rows.shape[1], 6)) / np.sqrt(rows.shape[1])).astype(np.float32)
    mixes = {
        "encoder and phones": {"encoder": 0.4, "phones": 0.3, "calm": 0.3},
        "encoder": {"encoder": 1.0},
        "phones": {"phones": 0.5, "calm": 0.5},
        "loudness": {"loud": 1.0},
    }
    levels = np.linspace(0.0, 0.2, 41)[:, None] * np.array([1.0, -0.3, 0.3, 0.5, 0.1, 0.2])
    return Prior(maps, mixes, levels.astype(np.float32), np.full(6, 0.05, np.float32))


def mouth(prior: Prior, features: SpeechFeatures, seconds: np.ndarray, late: float = 0.0) -> np.ndarray:
    """Shapes (n, 6) of a mouth that follows ``features`` as ``prior`` predicts, with the sound ``late`` seconds
    late."""
    size = np.array([0.05, 0.02, 0.04, 0.03, 0.01, 0.015])
    middle = np.array([0.08, 0.65, 0.6, 1.2, -0.1, 0.2])
    guess = prior.predict(features, seconds + late)
    shapes = middle + size * (guess - guess.mean(0)) / guess.std(0)
    shapes[:, 0] = np.maximum(shapes[:, 0], 0.0)
    return shapes.astype(np.float64)
