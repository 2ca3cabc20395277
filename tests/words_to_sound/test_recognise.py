from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub import weights
from lipdub.acoustics.speech_spans import speech_spans
from lipdub.errors import OptionError, WeightsError
from lipdub.timeline.lines import Word
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, subtract_spans, total_duration
from lipdub.words_to_sound.fake import FakeRecogniser
from lipdub.words_to_sound.recognise.transcribe import (
    TranscribeOptions,
    cut_sound,
    sound_in_spans,
    spans_to_transcribe,
    transcribe,
)
from lipdub.words_to_sound.recognise.whisper import (
    WhisperRecogniser,
    group_spans,
    join_tokens,
    make,
    max_tokens,
    snap_to_speech,
    without_overlaps,
)
from lipdub.words_to_sound.seam import RECOGNISERS, Recogniser, Transcript
from sound_to_mouth.sample_speech import hush, spoken
from words_to_sound.conformance import RecogniserConformance, hearable

SECOND = ANALYSIS_RATE


def word(text, start, end, sure=1.0):
    return Word(text, Span(Fraction(start), Fraction(end)), sure)


def voiced(pattern, start=Fraction(0)) -> SpeechFeatures:
    return replace(hush(len(pattern), start), voice_activity=np.asarray(pattern, np.float32))


@pytest.fixture(scope="module")
def whisper() -> WhisperRecogniser:
    pytest.importorskip("faster_whisper")
    if weights.present("whisper-base") is None or weights.present("voice-activity") is None:
        pytest.skip("the weights of whisper-base are not on this machine")
    return make("")


class TestFake(RecogniserConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def recogniser(cls):
        return FakeRecogniser((word("good", 1, "3/2"), word("morning", "3/2", 2)))

    @pytest.fixture(scope="class")
    @classmethod
    def speech(cls):
        return hearable(np.ones(3 * SECOND))


class TestWhisper(RecogniserConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def recogniser(cls, whisper):
        return whisper

    @pytest.fixture(scope="class")
    @classmethod
    def speech(cls):
        return hearable(np.pad(spoken("Good morning everybody. My name is Peter.", "en-GB"), SECOND // 2))

    def test_the_words_are_those_that_were_said(self, transcript):
        said = " ".join(w.text.lower().strip(".,") for w in transcript.words)
        assert said == "good morning everybody my name is peter"
        assert transcript.language == "en"

    def test_words_move_with_the_sound(self, recogniser, transcript, speech):
        moved = recogniser.transcribe(replace(speech, start=Fraction(1001, 30)), "en")
        assert [w.span.start - Fraction(1001, 30) for w in moved.words] == [w.span.start for w in transcript.words]

    def test_noise_and_tones_have_no_words(self, recogniser):
        noise = 0.1 * np.random.default_rng(3).standard_normal(5 * SECOND)
        assert recogniser.transcribe(hearable(noise)) == Transcript((), "", 0.0)
        assert recogniser.transcribe(hearable(0.3 * np.sin(np.arange(5 * SECOND) * 0.17))).words == ()

    def test_words_do_not_reach_into_pauses(self, recogniser):
        first, second = (spoken(text, "en-GB") for text in ("Good morning everybody.", "My name is Peter."))
        sound = hearable(np.concatenate([first, np.zeros(3 * SECOND), second]))
        transcript = recogniser.transcribe(sound, "en-GB")
        pause = Span(Fraction(len(first), SECOND), Fraction(len(first) + 3 * SECOND, SECOND)).widened(Fraction(-3, 10))
        assert len(transcript.words) == 7
        assert not any(w.span.overlaps(pause) for w in transcript.words)
        assert transcript.language == "en-GB"

    def test_a_language_it_does_not_know_is_refused(self, recogniser, speech):
        with pytest.raises(OptionError, match="does not know the language 'tlh'"):
            recogniser.transcribe(speech, "tlh")


def test_whisper_is_found_by_name():
    assert "whisper" in RECOGNISERS.names()
    assert RECOGNISERS.factory("whisper") is make


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    pytest.importorskip("faster_whisper")
    if weights.present("voice-activity") is None:
        pytest.skip("the voice activity model is not on this machine")
    with pytest.raises(WeightsError, match=r"lacks model\.bin"):
        make(str(tmp_path))
    with pytest.raises(OptionError, match=r"Models are: .*large-v3"):
        make("nobody-knows-this")


def test_a_named_model_is_not_fetched_unasked(tmp_path, monkeypatch):
    pytest.importorskip("faster_whisper")
    if weights.present("voice-activity") is None:
        pytest.skip("the voice activity model is not on this machine")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("LIPDUB_DOWNLOAD", raising=False)
    with pytest.raises(WeightsError, match="LIPDUB_DOWNLOAD=all"):
        make("tiny")


@dataclass
class Piece:
    word: str
    start: float
    end: float
    probability: float = 0.9


def test_punctuation_is_joined_to_the_word_before():
    segment = [
        Piece(" Well", 0, 0.5),
        Piece(",", 0.5, 0.5),
        Piece(" -", 0.5, 0.6),
        Piece(" yes", 0.6, np.float64(0.9)),
    ]
    assert [w.text for w in join_tokens([segment], "en")] == ["Well, -", "yes"]
    assert join_tokens([[Piece("...", 0, 1)]], "en") == []


def test_parts_of_a_word_are_put_together_where_words_have_spaces():
    parts = [[Piece(" d", 0, 0.5, 0.9), Piece("'habitude,", 0.5, 1, 0.8)], [Piece("elle", 1, 1.5)]]
    assert [(w.text, w.confidence) for w in join_tokens(parts, "fr")] == [("d'habitude,", 0.8), ("elle", 0.9)]
    assert [w.text for w in join_tokens([[Piece("前", 0, 0.5), Piece("回", 0.5, 1)]], "ja")] == ["前", "回"]


def test_words_are_cut_to_the_speech_they_lie_in():
    speech = (Span(Fraction(1), Fraction(2)), Span(Fraction(4), Fraction(5)))
    words = [
        word("late", "3/2", "5/2"),
        word("swallows", "19/10", "9/2"),
        word("near", "41/20", "43/20"),
        word("far", 3, "31/10"),
    ]
    assert [(w.text, w.span) for w in snap_to_speech(words, speech)] == [
        ("late", Span(Fraction(3, 2), Fraction(2))),
        ("swallows", Span(Fraction(4), Fraction(9, 2))),
        ("near", Span(Fraction(41, 20), Fraction(43, 20))),
    ]


def test_spans_are_grouped_up_to_the_length_of_whispers_window():
    speech = [Span(Fraction(k * 3), Fraction(k * 3 + 2)) for k in range(20)] + [Span(Fraction(100), Fraction(180))]
    groups = group_spans(speech)
    assert all(g.duration <= 30 for g in groups[:-1])
    assert groups[-1] == speech[-1]
    assert len(groups) == 4


@dataclass
class Read:
    compression_ratio: float
    words: tuple


def test_a_segment_that_is_a_loop_twice_is_left_out(monkeypatch):
    good, la = Piece("well", 0, 0.5), Piece(" la", 0.5, 0.6)
    readings = {0: [Read(1.5, (good,)), Read(26.0, (la,) * 90)], 5: [Read(1.5, (good,)), Read(4.8, (la,) * 80)]}
    monkeypatch.setattr(WhisperRecogniser, "_read", lambda self, window, code, no_repeat: readings[no_repeat])
    recogniser = object.__new__(WhisperRecogniser)
    [[word]] = recogniser._group(np.zeros(9 * SECOND), Span(Fraction(7), Fraction(8)), "es")
    assert (word.word, word.start, word.end) == ("well", 7.0, 7.5)


def test_a_window_of_unbroken_speech_asks_for_no_more_tokens_than_whisper_has_room_for():
    assert max_tokens(Fraction(3)) == 80
    assert all(max_tokens(Fraction(n)) <= 444 for n in (21, 28, 90))


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 300)), max_size=20))
def test_words_become_ordered_and_disjoint(spans):
    words = [word("x", Fraction(a, 100), Fraction(a + d, 100)) for a, d in spans]
    out = without_overlaps(words, Fraction(5))
    assert len(out) == len(words)
    assert all(0 <= w.span.start <= w.span.end <= 5 for w in out)
    assert all(a.span.end <= b.span.start for a, b in pairwise(out))


@given(
    st.lists(st.tuples(st.integers(1, 2000), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 3),
    st.sampled_from([20, 60, 300]),
)
def test_all_speech_is_in_pieces_that_are_not_too_long(runs, start, longest):
    pattern = np.concatenate([np.full(n, 0.95 if speaks else 0.01) for n, speaks in runs])
    features = voiced(pattern, Fraction(start))
    options = TranscribeOptions(Fraction(longest))
    spans = spans_to_transcribe(features, options)
    assert all(s.duration <= longest + 2 * options.margin for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(features.span.start <= s.start < s.end <= features.span.end for s in spans)
    assert total_duration(subtract_spans(speech_spans(features), spans)) == 0


def test_pieces_end_in_the_longest_late_pause():
    pattern = np.full(50 * 40, 0.9)
    for at, rows in ((5, 60), (12, 30), (17, 45), (30, 20)):
        pattern[at * 50 : at * 50 + rows] = 0
    spans = spans_to_transcribe(voiced(pattern), TranscribeOptions(Fraction(20)))
    assert spans[0].end == spans[1].start
    assert Fraction(17) < spans[0].end < Fraction(18)


def test_unbroken_speech_is_cut_where_voice_activity_is_least():
    pattern = np.full(50 * 40, 0.9)
    pattern[50 * 18 : 50 * 18 + 30] = 0.5
    first, *_ = spans_to_transcribe(voiced(pattern), TranscribeOptions(Fraction(20), margin=Fraction(0)))
    assert Fraction(18) <= first.end <= Fraction(37, 2)


@given(st.integers(1, 7000), st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True))
def test_pieces_do_not_depend_on_the_blocks_they_come_in(block, edges):
    edges = sorted(Fraction(e, 20) + Fraction(1, 3) for e in edges)
    spans = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    whole = hearable(np.arange(2 * SECOND) / 1e5, Fraction(1, 3))
    blocks = [
        hearable(whole.samples[0, k : k + block], whole.start + Fraction(k, SECOND))
        for k in range(0, 2 * SECOND, block)
    ]
    once, many = list(sound_in_spans([whole], spans)), list(sound_in_spans(iter(blocks), spans))
    assert [p.start for p in once] == [p.start for p in many]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(once, many, strict=True))
    assert all(p.start == cut_sound(whole, s).start for p, s in zip(once, spans, strict=True))


@dataclass
class CountingRecogniser:
    """Detects another language in each sound, and records what it was asked."""

    inner: Recogniser
    asked: list = field(default_factory=list)

    @property
    def card(self):
        return self.inner.card

    def transcribe(self, sound, language=""):
        self.asked.append((language, sound.span))
        transcript = self.inner.transcribe(sound, language)
        return (
            transcript if language else replace(transcript, language=f"x{len(self.asked)}" if transcript.words else "")
        )


def test_a_long_sound_is_transcribed_in_pieces_in_one_language():
    pattern = np.zeros(50 * 700)
    said = []
    for second in range(20, 690, 4):
        pattern[second * 50 : second * 50 + 100] = 0.9
        said.append(word(f"w{second}", second, Fraction(second) + 1))
    recogniser = CountingRecogniser(FakeRecogniser(said))
    sound = hearable(np.ones(700 * SECOND))
    transcript = transcribe(
        recogniser,
        (cut_sound(sound, Span(Fraction(k), Fraction(k + 100))) for k in range(0, 700, 100)),
        voiced(pattern),
    )
    assert transcript.words == tuple(said)
    assert transcript.language == "x1"
    assert [language for language, _ in recogniser.asked] == ["", "x1", "x1"]
    assert all(span.duration <= 301 for _, span in recogniser.asked)


def test_silence_is_not_given_to_the_recogniser():
    recogniser = CountingRecogniser(FakeRecogniser((word("no", 1, 2),)))
    assert transcribe(recogniser, hearable(np.ones(9 * SECOND)), voiced(np.zeros(450)), "de") == Transcript(
        (), "de", 0.0
    )
    assert recogniser.asked == []
