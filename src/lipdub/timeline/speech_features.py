"""Features of speech: phone posteriors, voice activity, energy, encoder features."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Float32, Float64

from lipdub.timeline.time import Span

FEATURE_STEP = Fraction(1, 50)
"""Seconds between two rows of ``SpeechFeatures``: row i describes the sound around ``start`` + i/50 s."""


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """Features of a sound, 50 rows a second from ``start`` (clip time) on.

    ``phone_posteriors`` (n, 17)  0..1: the 15 phone classes of ``sound_to_mouth.phones.CLASSES``, blank, space
    ``voice_activity``   (n,)     probability of speech, 0..1
    ``energy``           (n, 3)   level of 300-3400 Hz and of all frequencies, each scaled to 0..1 between its 5 % and
                                  95 % quantiles, and ``voice_activity``
    ``encoder_features`` (n, 128) principal components of the speech encoder; None where it was not used
    """

    start: Fraction
    phone_posteriors: Float32[np.ndarray, "n 17"]
    voice_activity: Float32[np.ndarray, " n"]
    energy: Float32[np.ndarray, "n 3"]
    encoder_features: Float32[np.ndarray, "n 128"] | None = None

    def __len__(self) -> int:
        return len(self.voice_activity)

    @property
    def span(self) -> Span:
        """The time it covers."""
        return Span(self.start, self.start + len(self) * FEATURE_STEP)

    def voice_activity_at(self, seconds: Float[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """Probability of speech at ``seconds`` of clip time, linear between rows; 0 outside ``span``."""
        if len(self) == 0 or len(seconds) == 0:
            return np.zeros(len(seconds))
        start, step = float(self.start), float(FEATURE_STEP)
        first = max(0, int((seconds.min() - start) / step) - 1)
        stop = min(len(self), int((seconds.max() - start) / step) + 3)
        if first >= stop:
            return np.zeros(len(seconds))
        clock = start + np.arange(first, stop) * step
        return np.interp(seconds, clock, self.voice_activity[first:stop], left=0, right=0)
