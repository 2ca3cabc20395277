"""Lines on their way to be heard: what cannot be said, who cannot be asked, and where files begin."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from lipdub.errors import OptionError, OutputError, ServiceError, WeightsError
from lipdub.media.probe import probe
from lipdub.studio import steps
from lipdub.studio.options import VoiceOptions
from lipdub.studio.progress import Clock
from lipdub.studio.room import Room, open_room
from lipdub.studio.voicing import DEFAULT_VOICE, Voicing
from lipdub.studio.words import Words, shifted
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeVoice
from lipdub.words_to_sound.seam import ModelCard
from lipdub.words_to_sound.voices.assign import AssignedVoice

WHOLE = Span(Fraction(0), Fraction(20))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr("lipdub.studio.room.default_root", lambda: tmp_path / "work")
    try:
        with open_room(Clock(), None, hearing="light") as opened:
            yield opened
    except WeightsError as missing:
        pytest.skip(str(missing))


def words(*texts: str, **more) -> Words:
    lines = tuple(Line(text, Span(Fraction(3 * n), Fraction(3 * n + 2)), "es") for n, text in enumerate(texts))
    return Words(lines, "es", Path("talk.es.srt"), ("",) * len(lines), **more)


def test_a_line_that_the_voice_cannot_read_is_left_out_and_told(room: Room) -> None:
    voice = FakeVoice(card=ModelCard(DEFAULT_VOICE, "Apache-2.0"))
    voicing = Voicing(words("Hola.", "привет", "♪", "Hola Иван."), {"": AssignedVoice(voice)}, room)
    assert [line.line.text for line in voicing.fitted((), WHOLE)] == ["Hola.", "Hola Иван."]
    assert len(voicing.notes) == 3
    assert any("привет" in note and "not said" in note for note in voicing.notes)


def test_shorter_words_are_asked_for_the_right_line(room: Room) -> None:
    asked = []

    def shorten(index: int, text: str, characters: int) -> str:
        asked.append((index, text))
        return text[:characters]

    long = "una frase que es demasiado larga para el tiempo que tiene " * 2
    voicing = Voicing(words("♪", "Hola.", long, shorten=shorten), {"": AssignedVoice(FakeVoice())}, room)
    list(voicing.fitted((), WHOLE))
    assert {index for index, _ in asked} == {2}


def test_a_translator_that_dies_meanwhile_does_not_stop_the_dub(room: Room) -> None:
    calls = []

    def shorten(index: int, text: str, characters: int) -> str:
        calls.append(index)
        raise ServiceError("the server is gone")

    long = "una frase que es demasiado larga para el tiempo que tiene " * 2
    voicing = Voicing(words(long, long, shorten=shorten), {"": AssignedVoice(FakeVoice())}, room)
    placed = list(voicing.fitted((), WHOLE))
    assert len(placed) == 2
    assert placed[0].span.end <= placed[1].span.start
    assert placed[0].missing > 0, "what does not fit is told"
    assert len(calls) == 1
    assert any("the server is gone" in note for note in voicing.notes)


def test_words_move_with_their_line() -> None:
    line = Line("a", Span(Fraction(1), Fraction(2)), "en", words=(Word("a", Span(Fraction(1), Fraction(2))),))
    later = shifted(line, Fraction(5))
    assert later.span == later.words[0].span == Span(Fraction(6), Fraction(7))


def test_a_last_line_that_is_long_is_said_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipdub.studio.room.default_root", lambda: tmp_path / "work")
    script = tmp_path / "talk.es.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:01,000\nUna frase que dura bastante más que un segundo, o dos.\n")
    account = steps.speak(script, tmp_path / "out.wav", voices=VoiceOptions(fit="none"))
    assert account.figures["seconds_missing"] == 0
    assert probe(tmp_path / "out.wav").duration > 3


def test_files_that_cannot_be_written_are_refused_before_anything_is_heard(tmp_path: Path) -> None:
    script = tmp_path / "talk.en.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello.\n")
    with pytest.raises(OptionError, match=r"\.txt.*Choose"):
        steps.hear(tmp_path / "absent.mp4", tmp_path / "words.txt")
    with pytest.raises(OptionError, match=r"without an ending.*Choose"):
        steps.adapt(script, tmp_path / "words", "es", "argos")
    with pytest.raises(OptionError, match="no address"):
        steps.adapt(script, tmp_path / "words.es.srt", "es", "openai:nowhere")
    (tmp_path / "taken.es.srt").touch()
    with pytest.raises(OutputError, match="exists"):
        steps.adapt(script, tmp_path / "taken.es.srt", "es", "openai:http://localhost:1")
