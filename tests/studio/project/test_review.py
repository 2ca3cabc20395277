"""A made project is reviewed: lines are heard, edited while a film is made, made again together, left as filmed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import review_stand_in
from review_stand_in import GIVEN, PLAIN, SPOKEN, put_in_place

import lipdub
from lipdub.cli.project_tables import status_json, status_rows
from lipdub.demo.media_files import write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError, OptionError
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.studio.project.edits import InsertLine, RemoveLine, SetLine
from lipdub.studio.project.line_flags import line_flags
from lipdub.studio.project.open_project import OpenProject
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder; what is kept, the voice and the engine are those of this module."""
    folder = tmp_path_factory.mktemp("review")
    with pytest.MonkeyPatch.context() as patch:
        put_in_place(patch, folder / "work")
        yield folder


@pytest.fixture(scope="module")
def finished(patched: Path, talk: Any) -> Path:
    """The folder of a project whose Spanish is made, with its source and the film ``one.mp4``."""
    home = patched / "finished"
    home.mkdir()
    shutil.copy(talk.clip, home / "talk.mp4")
    project = lipdub.open_project(home / "talk.lipdub", home / "talk.mp4")
    speech = lipdub.SpeechOptions(script=talk.script, to="es", asr_check=False, subtitles="none")
    project.render("", home / "one.mp4", lipdub.ProjectOptions(GIVEN, speech))
    return home


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    SPOKEN.clear()
    return tmp_path


def opened(home: Path, listener: object = None) -> OpenProject:
    caller = lipdub.Caller() if listener is None else lipdub.Caller(listener)  # type: ignore[arg-type]
    return lipdub.open_project(home / "talk.lipdub", caller=caller)


def states(project: OpenProject) -> dict[str, str]:
    return {line.planned.line.id: line.state for line in project.language_status("es").lines}


def pictures(path: Path) -> list[bytes]:
    return [b"".join(plane.tobytes() for plane in frame.planes) for frame in read_frames(open_clip(path))]


def test_a_line_is_heard_before_it_is_made_and_not_spoken_again(home: Path) -> None:
    project = opened(home)
    change = lipdub.LineChange(text="Hablamos de pan y de agua", offset=Fraction(1, 10))
    plan = project.folder.plan("es").read_bytes()
    with project.folder.locked():  # while a run works in the project, too
        heard = project.hear("es", "2", change, PLAIN)
    assert SPOKEN
    assert set(SPOKEN) == {"Hablamos de pan y de agua"}
    assert project.folder.plan("es").read_bytes() == plan
    assert (heard.text, heard.file.suffix) == ("Hablamos de pan y de agua", ".flac")
    assert project.hear("es", "2", change, PLAIN) == heard
    SPOKEN.clear()
    take = project.redo("es", "2", change, PLAIN)
    assert SPOKEN == []
    assert take.voice is not None
    assert (take.voice.span, take.voice.rate, take.voice.missing) == (heard.span, heard.rate, heard.missing)
    sound = read_sound(heard.file)
    kept = np.load(take.voice.file)
    assert sound.rate == 48_000
    assert np.abs(sound.samples[0] - kept.reshape(-1)).max() < 2**-22
    assert project.hear_take("es", "2", 2).span == heard.span
    assert project.hear_take("es", "2", 1).text == "Hablamos de pan."
    with pytest.raises(InputError, match="has no take 7"):
        project.hear_take("es", "2", 7)


def test_what_is_made_is_heard_without_a_run(home: Path) -> None:
    project = opened(home)
    (home / "talk.mp4").unlink()
    heard = project.hear("es", "3")
    assert heard.text == "Mucha paciencia."
    assert SPOKEN == []
    with av.open(str(heard.file)) as file:
        assert file.streams.audio[0].codec_context.name == "flac"


def test_a_line_that_is_not_said_cannot_be_heard(home: Path) -> None:
    project = opened(home)
    with pytest.raises(OptionError, match=r"line 2 is not said: .*nothing to be said"):
        project.hear("es", "2", lipdub.LineChange(text="..."), PLAIN)
    project.with_ranges([Span(Fraction(1), Fraction(2))])
    with pytest.raises(OptionError, match="line 2 is left as filmed"):
        project.hear("es", "2", lipdub.LineChange(text="Otra cosa"), PLAIN)


def test_a_line_of_a_finished_dub_track_is_its_part(patched: Path, home: Path) -> None:
    voice = load_speech("es").sound
    write_wave(home / "es.wav", Sound(voice.samples[:, : voice.rate * 5], voice.rate))
    project = lipdub.open_project(home / "track.lipdub", home / "talk.mp4")
    plan = project.plan(home / "es.wav", lipdub.ProjectOptions(replace(GIVEN, language="es")))
    line = plan.lines[0].line
    heard = project.hear("es", line.id)
    assert heard.source_span == line.span
    sound = read_sound(heard.file)
    assert abs(sound.span.duration - heard.span.duration) <= Fraction(1, sound.rate)
    first = round(heard.span.start * voice.rate)
    whole = read_sound(home / "es.wav").samples
    assert np.array_equal(sound.samples, whole[:, first : first + sound.samples.shape[1]])
    (home / "es.wav").unlink()
    with pytest.raises(InputError, match="the dub track is not there"):
        project.hear("es", line.id)


def test_edits_while_a_film_is_made_are_kept(home: Path) -> None:
    edited: list[str] = []

    def listener(stage: str, done: int, total: int) -> None:
        if stage == "render" and not edited:
            other = opened(home)
            new = PlannedLine(Line("Una línea nueva", Span(Fraction(61, 10), Fraction(63, 10))))
            edits = [
                SetLine("1", {"text": "Buenos días a todos", "note": "longer"}),
                SetLine("3", {"verdict": "rejected"}),
                RemoveLine("6"),
                InsertLine(new),
                SetLine("2", {"voice": "other"}),
            ]
            edited.extend(other.edit("es", edits, other.reviewed("es").revision).changed)

    project = opened(home, listener)
    change = lipdub.LineChange(text="Se habla de pan", seed=4)
    take = project.redo("es", "2", change, PLAIN, home / "two.mp4")
    assert set(edited) == {"1", "2", "3", "7"}
    assert (take.number, take.recipe.text) == (2, "Se habla de pan")
    now = project.reviewed("es")
    lines = {p.line.id: p for p in now.plan.lines}
    assert list(lines) == ["1", "2", "3", "4", "5", "7"]
    assert (lines["1"].line.text, lines["1"].take, now.marks.of("1").note) == ("Buenos días a todos", 1, "longer")
    second = lines["2"]
    assert (second.line.text, second.seed, second.take, second.voice) == ("Se habla de pan", 4, 2, "other")
    assert now.marks.of("3").verdict == "rejected"
    expected = {"1": "changed", "2": "changed", "3": "left", "4": "made", "5": "changed", "7": "missing"}
    assert states(project) == expected, "line 5 has the time of line 6, too"
    stale = project.stale("es")
    assert stale.lines == ("1", "2", "5", "7")
    assert stale.seconds is not None
    assert stale.seconds > 0
    assert stale.film_seconds is not None


def test_stale_lines_are_made_together(home: Path) -> None:
    project = opened(home)
    assert project.stale("es").lines == ()
    assert project.stale("es").seconds == 0
    project.edit("es", [SetLine("1", {"text": "Buenas tardes"}), SetLine("5", {"text": "De nada"})])
    assert project.stale("es").lines == ("1", "5")
    takes = project.redo_lines("es", ["5", "1"], PLAIN)
    assert [(take.line, take.number, take.recipe.text) for take in takes] == [
        ("5", 2, "De nada"),
        ("1", 2, "Buenas tardes"),
    ]
    assert set(states(project).values()) == {"made"}
    back = project.edit("es", [SetLine("1", {"text": "Buenos días."})])
    assert states(project)["1"] == "changed"
    assert project.stale("es").lines == ("1",)
    assert project.stale("es").seconds == 0, "there is a take that fits"
    (take,) = project.redo_lines("es", ["1"], PLAIN, anew=False)
    assert take.number == 1
    assert states(project)["1"] == "made"
    (take,) = project.redo_lines("es", ["1"], PLAIN, home / "two.mp4")
    assert take.number == 3
    assert (home / "two.mp4").exists()
    project.edit("es", [SetLine("1", {"verdict": "rejected"})], back.revision)
    with pytest.raises(OptionError, match="line 1 is left as filmed"):
        project.redo_lines("es", ["1", "2"], PLAIN)
    with pytest.raises(InputError, match="there is no line 9"):
        project.redo_lines("es", ["9"], PLAIN)


def test_a_line_that_is_moved_is_stale_and_so_is_the_one_beside_it(home: Path) -> None:
    project = opened(home)
    moved = project.edit("es", [SetLine("3", {"start": Fraction(23, 10)})])
    assert {line for line, state in states(project).items() if state == "changed"} == {"2", "3"}
    project.redo_lines("es", ["2", "3"], PLAIN)
    assert set(states(project).values()) == {"made"}
    project.edit("es", moved.undo)
    assert project.stale("es").seconds == 0, "the first takes fit again"
    project.render("es", home / "two.mp4", PLAIN)
    assert (home / "two.mp4").read_bytes() == (home / "one.mp4").read_bytes()
    assert set(states(project).values()) == {"made"}


def test_ranges_that_are_not_dubbed_are_remembered(home: Path) -> None:
    project = opened(home)
    ranges = (Span(Fraction(21, 10), Fraction(1067, 350)), Span(Fraction(43, 10), Fraction(46, 10)))
    project.with_ranges(ranges)
    assert opened(home).ranges == ranges
    assert states(project) == {"1": "made", "2": "made", "3": "left", "4": "made", "5": "changed", "6": "made"}
    project.render("es", home / "two.mp4", PLAIN)
    assert states(project) == {"1": "made", "2": "made", "3": "left", "4": "made", "5": "made", "6": "made"}
    filmed, dubbed = pictures(home / "talk.mp4"), pictures(home / "two.mp4")
    rate = Fraction(25)
    inside = [
        i for i in range(len(filmed)) if any(span.start + Fraction(1, 5) < i / rate < span.end for span in ranges)
    ]
    close = [
        np.abs(np.frombuffer(filmed[i], np.uint8).astype(int) - np.frombuffer(dubbed[i], np.uint8)).max()
        for i in inside
    ]
    assert max(close) < 40, "encoded again at most, and no mouth is painted"
    one = pictures(home / "one.mp4")
    painted = [
        np.abs(np.frombuffer(filmed[i], np.uint8).astype(int) - np.frombuffer(one[i], np.uint8)).max() for i in inside
    ]
    assert max(painted) > 60
    project.with_ranges([])
    assert project.ranges == ()
    assert project.stale("es").seconds == 0
    project.render("es", home / "three.mp4", PLAIN)
    assert (home / "three.mp4").read_bytes() == (home / "one.mp4").read_bytes()
    assert set(states(project).values()) == {"made"}
    with pytest.raises(OptionError, match="is no part of the clip"):
        project.with_ranges([Span(Fraction(1), Fraction(1))])


def test_a_part_that_was_skipped_at_first_is_dubbed_later(home: Path, talk: Any) -> None:
    speech = lipdub.SpeechOptions(script=talk.script, to="es", asr_check=False, subtitles="none")
    project = lipdub.open_project(home / "late.lipdub", home / "talk.mp4")
    project.plan(given=lipdub.ProjectOptions(GIVEN, speech))
    project.with_ranges([Span(Fraction(21, 10), Fraction(61, 20))])
    first = project.render("es", home / "late.mp4", PLAIN)
    assert first.speech is not None
    assert "Mucha paciencia." not in [line.text for line in first.speech.lines]
    assert project.takes("es", "3") == ()
    project.with_ranges([])
    assert states(project)["3"] == "missing"
    later = project.render("es", home / "late.mp4", PLAIN)
    assert later.speech is not None
    assert "Mucha paciencia." in [line.text for line in later.speech.lines]
    assert any(cue.cue.line_id == "3" and cue.changed for cue in later.cues)


def test_takes_tell_what_to_look_at(home: Path) -> None:
    project = opened(home)
    long = "Una frase que dura mucho más de lo que cabe en el tiempo de esta línea, sin ninguna duda y sin remedio"
    project.redo("es", "2", lipdub.LineChange(text=long), PLAIN)
    status = {line.planned.line.id: line for line in project.language_status("es").lines}
    kinds = {flag.kind: flag.text for flag in line_flags(status["2"])}
    assert "fast" in kinds or "end_cut" in kinds
    assert all(text for text in kinds.values())
    assert {flag.kind for flag in line_flags(replace(status["3"], word_errors=0.5))} >= {"words"}
    unsure = replace(status["3"], planned=replace(status["3"].planned, person=None))
    assert "unsure" in {flag.kind for flag in line_flags(unsure)}
    assert line_flags(replace(status["2"], state="left")) == ()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_runs_that_are_killed_while_lines_are_edited_lose_no_edit(home: Path, patched: Path) -> None:
    project, chance = opened(home), random.Random(5)
    words = [sys.executable, review_stand_in.__file__, str(patched / "work")]
    wanted: dict[str, str] = {}
    for turn in range(int(os.environ.get("LIPDUB_KILLS", "4"))):
        project.edit("es", [SetLine(line, {"seed": 10 * turn + int(line)}) for line in ("1", "4", "6")])
        seen = 0
        with subprocess.Popen(
            [*words, str(home / "talk.lipdub"), str(home / "two.mp4")], stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            last = chance.choice(("preflight", "speak", "render", "assemble", "deliver"))
            for row in run.stdout:
                seen += 1
                line = str(chance.randint(1, 6))
                text = f"turn {turn} at {seen}"
                project.edit("es", [SetLine(line, {"note": text})])
                wanted[line] = text
                if row.strip() == last:
                    break
            os.kill(run.pid, signal.SIGKILL)
            run.stdout.read()
        assert seen
        now = project.reviewed("es")
        assert {line: now.marks.of(line).note for line in wanted} == wanted
        seeds = {p.line.id: p.seed for p in now.plan.lines}
        assert [seeds[line] for line in ("1", "4", "6")] == [10 * turn + int(line) for line in ("1", "4", "6")]
    project.render("es", home / "two.mp4", PLAIN)
    assert set(states(project).values()) == {"made"}
    assert not list((home / "talk.lipdub").glob(".*"))


def test_status_and_markers_tell_what_reviewers_decided(home: Path) -> None:
    pytest.importorskip("opentimelineio")
    project = opened(home)
    edits = [SetLine("2", {"verdict": "accepted", "note": "lovely"}), SetLine("4", {"verdict": "rejected"})]
    project.edit("es", edits)
    status = project.status()
    assert status.languages[0].verdicts == {"unchecked": 4, "accepted": 1, "rejected": 1}
    rows = "\n".join(status_rows(status, "es"))
    assert "es: 5 made, 1 left; 1 accepted, 1 rejected" in rows
    assert "accepted; note: lovely" in rows
    lines = {line["id"]: line for line in json.loads(status_json(status))["languages"]["es"]["lines"]}
    assert (lines["2"]["verdict"], lines["2"]["note"], lines["4"]["state"]) == ("accepted", "lovely", "left")
    project.export("es", home / "talk.otio")
    told = (home / "talk.otio").read_text("utf-8")
    assert '"review": "accepted"' in told
    assert '"note": "lovely"' in told


def test_a_take_that_is_chosen_while_others_are_made_stays_chosen(home: Path) -> None:
    opened(home).redo("es", "4", lipdub.LineChange(seed=9), PLAIN)
    chosen: list[int] = []

    def listener(stage: str, done: int, total: int) -> None:
        if stage == "render" and not chosen:
            chosen.append(opened(home).choose("es", "4", 1).number)

    project = opened(home, listener)
    project.redo("es", "2", lipdub.LineChange(seed=5), PLAIN)
    lines = {p.line.id: p for p in project.language_plan("es").lines}
    assert chosen == [1]
    assert (lines["4"].take, lines["4"].seed, lines["2"].take) == (1, None, 2)
