"""From a script, a line or a language to the sound of a dub: with fakes who hear, translate and speak."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub import plugins, weights
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import NoSound, OptionError, OutputError, WeightsError
from lipdub.media.probe import open_clip, probe
from lipdub.media.sound_read import read_sound
from lipdub.studio import steps
from lipdub.studio.beforehand import check_ways
from lipdub.studio.cast import lines_on_faces
from lipdub.studio.dialogue import brought, spoken
from lipdub.studio.options import SpeechOptions, VoiceOptions
from lipdub.studio.progress import Clock
from lipdub.studio.room import Room, open_room
from lipdub.studio.timbre import heights_of
from lipdub.studio.words import words_to_say
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.fake import FakeRecogniser, FakeTranslator, FakeVoice
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.seam import Card, VoiceReference

RATE = Fraction(25)


@dataclass
class Counting:
    """A voice that remembers what it was asked to say."""

    card: Card = field(default=Card("counting", "Apache-2.0"))
    said: list[str] = field(default_factory=list)

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        self.said.append(line.text)
        return FakeVoice().speak(line, pace, reference)


@dataclass(frozen=True)
class Point:
    name: str
    made: Callable[[str], object]
    value: str = "test:made"

    def load(self) -> Callable[[str], object]:
        return self.made


@dataclass
class Crew:
    voice: Counting
    words: list[Word]


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Crew:
    """Fakes under the names that are asked for by default."""
    crew = Crew(Counting(), [])
    points = {
        "lipdub.voices": [Point("nanotts", lambda detail: crew.voice), Point("hum", lambda detail: FakeVoice())],
        "lipdub.recognisers": [Point("whisper", lambda detail: FakeRecogniser(tuple(crew.words)))],
        "lipdub.translators": [Point("shout", lambda detail: FakeTranslator())],
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group: points[group])
    return crew


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A grey picture, and the demo's English voice."""
    try:
        weights.resolve("voice-activity")
    except WeightsError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("clip")
    voice = load_speech("en").sound
    grey = np.full((48, 64, 3), 90, np.uint8)
    frames = int(voice.span.duration * RATE)
    write_synthetic_clip(folder / "talk.mp4", [grey] * frames, RATE, voice)
    write_synthetic_clip(folder / "mute.mp4", [grey] * 10, RATE)
    return open_clip(folder / "talk.mp4")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lipdub.studio.room.default_root", lambda: tmp_path / "work")
    with open_room(Clock(), None, hearing="light") as opened:
        yield opened


SCRIPT = """1
00:00:00,300 --> 00:00:01,500
Hola, hace un momento

2
00:00:02,000 --> 00:00:03,500
era una foto.
"""


def test_orders_that_say_nothing_or_two_things_are_refused() -> None:
    with pytest.raises(OptionError, match="nothing says"):
        check_ways(None, SpeechOptions())
    with pytest.raises(OptionError, match="--audio and --script exclude"):
        check_ways(Path("a.wav"), SpeechOptions(script=Path("a.srt")))
    with pytest.raises(OptionError, match="language"):
        check_ways(None, SpeechOptions(line="Hola"))
    with pytest.raises(OptionError, match="--mix"):
        check_ways(None, SpeechOptions(to="es", mix=True))
    check_ways(Path("a.wav"), SpeechOptions(mix=True))


def test_a_script_becomes_speech_where_the_clip_speaks(clip: Clip, room: Room, crew: Crew, tmp_path: Path) -> None:
    script = tmp_path / "talk.es.srt"
    script.write_text(SCRIPT)
    options = SpeechOptions(script=script, to="es", loudness="web")
    words = words_to_say(clip, options, room)
    assert [line.language for line in words.lines] == ["es", "es"]
    dialogue = spoken(clip, words, options, room.hearing.hear(clip.path, "d"), room)
    whole = clip.span.end - clip.start
    assert abs(probe(dialogue.guide).duration - (whole)) < Fraction(1, 1000)
    assert read_sound(dialogue.track).samples.shape[1] == int(whole * read_sound(dialogue.track).rate)
    account = dialogue.account
    assert account is not None
    assert [line.text for line in account.lines] == ["Hola, hace un momento", "era una foto."]
    assert account.figures["median_onset_error"] < 0.08
    assert account.figures["loudness"] == pytest.approx(-16, abs=0.5)
    assert account.figures["true_peak"] <= -1
    first, second = dialogue.lines
    assert first.span.end <= second.span.start


def test_only_an_edited_line_is_spoken_again(clip: Clip, room: Room, crew: Crew, tmp_path: Path) -> None:
    features = room.hearing.hear(clip.path, "d")
    for text in (SCRIPT, SCRIPT, SCRIPT.replace("una foto", "un retrato")):
        script = tmp_path / "talk.es.srt"
        script.write_text(text)
        options = SpeechOptions(script=script)
        spoken(clip, words_to_say(clip, options, room), options, features, room)
    first = {"Hola, hace un momento", "era una foto."}
    assert set(crew.voice.said[:2]) == first
    assert set(crew.voice.said) - first == {"era un retrato."}
    assert crew.voice.said.count("Hola, hace un momento") == 1


def test_a_language_alone_is_heard_translated_and_kept(clip: Clip, room: Room, crew: Crew) -> None:
    crew.words += [
        Word("hello", Span(Fraction(1, 2), Fraction(9, 10))),
        Word("there.", Span(Fraction(1), Fraction(3, 2))),
    ]
    words = words_to_say(clip, SpeechOptions(to="fr", translator="shout"), room)
    assert [line.text for line in words.lines] == ["[fr] HELLO THERE."]
    assert words.originals == ("hello there.",)
    crew.words.clear()
    again = words_to_say(clip, SpeechOptions(to="fr", translator="shout"), room)
    assert again.lines == words.lines


def test_without_a_translator_a_way_out_is_told(clip: Clip, room: Room, crew: Crew) -> None:
    crew.words.append(Word("hello.", Span(Fraction(1, 2), Fraction(1))))
    with pytest.raises(OptionError, match="--translator"):
        words_to_say(clip, SpeechOptions(to="fr"), room)


def test_one_line_lasts_as_long_as_the_clip_speaks(clip: Clip, room: Room) -> None:
    words = words_to_say(clip, SpeechOptions(line=" Hola  a todos ", to="es"), room)
    (line,) = words.lines
    assert line.text == "Hola a todos"
    assert clip.span.start < line.span.start < line.span.end <= clip.span.end


def test_speakers_get_the_voices_named_for_them(clip: Clip, room: Room, crew: Crew, tmp_path: Path) -> None:
    script = tmp_path / "talk.es.vtt"
    script.write_text("WEBVTT\n\n00:00.300 --> 00:01.500\n<v Ana>Hola\n\n00:02.000 --> 00:03.000\n<v Luis>Buenas\n")
    options = SpeechOptions(script=script, voice=("Ana=hum",))
    dialogue = spoken(clip, words_to_say(clip, options, room), options, None, room)
    assert dialogue.account is not None
    assert [line.voice for line in dialogue.account.lines] == ["fake", "counting"]
    bad = SpeechOptions(script=script, voice=("Eva=hum",))
    with pytest.raises(OptionError, match=r"Eva.*Ana, Luis"):
        spoken(clip, words_to_say(clip, bad, room), bad, None, room)


def test_a_given_track_stays_untouched_unless_it_shall_be_mixed(clip: Clip, room: Room, tmp_path: Path) -> None:
    voice = load_speech("es").sound
    write_wave(tmp_path / "dub.wav", voice)
    plain = brought(clip, tmp_path / "dub.wav", SpeechOptions(), None, room)
    assert plain.track == plain.guide == tmp_path / "dub.wav"
    features = room.hearing.hear(clip.path, "d")
    mixed = brought(clip, tmp_path / "dub.wav", SpeechOptions(mix=True, loudness="web"), features, room)
    assert mixed.guide == tmp_path / "dub.wav"
    assert mixed.track != mixed.guide
    assert mixed.account is not None
    assert mixed.account.figures["loudness"] == pytest.approx(-16, abs=0.5)


def test_the_steps_leave_files_that_can_be_edited(clip: Clip, tmp_path: Path, crew: Crew, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.room.default_root", lambda: tmp_path / "work")
    crew.words += [
        Word("hello", Span(Fraction(1, 2), Fraction(9, 10))),
        Word("there.", Span(Fraction(1), Fraction(3, 2))),
    ]
    steps.hear(clip.path, tmp_path / "talk.en.srt")
    assert [line.text for line in read_script(tmp_path / "talk.en.srt").lines] == ["hello there."]
    steps.adapt(tmp_path / "talk.en.srt", tmp_path / "talk.es.srt", "es", "shout")
    assert [line.text for line in read_script(tmp_path / "talk.es.srt").lines] == ["HELLO THERE."]
    account = steps.speak(tmp_path / "talk.es.srt", tmp_path / "talk.es.wav", clip.path, VoiceOptions())
    assert account.lines[0].text == "HELLO THERE."
    assert abs(probe(tmp_path / "talk.es.wav").duration - (clip.span.end - clip.start)) < Fraction(1, 1000)
    with pytest.raises(OutputError, match="exists"):
        steps.hear(clip.path, tmp_path / "talk.en.srt")


def test_a_mute_clip_is_not_heard(clip: Clip, tmp_path: Path, room: Room, crew: Crew) -> None:
    mute = open_clip(clip.path.with_name("mute.mp4"))
    with pytest.raises(NoSound, match="no sound"):
        words_to_say(mute, SpeechOptions(to="es"), room)
    script = tmp_path / "talk.es.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:00,350\nHola\n")
    options = SpeechOptions(script=script)
    dialogue = spoken(mute, words_to_say(mute, options, room), options, None, room)
    assert read_sound(dialogue.track).samples.any()


def test_each_line_is_said_by_the_face_that_speaks_most_of_it() -> None:
    def line(start: int, end: int) -> Line:
        return Line(f"{start}", Span(Fraction(start), Fraction(end)), "es")

    speaking = {0: (Span(Fraction(0), Fraction(4)),), 1: (Span(Fraction(4), Fraction(9)),)}
    cues = lines_on_faces([line(0, 3), line(3, 8), line(20, 22)], speaking)
    assert [(cue.face, cue.span.start, cue.span.end) for some in cues.values() for cue in some] == [
        (0, 0, 3),
        (1, 4, 8),
    ]


def test_people_are_heard_for_how_high_they_speak(clip: Clip, room: Room) -> None:
    windows = (clip.span,)
    half = (clip.span.start + clip.span.end) / 2
    lines = (
        Line("Hola", Span(clip.span.start, half), "es", "Ana"),
        Line("Sí", Span(half, clip.span.end), "es", "Luis"),
    )
    heights = heights_of(clip, lines, windows)
    assert heights.language == "es"
    assert all(100 < hertz < 300 for hertz in heights.hertz.values())
    assert set(heights.hertz) == {"Ana", "Luis"}
    assert heights_of(clip, lines, ()).hertz == {}


def test_a_separator_of_the_users_leaves_the_music(clip: Clip, room: Room, tmp_path: Path) -> None:
    silence = (
        "import sys, wave\n"
        "stem = wave.open(sys.argv[1], 'wb')\n"
        "stem.setparams((1, 2, 48000, 0, 'NONE', ''))\n"
        "stem.writeframes(bytes(96000))"
    )
    program = f"{sys.executable} -c {shlex.quote(silence)} {{output}} {{input}}"
    write_wave(tmp_path / "dub.wav", load_speech("es").sound)
    features = room.hearing.hear(clip.path, "d")
    options = SpeechOptions(mix=True, loudness="none", separator=program)
    mixed = brought(clip, tmp_path / "dub.wav", options, features, room)
    dub, track = read_sound(tmp_path / "dub.wav", mono=True).samples[0], read_sound(mixed.track, mono=True).samples[0]
    length = min(len(dub), len(track))
    assert np.abs(dub[:length] - track[:length]).max() < 1e-3, "over a silent stem only the dub is heard"
    assert mixed.account is not None
    assert any("took the speech out" in note for note in mixed.account.notes)


def test_music_that_does_not_last_is_told_and_the_mix_is_as_long_as_the_picture(
    clip: Clip, room: Room, crew: Crew, tmp_path: Path
) -> None:
    script = tmp_path / "talk.es.srt"
    script.write_text(SCRIPT)
    low = tmp_path / "music.wav"
    write_wave(low, Sound(np.full((1, 16_000), 0.01, np.float32), 8000))
    options = SpeechOptions(script=script, music_effects=low, loudness="none")
    dialogue = spoken(clip, words_to_say(clip, options, room), options, None, room)
    features = read_sound(dialogue.track)
    assert features.samples.shape[1] == int((clip.span.end - clip.start) * features.rate)
    assert dialogue.account is not None
    assert any("shorter than the clip" in note for note in dialogue.account.notes)
