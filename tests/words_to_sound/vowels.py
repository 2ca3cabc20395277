"""Vowels for tests: a train of pulses through the resonances of a tube."""

import numpy as np
from scipy.signal import lfilter


def vowel(hertz: float, spacing: float, seconds: float = 1.5, rate: int = 16_000) -> np.ndarray:
    """A vowel whose pitch moves a little around ``hertz``, with formants at .5, 1.5, 2.5 and 3.5 times ``spacing``."""
    times = np.arange(round(seconds * rate)) / rate
    pitch = hertz * (1 + 0.03 * np.sin(2 * np.pi * 3 * times))
    phase = np.cumsum(pitch) / rate
    pulses = np.diff(np.floor(phase), prepend=0)
    sound = lfilter([1], [1, -0.95], pulses)
    for place in (0.5, 1.5, 2.5, 3.5, 4.5):
        radius = np.exp(-np.pi * 90 / rate)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * place * spacing / rate), radius**2], sound)
    return (0.2 * sound / np.sqrt((sound**2).mean())).astype(np.float32)
