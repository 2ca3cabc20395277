"""Cuts a sound to a span, with silence where the sound does not reach, and adds noise to speech."""

import numpy as np

from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span

_ROWS_PER_SECOND = 50
_QUIET = 1e-4
"""Rows whose power is less than this part of the loudest row's (40 dB below it) are pauses."""


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


def speech_level(sound: Sound) -> float:
    """The RMS of a sound (all channels) without its pauses: over the rows of 20 ms that are not 40 dB below the loudest
    one. 0 for silence."""
    length = max(1, sound.rate // _ROWS_PER_SECOND)
    rows = sound.samples.shape[1] // length
    if rows == 0:
        return float(np.sqrt(np.square(sound.samples, dtype=np.float64).mean())) if sound.samples.size else 0.0
    whole = sound.samples[:, : rows * length].reshape(-1, rows, length)
    power = np.square(whole, dtype=np.float64).mean((0, 2))
    return float(np.sqrt(power[power >= _QUIET * power.max()].mean()))


def add_noise(sound: Sound, rms: float, seed: int) -> Sound:
    """``sound`` plus white noise of this ``rms``, the same in all channels. The same seed gives the same noise."""
    noise = np.random.default_rng(seed).standard_normal(sound.samples.shape[1], np.float32) * np.float32(rms)
    return Sound(sound.samples + noise, sound.rate, sound.start)
