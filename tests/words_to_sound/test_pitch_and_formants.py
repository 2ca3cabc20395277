"""Pitch and formants of speech: found, and moved."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.words_to_sound.voices.pitch import median_pitch
from lipdub.words_to_sound.voices.pitch_and_formants import move_formants, move_pitch_and_formants
from lipdub.words_to_sound.voices.vocal_tract import formant_spacing, formants
from words_to_sound.vowels import vowel

RATE = 24_000


def pitch(samples: np.ndarray) -> float:
    found = median_pitch(soxr.resample(samples, RATE, 16_000).astype(np.float32))
    assert found is not None
    return found


def moved_formants(hertz: tuple[float, ...], semitones: float, ratio: float) -> float:
    """By what formants really move: the mean over vowels of several pitches, because a formant that is found lies
    near a harmonic."""
    found = []
    for each in hertz:
        voice = vowel(each, 1000.0, 1.0, RATE)
        two = (voice, move_pitch_and_formants(voice, RATE, semitones, ratio))
        before, after = (np.median(formants(soxr.resample(x, RATE, 16_000).astype(np.float32)), 0) for x in two)
        found.append((after / before)[1:].mean())
    return float(np.mean(found))


MEN, WOMEN = (100.0, 109.0, 118.0, 127.0), (185.0, 195.0, 205.0, 215.0)


@pytest.mark.parametrize("hertz", [95.0, 140.0, 210.0])
@pytest.mark.parametrize("tract", [950.0, 1050.0])
def test_the_spacing_of_formants_is_found(hertz: float, tract: float) -> None:
    found = formant_spacing(vowel(hertz, tract))
    assert found is not None
    assert found == pytest.approx(tract, rel=0.05)
    assert formants(vowel(hertz, tract)).shape[1] == 4


def test_without_speech_there_is_no_spacing() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 32_000).astype(np.float32)
    for sound in (np.zeros(0, np.float32), np.zeros(32_000, np.float32), vowel(120, 1000)[:2000], noise):
        assert formant_spacing(sound) is None


@pytest.mark.parametrize("semitones", [-3.0, -1.2, 2.0, 3.0])
def test_the_pitch_moves_and_the_formants_stay(semitones: float) -> None:
    voice = vowel(130.0, 1000.0, rate=RATE)
    moved = move_pitch_and_formants(voice, RATE, semitones, 1.0)
    assert len(moved) == len(voice)
    assert 12 * np.log2(pitch(moved) / pitch(voice)) == pytest.approx(semitones, abs=0.25)
    assert moved_formants(MEN, semitones, 1.0) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("ratio", [0.92, 1.05])
@pytest.mark.parametrize("hertz", [MEN, WOMEN])
def test_the_formants_move_and_the_pitch_stays(ratio: float, hertz: tuple[float, ...]) -> None:
    assert moved_formants(hertz, 0.0, ratio) == pytest.approx(ratio, abs=0.02)
    voice = vowel(hertz[0], 1000.0, 1.0, RATE)
    moved = move_pitch_and_formants(voice, RATE, 0.0, ratio)
    assert pitch(moved) == pytest.approx(pitch(voice), rel=0.01)
    level = np.sqrt((moved**2).mean() / (voice**2).mean())
    assert 0.7 < level < 1.4


def test_both_are_limited_and_the_same_each_time() -> None:
    voice = vowel(130.0, 1000.0, rate=RATE)
    far = move_pitch_and_formants(voice, RATE, 12.0, 1.5)
    assert np.array_equal(far, move_pitch_and_formants(voice, RATE, 3.0, 1.08))
    assert 12 * np.log2(pitch(far) / pitch(voice)) == pytest.approx(3.0, abs=0.25)


def test_nothing_is_done_where_nothing_is_asked() -> None:
    voice = vowel(130.0, 1000.0, rate=RATE)
    assert move_pitch_and_formants(voice, RATE, 0.0, 1.0) is voice
    assert len(move_pitch_and_formants(voice[:0], RATE, 2.0, 1.05)) == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6000), st.floats(-3, 3), st.floats(0.92, 1.08))
def test_any_length_stays_as_long_and_finite(length: int, semitones: float, ratio: float) -> None:
    sound = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    moved = move_pitch_and_formants(sound, RATE, semitones, ratio)
    assert moved.shape == sound.shape
    assert moved.dtype == np.float32
    assert np.isfinite(moved).all()
    assert np.abs(moved).max() < 20 * max(float(np.abs(sound).max()), 1e-3)


def test_silence_stays_silent_and_a_pause_stays_where_it_was() -> None:
    assert not move_formants(np.zeros(5000, np.float32), RATE, 1.05).any()
    voice = vowel(130.0, 1000.0, rate=RATE)
    gap = np.zeros(RATE // 2, np.float32)
    moved = move_pitch_and_formants(np.concatenate([voice, gap, voice]), RATE, 2.0, 1.04)
    inside = moved[len(voice) + 1200 : len(voice) + len(gap) - 1200]
    assert np.sqrt((inside**2).mean()) < 0.02 * np.sqrt((voice**2).mean())
