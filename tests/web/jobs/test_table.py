"""The table of jobs: order, leases, attempts, cancelling, keys, events."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.jobs.made_jobs import SetClock

from lipdub.errors import InputError, OutputError
from lipdub.web.jobs.job import Failure, Job, JobExists, KeyUsedOtherwise, NoSuchJob, TooManyJobs
from lipdub.web.jobs.table import DAY, LEASE, JobTable, request_digest


def taken(table: JobTable, owner: str = "one", *, quick: bool = False) -> Job:
    job = table.take(owner, quick=quick)
    assert job is not None
    return job


def again(table: JobTable, job: Job) -> Job:
    found = table.job(job.id)
    assert found is not None
    return found


def test_a_job_goes_from_queued_to_completed(table: JobTable, clock: SetClock) -> None:
    job = table.add("render", "talk", "es", {"film": True})
    assert (job.status, job.attempts, job.created) == ("queued", 0, clock.now)
    clock.now += 5
    work = taken(table)
    assert (work.id, work.status, work.attempts, work.started) == (job.id, "processing", 1, clock.now)
    assert table.beat(job.id, "one", ("render", 3, 7)) == "go on"
    assert again(table, job).progress.done == 3
    clock.now += 1
    assert table.complete(job.id, "one", {"film": "f", "_file": "/secret"})
    done = again(table, job)
    assert (done.status, done.ended) == ("completed", clock.now)
    assert done.shown()["result"] == {"film": "f"}
    assert done.shown()["created"] == "2023-11-14T22:13:20.000+00:00"
    assert table.take("one") is None


def test_jobs_are_taken_in_order_one_of_a_project_at_a_time_and_quick_ones_first(table: JobTable) -> None:
    first = table.add("render", "a", "es", {})
    second = table.add("render", "a", "fr", {})
    other = table.add("render", "b", "es", {})
    heard = table.add("hear", "a", "es", {"segment": "1"})
    assert [taken(table, f"w{n}").id for n in range(3)] == [heard.id, first.id, other.id]
    assert table.take("w3") is None
    table.complete(first.id, "w1", {})
    assert taken(table, "w3").id == second.id


def test_a_worker_for_quick_jobs_takes_no_others(table: JobTable) -> None:
    table.add("render", "a", "es", {})
    assert table.take("quick", quick=True) is None
    heard = table.add("hear", "a", "es", {"segment": "1"})
    assert taken(table, "quick", quick=True).id == heard.id


def test_the_same_work_is_not_taken_twice_and_other_work_is(table: JobTable) -> None:
    first = table.add("redo", "a", "es", {"segments": ["1"]})
    with pytest.raises(JobExists) as refused:
        table.add("redo", "a", "es", {"segments": ["2"]})
    assert refused.value.job.id == first.id
    for kind, project, language, request in (
        ("redo", "a", "fr", {}),
        ("redo", "b", "es", {}),
        ("hear", "a", "es", {"segment": "1"}),
        ("hear", "a", "es", {"segment": "2"}),
        ("export", "a", "es", {"format": "otio"}),
        ("export", "a", "es", {"format": "edl"}),
    ):
        table.add(kind, project, language, request)
    table.cancel(first.id)
    assert table.add("redo", "a", "es", {"segments": ["2"]}).id != first.id


def test_a_lease_that_runs_out_frees_the_job_and_its_old_worker_changes_nothing(
    table: JobTable, clock: SetClock
) -> None:
    job = table.add("render", "a", "es", {})
    taken(table, "slow")
    clock.now += LEASE - 1
    assert table.beat(job.id, "slow") == "go on"
    clock.now += LEASE - 1
    assert table.take("next") is None
    clock.now += 2
    assert table.take("next") is None  # it waits a little, so that a job that kills its worker does not do it at once
    assert "no sign of life" in again(table, job).progress.note
    clock.now += 2
    work = taken(table, "next")
    assert (work.id, work.attempts) == (job.id, 2)
    assert table.beat(job.id, "slow", ("late", 1, 1)) == "stop"
    assert not table.complete(job.id, "slow", {})
    assert not table.fail(job.id, "slow", Failure("a", "b"))
    assert not table.cancelled(job.id, "slow")
    assert not table.give_back(job.id, "slow", "", 0.0)
    assert again(table, job).status == "processing"
    assert table.complete(job.id, "next", {})


def test_a_job_whose_process_dies_three_times_has_failed_and_says_why(table: JobTable, clock: SetClock) -> None:
    job = table.add("render", "a", "es", {})
    for attempt in range(1, 4):
        assert taken(table, f"w{attempt}").attempts == attempt
        table.abandon(f"w{attempt}", "the system ended its process")
        clock.now += 100
    failed = again(table, job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "3 times" in failed.error.detail
    assert "the system ended its process" in failed.error.detail
    assert failed.error.remedy
    assert table.take("w4") is None


def test_waiting_counts_as_no_attempt(table: JobTable, clock: SetClock) -> None:
    job = table.add("render", "a", "es", {})
    for _ in range(5):
        taken(table)
        assert table.give_back(job.id, "one", "waits, because another run works in this project", 2.0)
        assert table.take("one") is None
        shown = again(table, job).shown()
        assert (shown["status"], shown["attempts"]) == ("queued", 0)
        assert "another run" in shown["progress"]["note"]
        clock.now += 2
    assert taken(table).attempts == 1


def test_cancelling(table: JobTable, clock: SetClock) -> None:
    waiting = table.add("render", "a", "es", {})
    assert table.cancel(waiting.id).status == "cancelled"
    working = table.add("render", "a", "es", {})
    taken(table)
    assert table.cancel(working.id).status == "processing"
    assert again(table, working).shown()["cancelling"]
    assert table.wanted(working.id, "one") == "cancel"
    assert table.beat(working.id, "one") == "cancel"
    assert table.cancelled(working.id, "one")
    assert table.cancel(working.id).status == "cancelled"
    dead = table.add("render", "a", "es", {})
    taken(table)
    table.cancel(dead.id)
    table.abandon("one", "its process crashed")
    assert again(table, dead).status == "cancelled"
    late = table.add("render", "a", "es", {})
    taken(table)
    clock.now += LEASE + 1
    assert table.cancel(late.id).status == "cancelled"
    given_back = table.add("render", "a", "es", {})
    taken(table)
    table.cancel(given_back.id)
    assert table.give_back(given_back.id, "one", "waits", 1.0)
    assert again(table, given_back).status == "cancelled"
    with pytest.raises(NoSuchJob):
        table.cancel("nothing\n")


def test_an_idempotency_key_gives_the_same_job_for_a_day(table: JobTable, clock: SetClock) -> None:
    first = table.add("redo", "a", "es", {"segments": ["1"]}, key="k")
    assert table.add("redo", "a", "es", {"segments": ["1"]}, key="k").id == first.id
    with pytest.raises(KeyUsedOtherwise):
        table.add("redo", "a", "es", {"segments": ["2"]}, key="k")
    table.cancel(first.id)
    assert table.add("redo", "a", "es", {"segments": ["1"]}, key="k").status == "cancelled"
    clock.now += DAY + 1
    assert table.add("redo", "a", "es", {"segments": ["2"]}, key="k").id != first.id


def test_not_more_than_so_many_jobs_wait(tmp_path: Path) -> None:
    table = JobTable(tmp_path / "studio.sqlite3", most_queued=3)
    for number in range(3):
        table.add("render", f"p{number}", "es", {})
    with pytest.raises(TooManyJobs):
        table.add("render", "p3", "es", {})
    taken(table)
    table.add("render", "p3", "es", {})
    table.close()


def test_pages_of_jobs(table: JobTable) -> None:
    every = [table.add("render", f"p{number % 2}", str(number), {}).id for number in range(7)][::-1]
    assert [job.id for job in table.jobs(limit=3)] == every[:3]
    assert [job.id for job in table.jobs(after=every[2], limit=10)] == every[3:]
    assert [job.id for job in table.jobs("p1")] == every[1::2]
    taken(table)
    assert [job.id for job in table.jobs(status=("processing",))] == every[-1:]
    assert table.counts() == {"queued": 6, "processing": 1}
    with pytest.raises(NoSuchJob):
        table.jobs(after="gone")


def test_events_hold_the_newest_of_each_subject_in_order(table: JobTable) -> None:
    start = table.last_event()
    job = table.add("render", "a", "es", {})
    table.tell("project", {"project": "b", "language": "fr", "revision": "1"})
    taken(table)
    table.beat(job.id, "one", ("render", 1, 2))
    table.beat(job.id, "one", ("render", 2, 2))
    table.tell("project", {"project": "b", "language": "fr", "revision": "2"})
    found = table.events(start)
    assert [(event.event, event.project) for event in found] == [("job", "a"), ("project", "b")]
    assert found[0].data["progress"]["done"] == 2
    assert found[1].data["revision"] == "2"
    assert [event.project for event in table.events(start, "b")] == ["b"]
    assert table.events(table.last_event()) == []
    assert [event.number for event in table.events(start, limit=1)] == [found[0].number]


@given(st.lists(st.sampled_from(["add", "take", "beat", "complete", "abandon", "cancel", "late"]), max_size=40))
def test_whatever_happens_a_reader_that_resumes_knows_the_state_of_every_job(steps: list[str]) -> None:
    clock = SetClock()
    table = JobTable(Path(":memory:"), clock=clock)
    known: dict[str, str] = {}
    last, owner, mine = 0, 0, ""
    for number, step in enumerate(steps):
        if step == "add":
            table.add("render", f"p{number}", "es", {})
        elif step == "take":
            owner += 1
            job = table.take(f"w{owner}")
            mine = job.id if job else mine
        elif step == "late":
            clock.now += LEASE + 1
        elif step == "abandon":
            table.abandon(f"w{owner}", "it crashed")
        elif mine and step == "beat":
            table.beat(mine, f"w{owner}", ("s", number, 40))
        elif mine and step == "complete":
            table.complete(mine, f"w{owner}", {})
        elif mine:
            table.cancel(mine)
        if number % 3 == 0:
            last = followed(table, last, known)
    followed(table, last, known)
    assert known == {job.id: json.dumps(job.shown()) for job in table.jobs(limit=100)}
    table.close()


def followed(table: JobTable, last: int, known: dict[str, str]) -> int:
    for event in table.events(last):
        assert event.number > last
        last = event.number
        known[str(event.data["id"])] = json.dumps(event.data)
    return last


def test_jobs_of_a_project_that_was_removed_are_forgotten(table: JobTable) -> None:
    gone, stays = table.add("render", "a", "es", {}), table.add("render", "b", "es", {})
    waits = table.add("render", "a", "fr", {})
    table.cancel(gone.id)
    table.cancel(stays.id)
    table.forget("a")
    assert [job.id for job in table.jobs()] == [waits.id, stays.id]
    assert {event.data["id"] for event in table.events(0)} == {waits.id, stays.id}


def test_old_jobs_and_keys_are_forgotten(table: JobTable, clock: SetClock) -> None:
    old = table.add("render", "a", "es", {}, key="k")
    table.cancel(old.id)
    clock.now += 31 * DAY
    for number in range(60):
        table.add("render", f"p{number}", "es", {})
    assert table.job(old.id) is None
    with closing(sqlite3.connect(table.database.path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0] == 0


def test_a_newer_or_damaged_file_and_a_full_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "studio.sqlite3"
    JobTable(file).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE rooms SET version = 99")
    with pytest.raises(InputError, match="newer version"):
        JobTable(file)
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(b"no database " * 1000)
    with pytest.raises(InputError, match="damaged"):
        JobTable(damaged)
    with pytest.raises(OutputError, match="cannot be opened"):
        JobTable(tmp_path / "nowhere" / "studio.sqlite3")
    full = JobTable(tmp_path / "full.sqlite3")
    with full.database.writing() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutputError, match="the disk is full"):
        full.add("render", "p", "es", {"text": "x" * 50_000})
    full.close()


def test_threads_take_each_job_once(tmp_path: Path) -> None:
    table = JobTable(tmp_path / "studio.sqlite3")
    wanted = {table.add("render", f"p{number}", "es", {}).id for number in range(100)}
    took: list[str] = []

    def work(name: str) -> None:
        while (job := table.take(name)) is not None:
            took.append(job.id)
            assert table.complete(job.id, name, {})

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == sorted(wanted)
    assert {job.status for job in table.jobs(limit=200)} == {"completed"}
    table.close()


TAKER = """
import sys
from pathlib import Path
from lipdub.web.jobs.table import JobTable
table = JobTable(Path(sys.argv[1]))
while (job := table.take(sys.argv[2])) is not None:
    assert table.complete(job.id, sys.argv[2], {"by": sys.argv[2]})
    print(job.id, flush=True)
"""


def test_processes_take_each_of_a_thousand_jobs_once(tmp_path: Path) -> None:
    table = JobTable(tmp_path / "studio.sqlite3")
    wanted = [table.add("render", f"p{number}", "es", {}).id for number in range(1000)]
    command = [sys.executable, "-c", TAKER, str(table.database.path)]
    takers = [subprocess.Popen([*command, f"w{n}"], stdout=subprocess.PIPE, text=True) for n in range(2)]
    took = [line for taker in takers for line in taker.communicate()[0].split()]
    assert [taker.returncode for taker in takers] == [0, 0]
    assert sorted(took) == sorted(wanted)
    assert table.counts() == {"queued": 0, "processing": 0}
    table.close()


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert request_digest({"a": 1, "b": [2]}) == request_digest({"b": [2], "a": 1})
    assert request_digest({"a": 1}) != request_digest({"a": 2})
