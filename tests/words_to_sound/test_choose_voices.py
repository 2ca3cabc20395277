"""Voices as the user names them, the lines that they can read, and references for voices that clone."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import OptionError
from lipdub.timeline.lines import Line
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeTranslator, FakeVoice
from lipdub.words_to_sound.seam import recogniser_named, translator_named
from lipdub.words_to_sound.translate.translate import (
    TranslatedLine,
    TranslateOptions,
    translate_lines,
    translation_notes,
)
from lipdub.words_to_sound.voices.assign import AssignedVoice, SpeakerPitch
from lipdub.words_to_sound.voices.choose import can_read, check_voices, reads_latin_only, voices_for
from lipdub.words_to_sound.voices.cloning import (
    clearest_span,
    needs_reference,
    no_clear_speech,
    no_sound_for_reference,
)
from lipdub.words_to_sound.voices.command import make
from lipdub.words_to_sound.voices.nanotts import NanoVoice
from words_to_sound.conformance import line

LINES = [line("Hola.", "es", "Ana"), line("Buenas.", "es", "Bob", 4)]


def test_speakers_get_the_voices_named_for_them() -> None:
    pytest.importorskip("py_nanotts")
    voices = voices_for(LINES, ("ANA=nanotts:pitch=0.8", "nanotts:es-ES"))
    assert voices["Ana"].voice == NanoVoice(pitch=0.8)
    assert voices["Bob"].voice == NanoVoice("es-ES")
    assert isinstance(voices_for(LINES)["Ana"].voice, NanoVoice)
    assert voices_for([]) == {}


def test_speakers_without_a_voice_get_their_own_pitch() -> None:
    pytest.importorskip("py_nanotts")
    voices = voices_for(LINES, (), SpeakerPitch({"Ana": 199.0, "Bob": 110.0}, "es"))
    assert voices["Ana"].voice == NanoVoice()
    assert voices["Bob"].voice == NanoVoice().at_pitch(110.0, "es")


@pytest.mark.parametrize(
    ("voice", "error"),
    [
        (("Eve=nanotts",), "no speaker called 'Eve'.*Speakers: Ana, Bob"),
        (("Ana=nanotts", "ana=nanotts:es"), "'ana' has two voices"),
        (("nanotts", "server:http://me:secret@h/"), r"--voice server:http://\*\*\*@h/ are both for all"),
        (("nobody",), "no voice called 'nobody'"),
    ],
)
def test_voices_that_cannot_be_assigned_are_refused(voice: tuple[str, ...], error: str) -> None:
    with pytest.raises(OptionError, match=error) as refused:
        voices_for(LINES, voice)
    assert "secret" not in str(refused.value)


def test_a_language_that_the_voice_does_not_speak_is_refused() -> None:
    voices = {"": AssignedVoice(NanoVoice())}
    check_voices([line("Hola.", "es-MX")], voices)
    with pytest.raises(OptionError, match=r"speaks en-US.*not 'ja'.*server:URL"):
        check_voices([line("Hola.", "es"), line("こんにちは", "ja", start=3)], voices)


def test_lines_that_the_voice_cannot_read_are_refused_if_there_are_no_others() -> None:
    latin, fake = AssignedVoice(NanoVoice()), AssignedVoice(FakeVoice())
    assert (reads_latin_only(latin), reads_latin_only(fake)) == (True, False)
    assert (can_read(latin, line("Привет", "es")), can_read(fake, line("Привет", "es"))) == (False, True)
    assert not can_read(fake, line("[music]", "es"))
    check_voices([line("Привет", "es"), line("Hola", "es")], {"": latin})
    check_voices([line("Привет", "es")], {"": fake})
    check_voices([], {})
    with pytest.raises(OptionError, match=r"nanotts cannot read any of the lines, e\.g\. 'Привет' at 3\.000 s"):
        check_voices([line("Привет", "es", start=3)], {"": latin})


def test_recognisers_and_translators_are_found_by_name() -> None:
    with pytest.raises(OptionError, match=r"no recogniser called 'nobody'.*whisper"):
        recogniser_named("nobody")
    with pytest.raises(OptionError, match=r"in 'en', the dub shall be in 'es'.*--translator"):
        translator_named("", "en", "es")
    assert translator_named("openai:http://localhost:1#m", "en", "es").card.name == "openai"


def test_notes_name_what_is_too_long_and_terms_that_are_missed() -> None:
    first = LINES[0]
    assert list(translation_notes([TranslatedLine(first, first, over_by=0.1)])) == []
    one = TranslatedLine(first, first, 2, 0.25, ("Anna",))
    assert list(translation_notes([one])) == [
        "'Hola.' is 25% too long for its time, and no shorter one was found",
        "'Hola.' does not render 'Anna' as the glossary says",
    ]
    (many, terms) = translation_notes([one] * 9)
    assert many.startswith("9 lines are too long for their time")
    assert terms.startswith("terms in 9 places")
    done = translate_lines(LINES, FakeTranslator(9.0), "en", TranslateOptions(shorter=0))
    assert len(list(translation_notes(done))) == 2


def spoken(*spans: tuple[int, int]) -> SpeechFeatures:
    activity = np.zeros(50 * 30, np.float32)
    for start, end in spans:
        activity[start * 50 : end * 50] = 0.95
    phones, energy = (np.zeros((len(activity), n), np.float32) for n in (17, 3))
    return SpeechFeatures(Fraction(0), phones, activity, energy)


def test_a_reference_is_the_speakers_own() -> None:
    def said(start: int, end: int, speaker: str) -> Line:
        return Line("x", Span(Fraction(start), Fraction(end)), "es", speaker)

    features = spoken((1, 6), (8, 16), (18, 26))
    lines = [said(0, 7, "A"), said(8, 16, "B"), said(12, 20, "A"), said(20, 27, "B")]
    own, other = clearest_span("A", lines, features), clearest_span("B", lines, features)
    assert own is not None
    assert other is not None
    assert 0 <= own.start < own.end <= 7
    assert 20 <= other.start < other.end <= 27
    assert clearest_span("C", lines, features) is None


def test_voices_that_clone_need_a_reference() -> None:
    plain, clone = (AssignedVoice(make(text)) for text in ("say {out} {text}", "clone {reference} {out}"))
    assert (needs_reference(plain), needs_reference(clone)) == (False, True)
    assert not needs_reference(AssignedVoice(FakeVoice()))
    assert "no clip with sound" in str(no_sound_for_reference("Ana"))
    error = str(no_clear_speech("", Path("talk.mp4")))
    assert error.startswith("talk.mp4: the voice of the speaker needs three seconds")
