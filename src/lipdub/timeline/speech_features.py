"""What analysers make of a sound: phone posteriors, voice activity, energy, encoder features."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Float32, Float64

from lipdub.timeline.time import Span

FEATURE_STEP = Fraction(1, 50)
"""Seconds between two rows of ``SpeechFeatures``: row i describes the sound around ``start`` + i/50 s."""


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """What the ears make of a sound, on a 50 Hz grid that starts at ``start`` (clip time).

    ``phones``  (n, 17) posteriors 0..1: the 15 phone classes of ``speech.phones.CLASSES``, blank, space
    ``voiced``  (n,)    probability of speech 0..1
    ``energy``  (n, 3)  band energy 300-3400 Hz and full energy, each scaled to 0..1 by its own 5-95 %, and ``voiced``
    ``encoded`` (n, 128) leading principal components of the recogniser's encoder, or None where it was not at hand
    """

    start: Fraction
    phones: Float32[np.ndarray, "n 17"]
    voiced: Float32[np.ndarray, " n"]
    energy: Float32[np.ndarray, "n 3"]
    encoded: Float32[np.ndarray, "n 128"] | None = None

    def __len__(self) -> int:
        return len(self.voice_activity)

    @property
    def span(self) -> Span:
        """The time it covers."""
        return Span(self.start, self.start + len(self) * FEATURE_STEP)

    def voice_activity_at(self, seconds: Float[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """Probability of speech at ``seconds`` of clip time, between the rows linearly; 0 outside what it covers."""
        if len(self) == 0:
            return np.zeros(len(seconds))
        clock = float(self.start) + np.arange(len(self)) * float(FEATURE_STEP)
        return np.interp(seconds, clock, self.voice_activity, left=0, right=0)
