"""Recordings with one person in each channel, and stereo that is not like that."""

from fractions import Fraction

import numpy as np
import pytest

from lipdub.timeline.lines import Word
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.recognise.channel_speakers import (
    channel_energies,
    lines_by_channel,
    one_person_a_channel,
)

SECONDS = 12
START = Fraction(5)
NOISE = np.random.default_rng(1)


def features(active=lambda t: t % 3 < 2.5) -> SpeechFeatures:
    """Speech for 2.5 of every 3 seconds."""
    times = np.arange(50 * SECONDS) / 50
    activity = np.where(active(times), 0.9, 0.0).astype(np.float32)
    phones, energy = (np.zeros((len(activity), n), np.float32) for n in (17, 3))
    return SpeechFeatures(
        start=START, phone_posteriors=phones, voice_activity=activity, energy=energy, encoder_features=None
    )


def voices() -> tuple[np.ndarray, np.ndarray]:
    """Two people who take turns of three seconds."""
    times = np.arange(ANALYSIS_RATE * SECONDS) / ANALYSIS_RATE
    voice = 0.1 * NOISE.standard_normal(len(times)) * (1 + 0.5 * np.sin(20 * times)) * (times % 3 < 2.5)
    return voice * (times % 6 < 3), voice * (times % 6 >= 3)


def energies(left: np.ndarray, right: np.ndarray, size: int = 7_001) -> np.ndarray:
    both = np.stack([left, right]).astype(np.float32)
    blocks = [
        Sound(both[:, at : at + size], ANALYSIS_RATE, START + Fraction(at, ANALYSIS_RATE))
        for at in range(0, both.shape[1], size)
    ]
    return channel_energies(blocks, features())


def test_energies_do_not_depend_on_blocks_and_are_on_the_clock_of_the_features():
    one, other = voices()
    whole = energies(one, other, 10**6)
    assert np.allclose(whole, energies(one, other))
    assert np.allclose(whole[0, :125], np.sum(one[:40_000].reshape(125, 320) ** 2, 1), rtol=1e-4)
    late = [Sound(np.ones((2, 320), np.float32), ANALYSIS_RATE, START - Fraction(1, 100))]
    assert channel_energies(late, features())[0, :2].tolist() == [160.0, 0.0]


@pytest.mark.parametrize("crosstalk", [-60, -20, -10])
def test_two_microphones_are_recognised(crosstalk):
    one, other = voices()
    gain, hiss = 10 ** (crosstalk / 20), 0.0005 * NOISE.standard_normal((2, len(one)))
    assert one_person_a_channel(energies(one + gain * other + hiss[0], other + gain * one + hiss[1]), features())


def stereo(kind: str) -> tuple[np.ndarray, np.ndarray]:
    one, other = voices()
    both = one + other
    hum = 0.1 * np.sin(np.arange(len(both)) * 0.05)
    first = np.arange(len(both)) < len(both) // 2
    return {
        "the same": (both, both),
        "one channel only": (both, 0 * both),
        "softer": (both, 0.1 * both),
        "two people 3 dB apart": (one + 0.7 * other, other + 0.7 * one),
        "opposite": (both, -both),
        "music on one side": (both + hum, both),
        "music from side to side": (both + hum * first, both + hum * ~first),
        "one word on the right": (one + other * (np.arange(len(both)) > 11.8 * ANALYSIS_RATE), other * 0),
        "silence": (0 * both, 0 * both),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("the same", "one channel only", "softer", "two people 3 dB apart", "opposite"),
        *("music on one side", "music from side to side", "one word on the right", "silence"),
    ],
)
def test_other_stereo_is_not(kind):
    assert not one_person_a_channel(energies(*stereo(kind)), features())


def test_without_speech_nobody_is_recognised():
    assert not one_person_a_channel(energies(*voices()), features(lambda t: t < 0.1))


def test_lines_are_divided_where_the_speaker_changes():
    at = {"Hello": 0.1, "there,": 1, "my": 1.5, "friend": 3.1, "says": 3.8, "no.": 4.5, "Why?": 6.2, "So.": 9.4}
    words = [Word(text, Span(START + Fraction(t), START + Fraction(t) + Fraction(2, 5))) for text, t in at.items()]
    lines = lines_by_channel(words, "en", energies(*voices()), features())
    assert [(one.speaker, one.text) for one in lines] == [
        ("left", "Hello there, my"),
        ("right", "friend says no."),
        ("left", "Why?"),
        ("right", "So."),
    ]
    assert [one.id for one in lines] == ["1", "2", "3", "4"]
    assert tuple(word for one in lines for word in one.words) == tuple(words)
    outside = [Word("late", Span(START + 50, START + 51)), Word("early", Span(Fraction(0), Fraction(1)))]
    assert len(lines_by_channel(outside, "en", energies(*voices()), features())) == 1
