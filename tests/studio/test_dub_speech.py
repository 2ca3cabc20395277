"""From a script, a line or a language to the sound of a dub: with fakes who hear, translate and speak."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub import plugins, weights
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import MissingExtra, NoSound, OptionError, OutputError, WeightsError
from lipdub.faces.active_speaker import FaceSelector
from lipdub.media.probe import open_clip, probe
from lipdub.media.sound_read import read_sound
from lipdub.review.report import SpeechReport
from lipdub.studio import sound_steps
from lipdub.studio.analysis import Analysis
from lipdub.studio.assemble import music_effects
from lipdub.studio.assemble.soundtrack import make_soundtrack
from lipdub.studio.dub_plan import DubPlan, DubSpeech
from lipdub.studio.job import Job, OutputNames
from lipdub.studio.options import DubOptions, SpeakOptions, SpeechOptions, TranslatorOptions
from lipdub.studio.plan.dub_speech import brought_speech, spoken_speech
from lipdub.studio.plan.face_plans import lines_on_faces
from lipdub.studio.plan.lines import DubLines, lines_to_say
from lipdub.studio.plan.speaker_pitch import speaker_pitch
from lipdub.studio.preflight.request_checks import check_speech, check_ways
from lipdub.studio.session import Session, open_session
from lipdub.studio.speech_account import speech_account
from lipdub.studio.tools import Tools
from lipdub.studio.track_features import clip_features, dub_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line, Word
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_windows
from lipdub.words_to_sound.fake import FakeRecogniser, FakeSeparator, FakeTranslator, FakeVoice
from lipdub.words_to_sound.script.read import read_script
from lipdub.words_to_sound.seam import ModelCard, VoiceReference

RATE = Fraction(25)


@dataclass
class Counting:
    """A voice that remembers what it was asked to say."""

    card: ModelCard = field(default=ModelCard("counting", "Apache-2.0"))
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
class Fakes:
    voice: Counting
    words: list[Word]


@dataclass(frozen=True)
class Spoken:
    """The speech of a dub, the file that is heard, and what the report tells of it."""

    speech: DubSpeech
    track: Path
    account: SpeechReport


def job_of(clip: Clip, speech: SpeechOptions, audio: Path | None = None) -> Job:
    tools = Tools(DubOptions())
    vars(tools)["engine_speaks"] = False
    script = check_speech(clip, audio, speech, tools)
    names, selectors = OutputNames(Path("out.mkv"), Path("out.report.json")), (FaceSelector("auto"),)
    return Job(clip, "", audio, speech, DubOptions(), names, selectors, script, {})


def lines_of(clip: Clip, speech: SpeechOptions, session: Session) -> DubLines:
    source = clip_features(clip, session).features if clip.has_sound else None
    return lines_to_say(clip, speech, job_of(clip, speech).script, source, session)


def spoken(clip: Clip, speech: SpeechOptions, session: Session, audio: Path | None = None) -> Spoken:
    """What the plan and the mix make of a request for speech."""
    job = job_of(clip, speech, audio)
    analysis = Analysis((), (), (), clip_features(clip, session) if clip.has_sound else None)
    if audio is None:
        made = spoken_speech(job, lines_of(clip, speech, session), analysis, session)
    else:
        made = brought_speech(audio, speech.to)
    source = () if analysis.sound is None else source_windows(analysis.sound.features)
    plan = DubPlan(made, dub_features(made.track, clip, session), (), (), (), source_speech=source)
    track = make_soundtrack(job, plan, session)
    return Spoken(made, track.track, speech_account(made, metrics=track.levels, notes=track.notes))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Fakes under the names that are asked for by default."""
    fakes = Fakes(Counting(), [])
    points = {
        "lipdub.voices": [Point("nanotts", lambda detail: fakes.voice), Point("hum", lambda detail: FakeVoice())],
        "lipdub.recognisers": [Point("whisper", lambda detail: FakeRecogniser(tuple(fakes.words)))],
        "lipdub.translators": [Point("shout", lambda detail: FakeTranslator())],
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group: points[group])
    return fakes


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
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    with open_session(DubOptions(speech_features="light")) as opened:
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


def test_lines_that_do_not_fit_can_be_refused(clip: Clip, session: Session, fakes: Fakes, tmp_path: Path) -> None:
    script = tmp_path / "talk.es.srt"
    long = "una frase que es demasiado larga para el tiempo que tiene " * 4
    script.write_text(SCRIPT.replace("Hola, hace un momento", long))
    speech = SpeechOptions(script=script, to="es")
    analysis = Analysis((), (), (), clip_features(clip, session))
    job = replace(job_of(clip, speech), options=DubOptions(if_longer="refuse"))
    with pytest.raises(OptionError, match=r"too much is said for the time of 1 line: 0:00:0\d\.\d{3} by \d+\.\d\d s\."):
        spoken_speech(job, lines_of(clip, speech, session), analysis, session)
    script.write_text(SCRIPT)
    made = spoken_speech(job, lines_of(clip, speech, session), analysis, session)
    assert all(line.missing == 0 for line in made.said)


def test_a_script_becomes_speech_where_the_clip_speaks(
    clip: Clip, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    script = tmp_path / "talk.es.srt"
    script.write_text(SCRIPT)
    options = SpeechOptions(script=script, to="es", loudness="web")
    assert [line.language for line in lines_of(clip, options, session).lines] == ["es", "es"]
    dialogue = spoken(clip, options, session)
    whole = clip.span.end - clip.start
    assert abs(probe(dialogue.speech.track).duration - (whole)) < Fraction(1, 1000)
    assert read_sound(dialogue.track).samples.shape[1] == int(whole * read_sound(dialogue.track).rate)
    account = dialogue.account
    assert [line.text for line in account.lines] == ["Hola, hace un momento", "era una foto."]
    assert account.metrics["median_onset_error"] < 0.08
    assert account.metrics["loudness"] == pytest.approx(-16, abs=0.5)
    assert account.metrics["true_peak"] <= -1
    first, second = dialogue.speech.lines
    assert first.span.end <= second.span.start


def test_only_an_edited_line_is_spoken_again(clip: Clip, session: Session, fakes: Fakes, tmp_path: Path) -> None:
    counts = []
    for text in (SCRIPT, SCRIPT, SCRIPT.replace("una foto", "un retrato")):
        script = tmp_path / "talk.es.srt"
        script.write_text(text)
        options = SpeechOptions(script=script)
        spoken(clip, options, session)
        counts.append(len(fakes.voice.said))
    first = {"Hola, hace un momento", "era una foto."}
    assert set(fakes.voice.said[:2]) == first
    assert {said for said in fakes.voice.said if said not in str(first)} == {"era un retrato."}, (
        "others in parts at most"
    )
    assert counts[0] == counts[1]
    assert set(fakes.voice.said[counts[1] :]) == {"era un retrato."}


def test_a_language_alone_is_heard_translated_and_kept(clip: Clip, session: Session, fakes: Fakes) -> None:
    fakes.words += [
        Word("hello", Span(Fraction(1, 2), Fraction(9, 10))),
        Word("there.", Span(Fraction(1), Fraction(3, 2))),
    ]
    words = lines_of(clip, SpeechOptions(to="fr", translator="shout"), session)
    assert [line.text for line in words.lines] == ["[fr] HELLO THERE."]
    assert words.originals == {"1": "hello there."}
    fakes.words.clear()
    again = lines_of(clip, SpeechOptions(to="fr", translator="shout"), session)
    assert again.lines == words.lines


def test_without_a_translator_a_way_out_is_told(clip: Clip, session: Session, fakes: Fakes) -> None:
    fakes.words.append(Word("hello.", Span(Fraction(1, 2), Fraction(1))))
    with pytest.raises(OptionError, match="--translator"):
        lines_of(clip, SpeechOptions(to="fr"), session)


def test_one_line_lasts_as_long_as_the_clip_speaks(clip: Clip, session: Session) -> None:
    words = lines_of(clip, SpeechOptions(line=" Hola  a todos ", to="es"), session)
    (line,) = words.lines
    assert line.text == "Hola a todos"
    assert clip.span.start < line.span.start < line.span.end <= clip.span.end


def test_speakers_get_the_voices_named_for_them(clip: Clip, session: Session, fakes: Fakes, tmp_path: Path) -> None:
    script = tmp_path / "talk.es.vtt"
    script.write_text("WEBVTT\n\n00:00.300 --> 00:01.500\n<v Ana>Hola\n\n00:02.000 --> 00:03.000\n<v Luis>Buenas\n")
    options = SpeechOptions(script=script, voice=("Ana=hum",))
    dialogue = spoken(clip, options, session)
    assert [line.voice for line in dialogue.account.lines] == ["fake", "counting"]
    bad = SpeechOptions(script=script, voice=("Eva=hum",))
    with pytest.raises(OptionError, match=r"Eva.*Ana, Luis"):
        spoken(clip, bad, session)


def test_a_given_track_stays_untouched_unless_it_shall_be_mixed(clip: Clip, session: Session, tmp_path: Path) -> None:
    voice = load_speech("es").sound
    write_wave(tmp_path / "dub.wav", voice)
    plain = spoken(clip, SpeechOptions(), session, tmp_path / "dub.wav")
    assert plain.track == plain.speech.track == tmp_path / "dub.wav"
    mixed = spoken(clip, SpeechOptions(mix=True, loudness="web"), session, tmp_path / "dub.wav")
    assert mixed.speech.track == tmp_path / "dub.wav"
    assert mixed.track != mixed.speech.track
    assert mixed.account.metrics["loudness"] == pytest.approx(-16, abs=0.5)


def test_the_steps_leave_files_that_can_be_edited(clip: Clip, tmp_path: Path, fakes: Fakes, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    fakes.words += [
        Word("hello", Span(Fraction(1, 2), Fraction(9, 10))),
        Word("there.", Span(Fraction(1), Fraction(3, 2))),
    ]
    sound_steps.transcribe(clip.path, tmp_path / "talk.en.srt")
    assert [line.text for line in read_script(tmp_path / "talk.en.srt").lines] == ["hello there."]
    sound_steps.translate(
        tmp_path / "talk.en.srt", tmp_path / "talk.es.srt", "es", TranslatorOptions(translator="shout")
    )
    assert [line.text for line in read_script(tmp_path / "talk.es.srt").lines] == ["HELLO THERE."]
    account = sound_steps.speak(tmp_path / "talk.es.srt", tmp_path / "talk.es.wav", clip.path, SpeakOptions())
    assert account.lines[0].text == "HELLO THERE."
    assert abs(probe(tmp_path / "talk.es.wav").duration - (clip.span.end - clip.start)) < Fraction(1, 1000)
    with pytest.raises(OutputError, match="exists"):
        sound_steps.transcribe(clip.path, tmp_path / "talk.en.srt")


def test_two_people_with_a_channel_each_are_told_apart(tmp_path: Path, fakes: Fakes, monkeypatch) -> None:
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    voice = load_speech("en").sound
    samples, half = voice.samples[0], voice.samples.shape[1] // 2
    first = np.where(np.arange(len(samples)) < half, samples, 0.1 * samples)
    other = np.where(np.arange(len(samples)) < half, 0.1 * samples, samples)
    write_wave(tmp_path / "call.wav", Sound(np.stack([first, other]).astype(np.float32), voice.rate))
    write_wave(tmp_path / "plain.wav", Sound(np.stack([samples, samples]), voice.rate))
    middle = voice.span.end / 2
    fakes.words += [
        Word(text, Span(middle + shift, middle + shift + Fraction(1, 2)))
        for text, shift in (("Hello", Fraction(-3)), ("you", Fraction(-2)), ("there.", Fraction(1)))
    ]
    said = {}
    for name in ("call", "plain"):
        told = sound_steps.transcribe(tmp_path / f"{name}.wav", tmp_path / f"{name}.srt")
        said[name] = [(line.speaker, line.text) for line in read_script(tmp_path / f"{name}.srt").lines]
        assert any("one person in each channel" in note for note in told.notes) == (name == "call")
    assert said == {"call": [("left", "Hello you"), ("right", "there.")], "plain": [("", "Hello you"), ("", "there.")]}


def test_a_mute_clip_is_not_heard(clip: Clip, tmp_path: Path, session: Session, fakes: Fakes) -> None:
    mute = open_clip(clip.path.with_name("mute.mp4"))
    with pytest.raises(NoSound, match="no sound"):
        lines_of(mute, SpeechOptions(to="es"), session)
    script = tmp_path / "talk.es.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:00,350\nHola\n")
    options = SpeechOptions(script=script)
    dialogue = spoken(mute, options, session)
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


def test_people_are_heard_for_how_high_they_speak(
    clip: Clip, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = (clip.span,)
    half = (clip.span.start + clip.span.end) / 2
    lines = (
        Line("Hola", Span(clip.span.start, half), "es", "Ana"),
        Line("Sí", Span(half, clip.span.end), "es", "Luis"),
    )
    pitch = speaker_pitch(clip, lines, windows, session)
    assert pitch.language == "es"
    assert all(100 < hertz < 300 for hertz in pitch.hertz.values())
    assert set(pitch.hertz) == {"Ana", "Luis"}
    assert speaker_pitch(clip, lines, (), session).hertz == {}
    monkeypatch.setattr("lipdub.studio.plan.speaker_pitch.spooled", None)
    others = tuple(replace(line, text="Otra cosa") for line in lines)
    assert speaker_pitch(clip, others, windows, session) == pitch


def test_people_are_heard_for_how_they_sound(clip: Clip, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    half = (clip.span.start + clip.span.end) / 2
    lines = (
        Line("Hola", Span(clip.span.start, half), "es", "Ana"),
        Line("Sí", Span(half, clip.span.end), "es", "Luis"),
    )
    assert speaker_pitch(clip, lines, (clip.span,), session).traits == {}
    pitch = speaker_pitch(clip, lines, (clip.span,), session, "pitch")
    assert {name: each.hertz for name, each in pitch.traits.items()} == pitch.hertz
    assert all(each.spacing == 0 or 800 < each.spacing < 1500 for each in pitch.traits.values())
    assert any(each.spacing for each in pitch.traits.values())
    assert not any(each.embedding for each in pitch.traits.values())

    monkeypatch.setitem(vars(session.tools), "speaker_network", Path("network"))
    asked: list[Path] = []

    def embedded(file: Path, samples: np.ndarray) -> np.ndarray:
        asked.append(file)
        return np.full(256, 1 / 16, np.float32)

    monkeypatch.setattr("lipdub.studio.plan.speaker_pitch.embed", embedded)
    full = speaker_pitch(clip, lines, (clip.span,), session, "full")
    assert all(len(each.embedding) == 256 for each in full.traits.values())
    assert asked == [Path("network")] * 2
    assert speaker_pitch(clip, lines, (clip.span,), session, "full") == full
    assert len(asked) == 2, "it was kept"


def test_without_its_network_full_likeness_is_refused_before_the_work(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    monkeypatch.delenv("LIPDUB_WEIGHTS", raising=False)
    wanted = SpeechOptions(line="Hola", to="es", voice=("nanotts",), voice_likeness="full")
    with pytest.raises(WeightsError, match="model 'speaker' is not on this machine"):
        job_of(clip, wanted)
    job_of(clip, replace(wanted, voice_likeness="pitch"))
    script = tmp_path / "talk.es.srt"
    script.write_text("1\n00:00:00,000 --> 00:00:01,000\nHola\n", "utf-8")
    with pytest.raises(WeightsError, match="'speaker'"):
        sound_steps.speak(script, tmp_path / "o.wav", None, SpeakOptions(voice=("nanotts",), voice_likeness="full"))


def test_a_separator_of_the_users_leaves_the_music(clip: Clip, session: Session, tmp_path: Path) -> None:
    silence = (
        "import sys, wave\n"
        "stem = wave.open(sys.argv[1], 'wb')\n"
        "stem.setparams((1, 2, 48000, 0, 'NONE', ''))\n"
        "stem.writeframes(bytes(96000))"
    )
    program = f"{sys.executable} -c {shlex.quote(silence)} {{output}} {{input}}"
    write_wave(tmp_path / "dub.wav", load_speech("es").sound)
    options = SpeechOptions(mix=True, loudness="none", separator=program)
    mixed = spoken(clip, options, session, tmp_path / "dub.wav")
    dub, track = read_sound(tmp_path / "dub.wav", mono=True).samples[0], read_sound(mixed.track, mono=True).samples[0]
    length = min(len(dub), len(track))
    assert np.abs(dub[:length] - track[:length]).max() < 1e-3, "over a silent stem only the dub is heard"
    assert any("took the speech out" in note for note in mixed.account.notes)
    assert any("shorter than the clip: silence follows" in note for note in mixed.account.notes), "one second is left"


def separated(
    clip: Clip, session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, gain: float, **options: object
) -> Spoken:
    """A mix for which the separator that is tried by default multiplies speech by ``gain``."""
    monkeypatch.setattr(music_effects, "bed_separator", lambda detail: FakeSeparator(gain))
    write_wave(folder / "dub.wav", Sound(np.zeros((1, 8000), np.float32), 8000))
    return spoken(clip, SpeechOptions(mix=True, loudness="none", **options), session, folder / "dub.wav")


def test_a_bed_under_speech_is_kept_and_told(
    clip: Clip, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = separated(clip, session, tmp_path, monkeypatch, 0.5)
    assert any("fake took the speech out" in note and "0 dB" in note for note in mixed.account.notes)
    track, own = read_sound(mixed.track, mono=True).samples[0], read_sound(clip.path, mono=True).samples[0]
    length = min(len(track), len(own))
    # half of it, lowered by 6 dB more
    assert np.abs(track[:length]).max() == pytest.approx(0.25 * np.abs(own[:length]).max(), rel=0.1)


@pytest.mark.parametrize(("gain", "options"), [(0.01, {}), (0.5, {"separator": "none"}), (0.5, {"duck": -18.0})])
def test_room_tone_takes_the_place_of_speech_if_there_is_no_bed(
    clip: Clip,
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gain: float,
    options: dict[str, object],
) -> None:
    mixed = separated(clip, session, tmp_path, monkeypatch, gain, **options)
    told = [note for note in mixed.account.notes if "room tone is put where the clip speaks" in note]
    assert bool(told) == (not options)
    assert not any("took the speech out" in note for note in mixed.account.notes)


def test_a_missing_extra_leaves_room_tone_and_is_named_if_it_is_asked_for(
    clip: Clip, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(detail: str) -> None:
        raise MissingExtra("it is not installed")

    write_wave(tmp_path / "dub.wav", Sound(np.zeros((1, 8000), np.float32), 8000))
    mixed = spoken(clip, SpeechOptions(mix=True, loudness="none"), session, tmp_path / "dub.wav")
    assert not any("room tone is put" in note for note in mixed.account.notes)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [Point("bed", missing)])
    with pytest.raises(MissingExtra):
        check_speech(clip, tmp_path / "dub.wav", SpeechOptions(mix=True, separator="bed"), session.tools)
    with pytest.raises(OptionError, match="'reed'"):
        check_speech(clip, tmp_path / "dub.wav", SpeechOptions(mix=True, separator="reed"), session.tools)


def test_music_that_does_not_last_is_told_and_the_mix_is_as_long_as_the_picture(
    clip: Clip, session: Session, fakes: Fakes, tmp_path: Path
) -> None:
    script = tmp_path / "talk.es.srt"
    script.write_text(SCRIPT)
    low = tmp_path / "music.wav"
    write_wave(low, Sound(np.full((1, 16_000), 0.01, np.float32), 8000))
    options = SpeechOptions(script=script, music_effects=low, loudness="none")
    dialogue = spoken(clip, options, session)
    features = read_sound(dialogue.track)
    assert features.samples.shape[1] == int((clip.span.end - clip.start) * features.rate)
    assert any("shorter than the clip" in note for note in dialogue.account.notes)
