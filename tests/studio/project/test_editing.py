"""Edits of a project on the disk: none is lost, whoever else writes, and whenever a program is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from drawn_project import drawn_project, planned_line

import lipdub
from lipdub.disk.lock_file import held_alone
from lipdub.errors import ChangedMeanwhile, InputError, OptionError, OutputError
from lipdub.studio.project import project_folder
from lipdub.studio.project.edits import Edit, InsertLine, MergeLines, RemoveLine, SetLine, SplitLine
from lipdub.studio.project.make_takes import save_ended
from lipdub.studio.project.marks_file import marks_text, read_marks
from lipdub.studio.project.merge_plans import merge_plans
from lipdub.timeline.review_marks import LineMark, ReviewMarks


def test_edits_are_kept_and_undone(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 5)
    first = project.reviewed("es")
    wanted: list[Edit] = [
        SetLine("1", {"text": "Hola", "note": "short", "verdict": "accepted"}),
        SplitLine("2", Fraction(9, 4)),
        MergeLines("4", "5"),
        RemoveLine("3"),
        InsertLine(planned_line(9, "Nueva")),
    ]
    done = project.edit("es", wanted, first.revision)
    again = lipdub.open_project(tmp_path / "talk.lipdub").reviewed("")
    assert (again.plan, again.marks, again.revision) == (done.plan, done.marks, done.revision)
    assert again.marks.of("1") == LineMark("accepted", "short", again.marks.of("1").seen)
    assert set(done.removed) == {"3", "5"}
    assert json.loads((tmp_path / "talk.lipdub" / "marks" / "es.json").read_text("utf-8"))["lipdub"] == "marks"
    back = project.edit("es", done.undo, done.revision)
    assert (back.plan, back.marks.lines, back.revision) == (first.plan, first.marks.lines, first.revision)
    unchanged = [file.stat().st_mtime_ns for file in (project.folder.plan("es"), project.folder.marks("es"))]
    project.edit("es", [SetLine("1", {"text": first.plan.lines[0].line.text})])
    assert [f.stat().st_mtime_ns for f in (project.folder.plan("es"), project.folder.marks("es"))] == unchanged


def test_the_second_of_two_who_edit_one_plan_is_told(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 3)
    seen = project.reviewed("es").revision
    project.edit("es", [SetLine("1", {"text": "one"})], seen)
    with pytest.raises(ChangedMeanwhile, match="changed in another window") as told:
        project.edit("es", [SetLine("1", {"text": "two"})], seen)
    assert isinstance(told.value, OptionError)
    assert project.language_plan("es").lines[0].line.text == "one"
    project.edit("es", [SetLine("1", {"text": "three"})])
    now = project.reviewed("es")
    begun = now.plan
    save_ended(project.folder, begun, begun.with_line(replace(begun.lines[1], take=7)), Fraction(0))
    project.edit("es", [SetLine("2", {"text": "four"})], now.revision)
    assert project.language_plan("es").lines[1].take == 7, "new takes are no edits"


def test_what_cannot_be_edited_leaves_everything_as_it_was(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 3)
    before = project.folder.plan("es").read_bytes()
    with pytest.raises(OptionError, match="there is no line 9"):
        project.edit("es", [SetLine("1", {"text": "one"}), SetLine("9", {"text": "two"})])
    with pytest.raises(InputError, match="no plan for 'fr'"):
        project.edit("fr", [])
    assert project.folder.plan("es").read_bytes() == before
    assert not project.folder.marks("es").exists()


def test_a_full_disk_leaves_plan_and_marks_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 3)
    project.edit("es", [SetLine("1", {"note": "first"})])
    before = project.reviewed("es")

    def full(self: object, text: str) -> None:
        raise OutputError("cannot be written: the disk is full")

    monkeypatch.setattr("lipdub.disk.publish.PendingFile.write_text", full)
    with pytest.raises(OutputError, match="the disk is full"):
        project.edit("es", [SetLine("1", {"text": "one", "note": "second"})])
    assert project.reviewed("es") == before
    assert not list((tmp_path / "talk.lipdub").rglob("*.part"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is not JSON"),
        ('{"lipdub": "marks", "version": 99}', "written by a newer lipdub"),
        ('{"lipdub": "marks", "version": 1, "lines": {"1": {"verdict": "great"}}}', "'great' is not known"),
        ('{"lipdub": "marks", "version": 1, "lines": {"1": {"colour": "red"}}}', "damaged"),
        ('{"lipdub": "marks", "version": 1, "lines": [], "more": 1}', "damaged"),
    ],
)
def test_marks_that_cannot_be_read_are_refused(tmp_path: Path, text: str, says: str) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 3)
    project.edit("es", [SetLine("1", {"note": "first"})])
    project.folder.marks("es").write_text(text, "utf-8")
    with pytest.raises(InputError, match=says):
        project.reviewed("es")
    assert project.language_plan("es").lines, "the plan is whole"


def test_marks_that_are_damaged_anywhere_are_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "es.json"
    whole = marks_text(ReviewMarks({"1": LineMark("accepted", "¿sí?", "ab"), "2": LineMark(note="a")}, ("3",))).encode()
    for at in range(0, len(whole), 3):
        for data in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole[:at] + b"[" + whole[at + 1 :]):
            file.write_bytes(data)
            with suppress(InputError):
                assert isinstance(read_marks(file), ReviewMarks)
    file.write_bytes(whole)
    assert read_marks(file).retired == ("3",)


def test_threads_and_processes_lose_no_edit(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 12)
    others = [editor(tmp_path / "talk.lipdub", n, 6) for n in (11, 12)]

    def write(number: int) -> None:
        for count in range(1, 7):
            project.edit("es", [SetLine(str(number), {"note": f"{count}", "text": f"text {count}"})])

    with ThreadPoolExecutor(4) as pool, project.folder.locked():  # while a run works, too
        list(pool.map(write, range(1, 5)))
    for other in others:
        other.communicate(timeout=60)
        assert other.returncode == 0
    now = project.reviewed("es")
    texts = {p.line.id: (p.line.text, now.marks.of(p.line.id).note) for p in now.plan.lines}
    assert {texts[str(n)] for n in (1, 2, 3, 4, 11, 12)} == {("text 6", "6")}


EDITOR = """
import sys, lipdub
from lipdub.studio.project.edits import SetLine
project = lipdub.open_project(sys.argv[1])
line, times = sys.argv[2], int(sys.argv[3])
for count in range(1, times + 1):
    project.edit("es", [SetLine(line, {"note": str(count), "text": f"text {count}"})])
    print(count, flush=True)
"""


def editor(path: Path, line: int, times: int) -> "subprocess.Popen[str]":
    """Another process that edits a line many times, and prints how often it did."""
    words = [sys.executable, "-c", EDITOR, str(path), str(line), str(times)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("moment", [0.0, 0.003, 0.011, 0.017])
def test_an_editor_that_is_killed_loses_nothing_that_it_was_told_is_kept(tmp_path: Path, moment: float) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 40)
    with editor(tmp_path / "talk.lipdub", 7, 10**6) as working:
        assert working.stdout is not None
        told = [working.stdout.readline() for _ in range(3)]
        time.sleep(moment)
        os.kill(working.pid, signal.SIGKILL)
        told += working.stdout.read().splitlines()
    last = max(int(count) for count in told if count.strip())
    now = project.reviewed("es")
    planned = now.plan.planned("7")
    assert planned is not None
    assert int(planned.line.text.split()[1]) in (last, last + 1)
    assert int(now.marks.of("7").note) in (last, last + 1)
    assert len(now.plan.lines) == 40
    project.edit("es", [SetLine("7", {"text": "after"})])
    assert not list((tmp_path / "talk.lipdub").rglob(".*")), "what it left is removed"


def test_an_editor_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 2)
    monkeypatch.setattr(project_folder, "_PATIENCE", 0.05)
    with held_alone(tmp_path / "talk.lipdub" / ".edit") as held:
        assert held
        with pytest.raises(OutputError, match="another program has been saving in this project for long"):
            project.edit("es", [SetLine("1", {"text": "one"})])
    project.edit("es", [SetLine("1", {"text": "two"})])


def test_a_run_that_ends_undoes_no_edit(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "talk.lipdub", 6)
    begun = project.language_plan("es")
    first, second, third, fourth = begun.lines[:4]
    ended = begun.with_line(replace(first, take=1)).with_line(replace(second, take=1))
    ended = ended.with_line(replace(third, take=2, seed=3, line=replace(third.line, text="as redo was told")))
    ended = ended.with_line(replace(fourth, take=1))
    project.edit("es", [SetLine("1", {"text": "edited", "offset": Fraction(1, 25)}), RemoveLine("2")])
    project.edit("es", [SetLine("3", {"text": "edited, too"}), InsertLine(planned_line(20))])
    now = project.language_plan("es")
    project.folder.save_plan(now.with_line(replace(fourth, take=5)), Fraction(0))  # chosen meanwhile
    saved = save_ended(project.folder, begun, ended, Fraction(0))
    assert saved == project.language_plan("es")
    lines = {p.line.id: p for p in saved.lines}
    assert (lines["1"].line.text, lines["1"].offset, lines["1"].take) == ("edited", Fraction(1, 25), 1)
    assert "2" not in lines
    assert (lines["3"].line.text, lines["3"].seed, lines["3"].take) == ("edited, too", 3, 2)
    assert lines["4"].take == 5
    assert lines["20"].line.span.start == 20


def test_plans_that_nobody_edited_are_those_of_the_run(tmp_path: Path) -> None:
    begun = drawn_project(tmp_path / "talk.lipdub", 6).language_plan("es")
    ended = replace(begun, lines=tuple(replace(p, take=2, person="1") for p in begun.lines))
    assert merge_plans(begun, ended, begun) == ended
    assert merge_plans(begun, begun, ended) == ended
    assert merge_plans(begun, ended, ended) == ended
