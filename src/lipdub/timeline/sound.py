"""Sound as samples in memory."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.time import Span

ANALYSIS_RATE = 16_000
"""Samples per second of the mono sound that speech analysis works on."""


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
