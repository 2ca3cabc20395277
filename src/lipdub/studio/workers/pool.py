"""Worker processes for the segments of a film. Paths and values go to them; pixels never pass between processes.

The pool is loky's: its processes do not import the caller's main module, so a script without a main guard works, and
a process that is ended by the system is noticed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from lipdub.engines.seam import Engine
from lipdub.errors import MachineError
from lipdub.studio.film_work import FilmWork
from lipdub.studio.options import DubOptions
from lipdub.studio.session import Session, SessionSpec, reopened
from lipdub.studio.workers.segment_run import make_run
from lipdub.timeline.runs import consecutive

RUN_SECONDS = 20
"""Seconds of film that a worker makes before it is given something else: each run begins by decoding from a key
frame."""

FEW_SECONDS = 6
"""Seconds of film below which other processes cost more than they gain."""


def make_segments(work: FilmWork, session: Session) -> None:
    """Make all missing segments of ``work``, in this process or in several. The bytes are the same either way.

    Raises what rendering and encoding raise, and ``MachineError`` if the system ended a worker.
    """
    for file in work.remove_damaged():
        session.store.tell(f"{file}: this part of the film was damaged and is made again")
    missing = work.missing
    lengths = {number: len(work.segments.segments[number]) for number in missing}
    clock, total = session.clock, sum(lengths.values())
    with clock.stage("render"):
        done = 0
        for number in _made(work, missing, session):
            done += lengths[number]
            clock.frames["render"] = done
            clock.listener("render", done, total)


def worker_count(options: DubOptions, engine: Engine) -> int:
    """How many processes make a film: as many as were asked for, else as there are cores; one if they would share a
    GPU."""
    if options.workers:
        return options.workers
    return 1 if engine.limits.accelerator else available_cores()


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def runs_of(work: FilmWork, missing: Sequence[int], workers: int) -> list[list[int]]:
    """``missing`` in runs of segments that follow each other, short enough to keep all workers busy."""
    segments, rate = work.segments.segments, float(work.job.clip.rate)
    frames = sum(len(segments[number]) for number in missing)
    most = max(1.0, min(RUN_SECONDS * rate, frames / workers)) if workers > 1 else float("inf")
    runs: list[list[int]] = []
    for together in consecutive(np.array(missing, int)):
        length = 0.0
        for place, number in enumerate(together.tolist()):
            size = len(segments[number])
            if place == 0 or length + size / 2 > most:
                runs.append([])
                length = 0.0
            runs[-1].append(number)
            length += size
    return runs


def _made(work: FilmWork, missing: Sequence[int], session: Session) -> Iterator[int]:
    """The numbers of the segments as they are finished."""
    workers = worker_count(session.options, session.tools.engine)
    seconds = sum(len(work.segments.segments[number]) for number in missing) / float(work.job.clip.rate)
    runs = runs_of(work, missing, 1 if seconds < FEW_SECONDS else workers)
    if workers == 1 or len(runs) < 2:
        for run in runs:
            yield from make_run(work, run, session)
        return
    yield from _made_by_workers(work, runs, min(workers, len(runs)), session)


def _made_by_workers(work: FilmWork, runs: Sequence[Sequence[int]], workers: int, session: Session) -> Iterator[int]:
    from loky.process_executor import TerminatedWorkerError

    with ExitStack() as undo, _pool(workers) as submit:
        undo.callback(work.remove_unfinished)
        futures = [submit(_run_in_worker, session.spec, work, tuple(run)) for run in runs]
        left = {number for run in runs for number in run}
        while left:
            wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION)
            finished = sorted(number for number in left if work.file(number).is_file())
            left.difference_update(finished)
            yield from finished
            for future in futures:
                if future.done():
                    try:
                        future.result()
                    except TerminatedWorkerError as ended:
                        raise MachineError(
                            "the system ended a worker process, most likely because memory ran out",
                            file=work.job.clip.path,
                            remedy="Run it again with --workers 1: what is finished is kept",
                        ) from ended


@contextmanager
def _pool(workers: int) -> Iterator[Callable[..., Future]]:
    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(os.getpid(),))
    try:
        yield pool.submit
    except BaseException:
        pool.shutdown(wait=True, kill_workers=True)
        raise
    pool.shutdown(wait=True)


def _begin_worker(parent: int) -> None:
    """End this worker soon after the process that started it is gone. Ctrl-C reaches all processes of a terminal: the
    first process ends its workers itself."""
    from loky import process_executor

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # With psutil at hand, loky takes a worker that has loaded its models for one that leaks, and begins another one.
    process_executor._USE_PSUTIL = False

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.name != "nt":
        threading.Thread(target=watch, daemon=True, name="lipdub-parent").start()


@dataclass
class _Opened:
    """The session of a worker, kept for its next run."""

    spec: SessionSpec | None = None
    session: Session | None = None


_OPENED = _Opened()


def _run_in_worker(spec: SessionSpec, work: FilmWork, numbers: Sequence[int]) -> None:
    """Make ``numbers`` in this process; models stay loaded for the next run with the same options."""
    if _OPENED.session is None or _OPENED.spec != spec:
        _OPENED.session, _OPENED.spec = reopened(spec).__enter__(), spec
    _OPENED.session.store.hold(spec.held)
    for _ in make_run(work, numbers, _OPENED.session):
        pass
