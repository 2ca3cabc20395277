"""Test suites for recognisers, voices, translators and separators: subclass one and give its fixtures."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from lipdub.errors import OptionError
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.seam import (
    ModelCard,
    Recogniser,
    Separator,
    Transcript,
    TranslationRequest,
    Translator,
    Voice,
)


def line(text: str, language: str = "en", speaker: str = "", start: int = 0) -> Line:
    """A line of three seconds."""
    return Line(text, Span(Fraction(start), Fraction(start + 3)), language, speaker)


def hearable(samples: np.ndarray, start: Fraction = Fraction(0)) -> Sound:
    """Mono sound at 16 kHz, as recognisers get it."""
    return Sound(np.ascontiguousarray(samples[None], np.float32), ANALYSIS_RATE, start)


class RecogniserConformance:
    """Subclasses provide the fixtures ``recogniser`` and ``speech``: sound from 0 on with words in it."""

    @pytest.fixture(scope="class")
    @classmethod
    def transcript(cls, recogniser: Recogniser, speech: Sound) -> Transcript:
        return recogniser.transcribe(speech)

    def test_it_keeps_the_protocol_and_has_a_card(self, recogniser):
        assert isinstance(recogniser, Recogniser)
        assert isinstance(recogniser.card, ModelCard)
        assert recogniser.card.name
        assert recogniser.card.licence

    def test_words_are_in_order_inside_the_sound_and_carry_text(self, transcript, speech):
        assert transcript.words
        for word in transcript.words:
            assert word.text == word.text.strip() != ""
            assert 0 <= word.confidence <= 1
            assert speech.span.start <= word.span.start <= word.span.end <= speech.span.end
        for a, b in pairwise(transcript.words):
            assert a.span.end <= b.span.start

    def test_a_language_is_found(self, transcript):
        assert transcript.language
        assert 0 < transcript.confidence <= 1

    def test_a_language_that_was_given_is_kept(self, recogniser, transcript, speech):
        assert recogniser.transcribe(speech, transcript.language).language == transcript.language

    def test_the_same_sound_gives_the_same_words(self, recogniser, transcript, speech):
        assert recogniser.transcribe(speech) == transcript

    @pytest.mark.parametrize("samples", [0, 1, 999, ANALYSIS_RATE])
    def test_silence_has_no_words(self, recogniser, samples):
        transcript = recogniser.transcribe(hearable(np.zeros(samples)), "en")
        assert transcript.words == ()
        assert transcript.language == "en"


class VoiceConformance:
    """Subclasses provide the fixture ``voice``. ``language`` is one it speaks, ``paced`` whether it can be faster."""

    language = "en"
    paced = True
    short = "One word."
    long = "This is a longer sentence, with more words in it, which takes more time to say."

    def test_keeps_the_protocol(self, voice: Voice):
        assert isinstance(voice, Voice)
        assert isinstance(voice.card, ModelCard)
        assert voice.card.name
        assert voice.card.licence

    def test_speaks_mono_from_the_first_syllable_to_the_last(self, voice: Voice):
        sound = voice.speak(line(self.long, self.language, start=7))
        assert sound.start == 0
        assert sound.samples.shape[0] == 1
        assert sound.samples.dtype == np.float32
        assert 0.05 < np.abs(sound.samples).max() <= 1
        loud = np.flatnonzero(np.abs(sound.samples[0]) > 0.02 * np.abs(sound.samples).max())
        assert loud[0] < 0.1 * sound.rate
        assert sound.samples.shape[1] - loud[-1] < 0.1 * sound.rate

    def test_more_words_take_longer(self, voice: Voice):
        short, long = (voice.speak(line(text, self.language)).span.duration for text in (self.short, self.long))
        assert long > 2 * short

    def test_speaks_a_line_alike_each_time(self, voice: Voice):
        first, between, second = (
            voice.speak(line(text, self.language)).samples for text in (self.long, self.short, self.long)
        )
        assert between.shape != first.shape
        assert np.array_equal(first, second)

    def test_is_faster_when_asked(self, voice: Voice):
        slow, fast = (voice.speak(line(self.long, self.language), pace).span.duration for pace in (1.0, 1.3))
        if self.paced:
            assert 1.15 < slow / fast < 1.45
        else:
            assert slow == fast

    @pytest.mark.parametrize("text", ["", "  ", "...", "—", "😀"])
    def test_refuses_a_text_without_anything_to_say(self, voice: Voice, text: str):
        with pytest.raises(OptionError):
            voice.speak(line(text, self.language))

    def test_refuses_a_language_it_does_not_list(self, voice: Voice):
        if voice.card.languages:
            with pytest.raises(OptionError, match="tlh"):
                voice.speak(line(self.long, "tlh"))


class TranslatorConformance:
    """Subclasses provide the fixture ``translator``, which can put ``texts`` from ``source`` into ``language``."""

    source, language = "en", "es"
    texts = ("Good morning.", "How are you today, my friend?", "I am fine.")

    def requests(self) -> list[TranslationRequest]:
        """One for each of ``texts``."""
        return [TranslationRequest(line(text, self.source, start=3 * i), 40) for i, text in enumerate(self.texts)]

    def test_keeps_the_protocol(self, translator: Translator):
        assert isinstance(translator, Translator)
        assert translator.card.name
        assert translator.card.licence

    def test_answers_each_request_in_order(self, translator: Translator):
        answers = list(translator.translate(self.requests(), self.language))
        assert len(answers) == len(self.texts)
        assert all(isinstance(answer, str) and answer.strip() for answer in answers)
        alone = [translator.translate([request], self.language)[0] for request in self.requests()]
        assert alone == answers

    def test_no_requests_give_no_answers(self, translator: Translator):
        assert list(translator.translate([], self.language)) == []


SPOKEN = (Span(Fraction(6, 5), Fraction(8, 5)),)


class SeparatorConformance:
    """Subclasses provide the fixtures ``separator`` and ``speech``: .4 s of it, mono, at 48 kHz, about as loud as
    people speak. ``formats`` are rates and numbers of channels that are tried."""

    formats = ((8000, 1), (44_100, 6), (96_000, 2))

    @pytest.fixture(scope="class")
    @classmethod
    def sound(cls, speech: np.ndarray) -> np.ndarray:
        """Three seconds of soft noise in two channels, with speech in both in ``SPOKEN``."""
        noise = 0.002 * np.random.default_rng(1).standard_normal((2, 144_000))
        noise[:, 57_600:76_800] += speech
        return noise.astype(np.float32)

    @pytest.fixture(scope="class")
    @classmethod
    def left(cls, separator: Separator, sound: np.ndarray) -> np.ndarray:
        """``sound`` without its speech, given in one block."""
        return cls.made(separator, sound, size=sound.shape[1])

    @staticmethod
    def made(separator: Separator, sound: np.ndarray, rate: int = 48_000, size: int = 5000) -> np.ndarray:
        """What is left of ``sound``, given in blocks of ``size``."""
        blocks = (sound[:, first : first + size] for first in range(0, sound.shape[1], size))
        return np.concatenate(list(separator.without_speech(blocks, rate, SPOKEN)), 1)

    def test_keeps_the_protocol(self, separator: Separator):
        assert isinstance(separator, Separator)
        assert separator.card.name
        assert separator.card.licence

    def test_speech_goes_and_all_else_stays(self, sound: np.ndarray, left: np.ndarray):
        assert left.shape == sound.shape
        assert left.dtype == np.float32
        spoken = slice(57_600, 76_800)
        assert np.square(left[:, spoken]).mean() < 0.02 * np.square(sound[:, spoken]).mean()
        np.testing.assert_array_equal(left[:, :9_600], sound[:, :9_600])
        np.testing.assert_array_equal(left[:, 124_800:], sound[:, 124_800:])

    def test_blocks_change_nothing(self, separator: Separator, sound: np.ndarray, left: np.ndarray):
        np.testing.assert_array_equal(self.made(separator, sound, size=7919), left)

    def test_every_rate_and_number_of_channels(self, separator: Separator):
        for rate, channels in self.formats:
            sound = 0.01 * np.random.default_rng(2).standard_normal((channels, 2 * rate + 1)).astype(np.float32)
            left = self.made(separator, sound, rate)
            assert left.shape == sound.shape
            assert np.isfinite(left).all()

    def test_nothing_is_changed_where_nobody_speaks(self, separator: Separator, sound: np.ndarray):
        left = np.concatenate(list(separator.without_speech([sound], 48_000, ())), 1)
        np.testing.assert_array_equal(left, sound)

    @pytest.mark.parametrize("samples", [0, 1, 100_000])
    def test_short_and_silent_sounds(self, separator: Separator, samples: int):
        left = list(separator.without_speech([np.zeros((1, samples), np.float32)], 48_000, SPOKEN))
        assert sum(block.shape[1] for block in left) == samples
        assert not any(block.any() for block in left)
