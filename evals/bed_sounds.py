"""Music and street sound that is computed, to lay under speech: ``BEDS`` by name. Each takes a number of samples at
48 kHz and a random generator, and gives mono samples of any level."""

from collections.abc import Callable, Sequence

import numpy as np

RATE = 48_000

Bed = Callable[[int, np.random.Generator], np.ndarray]


def chords(samples: int, random: np.random.Generator) -> np.ndarray:
    """Four chords of six partials each, two seconds each, with a tremolo."""
    out = np.zeros(samples)
    progression = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))
    for number, part in enumerate(_parts(samples, 2.0)):
        at = np.arange(part.stop - part.start) / RATE
        swell = np.minimum(1, at / 0.05) * np.minimum(1, (2 - at) / 0.1) * (1 + 0.2 * np.sin(2 * np.pi * 5 * at))
        for step in progression[number % 4]:
            hertz = 220 * 2 ** (step / 12) * (1 + random.normal() * 0.0005)
            for partial in range(1, 7):
                tone = np.sin(2 * np.pi * hertz * partial * at + random.uniform(0, 2 * np.pi))
                out[part] += tone * partial**-1.5 * swell
    return out


def drums(samples: int, random: np.random.Generator) -> np.ndarray:
    """Bass drum, snare and hi-hat at 120 beats a minute."""
    out, at = np.zeros(samples + RATE), np.arange(int(0.3 * RATE)) / RATE
    for number, second in enumerate(np.arange(0.1, samples / RATE, 0.25)):
        hit = 0.4 * np.diff(random.normal(size=len(at)), prepend=0) * np.exp(-at / 0.02)
        if number % 4 == 0:
            hit += 2 * np.sin(2 * np.pi * (50 * at + 1.8 * (1 - np.exp(-at / 0.03)))) * np.exp(-at / 0.1)
        if number % 4 == 2:
            hit += 0.7 * random.normal(size=len(at)) * np.exp(-at / 0.06)
        first = int(second * RATE)
        out[first : first + len(at)] += hit
    return out[:samples]


def band(samples: int, random: np.random.Generator) -> np.ndarray:
    """Chords, drums and a tune of plucked notes."""
    out = 0.7 * _even(chords(samples, random)) + 0.7 * _even(drums(samples, random))
    for part in _parts(samples, 0.25):
        at = np.arange(part.stop - part.start) / RATE
        hertz = 440 * 2 ** (random.choice([0, 2, 4, 7, 9, 12]) / 12)
        out[part] += 0.8 * sum(np.sin(2 * np.pi * hertz * k * at) / k**2 for k in (1, 2, 3)) * np.exp(-at / 0.15)
    return out


def arpeggio(samples: int, random: np.random.Generator) -> np.ndarray:
    """Plucked notes of eight partials, five a second, that ring on."""
    out, at = np.zeros(samples + 2 * RATE), np.arange(int(1.2 * RATE)) / RATE
    for number, second in enumerate(np.arange(0, samples / RATE, 0.2)):
        hertz = 196 * 2 ** ((0, 3, 7, 10, 12, 15, 12, 7)[number % 8] / 12)
        first = int(second * RATE)
        ring = sum(np.sin(2 * np.pi * hertz * k * at + k) * np.exp(-at * k / 0.6) / k for k in range(1, 9))
        out[first : first + len(at)] += ring
    return out[:samples] + 0.001 * random.normal(size=samples)


def street(samples: int, random: np.random.Generator) -> np.ndarray:
    """A rumble, passing noises, and two horns."""
    out, at = _even(_coloured(samples, random, 1.6)), np.arange(samples) / RATE
    for second in random.uniform(0, samples / RATE, max(2, samples // RATE // 2)):
        passing = np.exp(-0.5 * ((at - second) / random.uniform(0.2, 0.8)) ** 2)
        out += 2.5 * passing * _even(_coloured(samples, random, random.uniform(0.5, 1.5)))
    for second in random.uniform(0, samples / RATE, 2):
        hertz, sounds = random.choice([370, 440, 520]), (at > second) & (at < second + 0.4)
        horn = sum(gain * np.sin(2 * np.pi * hertz * k * at) for k, gain in ((1, 1.0), (2, 0.5), (1.26, 0.6)))
        out += 0.8 * sounds * horn
    return out


def engine(samples: int, random: np.random.Generator) -> np.ndarray:
    """An engine at about 38 turns a second, and its noise."""
    at = np.arange(samples) / RATE
    turns = np.cumsum(38 * (1 + 0.15 * np.sin(2 * np.pi * 0.15 * at + 1))) / RATE
    hum = sum(np.sin(2 * np.pi * k * turns + random.uniform(0, 2 * np.pi)) / k**0.8 for k in range(1, 20))
    return _even(np.asarray(hum)) + 0.5 * _even(_coloured(samples, random, 1.2))


BEDS: dict[str, Bed] = {
    "chords": chords, "drums": drums, "band": band, "arpeggio": arpeggio, "street": street, "engine": engine,
}  # fmt: skip


def _parts(samples: int, seconds: float) -> Sequence[slice]:
    size = int(seconds * RATE)
    return [slice(first, min(first + size, samples)) for first in range(0, samples, size)]


def _even(sound: np.ndarray) -> np.ndarray:
    return sound / sound.std()


def _coloured(samples: int, random: np.random.Generator, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency to the power of ``slope``."""
    lines = np.fft.rfft(random.normal(size=samples))
    return np.fft.irfft(lines / np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20) ** (slope / 2), samples)
