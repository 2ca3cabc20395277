"""How loud the old sound is at every sample: whole where nobody speaks, and softly down before they do.

All is known beforehand, so there is no detector that could pump: gains are drawn from spans. A gain has reached its
depth when speech begins, stays there between words, and comes back after the last one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float64

from lipdub.compose.mix.stems import MixFormat
from lipdub.timeline.time import Span, merge_spans


@dataclass(frozen=True)
class DuckEnvelope:
    """The shape of a ducking. ``depth_db`` <= 0 is reached within ``attack`` s, before speech begins, and left within
    ``release`` s after it. Speech is taken to begin ``before`` and to end ``after`` seconds beyond its span (breath,
    reverberation); pauses of up to ``hold`` seconds are not worth coming back for."""

    depth_db: float
    attack: Fraction
    release: Fraction
    before: Fraction
    after: Fraction
    hold: Fraction

    def __post_init__(self) -> None:
        assert self.depth_db <= 0
        assert min(self.attack, self.release) > 0
        assert min(self.before, self.after, self.hold) >= 0

    @property
    def depth(self) -> float:
        """The least gain, 0..1."""
        return 10 ** (self.depth_db / 20)


class DuckGain:
    """The gain (0..1) of a sound under speech; exactly 1 where no ramp reaches."""

    def __init__(self, speech: Iterable[Span], ramp: DuckEnvelope, canvas: MixFormat) -> None:
        """``speech`` on the clip's clock, in any order."""
        wide = merge_spans((Span(s.start - ramp.before, s.end + ramp.after) for s in speech if s.duration), ramp.hold)
        self._ranges = np.array(canvas.ranges(wide), np.int64).reshape(-1, 2)
        self._attack = max(1, round(ramp.attack * canvas.rate))
        self._release = max(1, round(ramp.release * canvas.rate))
        self._depth, self._samples, self._rate = ramp.depth, canvas.samples, canvas.rate

    @property
    def seconds(self) -> Fraction:
        """How long the gain is at its depth."""
        inside = np.clip(self._ranges, 0, self._samples)
        return Fraction(int((inside[:, 1] - inside[:, 0]).sum()), self._rate)

    def gain(self, first: int, stop: int) -> Float64[np.ndarray, " n"] | None:
        """Gains of the samples [first, stop), or None where all are 1."""
        near = (self._ranges[:, 0] - self._attack < stop) & (self._ranges[:, 1] + self._release > first)
        if self._depth == 1 or not near.any():
            return None
        way = np.ones(stop - first)
        for begin, end in self._ranges[near]:
            a, b = max(first, begin - self._attack), min(stop, end + self._release)
            at = np.arange(a, b)
            away = np.maximum((begin - at) / self._attack, (at - (end - 1)) / self._release)
            part = way[a - first : b - first]
            np.minimum(part, np.clip(away, 0, 1), out=part)
        return 1 - (1 - self._depth) * (0.5 + 0.5 * np.cos(np.pi * way))


def lower_gain(one: Float64[np.ndarray, " n"] | None, other: Float64[np.ndarray, " n"] | None) -> np.ndarray | None:
    """The smaller gain at every sample; None is 1 everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return np.minimum(one, other)
