"""The pitch of speech, and voices with the pitch of a person."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.voices import assign as casting
from lipdub.words_to_sound.voices.assign import LEAST_PITCH_RATIO, SpeakerPitch, assign_voices
from lipdub.words_to_sound.voices.nanotts import NanoVoice
from lipdub.words_to_sound.voices.pitch import HIGHEST, LOWEST, median_pitch


def hum(hertz: float, seconds: float = 1.0) -> np.ndarray:
    at = np.arange(round(seconds * ANALYSIS_RATE)) / ANALYSIS_RATE
    return sum(np.sin(2 * np.pi * hertz * k * at) / k for k in range(1, 12)).astype(np.float32) * np.float32(0.2)


@settings(max_examples=25, deadline=None)
@given(st.floats(LOWEST + 5, HIGHEST - 20), st.floats(0.001, 3))
def test_the_pitch_of_a_hum_is_found_at_any_level(hertz: float, level: float) -> None:
    found = median_pitch((hum(hertz) * level).astype(np.float32))
    assert found == pytest.approx(hertz, rel=0.01)


def test_noise_silence_and_very_short_sounds_have_no_pitch() -> None:
    noise = np.random.default_rng(1).standard_normal(ANALYSIS_RATE).astype(np.float32)
    assert median_pitch(noise) is None
    assert median_pitch(np.zeros(ANALYSIS_RATE, np.float32)) is None
    assert median_pitch(hum(120, 0.02)) is None
    assert median_pitch(np.zeros(0, np.float32)) is None


def test_the_median_is_that_of_most_of_the_speech() -> None:
    assert median_pitch(np.concatenate([hum(120, 2), hum(210, 0.7)])) == pytest.approx(120, rel=0.01)


def test_a_pitch_is_limited_to_the_range_of_the_voice() -> None:
    plain = NanoVoice()
    assert plain.at_pitch(195.0, "es") == plain
    low = plain.at_pitch(110.0, "es-ES")
    assert (low.pitch, low.formants) == (0.55, 0.84)
    assert plain.at_pitch(1000.0, "fr").pitch == 1.35
    assert plain.at_pitch(110.0, "ja") == plain, "a language it does not speak"
    chosen = NanoVoice(pitch=0.8)
    assert chosen.at_pitch(110.0, "es") == chosen


def test_speakers_get_their_own_pitch_and_no_two_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casting, "voice_named", lambda text: NanoVoice())
    heights = SpeakerPitch({"Ana": 199.0, "Eva": 205.0, "Luis": 115.0}, "es")
    crew = assign_voices(["Ana", "Eva", "Luis", "Unknown"], "nanotts", None, heights)
    pitches = [voice.pitch for name in ("Ana", "Eva", "Luis") if isinstance(voice := crew[name].voice, NanoVoice)]
    assert pitches[0] == 1
    assert pitches[1] >= LEAST_PITCH_RATIO - 0.05
    assert pitches[2] < 0.7
    assert crew["Unknown"].voice == NanoVoice().member(0)


def test_without_pitch_speakers_are_members_of_the_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casting, "voice_named", lambda text: FakeVoice())
    crew = assign_voices(["A", "B"], "fake", None, SpeakerPitch({"A": 100.0, "B": 200.0}, "es"))
    assert crew["A"].voice != crew["B"].voice
