"""Lines on their way to be heard: what cannot be said, who cannot be asked, and where files begin."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import OptionError, OutputError, ServiceError, WeightsError
from lipdub.media.probe import probe
from lipdub.studio import sound_steps
from lipdub.studio.options import DubOptions, SpeakOptions, TranslatorOptions
from lipdub.studio.plan.fitted_speech import FittedSpeech
from lipdub.studio.plan.lines import DubLines, shifted
from lipdub.studio.session import Session, open_session
from lipdub.timeline.lines import Line, Word, numbered
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.phrases import find_phrases
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.seam import ModelCard, VoiceReference
from lipdub.words_to_sound.voices.assign import AssignedVoice
from lipdub.words_to_sound.voices.choose import DEFAULT_VOICE

WHOLE = Span(Fraction(0), Fraction(20))


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    try:
        with open_session(DubOptions(speech_features="light")) as opened:
            _ = opened.tools.analyser
            yield opened
    except WeightsError as missing:
        pytest.skip(str(missing))


def words(*texts: str, **more) -> DubLines:
    lines = tuple(Line(text, Span(Fraction(3 * n), Fraction(3 * n + 2)), "es") for n, text in enumerate(texts))
    return DubLines(numbered(lines), "es", Path("talk.es.srt"), **more)


def test_a_line_that_the_voice_cannot_read_is_left_out_and_told(session: Session) -> None:
    voice = FakeVoice(card=ModelCard(DEFAULT_VOICE, "Apache-2.0"))
    fitted = FittedSpeech(words("Hola.", "привет", "♪", "Hola Иван."), {"": AssignedVoice(voice)}, session)
    assert [line.line.text for line in fitted.placed((), WHOLE)] == ["Hola.", "Hola Иван."]
    assert len(fitted.notes) == 3
    assert any("привет" in note and "not said" in note for note in fitted.notes)


@pytest.mark.parametrize("local", [True, False])
def test_whose_voice_leaves_the_machine_is_told(session: Session, local: bool) -> None:
    voice = FakeVoice(card=ModelCard("clones", "MIT", (), local))
    reference = VoiceReference(Sound(np.zeros((1, 16_000 * 4), np.float32), 16_000))
    fitted = FittedSpeech(words("Hola.", "Adiós."), {"": AssignedVoice(voice, "", reference)}, session)
    told = "4.0 s of the speech of the speaker were sent to the server clones"
    assert [note for note in fitted.notes if "sent" in note] == ([] if local else [told])


def test_a_line_of_emoji_is_told_and_the_rest_is_spoken(session: Session) -> None:
    fitted = FittedSpeech(words("😀😀🎉", "Hola a todos."), {"": AssignedVoice(FakeVoice())}, session)
    assert [line.line.text for line in fitted.placed((), WHOLE)] == ["Hola a todos."]
    assert any("😀😀🎉" in note and "nothing to be said" in note for note in fitted.notes)


def test_twenty_minutes_of_text_for_one_line_are_cut_and_told(session: Session) -> None:
    class Long(FakeVoice):
        def speak(self, line: Line, pace: float = 1.0, reference: object = None) -> Sound:
            return Sound(np.full((1, 1_200 * 100 if line.text.startswith("palabra") else 100), 0.3, np.float32), 100)

    fitted = FittedSpeech(words("palabra " * 2_500, "Hola."), {"": AssignedVoice(Long())}, session)
    long, short = fitted.placed((), WHOLE)
    assert long.missing > 600, "the report says how much is missing"
    assert long.span.end <= short.span.start
    assert short.missing == 0


def test_shorter_words_are_asked_for_the_right_line(session: Session) -> None:
    asked = []

    def shorten(line: Line, characters: int) -> str:
        asked.append((line.id, line.text))
        return line.text[:characters]

    long = "una frase que es demasiado larga para el tiempo que tiene " * 2
    fitted = FittedSpeech(words("♪", "Hola.", long, shorten=shorten), {"": AssignedVoice(FakeVoice())}, session)
    list(fitted.placed((), WHOLE))
    assert {id_ for id_, _ in asked} == {"3"}


class PausingVoice(FakeVoice):
    """A voice of steady pace that pauses at commas."""

    def speak(self, line: Line, pace: float = 1.0, reference: object = None) -> Sound:
        rate = 16_000
        buzz = np.sign(np.sin(np.arange(round(1.2 * rate / pace)) * 0.06)).astype(np.float32) * np.float32(0.3)
        parts = line.text.count(",") + 1
        pieces = [
            piece for _ in range(parts) for piece in (buzz[: len(buzz) // parts], np.zeros(rate // 3, np.float32))
        ]
        return Sound(np.concatenate(pieces[:-1])[None], rate)


@pytest.mark.parametrize(("windows", "commas"), [((0.6, 0.3, 0.6), 1), ((1.2,), 0)])
def test_the_voice_pauses_where_the_source_does(session: Session, windows: tuple[float, ...], commas: int) -> None:
    fitted = FittedSpeech(
        words("Nunca hemos estado en otra ciudad nueva"), {"": AssignedVoice(PausingVoice())}, session
    )
    at, spans = Fraction(0), []
    for n, length in enumerate(windows):
        step = Fraction(round(length * 10), 10)
        spans += [Span(at, at + step)] if n % 2 == 0 else []
        at += step
    (placed,) = fitted.placed(spans, WHOLE)
    assert placed.line.text == "Nunca hemos estado en otra ciudad nueva", "the report and subtitles have no such comma"
    assert "".join(fitted.broken.values()).count(",") == commas
    assert len(find_phrases(placed.sound)) == commas + 1


def test_a_translator_that_dies_meanwhile_does_not_stop_the_dub(session: Session) -> None:
    calls = []

    def shorten(line: Line, characters: int) -> str:
        calls.append(line.id)
        raise ServiceError("the server is gone")

    long = "una frase que es demasiado larga para el tiempo que tiene " * 2
    fitted = FittedSpeech(words(long, long, shorten=shorten), {"": AssignedVoice(FakeVoice())}, session)
    placed = list(fitted.placed((), WHOLE))
    assert len(placed) == 2
    assert placed[0].span.end <= placed[1].span.start
    assert placed[0].missing > 0, "what does not fit is told"
    assert len(calls) == 1
    assert any("the server is gone" in note for note in fitted.notes)


def test_words_move_with_their_line() -> None:
    line = Line("a", Span(Fraction(1), Fraction(2)), "en", words=(Word("a", Span(Fraction(1), Fraction(2))),))
    later = shifted(line, Fraction(5))
    assert later.span == later.words[0].span == Span(Fraction(6), Fraction(7))


def test_a_last_line_that_is_long_is_said_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    script = tmp_path / "talk.es.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:01,000\nUna frase que dura bastante más que un segundo, o dos.\n")
    account = sound_steps.speak(script, tmp_path / "out.wav", voices=SpeakOptions(duration_fit="none"))
    assert account.metrics["seconds_missing"] == 0
    assert probe(tmp_path / "out.wav").duration > 3


def test_files_that_cannot_be_written_are_refused_before_anything_is_heard(tmp_path: Path) -> None:
    script = tmp_path / "talk.en.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello.\n")
    with pytest.raises(OptionError, match=r"\.txt.*Choose"):
        sound_steps.transcribe(tmp_path / "absent.mp4", tmp_path / "words.txt")
    with pytest.raises(OptionError, match=r"without an ending.*Choose"):
        sound_steps.translate(script, tmp_path / "words", "es", TranslatorOptions(translator="argos"))
    with pytest.raises(OptionError, match="no address"):
        sound_steps.translate(script, tmp_path / "words.es.srt", "es", TranslatorOptions(translator="openai:nowhere"))
    (tmp_path / "taken.es.srt").touch()
    with pytest.raises(OutputError, match="exists"):
        sound_steps.translate(
            script, tmp_path / "taken.es.srt", "es", TranslatorOptions(translator="openai:http://localhost:1")
        )
