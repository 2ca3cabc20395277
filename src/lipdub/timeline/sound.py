"""Sound, and what was heard in it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Float32, Float64

from lipdub.timeline.time import Span

HEARING_RATE = 16_000
"""Samples per second of the mono sound that ears are given."""

HEARD_STEP = Fraction(1, 50)
"""Seconds between two rows of ``Heard``: row i describes the sound around i/50 s after ``Heard.start``."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples in -1..1, (channels, samples), at an integer ``rate``; ``start`` is the instant of sample 0."""

    samples: Float32[np.ndarray, "channels samples"]
    rate: int
    start: Fraction = Fraction(0)

    @property
    def span(self) -> Span:
        """From the first sample to the end of the last."""
        return Span(self.start, self.start + Fraction(self.samples.shape[1], self.rate))


@dataclass(frozen=True, eq=False)
class Heard:
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
        return len(self.voiced)

    @property
    def span(self) -> Span:
        """The time it covers."""
        return Span(self.start, self.start + len(self) * HEARD_STEP)

    def voiced_at(self, seconds: Float[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """Probability of speech at ``seconds`` of clip time, between the rows linearly; 0 outside what it covers."""
        if len(self) == 0:
            return np.zeros(len(seconds))
        clock = float(self.start) + np.arange(len(self)) * float(HEARD_STEP)
        return np.interp(seconds, clock, self.voiced, left=0, right=0)
