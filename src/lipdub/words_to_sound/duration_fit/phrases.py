"""What is spoken in a line: phrases, and the pauses between them."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.lines import Line
from lipdub.timeline.runs import true_runs
from lipdub.timeline.sound import Sound
from lipdub.timeline.spoken_lines import SpokenLine
from lipdub.timeline.time import Span, merge_spans

STEP = Fraction(1, 100)
"""Seconds between two looks at the level; phrases begin and end on multiples of it."""

PAUSE = Fraction(12, 100)
"""Shorter silences belong to the words: closures of plosives last up to about a tenth of a second."""

_SMACK = Fraction(3, 100)  # what is shorter and alone is a click of the lips
_BELOW_TOP = 38.0  # dB under the loudest moments: silence, where nothing hums
_ABOVE_HUM = 8.0  # dB over what hums in the pauses: speech
_CERTAIN = 24.0  # dB under the loudest moments: speech, whatever the hum
_DIGITAL = -80.0  # dB of full scale: nobody's voice


@dataclass(frozen=True)
class Measured:
    """A ``line`` as its voice spoke it: the ``phrases``, sorted and disjoint, on the sound's own clock from 0, and
    the sound's ``length`` in seconds. No phrases: nothing is heard in it."""

    line: Line
    phrases: tuple[Span, ...]
    length: Fraction

    @property
    def speech(self) -> Fraction:
        """Seconds of it in which somebody speaks."""
        return sum((p.duration for p in self.phrases), Fraction(0))

    @property
    def pauses(self) -> tuple[Fraction, ...]:
        """Seconds between each phrase and the next."""
        return tuple(b.start - a.end for a, b in pairwise(self.phrases))


def measured(spoken: SpokenLine) -> Measured:
    """Find the phrases of a spoken line."""
    sound = spoken.sound
    return Measured(spoken.line, phrases_of(sound), Fraction(sound.samples.shape[1], sound.rate))


def phrases_of(sound: Sound) -> tuple[Span, ...]:
    """Spans of ``sound`` (any channels, counted from its first sample) that are louder than its pauses.

    Meant for a voice alone, as synthesisers and dub studios deliver it; see ``spans`` for what is heard in a film.
    """
    decibels = levels(sound)
    if not len(decibels):
        return ()
    top, hum = (float(v) for v in np.quantile(decibels, [0.95, 0.05]))
    if float(decibels.max()) < _DIGITAL:
        return ()
    top = max(top, float(decibels.max()) - 6)  # a short word in long silence
    threshold = max(min(max(hum + _ABOVE_HUM, top - _BELOW_TOP), top - _CERTAIN), _DIGITAL)
    runs = [Span(a * STEP, b * STEP) for a, b in true_runs(decibels > threshold)]
    length = Fraction(sound.samples.shape[1], sound.rate)
    spoken = [s for s in merge_spans(runs, PAUSE - STEP / 2) if s.duration >= _SMACK]
    return tuple(Span(s.start, min(s.end, length)) for s in spoken)


def levels(sound: Sound) -> Float64[np.ndarray, " steps"]:
    """Decibels of full scale (RMS over all channels) of each ``STEP``; the last one may be shorter."""
    power = (sound.samples.astype(np.float64) ** 2).mean(0)
    if not len(power):
        return np.zeros(0)
    steps = -(-len(power) * 100 // sound.rate)
    edges = np.arange(steps) * sound.rate // 100
    sizes = np.diff(np.append(edges, len(power)))
    return 10 * np.log10(np.add.reduceat(power, edges) / sizes + 1e-12)
