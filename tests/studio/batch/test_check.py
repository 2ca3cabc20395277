"""All that is wrong with a batch is told before the first job is begun, and what is done is known again."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from batch_stand_in import Small

from lipdub.studio.batch.check import CheckedBatch, check_batch
from lipdub.studio.batch.job_table import read_jobs_file
from lipdub.studio.batch.jobs import BatchDefaults, batch_of
from lipdub.studio.batch.recipe import Digests, recipe_of
from lipdub.studio.batch.state import DONE, FAILED, RUNNING, BatchState, FilmFile, Record
from lipdub.studio.options import DubOptions
from lipdub.studio.shard import Shard


def check(jobs: Path, state: BatchState | None = None, *, overwrite: bool = False, retry: bool = False) -> CheckedBatch:
    defaults = BatchDefaults(DubOptions(overwrite=overwrite), folder=jobs.parent / "out")
    batch = batch_of(jobs, read_jobs_file(jobs), defaults)
    return check_batch(batch, state or BatchState(jobs.with_suffix(".json"), jobs.name), retry=retry)


def told(checked: CheckedBatch) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in checked.problems]


def test_good_rows_are_checked_and_know_how_long_they_are(small: Small) -> None:
    checked = check(small.jobs("one.mp4,dub.wav,a.mp4", "two.mp4,dub.wav,b.mp4"))
    assert not checked.problems
    assert [job.seconds for job in checked.jobs] == [0.4, 0.4]


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ("gone.mp4,dub.wav,a.mp4", "source", "no such file"),
        ("dub.wav,dub.wav,a.mp4", "source", "no picture"),
        ("one.mp4,two.mp4,a.mp4", "audio", "no sound"),
        ("one.mp4,jobs.csv,a.mp4", "audio", "not a sound"),
        ("one.mp4,dub.wav,gone/a.mp4", "output", "folder does not exist"),
        ("one.mp4,dub.wav,/dev/null", "output", "a device"),
        ("one.mp4,dub.wav,one.mp4", "output", "an input of line 2"),
        ("one.mp4,dub.wav,dub.wav", "output", "an input of line 2"),
        ("one.mp4,dub.wav,a.xyz", "output", "xyz"),
        ("one.mp4,dub.wav,jobs.csv", "output", "the jobs file"),
    ],
)
def test_a_row_that_cannot_be_done_is_told(small: Small, row: str, column: str, says: str) -> None:
    checked = check(small.jobs(row))
    assert told(checked) == [(2, column)]
    assert says in checked.problems[0].what


def test_of_a_large_clip_the_header_is_believed(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = small.jobs("one.mp4,dub.wav,a.mp4,", "one.mp4,dub.wav,b.mp4,0:01", head="source,audio,output,from")
    opened = check(jobs)
    monkeypatch.setattr("lipdub.studio.batch.check.LARGE", 0)
    monkeypatch.setattr("lipdub.studio.batch.check.open_clip", None)
    assert told(check(jobs)) == told(opened) == [(3, "from")]
    assert [job.seconds for job in check(jobs).jobs] == [job.seconds for job in opened.jobs]


def test_all_wrong_rows_are_told_together(small: Small) -> None:
    jobs = small.jobs(
        "one.mp4,dub.wav,a.mp4,",
        "gone.mp4,dub.wav,b.mp4,",
        "one.mp4,dub.wav,./c/../a.mp4,",
        "one.mp4,dub.wav,two.mp4,",
        "two.mp4,dub.wav,d.mp4,x",
        "one.mp4,dub.wav,a.mov,",
        "two.mp4,dub.wav,e.mp4,-1",
        head="source,audio,output,seed",
    )
    checked = check(jobs)
    assert told(checked) == [(3, "source"), (4, "output"), (5, "output"), (6, "seed"), (7, "output"), (8, "seed")]


def test_two_names_of_one_file_are_one_output(small: Small) -> None:
    (small.folder / "link").symlink_to(small.folder)
    assert told(check(small.jobs("one.mp4,dub.wav,a.mp4", "two.mp4,dub.wav,link/a.mp4"))) == [(3, "output")]


def test_what_lies_beside_a_film_replaces_no_input_of_another_job(small: Small) -> None:
    jobs = small.jobs(
        "two.mp4,Ah.,es,one.es.mp4,,nanotts",
        "one.mp4,,,a.mp4,one.es.srt,nanotts",
        head="source,line,to,output,script,voice",
    )
    checked = check(jobs, overwrite=True)
    assert told(checked) == [(2, "output")]
    assert "one.es.srt, an input of line 3" in checked.problems[0].what


def test_a_shard_opens_only_its_own_files(small: Small) -> None:
    jobs = small.jobs(*(f"gone{n}.mp4,dub.wav,{n}.mp4" for n in range(8)))
    lines = [
        told(check(jobs, BatchState(jobs.with_suffix(".json"), jobs.name, Shard(number, 3)))) for number in (1, 2, 3)
    ]
    assert sorted(line for share in lines for line in share) == [(n, "source") for n in range(2, 10)]


def test_a_folder_that_the_batch_makes_is_not_missed(small: Small) -> None:
    jobs = small.jobs("one.mp4,dub.wav,es", head="source,audio,language")
    checked = check(jobs)
    assert not checked.problems
    assert checked.jobs[0].job.key == "out/one.es.mp4"
    assert not (small.folder / "out").exists()


@pytest.fixture
def done(small: Small) -> tuple[Path, BatchState]:
    """A jobs file with one job that is done, and its state."""
    jobs = small.jobs("one.mp4,dub.wav,a.mp4,1", head="source,audio,output,seed")
    [job] = check(jobs).jobs
    (small.folder / "a.mp4").write_text("a film")
    state = BatchState(jobs.with_suffix(".json"), jobs.name)
    recipe, film = recipe_of(job.job.request, Digests()), FilmFile.of(small.folder / "a.mp4")
    state.records["a.mp4"] = Record(DONE, 2, "one.mp4", "a.mp4", recipe, film)
    return jobs, state


def test_a_film_that_is_done_is_kept(done: tuple[Path, BatchState]) -> None:
    [job] = check(*done).jobs
    assert job.kept == done[1].records["a.mp4"]


def test_a_film_that_was_moved_away_is_made_again(done: tuple[Path, BatchState]) -> None:
    (done[0].parent / "a.mp4").unlink()
    assert [job.kept for job in check(*done, retry=True).jobs] == [None]


def _other_seed(folder: Path) -> None:
    jobs = folder / "jobs.csv"
    jobs.write_text(jobs.read_text().replace(",1\n", ",2\n"))


def _other_track(folder: Path) -> None:
    (folder / "dub.wav").write_bytes((folder / "dub.wav").read_bytes() + b"\0\0")


def _other_film(folder: Path) -> None:
    (folder / "a.mp4").write_text("another film")


@pytest.mark.parametrize(
    ("change", "says"),
    [(_other_seed, "another seed"), (_other_track, "another audio"), (_other_film, "was changed since")],
)
def test_what_would_be_made_otherwise_is_refused_unless_it_may_be_overwritten(done, change, says: str) -> None:
    jobs, state = done
    change(jobs.parent)
    refused = check(jobs, state)
    assert told(refused) == [(2, "output")]
    assert says in refused.problems[0].what
    assert [job.kept for job in check(jobs, state, overwrite=True).jobs] == [None]
    if change is not _other_film:
        assert check(jobs, state, retry=True).jobs[0].kept is not None, "what is done is not compared again"


def test_a_film_that_was_there_before_is_not_ours(done: tuple[Path, BatchState]) -> None:
    jobs, state = done
    film = jobs.parent / "a.mp4"
    for record in (None, replace(state.records["a.mp4"], state=RUNNING), replace(state.records["a.mp4"], state=FAILED)):
        state.records = {} if record is None else {"a.mp4": record}
        assert told(check(jobs, state)) == [(2, "output")]
    state.records = {"a.mp4": Record(RUNNING, 2, "one.mp4", "a.mp4", state.records["a.mp4"].recipe, film=None)}
    kept = check(jobs, state).jobs[0].kept
    assert kept is not None, "it appeared while a run that was killed made it"
    assert (kept.state, kept.film) == (DONE, FilmFile.of(film))


def test_a_copy_with_another_time_is_another_file(done: tuple[Path, BatchState]) -> None:
    os.utime(done[0].parent / "a.mp4", (1, 1))
    assert told(check(*done)) == [(2, "output")]
