"""Ducking: the gain of a sound at every sample, 1 where nobody speaks and smoothly lower where somebody does.

The spans of speech are known in advance, so gains are computed from them and no level detector is needed. The full
depth is reached when speech begins, kept between words, and left after the last one.
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
    """How a sound is ducked. ``depth_db`` <= 0 is reached within ``attack`` s, before speech begins, and left within
    ``release`` s after it. Speech counts from ``before`` s before to ``after`` s after its span (breath,
    reverberation). In pauses of up to ``hold`` s the gain stays low."""

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
        """The lowest gain, 0..1."""
        return 10 ** (self.depth_db / 20)


class DuckGain:
    """The gain (0..1) of a sound under speech; exactly 1 away from speech."""

    def __init__(self, speech: Iterable[Span], envelope: DuckEnvelope, mix_format: MixFormat) -> None:
        """``speech`` in clip time, in any order."""
        wide = merge_spans(
            (Span(s.start - envelope.before, s.end + envelope.after) for s in speech if s.duration), envelope.hold
        )
        self._ranges = np.array(mix_format.ranges(wide), np.int64).reshape(-1, 2)
        self._attack = max(1, round(envelope.attack * mix_format.rate))
        self._release = max(1, round(envelope.release * mix_format.rate))
        self._depth, self._samples, self._rate = envelope.depth, mix_format.samples, mix_format.rate

    @property
    def seconds(self) -> Fraction:
        """For how many seconds the gain is at its lowest."""
        inside = np.clip(self._ranges, 0, self._samples)
        return Fraction(int((inside[:, 1] - inside[:, 0]).sum()), self._rate)

    def within(self, first: int, stop: int) -> tuple[tuple[int, int], ...]:
        """The ranges of speech that decide the gains of the samples [first, stop), as far as they do. Equal ranges give
        equal gains."""
        near = (self._ranges[:, 0] - self._attack < stop) & (self._ranges[:, 1] + self._release > first)
        return tuple(
            (max(int(begin), first), min(int(end), stop)) if end > first and begin < stop else (int(begin), int(end))
            for begin, end in self._ranges[near]
        )

    def gain(self, first: int, stop: int) -> Float64[np.ndarray, " n"] | None:
        """Gains of the samples [first, stop); None if all are 1."""
        near = (self._ranges[:, 0] - self._attack < stop) & (self._ranges[:, 1] + self._release > first)
        if self._depth == 1 or not near.any():
            return None
        shape = np.ones(stop - first)
        for begin, end in self._ranges[near]:
            a, b = max(first, begin - self._attack), min(stop, end + self._release)
            at = np.arange(a, b)
            distance = np.maximum((begin - at) / self._attack, (at - (end - 1)) / self._release)
            part = shape[a - first : b - first]
            np.minimum(part, np.clip(distance, 0, 1), out=part)
        return 1 - (1 - self._depth) * (0.5 + 0.5 * np.cos(np.pi * shape))


def lower_gain(one: Float64[np.ndarray, " n"] | None, other: Float64[np.ndarray, " n"] | None) -> np.ndarray | None:
    """The lower of two gains at every sample; None means 1 everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return np.minimum(one, other)
