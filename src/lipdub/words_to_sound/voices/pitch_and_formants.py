"""The pitch and the formants of speech moved a little, so that a voice sounds more like a certain person.

Pitch: the speech is time-stretched and played back faster or slower (``duration_fit.time_stretch``, then ``soxr``),
which moves the formants as well. Formants: in each short frame the spectral envelope is stretched along the frequency;
the frame is multiplied by the ratio of both envelopes, its phases stay. The envelope is the smoothed logarithm of the
spectrum through its cepstrum, raised until it lies on the harmonics ("true envelope": A. Röbel, X. Rodet, DAFx 2005).
"""

import numpy as np
import soxr
from jaxtyping import Float32, Float64

from lipdub.words_to_sound.duration_fit.time_stretch import time_stretch

MOVES_VERSION = 1
"""Raise when the same move gives other samples."""

MOST_SEMITONES = 3.0
"""The pitch is moved by this much at most, up or down."""

MOST_FORMANTS = 0.08
"""The formants are moved by this part of their frequency at most, up or down."""

_WINDOW, _HOP = 0.032, 0.004  # seconds
_CEPSTRUM = 0.0022  # seconds: faster ripples of the spectrum are harmonics, not formants
_ROUNDS = 12  # of raising the envelope
_MOST_GAIN = 15.0  # dB
_BATCH = 1024  # frames


def move_pitch_and_formants(
    samples: Float32[np.ndarray, " n"], rate: int, semitones: float, formants: float
) -> Float32[np.ndarray, " n"]:
    """Mono ``samples`` with their pitch moved by ``semitones`` and the frequencies of their formants multiplied by
    ``formants`` (1: as they are), within ``MOST_SEMITONES`` and ``MOST_FORMANTS``. As many samples, at the same times
    to within some milliseconds; the same input gives the same samples, and without a change they are the input itself.
    """
    semitones = min(max(semitones, -MOST_SEMITONES), MOST_SEMITONES)
    formants = min(max(formants, 1 - MOST_FORMANTS), 1 + MOST_FORMANTS)
    pitch = 2 ** (semitones / 12)
    moved = samples if abs(semitones) < 0.01 or not len(samples) else _played_at(samples, rate, pitch)
    return moved if abs(formants / pitch - 1) < 0.002 else move_formants(moved, rate, formants / pitch)


def _played_at(samples: Float32[np.ndarray, " n"], rate: int, factor: float) -> Float32[np.ndarray, " n"]:
    """All frequencies multiplied by ``factor``, at the same length."""
    longer = time_stretch(samples, round(len(samples) * factor), rate)
    out = soxr.resample(longer, rate * factor, rate)[: len(samples)]
    return np.pad(out, (0, len(samples) - len(out))).astype(np.float32)


def move_formants(samples: Float32[np.ndarray, " n"], rate: int, factor: float) -> Float32[np.ndarray, " n"]:
    """Mono ``samples`` with the frequencies of their formants multiplied by ``factor`` (.7 to 1.4), at the same pitch
    and length."""
    size, hop = 2 * round(_WINDOW * rate / 2), round(_HOP * rate)
    padded = np.pad(samples.astype(np.float64), (size, size + hop))
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size))
    starts = np.arange(0, len(padded) - size + 1, hop)
    out, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for first in range(0, len(starts), _BATCH):
        chosen = starts[first : first + _BATCH]
        spectra = np.fft.rfft(padded[chosen[:, None] + np.arange(size)] * window, axis=1)
        frames = np.fft.irfft(spectra * _gains(spectra, rate, factor), size, axis=1) * window
        for start, frame in zip(chosen, frames, strict=True):
            out[start : start + size] += frame
            weight[start : start + size] += window**2
    made = (out / np.maximum(weight, 1e-9))[size : size + len(samples)]
    return made.astype(np.float32)


def _gains(spectra: np.ndarray, rate: int, factor: float) -> Float64[np.ndarray, "frames bins"]:
    """What the bins of each frame are multiplied by."""
    envelopes = envelopes_of(np.abs(spectra), rate)
    bins = envelopes.shape[1]
    place = np.minimum(np.arange(bins) / factor, bins - 1)
    left = np.minimum(place.astype(int), bins - 2)
    part = place - left
    wanted = envelopes[:, left] * (1 - part) + envelopes[:, left + 1] * part
    most = _MOST_GAIN / 20 * np.log(10)
    return np.exp(np.clip(wanted - envelopes, -most, most))


def envelopes_of(magnitudes: Float64[np.ndarray, "frames bins"], rate: int) -> Float64[np.ndarray, "frames bins"]:
    """The natural logarithm of the spectral envelope of each frame."""
    size = 2 * (magnitudes.shape[1] - 1)
    loudest = magnitudes.max(1, keepdims=True)
    logs = np.log(np.maximum(magnitudes, np.maximum(loudest * 1e-4, 1e-9)))
    kept = round(_CEPSTRUM * rate)
    lifter = np.zeros(size)
    taper = 0.5 + 0.5 * np.cos(np.pi * np.arange(kept + 1) / (kept + 1))
    lifter[: kept + 1] = np.minimum(1, 2 * taper)
    lifter[-kept:] = lifter[1 : kept + 1][::-1]
    raised = envelope = logs
    for _ in range(_ROUNDS):
        envelope = np.fft.rfft(np.fft.irfft(raised, size, axis=1) * lifter, axis=1).real
        raised = np.maximum(logs, envelope)
    return envelope
