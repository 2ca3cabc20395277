"""A process that makes one job after the other, and keeps the models of one for the next.

What goes wrong in it, however badly, ends no other job: the process that started it begins another one. It is told to
stop by SIGTERM; Ctrl-C in a terminal reaches the first process alone.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from lipdub.disk.temporary_folder import temporary_folder
from lipdub.process.exit_codes import INTERNAL_ERROR, StoppedBySignal, as_lipdub_error
from lipdub.process.memory import give_back_memory
from lipdub.studio.batch.in_project import make_in_project
from lipdub.studio.batch.outcome import JobOutcome, outcome_of
from lipdub.studio.batch.recipe import Digests, Recipe, recipe_of
from lipdub.studio.batch.same_tools import SameTools
from lipdub.studio.caller import Caller
from lipdub.studio.dub import dub_in
from lipdub.studio.job import DubRequest
from lipdub.studio.progress import Listener
from lipdub.studio.session import open_session

PROGRESS, BEGINS, ENDED, GO = "progress", "begins", "ended", "go"
"""What is sent: how far a job is; its recipe, before anything is made (the answer is GO); its outcome."""

_PAUSE = 0.2
"""Seconds between two words about progress."""


@dataclass(eq=False)
class JobMaker:
    """Makes jobs in this process. Models stay loaded for the next job that asks for the same ones; of work that is not
    kept for later runs, that of one clip stays for the next job with the same clip."""

    tools: SameTools = field(default_factory=SameTools)
    _resources: ExitStack = field(default_factory=ExitStack)
    _source: Path | None = None
    _folder: Path | None = None

    def make(self, request: DubRequest, listener: Listener, begins: Callable[[Recipe], None]) -> JobOutcome:
        """Make the film of a request. ``begins`` is called with its recipe before. Raises what ``dub`` raises."""
        options = request.options
        caller = Caller(listener, stated_for_the_batch)
        if request.project is not None:
            begins(recipe_of(request, Digests()))
            return outcome_of(make_in_project(request, caller).to_dict())
        unkept = None if options.reuse else self._unkept(request.source)
        with open_session(options, listener, tools=self.tools.for_options(options), unkept=unkept) as session:
            session.inputs.watch(request.inputs)
            begins(recipe_of(request, session.inputs.digest))
            report = dub_in(session, request, caller).to_dict()
        return outcome_of(report)

    def close(self) -> None:
        """Remove what was kept for the next job."""
        self._resources.close()

    def _unkept(self, source: Path) -> Path:
        if self._folder is None or source != self._source:
            self._resources.close()
            self._source, self._folder = source, self._resources.enter_context(temporary_folder("batch"))
        return self._folder


def stated_for_the_batch(clip: str) -> None:
    """Consent was stated for all clips of the batch, before the first was begun."""


def run_jobs(connection: Connection, parent: int) -> None:
    """Make the jobs that come through ``connection`` until None comes. ``parent``: the process that started this one;
    when it is gone, this one ends."""
    for name in ("SIGINT", "SIGHUP"):  # they reach all processes of a terminal: the first one ends this one
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    _end_with(parent)
    maker = JobMaker()
    try:
        while True:
            request = connection.recv()
            if request is None:
                return
            connection.send((ENDED, _outcome(maker, request, connection)))
            give_back_memory()
    except (EOFError, OSError, StoppedBySignal):
        return  # whoever started this process is gone, or does not want the job any more
    finally:
        maker.close()


def _outcome(maker: JobMaker, request: DubRequest, connection: Connection) -> JobOutcome:
    """Make a job; whatever goes wrong is its outcome."""
    began = time.monotonic()

    def begins(recipe: Recipe) -> None:
        connection.send((BEGINS, recipe))
        answer = connection.recv()
        assert answer == GO, answer

    try:
        made = maker.make(request, _teller(connection), begins)
    except Exception as error:
        made = _failed(error)
    return JobOutcome(
        made.exit_code, made.error, time.monotonic() - began, peak_memory(), made.warnings, made.figures, made.left
    )


def _failed(error: Exception) -> JobOutcome:
    told = as_lipdub_error(error)
    if told is not None:
        return JobOutcome(told.exit_code, str(told))
    return JobOutcome(INTERNAL_ERROR, f"a mistake of ours ({type(error).__name__}: {error}). Please report it.")


def _teller(connection: Connection) -> Listener:
    """Sends progress, not too often: the reader must not fall behind."""
    last: list[Any] = ["", 0.0]

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= _PAUSE or (total and done == total):
            last[:] = [stage, now]
            connection.send((PROGRESS, stage, done, total))

    return tell


def peak_memory() -> int:
    """The most memory that this process had, in bytes; 0 where the system does not tell (getrusage(2))."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedBySignal(number)


def _end_with(parent: int) -> None:
    """End this process soon after ``parent`` is gone, however that ended."""
    if os.name == "nt":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lipdub-parent").start()
