import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_sounds import fine_peak, joined, noise, recorded

from lipdub.compose.mix.limiter import LimiterStats, limit_peaks, with_context


def through(samples, ceiling=-1.0, rate=48000, size=32768):
    done = LimiterStats()
    blocks = [samples[:, i : i + size] for i in range(0, samples.shape[1], size)]
    return joined(limit_peaks(blocks, rate, ceiling, done)), done


@settings(max_examples=25)
@given(
    st.integers(0, 999), st.floats(0.05, 1.5), st.sampled_from([16000, 44100, 48000, 96000]), st.sampled_from([1, 2])
)
def test_true_peaks_stay_under_the_ceiling(seed, level, rate, channels):
    rng = np.random.default_rng(seed)
    samples = noise(rate // 2 + seed, channels, level, seed)
    samples[:, rng.integers(0, samples.shape[1], 9)] *= 5
    samples = recorded(samples)
    out, done = through(samples, rate=rate)
    assert out.shape == samples.shape
    assert fine_peak(out) <= -1.0
    assert (done.samples > 0) == (done.max_reduction_db > 0) == (out != samples).any()


@pytest.mark.parametrize("hertz", [50, 997, 11999, 20000, 23000])
def test_waves_of_any_pitch_stay_under_the_ceiling(hertz):
    time = np.arange(48000) / 48000
    samples = (1.4 * np.sin(2 * np.pi * hertz * time + 0.7) * np.clip(20 * time, 0, 1))[None].astype(np.float32)
    out, _ = through(samples)
    assert fine_peak(out[:, :-200] * np.hanning(out.shape[1])[:-200]) <= -1.0


def test_what_is_under_the_ceiling_is_not_touched():
    samples = noise(100_000, 2, 0.1)
    out, done = through(samples)
    np.testing.assert_array_equal(out, samples)
    assert (done.samples, done.max_reduction_db) == (0, 0.0)


def test_far_from_a_peak_samples_are_not_touched():
    samples = noise(200_000, 2, 0.05)
    samples[:, 100_000] = 1.3
    out, done = through(samples)
    changed = np.flatnonzero((out != samples).any(0))
    assert changed[0] > 100_000 - 0.02 * 48000
    assert changed[-1] < 100_000 + 0.2 * 48000
    assert 3 < done.max_reduction_db < 5


@settings(max_examples=10)
@given(st.integers(500, 70_000))
def test_blocks_do_not_matter(size):
    samples = noise(80_001, 2, 0.5, 3)
    np.testing.assert_allclose(through(samples, size=size)[0], through(samples)[0], atol=2e-4)


def test_the_gain_moves_softly():
    samples = np.full((1, 48000), 0.3, np.float32)
    samples[0, 20_000:20_050] = 3.0
    out, _ = through(samples)
    gain = out / samples
    assert gain.max() <= 1
    assert np.abs(np.diff(gain)).max() < 2 / (0.005 * 48000)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 20))
def test_context_is_the_neighbours(sizes, reach):
    line = np.arange(1.0, sum(sizes) + 1)[None]
    cuts = np.cumsum(sizes)[:-1]
    blocks = list(with_context(np.split(line, cuts, axis=1), reach))
    np.testing.assert_array_equal(np.concatenate([b[:, reach:-reach] for b in blocks], 1), line)
    padded = np.pad(line, ((0, 0), (reach, reach)))
    at = 0
    for block in blocks:
        np.testing.assert_array_equal(block, padded[:, at : at + block.shape[1]])
        at += block.shape[1] - 2 * reach
