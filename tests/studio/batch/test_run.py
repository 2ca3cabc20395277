"""Running a batch: a job that fails stops no other, whatever happens to its process, and what is done is remembered."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from batch_stand_in import CRASHES, DIES, DIES_AFTER, FAILS, HANGS, Small, log_of, pretend

from lipdub.errors import InputError, OptionError, OutputError
from lipdub.studio.batch.check import CheckedJob, check_batch
from lipdub.studio.batch.job_table import read_jobs_file
from lipdub.studio.batch.jobs import Batch, batch_of
from lipdub.studio.batch.run import BatchListener, HowMany, Now, ask_once, run_batch
from lipdub.studio.batch.runners import Runners
from lipdub.studio.batch.state import (
    DONE,
    FAILED,
    NOT_DONE,
    RUNNING,
    BatchState,
    Record,
    best_records,
    load_state,
    load_with_others,
    locked,
    state_file,
    summary_file,
)
from lipdub.studio.batch.summary import SKIPPED, UNFINISHED, row_of, summary_line, summary_of, summary_of_shards
from lipdub.studio.shard import Shard

HEAD = "source,audio,output,seed"


def batch(jobs: Path) -> Batch:
    return batch_of(jobs, read_jobs_file(jobs))


def state_of(jobs: Path, shard: Shard = Shard()) -> BatchState:
    return load_with_others(state_file(jobs, None, None), jobs.name, shard)


def run(jobs: Path, at_a_time: int = 1, listener: BatchListener = BatchListener(), shard: Shard = Shard()):
    """Check and run, with stand-ins; returns the summary."""
    state = state_of(jobs, shard)
    checked = check_batch(batch(jobs), state)
    assert not checked.problems, checked.problems
    run_batch(checked.jobs, state, HowMany(at_a_time), listener, pretend)
    kept = [job.job.key for job in checked.jobs if job.kept is not None]
    return summary_of(batch(jobs), state, kept, 1.0)


def states(summary) -> list[str]:
    return [job.state for job in summary.jobs]


def rows(*seeds: int) -> list[str]:
    return [f"{'one' if n % 2 else 'two'}.mp4,dub.wav,{n}.mp4,{seed}" for n, seed in enumerate(seeds)]


@pytest.mark.parametrize("at_a_time", [1, 3])
def test_a_job_that_fails_or_whose_process_dies_stops_no_other(small: Small, at_a_time: int) -> None:
    jobs = small.jobs(*rows(1, FAILS, 1, DIES, 1, CRASHES, 1), head=HEAD)
    summary = run(jobs, at_a_time)
    assert states(summary) == [DONE, FAILED, DONE, FAILED, DONE, FAILED, DONE]
    assert [job.record.exit_code for job in summary.jobs] == [0, 3, 0, 7, 0, 70, 0]
    assert summary.exit_code == 70
    assert "most likely because memory ran out" in summary.jobs[3].record.error
    assert "SIGSEGV" in summary.jobs[5].record.error
    assert summary_line(summary) == "4 done, 3 failed in 1.0 s"
    assert [len(row_of(job, jobs.parent)) for job in summary.jobs] == [7] * 7


def test_jobs_are_made_in_their_order_by_one_process_that_stays(small: Small) -> None:
    run(small.jobs(*rows(1, 1, 1), head=HEAD))
    log = log_of(small.folder)
    assert [(what, film) for _, what, film in log] == [
        (what, f"{n}.mp4") for n in range(3) for what in ("begins", "ends")
    ]
    assert len({process for process, *_ in log}) == 1


def test_two_jobs_of_one_clip_wait_for_its_first_one(small: Small) -> None:
    jobs = small.jobs(*(f"one.mp4,dub.wav,{n}.mp4,1" for n in range(3)), "two.mp4,dub.wav,x.mp4,1", head=HEAD)
    run(jobs, 2)
    log = [f"{what} {film}" for _, what, film in log_of(small.folder)]
    assert log.index("ends 0.mp4") < min(log.index("begins 1.mp4"), log.index("begins 2.mp4"))


def test_while_the_first_job_of_a_clip_is_made_one_of_another_clip_is_next(small: Small) -> None:
    jobs = small.jobs(*(f"one.mp4,dub.wav,{n}.mp4,1" for n in range(3)), "two.mp4,dub.wav,x.mp4,1", head=HEAD)
    first, *pending = check_batch(batch(jobs), state_of(jobs)).jobs
    runners = Runners(2)
    runners._busy.append(SimpleNamespace(job=first))  # type: ignore[arg-type]
    taken = [runners._next(pending, set()), runners._next(pending, set())]
    assert [job and job.job.output.name for job in taken] == ["x.mp4", None]
    again = runners._next(pending, {first.job.request.source})
    assert again is not None
    assert again.job.output.name == "1.mp4"


def test_a_second_run_makes_what_is_missing_alone(small: Small) -> None:
    jobs = small.jobs(*rows(1, FAILS, 1), head=HEAD)
    run(jobs)
    jobs = small.jobs(*rows(1, 1, 1), "two.mp4,dub.wav,new.mp4,1", head=HEAD)
    summary = run(jobs)
    assert states(summary) == [SKIPPED, DONE, SKIPPED, DONE]
    assert summary.exit_code == 0
    assert [film for _, what, film in log_of(small.folder) if what == "begins"] == [
        "0.mp4", "1.mp4", "2.mp4", "1.mp4", "new.mp4"
    ]  # fmt: skip


def test_the_state_is_written_before_and_after_every_job(small: Small) -> None:
    seen: list[list[str]] = []
    jobs = small.jobs(*rows(1, 1), head=HEAD)

    def look(*_: object) -> None:
        seen.append([record.state for record in state_of(jobs).records.values()])

    run(jobs, listener=BatchListener(now=look, ended=look))
    assert [RUNNING] in seen
    assert [DONE] in seen
    assert [DONE, RUNNING] in seen
    assert seen[-1] == [DONE, DONE]


def test_a_stopped_run_tells_what_is_done_and_leaves_the_rest(small: Small) -> None:
    jobs = small.jobs(*rows(1, HANGS, 1), head=HEAD)

    def stop(now: Now) -> None:
        if now.running and now.running[0][1] == "render" and now.ended == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(jobs, listener=BatchListener(now=stop))
    records = state_of(jobs).records
    assert [records[f"{n}.mp4"].state for n in range(3)] == [DONE, NOT_DONE, NOT_DONE]
    summary = summary_of(batch(jobs), state_of(jobs))
    assert summary.exit_code == UNFINISHED
    (small.folder / "1.mp4").unlink(missing_ok=True)
    assert states(run(small.jobs(*rows(1, 1, 1), head=HEAD))) == [SKIPPED, DONE, DONE]


def test_a_film_whose_run_was_killed_before_it_was_recorded_is_known(small: Small) -> None:
    """The process that makes it dies after the film appeared; then the whole run is taken back to that moment."""
    jobs = small.jobs(*rows(1, DIES_AFTER), head=HEAD)
    running: list[bytes] = []
    path = state_file(jobs, None, None)

    def keep(*_: object) -> None:
        running.append(path.read_bytes())

    summary = run(jobs, listener=BatchListener(now=keep))
    assert states(summary) == [DONE, DONE]
    assert "after the film was complete" in summary.jobs[1].record.warnings[0]
    path.write_bytes(running[-1])
    assert state_of(jobs).records["1.mp4"].state == RUNNING
    assert states(run(jobs)) == [SKIPPED, SKIPPED]
    assert state_of(jobs).records["1.mp4"].state == DONE


def test_a_state_that_cannot_be_written_is_told_and_the_work_goes_on(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: BatchState) -> None:
        raise OutputError("cannot be written: the disk is full", file=self.path, remedy="Free some space")

    told: list[str] = []
    monkeypatch.setattr(BatchState, "write", full)
    summary = run(small.jobs(*rows(1, 1), head=HEAD), listener=BatchListener(trouble=told.append))
    assert states(summary) == [DONE, DONE]
    assert len(told) == 1
    assert "the disk is full" in told[0]


def test_the_time_that_is_left_is_told_from_the_first_job_on(small: Small) -> None:
    left: list[float | None] = []
    listener = BatchListener(ended=lambda job, record, now: left.append(now.left))
    run(small.jobs(*rows(1, 1, 1), head=HEAD), listener=listener)
    assert [value is not None for value in left] == [True] * 3
    assert left[2] == 0.0


def test_shards_make_all_jobs_once_and_are_put_together(small: Small) -> None:
    jobs = small.jobs(*rows(*[1] * 9, FAILS), head=HEAD)
    whole = state_file(jobs, None, None)
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        part = run(jobs, shard=shard)
        if number < 3:
            part.write(summary_file(state_of(jobs, shard).path))
    begun = [film for _, what, film in log_of(small.folder) if what == "begins"]
    assert sorted(begun) == [f"{n}.mp4" for n in range(10)]
    summary = summary_of_shards(batch(jobs), whole)
    assert states(summary) == [DONE] * 9 + [FAILED]
    assert summary.exit_code == 3
    assert summary.notes == ("shard 3 of 3 has not ended",)
    state_of(jobs, Shard(2, 3)).path.unlink()
    assert "shard 2 of 3 has not begun" in summary_of_shards(batch(jobs), whole).notes
    assert NOT_DONE in states(summary_of_shards(batch(jobs), whole))


def test_films_of_shards_are_done_for_the_whole_and_for_other_shards(small: Small) -> None:
    jobs = small.jobs(*rows(*[1] * 5, FAILS), head=HEAD)
    for number in (1, 2):
        run(jobs, shard=Shard(number, 2))
    jobs = small.jobs(*rows(*[1] * 6), head=HEAD)
    assert states(run(jobs)) == [SKIPPED] * 5 + [DONE]
    third = Shard(1, 3)
    assert states(run(jobs, shard=third)) == [SKIPPED for n in range(6) if third.holds(f"{n}.mp4")]
    state = state_of(jobs)
    again = replace(state.records["0.mp4"], film=None, ended="9999")
    state.records["0.mp4"] = again
    state.write()
    assert best_records(state.path, jobs.name)["0.mp4"] == again, "the later one counts"


def test_a_summary_is_json_with_all_that_is_known(small: Small) -> None:
    told = json.loads(run(small.jobs(*rows(1, FAILS), head=HEAD)).to_json())
    assert told["counts"] == {"done": 1, "failed": 1}
    assert told["exit_code"] == 3
    first, second = told["jobs"]
    assert (first["line"], first["state"], first["figures"]["film_seconds"]) == (2, "done", 0.4)
    assert (second["state"], second["error"], second["exit_code"]) == ("failed", "nothing to dub", 3)


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "jobs.batch.json"):
        with pytest.raises(OutputError, match="another run"), locked(tmp_path / "jobs.batch.json"):
            pass
        with locked(tmp_path / "jobs.batch.1-of-2.json"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = BatchState(tmp_path / "s.json", "jobs.csv", Shard(2, 3))
    record = Record(FAILED, 4, "a.mp4", "b.mp4", {"inputs": {}, "options": {"seed": 1}}, exit_code=3, warnings=("one",))
    state.records["b.mp4"], state.consent["a"] = replace(record, figures={"sync": 0.5}), "then"
    state.write()
    again = load_state(state.path, "jobs.csv", Shard(2, 3))
    assert (again.records, again.consent) == (state.records, state.consent)
    for name, shard in (("other.csv", Shard(2, 3)), ("jobs.csv", Shard())):
        with pytest.raises(InputError, match="--state"):
            load_state(state.path, name, shard)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}', '{"version": 99}'])
def test_a_damaged_state_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError):
        load_state(tmp_path / "s.json", "jobs.csv")


def test_consent_is_asked_for_once_and_again_only_for_other_clips(small: Small) -> None:
    asked: list[str] = []
    jobs = small.jobs("one.mp4,dub.wav,a.mp4,1", "two.mp4,dub.wav,b.mp4,1", head=HEAD)
    state = state_of(jobs)
    checked: tuple[CheckedJob, ...] = check_batch(batch(jobs), state).jobs
    for _ in range(2):
        ask_once(checked, state, asked.append)
    assert asked == ["one.mp4, two.mp4"]
    os.utime(small.folder / "two.mp4", (1, 1))
    ask_once(checked, state, asked.append)
    assert asked == ["one.mp4, two.mp4", "two.mp4"]

    def refuse(clips: str) -> None:
        raise OptionError("no", file=clips)

    with pytest.raises(OptionError):
        ask_once(checked, BatchState(state.path, jobs.name), refuse)
