"""Pieces of sound: cut to a span whatever lies beyond its ends, and told apart by how loud they are when."""

import numpy as np
from jaxtyping import Float64

from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span

_STEPS = 100  # loudness, a second
_ALIKE = 0.75


def cut_sound(sound: Sound | None, span: Span) -> Sound:
    """What is heard of ``sound`` in ``span``, with silence where it has nothing; silence if it is None."""
    rate = ANALYSIS_RATE if sound is None else sound.rate
    channels = 1 if sound is None else sound.samples.shape[0]
    out = np.zeros((channels, round(span.duration * rate)), np.float32)
    if sound is not None:
        first = round((span.start - sound.start) * rate)
        have = sound.samples[:, max(first, 0) : max(first + out.shape[1], 0)]
        out[:, max(-first, 0) : max(-first, 0) + have.shape[1]] = have
    return Sound(out, rate, span.start)


def alike(voice: Sound, features: Sound) -> bool:
    """True if ``heard`` is ``voice`` in its span, whatever its rate, channels and level, and with music below it: the
    loudness of both goes up and down together."""
    a, b = (_loudness(cut_sound(sound, voice.span)) for sound in (voice, features))
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    if count < 2 or min(float(a.std()), float(b.std())) < 1e-6:
        return count < 2 or max(float(a.std()), float(b.std())) < 1e-6
    return float(np.corrcoef(a, b)[0, 1]) >= _ALIKE


def _loudness(sound: Sound) -> Float64[np.ndarray, " steps"]:
    step = sound.rate // _STEPS
    mono = sound.samples.mean(0, dtype=np.float64)
    steps = len(mono) // step
    return np.sqrt(np.square(mono[: steps * step].reshape(steps, step)).mean(1))
