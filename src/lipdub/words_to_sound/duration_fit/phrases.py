"""The phrases of a spoken line and the pauses between them."""

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
"""Seconds for which the level is measured; phrases begin and end on multiples of it."""

PAUSE = Fraction(12, 100)
"""Seconds; shorter silences belong to the words, as closures of plosives last up to about a tenth of a second."""

_SHORTEST = Fraction(3, 100)  # seconds; a shorter sound on its own is a click of the lips
_BELOW_TOP = 38.0  # dB below the loudest moments: silence, if there is no noise
_ABOVE_NOISE = 8.0  # dB above the noise in the pauses: speech
_CERTAIN = 24.0  # dB below the loudest moments: speech, however loud the noise
_LONGEST_TAIL = Fraction(12, 100)  # seconds
_DIGITAL = -80.0  # dB of full scale: below this, no voice


@dataclass(frozen=True)
class MeasuredLine:
    """A ``line`` as a voice spoke it: its ``phrases`` (sorted, disjoint, in seconds from the first sample; none if the
    sound is silent), and the ``length`` of the sound in seconds. ``tails`` are the seconds at the end of each phrase
    that are too weak to be noticed beside its vowels (none: 0)."""

    line: Line
    phrases: tuple[Span, ...]
    length: Fraction
    tails: tuple[Fraction, ...] = ()

    @property
    def speech(self) -> Fraction:
        """The seconds of speech in it."""
        return sum((p.duration for p in self.phrases), Fraction(0))

    @property
    def pauses(self) -> tuple[Fraction, ...]:
        """Seconds between each phrase and the next."""
        return tuple(b.start - a.end for a, b in pairwise(self.phrases))


def measure_line(spoken: SpokenLine) -> MeasuredLine:
    """The phrases and the length of a spoken line."""
    sound = spoken.sound
    phrases = find_phrases(sound)
    return MeasuredLine(spoken.line, phrases, Fraction(sound.samples.shape[1], sound.rate), _tails(sound, phrases))


def _tails(sound: Sound, phrases: tuple[Span, ...]) -> tuple[Fraction, ...]:
    """For each of ``phrases``, the seconds after its last moment that is no more than 24 dB below the loud ones."""
    decibels, out = step_levels(sound), []
    loud = decibels > float(np.quantile(decibels, 0.95)) - _CERTAIN if len(decibels) else np.zeros(0, bool)
    for phrase in phrases:
        first, stop = int(phrase.start / STEP), int(phrase.end / STEP)
        rows = np.flatnonzero(loud[first:stop])
        weak = phrase.end - (first + int(rows[-1]) + 1) * STEP if len(rows) else Fraction(0)
        out.append(min(max(weak, Fraction(0)), _LONGEST_TAIL))
    return tuple(out)


def find_phrases(sound: Sound) -> tuple[Span, ...]:
    """Spans of ``sound`` (any number of channels; seconds from its first sample) that are louder than its pauses.

    For a voice alone, as synthesisers and dubbing studios deliver it; ``acoustics.speech_spans`` is for a film's sound.
    """
    decibels = step_levels(sound)
    if not len(decibels):
        return ()
    top, noise = (float(v) for v in np.quantile(decibels, [0.95, 0.05]))
    if float(decibels.max()) < _DIGITAL:
        return ()
    top = max(top, float(decibels.max()) - 6)  # for a short word in a long silence
    threshold = max(min(max(noise + _ABOVE_NOISE, top - _BELOW_TOP), top - _CERTAIN), _DIGITAL)
    runs = [Span(a * STEP, b * STEP) for a, b in true_runs(decibels > threshold)]
    length = Fraction(sound.samples.shape[1], sound.rate)
    spoken = [s for s in merge_spans(runs, PAUSE - STEP / 2) if s.duration >= _SHORTEST]
    return tuple(Span(s.start, min(s.end, length)) for s in spoken)


def step_levels(sound: Sound) -> Float64[np.ndarray, " steps"]:
    """The level of each ``STEP`` in decibels of full scale (RMS over all channels); the last step may be shorter."""
    power = (sound.samples.astype(np.float64) ** 2).mean(0)
    if not len(power):
        return np.zeros(0)
    steps = -(-len(power) * 100 // sound.rate)
    edges = np.arange(steps) * sound.rate // 100
    sizes = np.diff(np.append(edges, len(power)))
    return 10 * np.log10(np.add.reduceat(power, edges) / sizes + 1e-12)
