"""Jobs of a batch that are made in projects; and what is left of a job's processes when it has ended."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_stand_in import Small, log_of, pretend

import lipdub
from lipdub.studio.batch.check import check_batch
from lipdub.studio.batch.job_table import read_jobs_file
from lipdub.studio.batch.jobs import BatchDefaults, batch_of
from lipdub.studio.batch.recipe import Digests, changes, recipe_of
from lipdub.studio.batch.run import BatchListener, HowMany, run_batch
from lipdub.studio.batch.state import DONE, load_with_others, state_file
from lipdub.studio.batch.summary import summary_of
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.shard import Shard

HEAD = "source,script,output,project"


def problems_of(jobs: Path, shard: Shard = Shard()) -> list[tuple[int, str, str]]:
    batch = batch_of(jobs, read_jobs_file(jobs))
    found = check_batch(batch, load_with_others(state_file(jobs, None, None), jobs.name, shard)).problems
    return [(problem.line, problem.column, problem.what) for problem in found]


def test_a_project_has_one_source_and_is_in_one_shard(small: Small) -> None:
    rows = ["one.mp4,one.es.srt,1.mp4,film.lipdub", "two.mp4,one.es.srt,2.mp4,film.lipdub"]
    rows += [f"one.mp4,one.es.srt,{n}.mp4,more.lipdub" for n in range(3, 12)]
    jobs = small.jobs(*rows, head=HEAD)
    told = problems_of(jobs)
    assert told == [(3, "project", "film.lipdub is the project of another source in line 2")]
    told = [one for one in problems_of(jobs, Shard(1, 2)) if "another shard" in one[2]]
    assert {column for _, column, _ in told} == {"project"}
    assert told, "nine outputs are not in one shard of two"


def test_a_project_that_cannot_be_used_is_told(small: Small) -> None:
    (small.folder / "film.lipdub").mkdir()
    (small.folder / "film.lipdub" / "project.json").write_text("no project", "utf-8")
    told = problems_of(small.jobs("one.mp4,one.es.srt,1.mp4,film.lipdub", head=HEAD))
    assert [(line, column) for line, column, _ in told] == [(2, "project")]


def test_the_project_belongs_to_the_recipe(small: Small) -> None:
    jobs = small.jobs("one.mp4,one.es.srt,1.mp4,a.lipdub", "one.mp4,one.es.srt,2.mp4,b.lipdub", head=HEAD)
    first, second = (job.request for job in batch_of(jobs, read_jobs_file(jobs)).jobs)
    assert first.project is not None
    assert (first.project.folder, first.project.named) == (small.folder / "a.lipdub", {"script"})
    assert changes(recipe_of(first, Digests()), recipe_of(second, Digests())) == ("project",)


def test_jobs_of_one_project_are_not_made_at_once(small: Small) -> None:
    """The first of each clip is made alone in any case; the others would be made at once, but for the project."""
    jobs = small.jobs(*(f"one.mp4,one.es.srt,{n}.mp4,film.lipdub" for n in range(4)), head=HEAD)
    state = load_with_others(state_file(jobs, None, None), jobs.name, Shard())
    run_batch(check_batch(batch_of(jobs, read_jobs_file(jobs)), state).jobs, state, HowMany(3), target=pretend)
    assert [what for _, what, _ in log_of(small.folder)] == ["begins", "ends"] * 4


def workers_of(process: int) -> list[str]:
    """The command lines of a process' children, but for the one that removes semaphores."""
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found += [] if "resource_tracker" in line else [line]
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="children of a process are looked for in /proc")
def test_films_of_one_project_share_its_takes_and_no_worker_outlives_its_job(
    talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = tmp_path / "jobs.jsonl"
    row = f'"source": "{talk.clip}", "script": "{talk.script}", "project": "film.lipdub"'
    jobs.write_text(f'{{{row}, "output": "1.mp4"}}\n{{{row}, "output": "2.mp4", "crf": 40}}\n', "utf-8")
    options = DubOptions(speech_features="light", consent=True, page=False, workers=2)
    speech = SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",), to="es")
    batch = batch_of(jobs, read_jobs_file(jobs), BatchDefaults(options, speech))
    state = load_with_others(state_file(jobs, None, None), jobs.name, Shard())
    left: list[list[str]] = []

    def ended(*_: object) -> None:
        runners = [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
        left.extend(workers_of(runner) for runner in runners)

    run_batch(check_batch(batch, state).jobs, state, HowMany(1, 2), BatchListener(ended=ended))
    summary = summary_of(batch, state, (), 1.0)
    assert [job.state for job in summary.jobs] == [DONE, DONE], [job.record.error for job in summary.jobs]
    assert left, "the process that makes the jobs was there"
    assert not any(left)
    project = lipdub.open_project(tmp_path / "film.lipdub", talk.clip)
    assert [len(project.takes("es", one.line.id)) for one in project.language_plan("es").lines] == [1] * 6
    given = lipdub.ProjectOptions(replace(options, overwrite=True, crf=40), replace(speech, script=talk.script))
    project.render("", tmp_path / "3.mp4", given)
    assert (tmp_path / "2.mp4").read_bytes() == (tmp_path / "3.mp4").read_bytes()
