"""From sound to what was heard in it."""

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lipdub.acoustics.chunks import rows_of
from lipdub.acoustics.level import gain_to_level, row_levels, scaled_by_quantiles
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.sound_to_mouth.encoder import COMPONENTS, SpeechEncoder, ctranslate2_module
from lipdub.sound_to_mouth.phones import BLANK, CLASSES, PhoneAnalyser
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures


class SpeechAnalyser:
    """Phones, voice activity, loudness, and the whisper encoder where its weights are at hand.

    Memory beyond the result is that of a few 12 s pieces, however long the sound.
    """

    def __init__(self, voice_activity: Path, whisper: Path | None = None) -> None:
        """``voice_activity``: Silero's ONNX file; ``whisper``: CTranslate2 folder of whisper-base, or None.

        Raises ``WeightsError`` for files that cannot be used, ``MissingExtra`` if whisper's runtime is missing.
        """
        self._voice = VoiceActivity(voice_activity)
        self._encoder = None if whisper is None else SpeechEncoder(whisper)
        try:
            self._phones = PhoneAnalyser(workers=max(1, min(2, os.cpu_count() or 1)))
        except (RuntimeError, OSError):  # no build of hama for this system: the prior falls back and says so
            self._phones = None

    @staticmethod
    def check_encoder() -> None:
        """Raise ``MissingExtra`` if the package that runs the whisper encoder is not installed."""
        ctranslate2_module()

    def listen(self, sound: Sound) -> SpeechFeatures:
        """Hear a mono 16 kHz ``sound`` of any length; silence, and no sound at all, are heard as silence."""
        assert sound.rate == ANALYSIS_RATE, "ears take sound at 16 kHz"
        assert sound.samples.shape[0] == 1, "ears take mono sound"
        return self.analyse_samples(np.ascontiguousarray(sound.samples[0]), sound.start)

    def analyse_samples(self, samples: Samples, start: Fraction) -> SpeechFeatures:
        """The same for mono 16 kHz ``samples`` from the instant ``start`` on, which may lie in a file: they are read in
        pieces, several times, by several threads."""
        decibels = row_levels(samples)
        gain = gain_to_level(decibels)
        if gain == 0.0:
            return self._silence(start, rows_of(len(samples)))
        with ThreadPoolExecutor(2) as pool:
            voiced_later = pool.submit(self._voice.probabilities, samples, gain)
            encoded_later = pool.submit(self._encoder.project, samples, gain) if self._encoder else None
            phones = self._phones.posteriors(samples, gain) if self._phones else _no_phones(len(decibels))
            voiced, encoded = voiced_later.result(), encoded_later.result() if encoded_later else None
        energy = np.concatenate([scaled_by_quantiles(decibels), voiced[:, None]], axis=1)
        return SpeechFeatures(start, phones, voiced, energy, encoded)

    def _silence(self, start: Fraction, rows: int) -> SpeechFeatures:
        phones = _no_phones(rows)
        if self._phones:
            phones[:, BLANK] = 1
        encoded = np.zeros((rows, COMPONENTS), np.float32) if self._encoder else None
        return SpeechFeatures(start, phones, np.zeros(rows, np.float32), np.zeros((rows, 3), np.float32), encoded)


def _no_phones(rows: int) -> Float32[np.ndarray, "rows 17"]:
    """All zero: no phones were listened for."""
    return np.zeros((rows, len(CLASSES) + 2), np.float32)
