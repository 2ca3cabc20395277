"""Projects end to end: what is made once is kept, one line is made again, and all else stays as it is."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import lipdub
from lipdub.cli.project_commands import named_options
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.disk.lock_file import create_locked
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import InputError, OptionError, OutputError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.project.remembered_options import combined
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile, NamedPerson, Project
from lipdub.timeline.sound import Sound
from lipdub.words_to_sound.fake import FakeTranslator, FakeVoice
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest, VoiceReference

RATE = Fraction(30000, 1001)
FRAMES = 300
GIVEN = lipdub.DubOptions(
    speech_features="light", consent=True, face=("largest",), engine="fake", page=False, workers=1, overwrite=True
)
LINES = (
    ("0.2", "1.4", "Hola a todos."),
    ("2.2", "3.6", "Buenas noches."),
    ("5.0", "6.4", "Muchas gracias."),
    ("8.0", "9.4", "Adiós."),
)


class Recording:
    """A voice that says every text with recorded syllables, more for longer texts."""

    card = ModelCard("recording", "Apache-2.0")

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        voice = load_speech("es")
        span, _ = voice.phrases[len(line.text) % 2]
        rate = voice.sound.rate
        stop = min(span.start + Fraction(len(line.text), 14), span.end)
        return Sound(voice.sound.samples[:, round(span.start * rate) : round(stop * rate)], rate)


@dataclass(frozen=True)
class Films:
    """A clip of a portrait that sways, and the script for it."""

    clip: Path
    script: Path


@pytest.fixture(scope="module")
def films(models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder = tmp_path_factory.mktemp("films")
    swaying = [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(5)]
    write_synthetic_clip(folder / "talk.mp4", [swaying[i % 5] for i in range(FRAMES)], RATE)
    script = folder / "talk.es.srt"
    script.write_text(
        "".join(f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n\n" for n, (a, b, text) in enumerate(LINES, 1)), "utf-8"
    )
    return Films(folder / "talk.mp4", script)


def stamp(seconds: str) -> str:
    return f"00:00:0{Fraction(seconds) // 1},{int(Fraction(seconds) % 1 * 1000):03d}"


@pytest.fixture
def home(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kept work is shared by the tests of this module; projects and films are not."""
    with_stand_ins(monkeypatch, work)
    return tmp_path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects-work")


def with_stand_ins(patch: pytest.MonkeyPatch, work: Path) -> None:
    """Kept work is in ``work``, and the voice and the engine are quick ones."""
    patch.setattr("lipdub.studio.session.default_root", lambda: work)
    patch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Recording())
    patch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))


def spoken(films: Films) -> lipdub.ProjectOptions:
    speech = lipdub.SpeechOptions(script=films.script, to="es", asr_check=False, subtitles="none")
    return lipdub.ProjectOptions(GIVEN, speech)


PLAIN = lipdub.ProjectOptions(GIVEN, lipdub.SpeechOptions(asr_check=False, subtitles="none"))


@pytest.fixture(scope="module")
def finished(films: Films, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a project was made once."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        with_stand_ins(patch, work)
        lipdub.open_project(folder / "talk.lipdub", films.clip).render("", folder / "one.mp4", spoken(films))
    return folder


@pytest.fixture
def made(films: Films, finished: Path, home: Path) -> OpenProject:
    """A project whose Spanish is made, with the film ``one.mp4``: a copy, which a test may change."""
    shutil.copytree(finished, home, dirs_exist_ok=True)
    return lipdub.open_project(home / "talk.lipdub", films.clip)


def packets(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(packet.pts, bytes(packet)) for packet in file.demux(**{kind: 0}) if packet.size]


def pictures(path: Path) -> list[bytes]:
    return [b"".join(plane.tobytes() for plane in frame.planes) for frame in read_frames(open_clip(path))]


def times(folder: Path, pattern: str) -> dict[str, int]:
    return {str(file.relative_to(folder)): file.stat().st_mtime_ns for file in folder.rglob(pattern)}


def test_what_is_made_is_not_made_again(made: OpenProject, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made
    status = project.status()
    assert [line.state for line in status.languages[0].lines] == ["made"] * 4
    kept = times(home / "talk.lipdub", "*.reel") | times(home / "talk.lipdub", "*.segment")
    assert len(kept) >= 5
    monkeypatch.setattr("lipdub.studio.workers.pool.make_run", nothing)
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", nothing)
    project.render("es", home / "two.mp4", PLAIN)
    assert (home / "two.mp4").read_bytes() == (home / "one.mp4").read_bytes()
    assert kept == times(home / "talk.lipdub", "*.reel") | times(home / "talk.lipdub", "*.segment")


def nothing(*_: object) -> Iterator[int]:
    raise AssertionError("this was made before")


def test_one_line_is_made_again_and_all_else_stays(films: Films, made: OpenProject, home: Path) -> None:
    project = made
    before, pieces = times(home / "talk.lipdub", "*.reel"), times(home / "talk.lipdub", "sound/es/*")
    take = project.redo("es", "3", lipdub.LineChange(text="Gracias a todos ustedes."), PLAIN, home / "two.mp4")
    assert (take.line, take.number, take.recipe.text) == ("3", 2, "Gracias a todos ustedes.")
    assert before.items() <= times(home / "talk.lipdub", "*.reel").items()
    after = times(home / "talk.lipdub", "sound/es/*")
    assert len(after) == len(pieces) == 3
    assert after != pieces
    first, last = float(LINES[1][1]) + 0.2, float(LINES[3][0]) - 0.2  # the slot of line 3 lies between
    instants = open_clip(films.clip).times
    seconds = [float(instants.instant(i)) for i in range(FRAMES)]
    one, two = pictures(home / "one.mp4"), pictures(home / "two.mp4")
    changed = [at for at, a, b in zip(seconds, one, two, strict=True) if a != b]
    assert changed
    assert first < min(changed)
    assert max(changed) < last
    heard = [read_samples(home / name) for name in ("one.mp4", "two.mp4")]
    differ = np.flatnonzero(np.abs(heard[0] - heard[1]).max(0) > 1e-4) / 48_000
    assert len(differ)
    assert first < differ.min()
    assert differ.max() < last
    assert [t.number for t in project.takes("es", "3")] == [1, 2]
    project.choose("es", "3", 1)
    project.render("es", home / "three.mp4", PLAIN)
    assert (home / "three.mp4").read_bytes() == (home / "one.mp4").read_bytes()


def test_a_line_made_again_that_is_too_long_is_put_shorter_by_the_translator(
    films: Films, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Shortening(FakeTranslator):
        def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
            asked.extend((r.line.text, r.line.language, r.too_long) for r in requests)
            return super().translate(requests, language)

    monkeypatch.setattr("lipdub.studio.tools.translator_named", lambda name, source, target: Shortening())
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: FakeVoice())
    script = home / "talk.en.srt"
    script.write_text(films.script.read_text("utf-8"), "utf-8")
    speech = lipdub.SpeechOptions(script=script, to="es", translator="fake", asr_check=False, subtitles="none")
    project = lipdub.open_project(home / "talk.lipdub", films.clip)
    plan = project.plan(given=lipdub.ProjectOptions(GIVEN, speech))
    assert plan.source_language == project.language_plan("es").source_language == "en"
    asked.clear()
    long = (
        "Una frase que dura mucho más de lo que cabe en el tiempo de esta línea, sin ninguna duda y sin remedio alguno"
    )
    take = project.redo("es", "3", lipdub.LineChange(text=long), PLAIN)
    assert asked
    assert asked[0] == (plan.originals["3"], "en", long)
    assert take.recipe.text == long
    assert take.voice is not None
    assert len(take.voice.text) < len(long)


def read_samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], 1)


def test_only_edited_lines_of_a_plan_are_made(made: OpenProject, home: Path) -> None:
    project = made
    file = home / "talk.lipdub" / "plans" / "es.json"
    told = json.loads(file.read_text("utf-8"))
    told["lines"][0]["text"] = "Buenos días a todo el mundo."
    told["lines"][3]["leave"] = True
    file.write_text(json.dumps(told), "utf-8")
    assert [line.state for line in project.status().languages[0].lines] == ["changed", "made", "made", "left"]
    report = project.render("es", home / "two.mp4", PLAIN)
    assert report.speech is not None
    assert [line.text for line in report.speech.lines] == [
        "Buenos días a todo el mundo.",
        "Buenas noches.",
        "Muchas gracias.",
    ]
    takes = LineTakes(project.folder, "es")
    assert [len(takes.complete(str(line))) for line in (1, 2, 3, 4)] == [2, 1, 1, 1]
    assert any(left.reason == "left as filmed, as was asked" for left in report.passthrough)
    told["lines"][0]["text"] = "Hola a todos."
    told["lines"][3]["leave"] = False
    file.write_text(json.dumps(told), "utf-8")
    project.render("es", home / "three.mp4", PLAIN)
    assert [len(takes.complete(str(line))) for line in (1, 2, 3, 4)] == [2, 1, 1, 1], "takes with that recipe are there"
    assert (home / "three.mp4").read_bytes() == (home / "one.mp4").read_bytes()


def test_a_take_that_is_damaged_is_made_again(made: OpenProject, home: Path) -> None:
    project = made
    reel = next((home / "talk.lipdub" / "takes" / "es" / "2").rglob("*.reel"))
    reel.unlink()
    shutil.rmtree(home / "talk.lipdub" / "segments")
    project.render("es", home / "two.mp4", PLAIN)
    assert (home / "two.mp4").read_bytes() == (home / "one.mp4").read_bytes()


def test_what_a_run_that_was_ended_left_half_written_is_no_part_of_a_take(made: OpenProject, home: Path) -> None:
    project = made
    (folder,) = LineTakes(project.folder, "es").all("2")
    (folder.path / "take.json").unlink()
    (folder.path / "take.part.json").write_text("{")
    project.render("es", home / "two.mp4", PLAIN)
    (complete,) = LineTakes(project.folder, "es").complete("2")
    assert complete.number == 1
    assert not list(folder.path.rglob("*.part.*"))


def test_a_finished_dub_track_has_lines_and_takes_too(films: Films, home: Path) -> None:
    voice = load_speech("es").sound
    words = voice.samples[:, voice.rate // 2 : voice.rate * 5 // 2]
    pause = np.zeros((1, voice.rate), np.float32)
    write_wave(home / "es.wav", Sound(np.concatenate([words, pause, words, pause, words], 1), voice.rate))
    project = lipdub.open_project(home / "track.lipdub", films.clip)
    options = lipdub.ProjectOptions(replace(GIVEN, language="es"))
    project.render("", home / "one.mp4", options, home / "es.wav")
    lines = project.language_plan("es").lines
    assert len(lines) >= 3
    louder = np.concatenate([words, pause, words, pause, words[:, ::-1]], 1)
    write_wave(home / "es.wav", Sound(np.ascontiguousarray(louder), voice.rate))
    project.render("", home / "two.mp4", options, home / "es.wav")
    takes = LineTakes(project.folder, "es")
    counts = [len(takes.complete(planned.line.id)) for planned in lines]
    assert counts[0] == 1
    assert sum(counts) > len(lines), "the part that changed was made again"


def test_a_project_can_be_moved_with_its_source(films: Films, home: Path) -> None:
    (home / "here").mkdir()
    clip = shutil.copy(films.clip, home / "here" / "talk.mp4")
    project = lipdub.open_project(home / "here" / "talk.lipdub", clip)
    project.render("", home / "one.mp4", spoken(films))
    (home / "here").rename(home / "there")
    moved = lipdub.open_project(home / "there" / "talk.lipdub")
    moved.render("es", home / "two.mp4", PLAIN)
    assert (home / "two.mp4").read_bytes() == (home / "one.mp4").read_bytes()
    assert moved.project.source.path == (home / "there" / "talk.mp4").absolute()


def test_what_cannot_be_done_is_told(films: Films, home: Path) -> None:
    with pytest.raises(InputError, match="no lipdub project here"):
        lipdub.open_project(home / "none.lipdub")
    project = lipdub.open_project(home / "talk.lipdub", films.clip)
    with pytest.raises(OptionError, match="no plan yet"):
        project.render("es", home / "one.mp4", lipdub.ProjectOptions(GIVEN))
    assert not (home / "talk.lipdub").exists()
    plan = project.plan(given=spoken(films))
    assert [planned.line.text for planned in plan.lines] == [text for _, _, text in LINES]
    assert not (home / "talk.lipdub" / "takes").exists(), "nothing is made by a plan"
    with pytest.raises(OptionError, match="has a plan for 'es' already"):
        project.plan(given=spoken(films))
    with pytest.raises(InputError, match=r"there is no line 9 \(lines: 1 to 4\)"):
        project.redo("es", "9")
    with pytest.raises(InputError, match=r"has no take 1 \(complete takes: none\)"):
        project.choose("es", "1", 1)
    with pytest.raises(InputError, match=r"no plan for 'fr' \(plans: es\)"):
        project.takes("fr", "1")
    held = create_locked(home / "talk.lipdub", ".run-")
    with pytest.raises(OutputError, match="another run of lipdub works in this project"):
        project.redo("es", "1")
    held.path.unlink()
    held.release()
    other = home / "other.mp4"
    write_synthetic_clip(other, [np.zeros((64, 64, 3), np.uint8)] * 5, RATE)
    with pytest.raises(InputError, match="not the file that the project was begun with"):
        lipdub.open_project(home / "talk.lipdub", other).render("es", home / "one.mp4", PLAIN)
    with pytest.raises(OptionError, match="holds nothing to say"):
        project.redo("es", "1", lipdub.LineChange(text="  "))
    assert not (home / "one.mp4").exists()


SHORT = 50


@pytest.fixture(scope="module")
def short(models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "talk.mp4"
    write_synthetic_clip(path, [np.roll(portrait, (i % 5) - 2, axis=1) for i in range(SHORT)], RATE)
    return path


def longer_track(clip: Path, folder: Path) -> Path:
    """A Spanish dub that is a third of a second longer than the picture, and speaks to its end."""
    voice = load_speech("es").sound
    first = voice.rate // 2
    stop = first + round((open_clip(clip).span.duration + Fraction(1, 3)) * voice.rate)
    write_wave(folder / "talk.es.wav", Sound(voice.samples[:, first:stop], voice.rate))
    return folder / "talk.es.wav"


@pytest.mark.parametrize("how", ["hold", "bounce", "slow"])
def test_the_picture_of_a_project_is_made_as_long_as_its_dub_track(short: Path, home: Path, how: str) -> None:
    track = longer_track(short, home)
    longer = replace(GIVEN, if_longer=how, language="es")
    plain = lipdub.dub(short, audio=track, output=home / "plain.mp4", options=longer)
    project = lipdub.open_project(home / f"{how}.lipdub", short)
    report = project.render("es", home / "one.mp4", lipdub.ProjectOptions(longer), audio=track)
    assert report.length == plain.length
    assert report.length is not None
    assert report.length.kind == how
    assert project.project.frames == SHORT
    assert (report.length.frames > 4) == (how != "slow")
    assert packets(home / "one.mp4", "video") == packets(home / "plain.mp4", "video")
    again = project.render("es", home / "two.mp4", PLAIN)
    assert again.length == report.length
    assert packets(home / "two.mp4", "video") == packets(home / "one.mp4", "video")
    last = project.status().languages[0].lines[-1].planned.line.id
    project.redo("es", last, lipdub.LineChange(seed=5), PLAIN, home / "three.mp4")
    assert len(pictures(home / "three.mp4")) == report.output.frames
    assert len(project.people(PLAIN)) == 1


def test_another_way_to_make_the_picture_longer_makes_its_lines_anew(short: Path, home: Path) -> None:
    track = longer_track(short, home)
    project = lipdub.open_project(home / "talk.lipdub", short)
    for number, how in enumerate(("cut", "bounce", "cut")):
        options, film = replace(GIVEN, if_longer=how, language="es"), home / f"{number}.mp4"
        given = lipdub.ProjectOptions(options, named=frozenset({"if_longer"}))
        project.render("es", film, given, audio=track)
        plain = lipdub.dub(short, audio=track, output=home / "plain.mp4", options=options)
        assert packets(film, "video") == packets(home / "plain.mp4", "video"), how
        assert len(open_clip(film)) == plain.output.frames
        assert project.project.options.get("if_longer", "cut") == how


def test_options_that_are_named_hold_even_at_their_defaults() -> None:
    project = Project(InputFile(Path("talk.mp4"), ""), 1, (), {}, {"seed": 3, "if_longer": "hold", "duck": -6.0})
    named = named_options(["dub", "--project", "x", "--seed", "0", "--if-longer=cut", "--no-page"])
    assert {"seed", "if_longer", "page"} <= named
    options, speech = combined(project, lipdub.ProjectOptions(named=named), Path("project.json"))
    assert (options.seed, options.if_longer, speech.duck) == (0, "cut", -6.0)
    options, speech = combined(project, lipdub.ProjectOptions(), Path("project.json"))
    assert (options.seed, options.if_longer, speech.duck) == (3, "hold", -6.0)


def test_people_are_named(films: Films, home: Path) -> None:
    project = lipdub.open_project(home / "talk.lipdub", films.clip)
    project.plan(given=spoken(films))
    (person,) = project.people(PLAIN)
    assert (person.id, person.name) == ("1", "")
    project.name_person("1", "Ana", PLAIN)
    (person,) = project.people(PLAIN)
    assert person.name == "Ana"
    assert project.same_person("1", ()).people[0].name == "Ana"
    with pytest.raises(OptionError, match="person 1 is seen nowhere else"):
        project.part_person("1", [person.spans[0].start])
    with pytest.raises(OptionError, match=r"there is no person '1b' \(people: 1\)"):
        project.part_person("1b", [Fraction(0)])
    with pytest.raises(InputError, match=r"nobody is known as '7'.*People: 1"):
        project.name_person("7", "Nobody", PLAIN)
    project.folder.save(project.project.with_person(NamedPerson("7", "Nobody")))
    with pytest.raises(InputError, match="there is no person '7'"):
        project.people(PLAIN)


class Talkative(Recording):
    """A voice that says everything three times."""

    def speak(self, line: Line, pace: float = 1.0, reference: VoiceReference | None = None) -> Sound:
        once = super().speak(line, pace)
        return Sound(np.tile(once.samples, (1, 3)), once.rate)


def test_a_line_that_is_made_before_the_others_leaves_them_their_time(
    films: Films, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipdub.words_to_sound.voices.assign.voice_named", lambda text: Talkative())
    project = lipdub.open_project(home / "talk.lipdub", films.clip)
    project.plan(given=spoken(films))
    take = project.redo("es", "1", given=PLAIN)
    assert take.voice is not None
    assert take.voice.missing > 0
    assert take.voice.span.end <= Fraction("2.2"), "when the second line begins"


def test_a_plan_names_people_by_id_or_name(films: Films, home: Path) -> None:
    project = lipdub.open_project(home / "talk.lipdub", films.clip)
    project.plan(given=spoken(films))
    project.name_person("1", "Ana", PLAIN)
    file = project.folder.plan("es")
    plan = json.loads(file.read_text("utf-8"))
    plan["lines"][1]["person"] = "Ana"
    file.write_text(json.dumps(plan), "utf-8")
    project.render("es", home / "one.mp4", PLAIN)
    assert [take.recipe.person for take in project.takes("es", "2")] == ["1"]
    plan["lines"][2]["person"] = "Eva"
    file.write_text(json.dumps(plan), "utf-8")
    with pytest.raises(InputError, match=r"line 3: person: there is no person 'Eva' .*people: 1 \(Ana\)"):
        project.render("es", home / "two.mp4", PLAIN)
    assert not (home / "two.mp4").exists()


class Stopped(Exception):
    """What a listener raises to cancel the work."""


def test_work_that_was_cancelled_goes_on(films: Films, made: OpenProject, home: Path) -> None:
    seen: list[str] = []

    def listener(stage: str, done: int, total: int) -> None:
        seen.append(stage)
        if stage == "render" and done:
            raise Stopped

    project = lipdub.open_project(home / "again.lipdub", films.clip, lipdub.Caller(listener))
    with pytest.raises(Stopped):
        project.render("", home / "two.mp4", spoken(films))
    assert {"preflight", "analyse", "speak", "render"} <= set(seen)
    assert not (home / "two.mp4").exists()
    finished = times(home / "again.lipdub", "*.segment")
    assert finished
    lipdub.open_project(home / "again.lipdub").render("es", home / "two.mp4", PLAIN)
    assert finished.items() <= times(home / "again.lipdub", "*.segment").items()
    assert (home / "two.mp4").read_bytes() == (home / "one.mp4").read_bytes()
