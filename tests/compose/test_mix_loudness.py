from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_sounds import NAMES, by_ffmpeg, fine_peak, noise, recorded

from lipdub.compose.mix.limiter import TruePeakMeter
from lipdub.compose.mix.loudness import LoudnessMeter, k_weighting
from lipdub.timeline.time import Span


def sine(seconds: float, db: float, rate: int = 48000, channels: int = 2, hertz: float = 1000.0) -> np.ndarray:
    wave = 10 ** (db / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.tile(wave.astype(np.float32), (channels, 1))


def metered(samples: np.ndarray, rate: int, size: int = 32768) -> LoudnessMeter:
    meter = LoudnessMeter(rate, NAMES[len(samples)])
    for first in range(0, samples.shape[1], size):
        meter.add(samples[:, first : first + size])
    return meter


def test_filters_are_those_of_the_standard():
    # BS.1770-5, tables 1 and 2
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585]
    high = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48000), [shelf, high], atol=1e-7)


@pytest.mark.parametrize(
    ("pieces", "loudness"),
    # EBU Tech 3341, minimum requirements 1, 2, 3, 4 (shortened alike)
    [
        ([(20, -23)], -23.0),
        ([(20, -33)], -33.0),
        ([(4, -36), (24, -23), (4, -36)], -23.0),
        ([(4, -72), (4, -36), (24, -23), (4, -36), (4, -72)], -23.0),
    ],
)
def test_gates_as_the_ebu_asks(pieces, loudness):
    samples = np.concatenate([sine(seconds, db) for seconds, db in pieces], 1)
    assert metered(samples, 48000).integrated() == pytest.approx(loudness, abs=0.1)


@pytest.mark.parametrize(("low", "high"), [(-30, -20), (-20, -15), (-40, -20)])
def test_range_as_the_ebu_asks(low, high):
    # EBU Tech 3342, minimum requirements 1 to 3
    samples = np.concatenate([sine(20, high), sine(20, low)], 1)
    assert metered(samples, 48000).loudness_range() == pytest.approx(high - low, abs=1)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (48000, 6), (96000, 1)])
def test_agrees_with_ffmpeg(rate, channels):
    samples = recorded(noise(rate * 4, channels, 0.1, seed=rate)) * np.hanning(rate * 4).astype(np.float32)
    meter, peak = metered(samples, rate), TruePeakMeter(channels)
    peak.add(samples)
    loudness, _, true_peak = by_ffmpeg(samples, rate)
    assert meter.integrated() == pytest.approx(loudness, abs=0.05)
    peak_db = peak.true_peak()
    assert peak_db is not None
    assert peak_db == pytest.approx(fine_peak(samples), abs=0.1)
    assert peak_db == pytest.approx(true_peak, abs=0.2)


@settings(max_examples=20)
@given(st.integers(1, 40000), st.sampled_from([11025, 22050, 44100, 48000]))
def test_blocks_do_not_matter(size, rate):
    samples = noise(rate * 3 + 17, 2, 0.1)
    whole, cut = metered(samples, rate, samples.shape[1]), metered(samples, rate, max(size, 300))
    np.testing.assert_allclose(cut.steps, whole.steps, rtol=1e-9)
    assert len(whole.steps) == samples.shape[1] * 10 // rate


def test_silence_and_shortness_have_no_loudness():
    assert metered(np.zeros((2, 48000 * 5), np.float32), 48000).integrated() is None
    assert metered(np.zeros((2, 48000 * 5), np.float32), 48000).loudness_range() is None
    assert metered(sine(0.3, -20), 48000).integrated() is None
    assert LoudnessMeter(48000, ("FC",)).integrated() is None
    assert TruePeakMeter(1).true_peak() is None


def test_only_speech_is_measured_within_spans():
    samples = np.concatenate([sine(1, -40), sine(1, -20), sine(1, -10)], 1)
    meter, start = metered(samples, 48000), Fraction(7)
    assert meter.integrated_within([Span(Fraction(8), Fraction(9))], start) == pytest.approx(-20, abs=0.3)
    assert meter.integrated_within([Span(Fraction(0), Fraction(1))], start) is None
    assert meter.integrated_within([], start) is None


def test_peaks_between_samples_are_seen():
    # EBU Tech 3341, requirement 16: a quarter of the rate, 45 degrees off: samples reach -9 dB, the wave -6 dB
    wave = 0.5 * np.sin(2 * np.pi * np.arange(48000) / 4 + np.pi / 4) * np.hanning(48000)
    meter = TruePeakMeter(1)
    for first in range(0, 48000, 1000):
        meter.add(wave[None, first : first + 1000].astype(np.float32))
    assert meter.true_peak() == pytest.approx(-6, abs=0.1)
