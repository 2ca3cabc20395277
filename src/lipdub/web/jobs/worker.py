"""A process that does one job of the studio after the other.

    python -m lipdub.web.jobs.worker NAME DATABASE FOLDER [PATH...]

It is started by ``supervisor``, and ends when its standard input is closed: that happens however the server ended. The
job that it is doing then goes back to those that wait. A thread renews the lease of the job, looks whether it is to be
cancelled, and ends the process if the work does not stop by itself; what is finished in the project is kept.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipdub.disk.lock_file import create_locked
from lipdub.errors import LipdubError
from lipdub.process.child import end_children
from lipdub.process.memory import give_back_memory
from lipdub.studio.progress import Listener
from lipdub.web.jobs.failure import failure_of
from lipdub.web.jobs.job import Job
from lipdub.web.jobs.table import LEASE, JobTable

LOOK_AGAIN = 0.2
"""Seconds between two looks for a job, and between two words about progress."""

BEAT = LEASE / 6
"""Seconds between two signs of life."""

STOPS_WITHIN = 20.0
"""Seconds that work gets to stop by itself."""

MOST_JOBS = 100
"""Jobs after which a process makes room for a new one: libraries keep memory."""

RESTART = 75
"""Exit code of a process that makes room for a new one (EX_TEMPFAIL of sysexits.h)."""

_PAUSE, _TRIES = 1.0, 5
_NICENESS = 5
"""How much workers stand back (nice(2)): the page answers while they work."""

SERVER_ENDED = "the server was ended meanwhile"
"""Why a job waits again whose worker was ended on purpose."""

log = logging.getLogger("lipdub.web.jobs")

Run = Callable[[Job, Listener], Mapping[str, Any]]
"""Does a job and returns its result; what it raises is kept as the job's error."""


class JobStopped(BaseException):
    """The work of a job shall end: it is to be cancelled, or not this worker's any more. Not an ``Exception``, so that
    no handler of errors stops it."""


class JobWaits(LipdubError):
    """A job cannot be done yet, for a reason that passes: ``what``."""


@dataclass(eq=False)
class Worker:
    """Does the jobs of ``table`` under the ``name`` of this worker. ``stopping`` is set when it shall end."""

    table: JobTable
    name: str
    run: Run
    quick: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self, most: int = MOST_JOBS) -> int:
        """Do jobs until ``stopping`` is set or ``most`` are done; returns how many were."""
        done = 0
        while done < most and not self.stopping.is_set():
            try:
                worked = self.work_once()
            except LipdubError as refused:  # the list of jobs cannot be read or written, for the moment
                log.error("worker %s: %s", self.name, refused)
                self.stopping.wait(_PAUSE)
                continue
            if worked:
                done += 1
                give_back_memory()
            else:
                self.stopping.wait(LOOK_AGAIN)
        return done

    def work_once(self) -> bool:
        """Do the next job; False if there is none."""
        job = self.table.take(self.name, quick=self.quick)
        if job is None:
            return False
        with _Watch(self.table, self.name, job, self.stopping) as watch:
            self._do(job, watch)
        return True

    def _do(self, job: Job, watch: "_Watch") -> None:
        """Do ``job``; whatever comes of it is noted."""
        table, name = self.table, self.name
        try:
            watch.listener("", 0, 0)
            result = self.run(job, watch.listener)
        except JobStopped:
            if watch.wanted == "cancel":
                _noted(lambda: table.cancelled(job.id, name))
            elif watch.wanted == "go on":
                _noted(lambda: table.give_back(job.id, name, SERVER_ENDED, 0.0))
        except JobWaits as why:
            waits = f"waits, because {why.what}"
            _noted(lambda: table.give_back(job.id, name, waits, 2.0))
        except Exception as error:
            failure = failure_of(error, job.id)
            _noted(lambda: table.fail(job.id, name, failure))
        else:
            _noted(lambda: table.complete(job.id, name, result))


def _noted(note: Callable[[], bool]) -> None:
    """Note what came of a job; while the disk is full, say, again and again for some seconds. Raises what ``note``
    raised at last: then the job is begun again when its lease has run out, and finds what is finished."""
    for _ in range(_TRIES):
        try:
            note()
            return
        except LipdubError:
            time.sleep(_PAUSE)
    note()


class _Watch:
    """Keeps the lease of a job while it is done, and stops its work when that is wanted."""

    def __init__(self, table: JobTable, name: str, job: Job, stopping: threading.Event) -> None:
        self.wanted = "go on"
        self._table, self._name, self._job, self._stopping = table, name, job, stopping
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._told = 0.0
        self._thread = threading.Thread(target=self._watch, name="lipdub-lease", daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def listener(self, stage: str, done: int, total: int) -> None:
        """Notes progress, at most five times a second, and raises ``JobStopped`` if the work shall end."""
        if self.wanted != "go on" or self._stopping.is_set():
            raise JobStopped
        now = time.monotonic()
        if now - self._told >= LOOK_AGAIN:
            self._told = now
            with contextlib.suppress(LipdubError):  # a full disk, say: the work itself may end well
                self._note(self._table.beat(self._job.id, self._name, (stage, done, total)))
            if self.wanted != "go on":
                raise JobStopped

    def _watch(self) -> None:
        last = time.monotonic()
        since = 0.0
        while not self._ended.wait(LOOK_AGAIN):
            now = time.monotonic()
            with contextlib.suppress(LipdubError):
                if now - last >= BEAT:
                    self._note(self._table.beat(self._job.id, self._name))
                    last = now
                else:
                    self._note(self._table.wanted(self._job.id, self._name))
            if self.wanted != "go on" or self._stopping.is_set():
                since = since or now
                if now - since > STOPS_WITHIN:
                    self._end_process()

    def _note(self, wanted: str) -> None:
        with self._lock:
            if self.wanted == "go on" and not self._ended.is_set():
                self.wanted = wanted

    def _end_process(self) -> None:
        """The work does not stop by itself: the process ends, and what the project holds is as after any crash."""
        with contextlib.suppress(LipdubError):
            if self.wanted == "cancel":
                self._table.cancelled(self._job.id, self._name)
            elif self.wanted == "go on":
                self._table.give_back(self._job.id, self._name, SERVER_ENDED, 0.0)
        end_children()
        os._exit(RESTART)


def run_worker(table: JobTable, name: str, run: Run, *, quick: bool = False) -> int:
    """Do jobs until standard input is closed, or this process should make room for a new one; returns the exit
    code."""
    worker = Worker(table, name, run, quick)
    for number in ("SIGINT", "SIGHUP"):  # they reach all processes of a terminal: the server ends this one
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    threading.Thread(target=_end_with_parent, args=(worker.stopping,), name="lipdub-parent", daemon=True).start()
    held = create_locked(table.database.path.parent, sign_of_life(name))
    try:
        worker.work()
    finally:
        table.close()
        held.path.unlink(missing_ok=True)
        held.release()
    return 0 if worker.stopping.is_set() else RESTART


def sign_of_life(name: str) -> str:
    """How the name of a file begins that a worker keeps locked beside the database as long as it lives, however it
    ends: see ``supervisor.free_jobs_of_the_dead``."""
    return f".{name}-"


def _end_with_parent(stopping: threading.Event) -> None:
    """Set ``stopping`` when standard input ends, and end the process if it does not do so by itself."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 64):
            pass
    stopping.set()
    time.sleep(STOPS_WITHIN + 5)
    end_children()
    os._exit(RESTART)


def quiet() -> None:
    """Let only the log reach standard error: what libraries print may hold a user's texts. LIPDUB_DEBUG=1 shows all."""
    kept = os.dup(2)
    if not os.environ.get("LIPDUB_DEBUG"):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    handler = logging.StreamHandler(os.fdopen(kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logger = logging.getLogger("lipdub.web")
    logger.addHandler(handler)
    logger.propagate = False


def main(arguments: list[str]) -> int:
    """Run a worker on the studio whose state is in ``DATABASE``; see the module."""
    from lipdub.web.jobs.kinds import JobKinds
    from lipdub.web.places import Places

    name, database, folder, *given = arguments
    quiet()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    places = Places(Path(folder), tuple(map(Path, given)))
    workers = int(os.environ.get("LIPDUB_STUDIO_CORES", "0"))
    table = JobTable(Path(database))
    kinds = JobKinds(table.tell, places, workers)
    return run_worker(table, name, kinds.run, quick=name.startswith("quick"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
