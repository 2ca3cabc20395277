"""The processes that make the jobs of a batch, as the first process sees them: who makes what, and who died."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from lipdub.errors import MachineError
from lipdub.process.exit_codes import INTERNAL_ERROR
from lipdub.studio.batch.check import CheckedJob
from lipdub.studio.batch.outcome import JobOutcome
from lipdub.studio.batch.recipe import Recipe
from lipdub.studio.batch.runner import BEGINS, ENDED, GO, PROGRESS, run_jobs

_LOOK_AGAIN = 0.5
"""Seconds between two words to the watcher while nothing happens."""
_PATIENCE = 10.0
"""Seconds that a process gets to end by itself before it is killed."""

RunJobs = Callable[[Connection, int], None]
"""What a process does: ``runner.run_jobs``, or a stand-in for tests."""


@runtime_checkable
class Watcher(Protocol):
    """Is told what the processes do."""

    def begins(self, job: CheckedJob, recipe: Recipe) -> None:
        """``job`` is about to be made."""

    def progress(self, job: CheckedJob, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of a stage are done (0: unknown)."""

    def ended(self, job: CheckedJob, outcome: JobOutcome) -> None:
        """``job`` is made, or failed."""

    def waits(self) -> None:
        """Nothing has happened for a while."""


@dataclass(eq=False)
class _Runner:
    """One process, and the job that it is making (None: it waits)."""

    process: Any
    connection: Connection
    job: CheckedJob | None = None
    began: float = 0.0

    @classmethod
    def start(cls, target: RunJobs) -> "_Runner":
        from loky.backend import get_context  # its processes do not import the caller's main module

        context: Any = get_context("loky")
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, os.getpid()))
        with _ctrl_c_ignored():
            process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, job: CheckedJob) -> None:
        """Let it make ``job``. Raises ``OSError`` if the process is gone."""
        self.job, self.began = job, time.monotonic()
        self.connection.send(job.job.request)

    def end(self, *, at_once: bool) -> None:
        """End the process: when it waits for a job, or ``at_once``."""
        try:
            if at_once:
                self.process.terminate()
            else:
                self.connection.send(None)
        except (OSError, ValueError):
            pass
        self.process.join(_PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(_PATIENCE)
        self.connection.close()


@dataclass(eq=False)
class Runners:
    """At most ``count`` processes, each started when there is a job for it, and ended with the block.

    If the block ends by an error (Ctrl-C is one), the jobs that are being made are stopped, and nothing of them stays.
    """

    count: int = 1
    target: RunJobs = run_jobs
    _idle: list[_Runner] = field(default_factory=list)
    _busy: list[_Runner] = field(default_factory=list)

    def __enter__(self) -> "Runners":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        runners, self._idle, self._busy = [*self._idle, *self._busy], [], []
        for runner in runners:
            if error is not None:
                runner.process.terminate()
        for runner in runners:
            runner.end(at_once=error is not None)

    def make(self, jobs: Sequence[CheckedJob], watcher: Watcher) -> None:
        """Make all ``jobs``, in their order as far as possible; a job that fails stops no other.

        Two jobs with one clip are not made at the same time until a first one is finished: the others then find its
        analysis. Two jobs of one project are never made at the same time.
        """
        pending, analysed = list(jobs), set[Path]()
        while pending or self._busy:
            while len(self._busy) < self.count and (job := self._next(pending, analysed)) is not None:
                self._start(job)
            self._listen(watcher, analysed)

    def _next(self, pending: list[CheckedJob], analysed: set[Path]) -> CheckedJob | None:
        """Take the first job that may begin now out of ``pending``; None if there is none."""
        requests = [runner.job.job.request for runner in self._busy if runner.job is not None]
        at_work = {request.source for request in requests} - analysed
        projects = {request.project.folder for request in requests if request.project is not None}
        for number, job in enumerate(pending):
            own = job.job.request.project
            if job.job.request.source not in at_work and (own is None or own.folder not in projects):
                return pending.pop(number)
        return None

    def _start(self, job: CheckedJob) -> None:
        while True:
            runner = self._idle.pop() if self._idle else _Runner.start(self.target)
            self._busy.append(runner)
            try:
                runner.give(job)
                return
            except OSError:  # it died while it waited
                self._busy.remove(runner)
                runner.end(at_once=True)

    def _listen(self, watcher: Watcher, analysed: set[Path]) -> None:
        """Hear what the processes say, or that one of them has died."""
        ready = wait([w for runner in self._busy for w in (runner.connection, runner.process.sentinel)], _LOOK_AGAIN)
        for runner in [r for r in self._busy if r.connection in ready or r.process.sentinel in ready]:
            try:
                while runner.job is not None and runner.connection.poll():
                    self._hear(runner, watcher, analysed)
                if runner.job is not None and runner.process.exitcode is not None:
                    raise EOFError
            except (EOFError, OSError):
                self._died(runner, watcher)
        if not ready:
            watcher.waits()

    def _hear(self, runner: _Runner, watcher: Watcher, analysed: set[Path]) -> None:
        """Raises ``EOFError`` or ``OSError`` if the process is gone."""
        job, (what, *values) = runner.job, runner.connection.recv()
        assert job is not None
        if what == PROGRESS:
            watcher.progress(job, *values)
        elif what == BEGINS:
            watcher.begins(job, *values)
            runner.connection.send(GO)
        else:
            assert what == ENDED, what
            runner.job = None
            self._busy.remove(runner)
            self._idle.append(runner)
            if values[0].exit_code == 0:
                analysed.add(job.job.request.source)
            watcher.ended(job, values[0])

    def _died(self, runner: _Runner, watcher: Watcher) -> None:
        job = runner.job
        self._busy.remove(runner)
        runner.end(at_once=True)
        assert job is not None
        watcher.ended(job, _outcome_of_a_death(runner.process.exitcode, time.monotonic() - runner.began))


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """A process that is started in the block ignores Ctrl-C from its first moment on (execve(2) keeps that)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _outcome_of_a_death(exit_code: int | None, seconds: float) -> JobOutcome:
    """What to say of a job whose process ended with ``exit_code`` (negative: by that signal) without a word."""
    number = -exit_code if exit_code is not None and exit_code < 0 else 0
    if number in (getattr(signal, "SIGKILL", 9), getattr(signal, "SIGTERM", 15)):
        what = "the system or another program ended the process that made it, most likely because memory ran out"
        error = MachineError(what, remedy="Close other programs, or give fewer --jobs and --workers")
        return JobOutcome(error.exit_code, str(error), seconds)
    name = signal.Signals(number).name if number in set(signal.Signals) else f"exit code {exit_code}"
    return JobOutcome(INTERNAL_ERROR, f"the process that made it crashed ({name}). Please report it.", seconds)
