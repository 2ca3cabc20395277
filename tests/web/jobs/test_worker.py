"""Workers and their supervisor: what comes of a job, and what if a process dies."""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.web.jobs.made_jobs import small_work

from lipdub.errors import MachineError, OutputError
from lipdub.web.jobs.job import Job
from lipdub.web.jobs.supervisor import QUICK_WORKERS, Supervisor, how_it_ended
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import JobStopped, Worker

WORKER = Path(__file__).with_name("made_jobs.py")


def done(table: JobTable, job: Job, run: Callable = small_work) -> Job:
    assert Worker(table, "one", run).work_once()
    found = table.job(job.id)
    assert found is not None
    return found


def test_a_result_and_an_error_are_kept(real: JobTable, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = done(real, real.add("render", "a", "es", {"file": str(tmp_path / "f"), "steps": 3}))
    assert made.result == {"lines": 3, "_file": str(tmp_path / "f")}
    wrong = done(real, real.add("render", "a", "es", {"wrong": True}))
    assert wrong.status == "failed"
    assert wrong.error is not None
    assert wrong.error.to_dict() == {
        "title": "An input cannot be used",
        "detail": "clip.mp4: the clip has no picture.",
        "remedy": "Give another one",
        "kind": "input",
    }
    with caplog.at_level(logging.ERROR, "lipdub.web.jobs"):
        bug = done(real, real.add("render", "a", "es", {"bug": True}))
    assert bug.error is not None
    reference = bug.error.detail.split()[-1].rstrip(".")
    assert reference in caplog.text
    assert "ValueError at" in caplog.text
    assert "small_work" in caplog.text
    for text in (caplog.text, str(bug.error)):
        assert "the user's own text" not in text


def test_errors_of_the_system_are_told_as_ours(real: JobTable) -> None:
    def full(job: Job, listener: object) -> dict:
        raise OSError(28, "No space left on device", "/somewhere/film.mp4")

    failed = done(real, real.add("render", "a", "es", {}), full)
    assert failed.error is not None
    assert (failed.error.kind, failed.error.detail) == ("output", "film.mp4: the disk is full.")


def test_a_job_of_a_project_that_is_in_use_waits_and_says_so(real: JobTable, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    waits = done(real, real.add("render", "a", "es", {"waits": str(lock), "file": str(tmp_path / "f")}))
    assert (waits.status, waits.attempts) == ("queued", 0)
    assert waits.progress.note == "waits, because another run of lipdub works in this project"


def test_the_listener_stops_work_that_is_cancelled(real: JobTable) -> None:
    def work(job: Job, listener: Callable) -> dict:
        for step in range(10_000):
            listener("long", step, 10_000)
            if step == 1:
                real.cancel(job.id)
            time.sleep(0.01)
        raise AssertionError

    assert done(real, real.add("render", "a", "es", {}), work).status == "cancelled"


def test_a_worker_that_lost_its_job_stops_and_changes_nothing(real: JobTable) -> None:
    def work(job: Job, listener: Callable) -> dict:
        real.abandon("one", "it was slow")
        for _ in range(10_000):
            listener("long", 0, 0)
            time.sleep(0.01)
        raise AssertionError

    assert done(real, real.add("render", "a", "es", {}), work).status == "queued"


def test_a_worker_that_shall_end_gives_its_job_back(real: JobTable) -> None:
    job = real.add("render", "a", "es", {})

    def work(job: Job, listener: Callable) -> dict:
        worker.stopping.set()
        listener("long", 0, 0)
        raise AssertionError

    worker = Worker(real, "one", work)
    assert worker.work() == 1
    found = real.job(job.id)
    assert found is not None
    assert (found.status, found.attempts) == ("queued", 0)


def test_progress_is_written_at_most_five_times_a_second(real: JobTable, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    beat = real.beat
    monkeypatch.setattr(real, "beat", lambda *a: (told.append(a[2:]), beat(*a))[1])
    clock = iter(range(10_000_000))
    monkeypatch.setattr("lipdub.web.jobs.worker.time.monotonic", lambda: 100 + next(clock) / 1000)

    def work(job: Job, listener: Callable) -> dict:
        for step in range(1000):
            listener("fast", step, 1000)
        return {}

    assert done(real, real.add("render", "a", "es", {}), work).status == "completed"
    assert 2 <= len([each for each in told if each]) <= 7  # 1 s by that clock


def test_a_full_disk_while_progress_is_noted_does_not_fail_the_work(
    real: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> str:
        raise OutputError("the disk is full")

    monkeypatch.setattr(real, "beat", refused)

    def work(job: Job, listener: Callable) -> dict:
        listener("s", 0, 1)
        return {}

    assert done(real, real.add("render", "a", "es", {}), work).status == "completed"


def test_what_came_of_a_job_is_noted_when_the_disk_has_room_again(
    real: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    complete = real.complete

    def sometimes(*arguments: object) -> bool:
        tries.append(1)
        if len(tries) < 3:
            raise OutputError("the disk is full")
        return complete(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(real, "complete", sometimes)
    monkeypatch.setattr("lipdub.web.jobs.worker._PAUSE", 0.01)
    assert done(real, real.add("render", "a", "es", {}), lambda *_: {}).status == "completed"
    assert len(tries) == 3


def test_a_stop_is_no_error_that_handlers_catch() -> None:
    assert not issubclass(JobStopped, Exception)


def test_deaths_are_told_as_sentences() -> None:
    assert "memory" in how_it_ended(-9)
    assert "SIGSEGV" in how_it_ended(-11)
    assert "exit code 3" in how_it_ended(3)
    assert issubclass(MachineError, Exception)


# Processes


def supervised(table: JobTable, count: int = 1) -> Supervisor:
    return Supervisor(lambda name: [sys.executable, str(WORKER), name, str(table.database.path)], table, count)


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def ended(table: JobTable) -> bool:
    return all(job.has_ended for job in table.jobs(limit=500))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def test_workers_do_jobs_and_end_with_their_supervisor(real: JobTable, tmp_path: Path) -> None:
    for number in range(5):
        real.add("render", f"p{number}", "es", {"file": str(tmp_path / f"f{number}"), "steps": 2})
    with supervised(real, 2) as supervisor:
        processes = supervisor.processes
        assert len(processes) == 2 + QUICK_WORKERS
        until(lambda: ended(real))
    assert [job.status for job in real.jobs()] == ["completed"] * 5
    until(lambda: not any(map(is_running, processes.values())))
    assert supervisor.processes == {}


def test_a_job_that_is_being_done_when_the_server_ends_waits_for_the_next_one(real: JobTable, tmp_path: Path) -> None:
    job = real.add("render", "a", "es", {"file": str(tmp_path / "f"), "steps": 400, "pause": 0.05})
    with supervised(real):
        until(lambda: (tmp_path / "f").exists())
    found = real.job(job.id)
    assert found is not None
    assert (found.status, found.attempts) == ("queued", 0)
    real.cancel(job.id)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_worker_costs_an_attempt_and_nothing_that_is_finished(real: JobTable, tmp_path: Path) -> None:
    file = tmp_path / "f"
    job = real.add("render", "a", "es", {"file": str(file), "steps": 30, "pause": 0.05})
    with supervised(real) as supervisor:
        until(lambda: file.exists())
        worker = next(process for name, process in supervisor.processes.items() if name.startswith("worker"))
        os.kill(worker, signal.SIGKILL)
        until(lambda: ended(real))
    found = real.job(job.id)
    assert found is not None
    assert (found.status, found.attempts) == ("completed", 2)
    assert file.read_text().split() == [str(step) for step in range(30)]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_work_that_does_not_stop_by_itself_is_ended(real: JobTable, tmp_path: Path) -> None:
    stuck = real.add("render", "a", "es", {"stuck": str(tmp_path / "stuck")})
    after = real.add("render", "a", "fr", {"file": str(tmp_path / "f")})
    with supervised(real):
        until(lambda: (tmp_path / "stuck").exists())
        real.cancel(stuck.id)
        until(lambda: ended(real))
    states = [job.status for job in map(real.job, (stuck.id, after.id)) if job is not None]
    assert states == ["cancelled", "completed"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_stuck_job_of_a_server_that_ends_waits_and_counts_as_not_begun(real: JobTable, tmp_path: Path) -> None:
    stuck = real.add("render", "a", "es", {"stuck": str(tmp_path / "stuck")})
    with supervised(real):
        until(lambda: (tmp_path / "stuck").exists())
    found = real.job(stuck.id)
    assert found is not None
    assert (found.status, found.attempts) == ("queued", 0)


SERVER = """
import sys, time
from pathlib import Path
from lipdub.web.jobs.supervisor import QUICK_WORKERS, Supervisor
from lipdub.web.jobs.table import JobTable
table = JobTable(Path(sys.argv[1]))
supervisor = Supervisor(lambda name: [sys.executable, sys.argv[2], name, sys.argv[1]], table, 1)
supervisor.start()
print(*supervisor.processes.values(), flush=True)
time.sleep(600)
"""


def server(table: JobTable) -> tuple["subprocess.Popen[str]", list[int]]:
    command = [sys.executable, "-c", SERVER, str(table.database.path), str(WORKER)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(text) for text in process.stdout.readline().split()]


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_end_when_their_server_is_killed_and_the_next_server_goes_on(real: JobTable, tmp_path: Path) -> None:
    file = tmp_path / "f"
    job = real.add("render", "a", "es", {"file": str(file), "steps": 60, "pause": 0.05})
    first, workers = server(real)
    try:
        until(lambda: file.exists())
    finally:
        killed(first)
    until(lambda: not any(map(is_running, workers)))
    with supervised(real):
        until(lambda: ended(real))
    found = real.job(job.id)
    assert found is not None
    assert (found.status, found.attempts) == ("completed", 1)
    assert file.read_text().split() == [str(step) for step in range(60)]


def test_two_servers_share_the_jobs_of_one_database(real: JobTable, tmp_path: Path) -> None:
    for number in range(12):
        real.add("render", f"p{number}", "es", {"file": str(tmp_path / f"f{number}"), "steps": 4, "pause": 0.02})
    other = JobTable(real.database.path)
    with supervised(real), supervised(other):
        until(lambda: ended(real))
    other.close()
    assert {(job.status, job.attempts) for job in real.jobs()} == {("completed", 1)}
    for number in range(12):
        assert (tmp_path / f"f{number}").read_text().split() == ["0", "1", "2", "3"]


def test_a_job_whose_worker_went_with_its_server_waits_for_no_lease(
    real: JobTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipdub.web.jobs.table.LEASE", 1e6)
    gone = real.add("render", "a", "es", {"file": str(tmp_path / "f")})
    assert real.take("worker-gone") is not None
    left = tmp_path / ".worker-gone-0123456789abcdef"  # a worker that is killed leaves its file
    left.touch()
    with supervised(real):
        until(lambda: ended(real))
        assert not left.exists()
    found = real.job(gone.id)
    assert found is not None
    assert (found.status, found.attempts) == ("completed", 2)
    assert not list(tmp_path.glob(".worker-*"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_whoever_is_killed_and_when_every_job_ends_and_is_whole(real: JobTable, tmp_path: Path) -> None:
    chance = random.Random(5)
    jobs = [
        real.add(
            "render", f"p{number % 4}", str(number), {"file": str(tmp_path / f"f{number}"), "steps": 6, "pause": 0.1}
        )
        for number in range(24)
    ]
    with supervised(real, 2) as supervisor:
        until(lambda: real.counts()["processing"] > 0)
        for _ in range(8):
            time.sleep(chance.uniform(0.1, 0.8))
            for process in list(supervisor.processes.values()):
                if chance.random() < 0.5:
                    os.kill(process, signal.SIGKILL)
        until(lambda: ended(real))
    for number, job in enumerate(jobs):
        found = real.job(job.id)
        assert found is not None
        lines = (tmp_path / f"f{number}").read_text().split() if (tmp_path / f"f{number}").exists() else []
        assert lines == [str(step) for step in range(len(lines))]
        assert found.status == "completed" or (found.error is not None and found.attempts == 3)
        assert found.status == "failed" or len(lines) == 6
