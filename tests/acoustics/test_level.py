import numpy as np
import pytest

from lipdub.acoustics.level import ACTIVE_RMS, active_rows, gain_to_level, row_levels, scaled_by_quantiles


def hum(seconds=1.0, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16000)) / 16000
    tone = 0.2 * np.sin(2 * np.pi * 700 * t) * (1 + np.sin(2 * np.pi * 3 * t))
    return (tone + 0.01 * rng.standard_normal(len(t))).astype(np.float32)


def test_a_sine_in_the_speech_band_has_its_own_level():
    full = row_levels(hum() * 0 + np.sin(np.arange(16000) * 0.3).astype(np.float32))
    assert full[10:-10, 1] == pytest.approx(np.full(len(full) - 20, -3.01), abs=0.1)


def test_gain_brings_active_sound_to_the_level():
    sound = hum()
    gain = gain_to_level(row_levels(sound))
    assert np.sqrt(((sound * gain) ** 2).mean()) == pytest.approx(ACTIVE_RMS, rel=0.02)


def test_silence_around_a_sound_changes_neither_level_nor_scale():
    sound = hum()
    alone, among = row_levels(sound), row_levels(np.pad(sound, (32000, 64000)))
    assert gain_to_level(among) == pytest.approx(gain_to_level(alone), rel=0.02)
    inside = scaled_by_quantiles(among)[102 : 100 + len(alone) - 2]
    assert np.abs(inside - scaled_by_quantiles(alone)[2:-2]).max() < 0.05


@pytest.mark.parametrize("factor", [0.05, 1.0, 4.0])
def test_scaled_levels_do_not_depend_on_the_gain(factor):
    sound = hum()
    assert (
        np.abs(
            scaled_by_quantiles(row_levels(sound * np.float32(factor))) - scaled_by_quantiles(row_levels(sound))
        ).max()
        < 1e-3
    )


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 48000])
def test_digital_silence_has_no_active_rows(samples):
    decibels = row_levels(np.zeros(samples, np.float32))
    assert not active_rows(decibels).any()
    assert gain_to_level(decibels) == 0.0
    assert not scaled_by_quantiles(decibels).any()


def test_long_sound_in_blocks_equals_its_parts():
    sound = np.tile(hum(10.0), 9)  # 90 s, more than one block
    whole, part = row_levels(sound), row_levels(sound[: 40 * 16000])
    assert np.allclose(whole[:1998], part[:1998])
