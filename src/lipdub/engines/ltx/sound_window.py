"""Cuts a sound to a span, with silence where the sound does not reach."""

import numpy as np

from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span


def cut_sound(sound: Sound | None, span: Span) -> Sound:
    """``sound`` in ``span``, with silence before its start and after its end. None gives silence (mono, 16 kHz)."""
    rate = ANALYSIS_RATE if sound is None else sound.rate
    channels = 1 if sound is None else sound.samples.shape[0]
    out = np.zeros((channels, round(span.duration * rate)), np.float32)
    if sound is not None:
        first = round((span.start - sound.start) * rate)
        available = sound.samples[:, max(first, 0) : max(first + out.shape[1], 0)]
        out[:, max(-first, 0) : max(-first, 0) + available.shape[1]] = available
    return Sound(out, rate, span.start)
