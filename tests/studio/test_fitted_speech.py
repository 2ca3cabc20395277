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
from lipdub.words_to_sound.duration_fit.source_breaks import text_without_breaks
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming
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


def spoken_at(*lengths: float) -> list[Span]:
    """When the source speaks: every second one of ``lengths``, the others are its pauses."""
    at, spans = Fraction(0), []
    for n, length in enumerate(lengths):
        step = Fraction(round(length * 10), 10)
        spans += [Span(at, at + step)] if n % 2 == 0 else []
        at += step
    return spans


@pytest.mark.parametrize(("windows", "commas"), [((0.6, 0.3, 0.6), 1), ((1.2,), 0)])
def test_the_voice_pauses_where_the_source_does(session: Session, windows: tuple[float, ...], commas: int) -> None:
    fitted = FittedSpeech(
        words("Nunca hemos estado en otra ciudad nueva"), {"": AssignedVoice(PausingVoice())}, session
    )
    (placed,) = fitted.placed(spoken_at(*windows), WHOLE)
    assert placed.line.text == "Nunca hemos estado en otra ciudad nueva", "the report and subtitles have no such comma"
    assert str(list(fitted.parts.values())).count("estado,") == commas
    assert len(find_phrases(placed.sound)) == commas + 1


class SteadyVoice(FakeVoice):
    """A voice of steady pace that never pauses; ``asked`` is what it was to say, and how fast."""

    asked: list[tuple[str, float]]

    def speak(self, line: Line, pace: float = 1.0, reference: object = None) -> Sound:
        self.asked.append((line.text, round(pace, 2)))
        size = round(len(line.text) * 16_000 / 30 / pace)
        return Sound(np.sign(np.sin(np.arange(size) * 0.06)).astype(np.float32)[None] * np.float32(0.3), 16_000)


def steady(*, local: bool = True) -> SteadyVoice:
    voice = SteadyVoice(card=ModelCard("steady", "Apache-2.0", local=local))
    object.__setattr__(voice, "asked", [])
    return voice


@pytest.mark.parametrize(
    "text", ["Nunca hemos estado, en otra ciudad nueva", "Nunca hemos estado en otra ciudad nueva"]
)
def test_a_voice_that_does_not_pause_at_commas_speaks_the_line_in_parts(session: Session, text: str) -> None:
    voice = steady()
    fitted = FittedSpeech(words(text), {"": AssignedVoice(voice)}, session)
    (placed,) = fitted.placed(spoken_at(0.6, 0.4, 0.7), WHOLE)
    assert placed.line.text == text
    assert {said.strip(",") for said, _ in voice.asked} >= {"Nunca hemos estado", "en otra ciudad nueva"}
    first, second = find_phrases(placed.sound)
    assert float(second.start) == pytest.approx(1.0, abs=0.03), "the second part begins with the source's"
    assert float(first.end) < 0.75


def test_the_voice_does_not_pause_where_the_source_speaks_on(session: Session) -> None:
    voice = AssignedVoice(PausingVoice())
    fitted = FittedSpeech(words("Nos gusta mucho, cuando vivimos en otra ciudad, nuestra vida"), {"": voice}, session)
    (placed,) = fitted.placed(spoken_at(1.8), WHOLE)
    assert fitted.parts == {0: ("Nos gusta mucho cuando vivimos en otra ciudad, nuestra vida",)}
    assert "mucho," in placed.line.text, "the report and subtitles keep it"


def test_a_comma_after_no_stays() -> None:
    on = SourceTiming(tuple(spoken_at(2.0)))
    for text in ("No, porque hoy no quiero", "A esto te digo que no, porque hoy no quiero", "Rojo, verde y azul"):
        assert text_without_breaks(text, "es", on) == text
    assert text_without_breaks("A esto no me apunto, porque no", "es", on) == "A esto no me apunto porque no"


@pytest.mark.parametrize(("local", "times"), [(True, 2), (False, 1)])
def test_services_are_not_asked_again_for_a_little(session: Session, local: bool, times: int) -> None:
    voice = steady(local=local)
    fitted = FittedSpeech(words("Una frase con un final"), {"": AssignedVoice(voice)}, session)
    window = Span(Fraction(0), Fraction(64, 100))  # at its own pace it takes .73 s
    (placed,) = fitted.placed([window], WHOLE)
    assert len(voice.asked) == times
    assert placed.missing == 0
    told = [note for note in fitted.notes if "was asked" in note]
    assert told == ([] if local else ["the voice steady was asked once, with 22 characters in all"])


def test_services_are_asked_again_for_lines_that_are_far_too_long_or_short(session: Session) -> None:
    voice = steady(local=False)
    fitted = FittedSpeech(words("Una frase con un final", "Una vez", "Y una vez"), {"": AssignedVoice(voice)}, session)
    list(fitted.placed([Span(Fraction(t), Fraction(t) + Fraction(1, 2)) for t in (0, 3, 6)], WHOLE))
    paces = {text: [pace for said, pace in voice.asked if said == text] for text, _ in voice.asked}
    assert paces["Una frase con un final"] == [1, 1.2]
    assert paces["Una vez"][0] == 1
    assert paces["Una vez"][1] < 0.9
    assert list(fitted.notes) == ["the voice steady was asked 6 times, with 76 characters in all"]
    again = steady(local=False)
    list(FittedSpeech(fitted.source, {"": AssignedVoice(again)}, session).placed((), WHOLE))
    assert not again.asked, "what is in the cache is not asked for"


def test_every_line_that_was_said_shorter_is_told(session: Session) -> None:
    texts = [f"una frase número {n} que es demasiado larga para el tiempo que tiene en esta película" for n in range(6)]
    lines = words(*texts, shorten=lambda line, characters: line.text[:characters].strip())
    fitted = FittedSpeech(lines, {"": AssignedVoice(FakeVoice())}, session)
    placed = list(fitted.placed((), WHOLE))
    notes = list(fitted.notes)
    for text, line in zip(texts, placed, strict=True):
        assert any(note.startswith(f"'{text[:20]}") and f"'{line.line.text}'" in note for note in notes)


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
