"""What jobs do in real projects, and that nothing is lost when they are stopped or killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.studio.conftest import Talk
from tests.web.jobs.conftest import new_project
from tests.web.jobs.small_projects import small_kinds

import lipdub
from lipdub.disk.lock_file import create_locked
from lipdub.errors import OptionError
from lipdub.media.sound_read import read_sound
from lipdub.studio.project.hear_line import HeardLine
from lipdub.timeline.time import Span
from lipdub.web.jobs.job import Job
from lipdub.web.jobs.kinds import changed_fields, check_starts_nothing, checked_options, film_place, heard_result
from lipdub.web.jobs.supervisor import Supervisor
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import Worker
from lipdub.web.media.view import view_of

WORKER = Path(__file__).with_name("small_projects.py")
SMALL = {
    "speech_features": "light",
    "engine": "fake",
    "asr_check": False,
    "face": ["largest"],
}


def done(table: JobTable, folder: Path, kind: str, language: str = "es", **request: Any) -> Job:
    """What comes of a job."""
    job = table.add(kind, "talk", language, request)
    assert Worker(table, "one", small_kinds(table, folder).run).work_once()
    found = table.job(job.id)
    assert found is not None
    return found


def planned(table: JobTable, folder: Path) -> Job:
    return done(table, folder, "plan", script=str(folder / "talk" / "talk.es.srt"), options=SMALL)


def result(job: Job) -> Any:
    assert job.error is None
    assert job.status == "completed"
    return job.result


def test_a_project_is_planned_rendered_changed_and_exported(real: JobTable, folder: Path) -> None:
    start = real.last_event()
    assert result(planned(real, folder)) == {"language": "es", "lines": 6}
    changed = next(event.data for event in real.events(start) if event.event == "project")
    revision = lipdub.open_project(folder / "talk" / "talk.lipdub").reviewed("es").revision
    assert changed == {"project": "talk", "language": "es", "revision": revision}
    twice = planned(real, folder)
    assert twice.error is not None
    assert "has a plan for 'es' already" in twice.error.detail
    film = result(done(real, folder, "render"))
    place = folder / "talk" / "films" / "talk.es.mp4"
    assert film["_file"] == str(place)
    assert place.is_file()
    assert place.with_suffix(".srt").is_file()
    assert film["seconds"] == pytest.approx(6.4, abs=0.1)
    before = place.read_bytes()
    redone = result(done(real, folder, "redo", segments=["2"], changes={"text": "Hablamos de vino."}, film=True))
    assert redone["segments"] == ["2"]
    assert redone["takes"] == {"2": 2}
    assert place.read_bytes() != before
    nothing = result(done(real, folder, "redo", segments="stale"))
    assert nothing["segments"] == []
    cut = result(done(real, folder, "export", format="srt"))
    assert "vino" in Path(cut["_file"]).read_text("utf-8")
    report = result(done(real, folder, "export", format="report"))
    assert json.loads(Path(report["_file"]).read_text("utf-8"))["output"]
    unknown = done(real, folder, "export", format="exe")
    assert unknown.error is not None
    assert unknown.error.kind == "input"


def test_a_timeline_is_exported(real: JobTable, folder: Path) -> None:
    pytest.importorskip("opentimelineio", reason="the extra edit is not installed")
    planned(real, folder)
    result(done(real, folder, "render"))
    for _ in range(2):  # an earlier one is replaced
        assert Path(result(done(real, folder, "export", format="otio"))["_file"]).is_file()


def test_a_film_of_somebody_elses_is_not_replaced(real: JobTable, folder: Path) -> None:
    planned(real, folder)
    theirs = folder / "talk" / "films" / "talk.es.mp4"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    made = Path(result(done(real, folder, "render"))["_file"])
    assert made.name == "talk.es.2.mp4"
    assert theirs.read_bytes() == b"mine"
    project = lipdub.open_project(folder / "talk" / "talk.lipdub")
    assert film_place(project, "es") == made


def test_a_project_in_which_somebody_works_waits_and_says_so(real: JobTable, folder: Path) -> None:
    planned(real, folder)
    held = create_locked(folder / "talk" / "talk.lipdub", ".run-")
    job = done(real, folder, "render")
    held.path.unlink()
    held.release()
    assert (job.status, job.attempts) == ("queued", 0)
    assert "another run of lipdub works in this project" in job.progress.note
    assert not (folder / "talk" / "films").exists()


def test_a_line_is_heard_while_somebody_works_in_the_project(real: JobTable, folder: Path) -> None:
    planned(real, folder)
    before = (folder / "talk" / "talk.lipdub" / "plans" / "es.json").read_bytes()
    held = create_locked(folder / "talk" / "talk.lipdub", ".run-")
    try:
        heard = result(done(real, folder, "hear", segment="3", text="Mucha, mucha paciencia.", offset=0.1))
    finally:
        held.path.unlink()
        held.release()
    assert heard["end"] > heard["start"] >= 2.2
    seconds = float(read_sound(Path(heard["_file"])).span.duration)
    assert seconds == pytest.approx(heard["end"] - heard["start"], abs=0.05)
    assert (folder / "talk" / "talk.lipdub" / "plans" / "es.json").read_bytes() == before


def test_a_worker_that_waits_is_small() -> None:
    """What jobs need is loaded by the first one that needs it."""
    modules, heavy = "lipdub.web.jobs.kinds, lipdub.web.jobs.worker, lipdub.web.places", ("numpy", "cv2", "av")
    code = f"import sys, {modules}; print(set({heavy}) & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_what_is_heard_is_told_on_the_clock_of_players() -> None:
    span = Span(Fraction(7, 2), Fraction(9, 2))
    heard = HeardLine(Path("/kept/line.flac"), span, span, 1.25, Fraction(1, 10))
    told = heard_result(Job(1, "id", "hear", "talk", "es", "processing"), heard, Fraction(3, 2))
    assert (told["start"], told["end"], told["rate"], told["missing"]) == (2.0, 3.0, 1.25, 0.1)


def test_what_the_page_plays_is_made(real: JobTable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(folder.parent / "cache"))
    planned(real, folder)
    result(done(real, folder, "render"))
    assert view_of(folder / "talk" / "talk.mp4") is None
    assert result(done(real, folder, "view", ""))["made"] == ["source", "es"]
    assert view_of(folder / "talk" / "talk.mp4") is not None
    assert view_of(folder / "talk" / "films" / "talk.es.mp4") is not None


def test_a_timeline_can_be_had_while_somebody_works_in_the_project(real: JobTable, folder: Path) -> None:
    pytest.importorskip("opentimelineio", reason="the extra edit is not installed")
    planned(real, folder)
    result(done(real, folder, "render"))
    held = create_locked(folder / "talk" / "talk.lipdub", ".run-")
    try:
        assert Path(result(done(real, folder, "export", format="otio"))["_file"]).is_file()
    finally:
        held.path.unlink()
        held.release()


def test_unknown_projects_lines_and_sources(real: JobTable, folder: Path) -> None:
    planned(real, folder)
    line = done(real, folder, "redo", segments=["99"])
    assert line.error is not None
    assert "no line 99" in line.error.detail
    (folder / "talk" / "talk.mp4").unlink()
    source = done(real, folder, "render")
    assert source.error is not None
    assert "not there any more" in source.error.detail
    assert str(folder) not in source.error.detail
    gone = real.add("render", "gone", "es", {})
    Worker(real, "one", small_kinds(real, folder).run).work_once()
    found = real.job(gone.id)
    assert found is not None
    assert found.error is not None
    assert "no project 'gone'" in found.error.detail


def test_a_plan_that_a_killed_run_had_written_is_used(real: JobTable, folder: Path) -> None:
    request = {"script": str(folder / "talk" / "talk.es.srt"), "options": SMALL}
    job = real.add("plan", "talk", "es", request)
    assert real.take("dead") is not None
    small_kinds(real, folder).run(job, lambda *_: None)
    real.abandon("dead", "it crashed")
    until(lambda: Worker(real, "one", small_kinds(real, folder).run).work_once())
    found = real.job(job.id)
    assert found is not None
    assert result(found)["lines"] == 6


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 200
    while not found():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def test_cancelling_while_a_film_is_rendered_leaves_the_project_whole(real: JobTable, folder: Path) -> None:
    planned(real, folder)
    job = real.add("render", "talk", "es", {})
    kinds = small_kinds(real, folder)

    def run(job: Job, listener: Callable) -> Any:
        def told(stage: str, done: int, total: int) -> None:
            if stage == "render" and done:
                real.cancel(job.id)
                time.sleep(0.25)
            listener(stage, done, total)

        return kinds.run(job, told)

    assert Worker(real, "one", run).work_once()
    found = real.job(job.id)
    assert found is not None
    assert found.status == "cancelled"
    assert not list((folder / "talk" / "films").iterdir())
    status = lipdub.open_project(folder / "talk" / "talk.lipdub").status()
    assert len(status.languages[0].lines) == 6
    assert result(done(real, folder, "render"))["language"] == "es"


@pytest.mark.parametrize(
    "options",
    [
        {"sign_key": "/etc/passwd"},
        {"weights": "/"},
        {"engine_option": ["a=b"]},
        {"stems": "/tmp"},
        {"music_effects": "/etc/passwd"},
        {"workers": 1},
        {"overwrite": True},
        {"consent": True},
        {"nothing": 1},
        {"seed": "1"},
        {"loudness": 3},
        {"voice": "nanotts"},
        {"if_longer": "explode"},
        {"voice": ["command:rm -rf /"]},
        {"voice": ["Ana=command:rm -rf /"]},
        {"translator": "command:rm"},
        {"separator": "demucs -o {folder} {input}"},
    ],
)
def test_options_that_no_job_may_set(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        checked_options(options)


def test_options_have_the_types_of_their_classes() -> None:
    wanted = {"face": ["left"], "voice": ["nanotts:es-ES", "Ana=nanotts"], "duck": -18, "separator": "none"}
    assert checked_options(wanted) == {
        "face": ("left",),
        "voice": ("nanotts:es-ES", "Ana=nanotts"),
        "duck": -18.0,
        "separator": "none",
    }


def test_changes_of_lines() -> None:
    change = changed_fields({"text": "Hola", "offset": -0.04, "seed": 3, "voice": None})
    assert change == {"text": "Hola", "offset": Fraction(-1, 25), "seed": 3}
    for wrong in ({"take": 3}, {"voice": "command:sh"}, {"engine": "command:sh"}):
        with pytest.raises(OptionError):
            changed_fields(wrong)
    check_starts_nothing("separator", "bed")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_killed_at_random_lose_nothing_and_every_film_is_made(real: JobTable, folder: Path, talk: Talk) -> None:
    """A killed attempt costs time alone: the films are those of a run that nobody disturbed."""
    planned(real, folder)
    undisturbed = Path(result(done(real, folder, "render"))["_file"]).read_bytes()
    for number in range(3):
        new_project(folder, f"p{number}", talk)
    jobs = [
        real.add(
            "render", f"p{number}", "es", {"script": str(folder / f"p{number}" / f"p{number}.es.srt"), "options": SMALL}
        )
        for number in range(3)
    ]
    chance = random.Random(1)
    command = [sys.executable, str(WORKER)]
    with Supervisor(lambda name: [*command, name, str(real.database.path), str(folder)], real, 2) as supervisor:
        until(lambda: real.counts()["processing"] > 0)
        for _ in range(4):
            time.sleep(chance.uniform(0.5, 3.0))
            working = [process for name, process in supervisor.processes.items() if name.startswith("worker")]
            for process in working[: chance.randint(1, 2)]:
                os.kill(process, signal.SIGKILL)
        until(lambda: all(job.has_ended for job in real.jobs()))
    for number, job in enumerate(jobs):
        found = real.job(job.id)
        assert found is not None
        if found.status == "failed":  # killed three times: the next job goes on where they were
            assert found.error is not None
            assert "3 times" in found.error.detail
            again = real.add("render", f"p{number}", "es", {**found.request})
            Worker(real, "last", small_kinds(real, folder).run).work_once()
            found = real.job(again.id)
            assert found is not None
        assert Path(result(found)["_file"]).read_bytes() == undisturbed
        assert not list((folder / f"p{number}" / f"p{number}.lipdub").glob(".run-*"))
