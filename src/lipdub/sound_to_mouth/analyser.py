"""From sound to ``SpeechFeatures``."""

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lipdub.acoustics.chunks import rows_of
from lipdub.acoustics.level import gain_to_level, row_levels, scaled_by_quantiles
from lipdub.acoustics.voice_activity import VoiceActivity
from lipdub.sound_to_mouth.encoder import COMPONENTS, SpeechEncoder
from lipdub.sound_to_mouth.phones import BLANK, CLASSES, PhoneAnalyser
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures


class SpeechAnalyser:
    """Computes phone posteriors, voice activity, energy, and encoder features if it has an encoder.

    Memory beyond the result is that of a few chunks of 12 s, however long the sound.
    """

    def __init__(self, voice_activity: Path, encoder: SpeechEncoder | None = None) -> None:
        """``voice_activity``: Silero's ONNX file. Raises ``WeightsError`` if it cannot be used."""
        self._voice = VoiceActivity(voice_activity)
        self._encoder = encoder
        try:
            self._phones = PhoneAnalyser(workers=max(1, min(2, os.cpu_count() or 1)))
        except (
            RuntimeError,
            OSError,
        ):  # no build of hama for this system: the prior then does without phones, with a note
            self._phones = None

    def analyse(self, sound: Sound) -> SpeechFeatures:
        """The features of a mono 16 kHz ``sound`` of any length, which may be silent or empty."""
        assert sound.rate == ANALYSIS_RATE, "speech is analysed at 16 kHz"
        assert sound.samples.shape[0] == 1, "speech is analysed in mono sound"
        return self.analyse_samples(np.ascontiguousarray(sound.samples[0]), sound.start)

    def analyse_samples(self, samples: Samples, start: Fraction) -> SpeechFeatures:
        """The same for mono 16 kHz ``samples``, the first at ``start``.

        ``samples`` may be a file: slices of it are read several times, by several threads.
        """
        decibels = row_levels(samples)
        gain = gain_to_level(decibels)
        if gain == 0.0:
            return self._silence(start, rows_of(len(samples)))
        with ThreadPoolExecutor(2) as pool:
            pending_activity = pool.submit(self._voice.probabilities, samples, gain)
            pending_encoder = pool.submit(self._encoder.project, samples, gain) if self._encoder else None
            phones = self._phones.posteriors(samples, gain) if self._phones else _no_phones(len(decibels))
            activity = pending_activity.result()
            encoder = pending_encoder.result() if pending_encoder else None
        energy = np.concatenate([scaled_by_quantiles(decibels), activity[:, None]], axis=1)
        return SpeechFeatures(start, phones, activity, energy, encoder)

    def _silence(self, start: Fraction, rows: int) -> SpeechFeatures:
        phones = _no_phones(rows)
        if self._phones:
            phones[:, BLANK] = 1
        encoder = np.zeros((rows, COMPONENTS), np.float32) if self._encoder else None
        return SpeechFeatures(start, phones, np.zeros(rows, np.float32), np.zeros((rows, 3), np.float32), encoder)


def _no_phones(rows: int) -> Float32[np.ndarray, "rows 17"]:
    """Posteriors that are all zero: no phone model was run."""
    return np.zeros((rows, len(CLASSES) + 2), np.float32)
