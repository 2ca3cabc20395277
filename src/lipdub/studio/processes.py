"""The worker processes of a session. Paths and values go to them; pixels never pass between processes.

The pool is loky's: its processes do not import the caller's main module, so a script without a main guard works, and
a process that is ended by the system is noticed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lipdub.errors import MachineError, OptionError

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

FEW_SECONDS = 6
"""Seconds of film below which other processes cost more than they gain."""

RUN_SECONDS = 20
"""Seconds of film that a worker gets at most before it is given something else: each part begins by decoding from a key
frame."""

_LOOK_AGAIN = 0.2  # seconds between two looks at what the workers have done

Submit = Callable[..., Future]
"""``submit(function, *values)`` lets a worker call ``function(*values)``."""


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class AskedWorkers:
    """How many workers ``--workers`` asks for (0: as many as there is room for), and where: on this machine, or on the
    Ray cluster at ``ray`` (None: on this machine; "": that of RAY_ADDRESS, or one that is started here)."""

    count: int = 0
    ray: str | None = None

    @classmethod
    def parse(cls, given: int | str) -> "AskedWorkers":
        """What ``2``, ``"ray"`` or ``"ray:HOST:PORT"`` asks for. Raises ``OptionError``."""
        text = str(given).strip()
        if text.isascii() and text.isdecimal():
            return cls(int(text))
        name, _, address = text.partition(":")
        if name != "ray":
            raise OptionError(f"--workers {text} cannot be read", remedy="Give a number, ray, or ray:HOST:PORT")
        return cls(ray=address)


class WorkerPool:
    """Worker processes that are started when they are first needed, and live until the pool is closed."""

    def __init__(self) -> None:
        """No process is started yet."""
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(at_once=error is not None)

    @contextmanager
    def tasks(self, most: int, remedy: str = "", file: Path | None = None) -> Iterator[Submit]:
        """A function that gives tasks to the workers; ``most`` of them are started if there are none yet.

        If the block fails, all workers are ended before the error goes on. Raises ``MachineError`` about ``file``, with
        ``remedy`` as what to do, if the system ended a worker.
        """
        from loky import ProcessPoolExecutor
        from loky.process_executor import TerminatedWorkerError

        if self._pool is None:
            self._pool = ProcessPoolExecutor(most, initializer=_begin_worker, initargs=(os.getpid(),))
        try:
            yield self._pool.submit
        except TerminatedWorkerError as ended:
            self.close(at_once=True)
            what = "the system ended a worker process, most likely because memory ran out"
            raise MachineError(what, file=file, remedy=remedy) from ended
        except BaseException:
            self.close(at_once=True)
            raise

    def close(self, *, at_once: bool = False) -> None:
        """End the workers: when they have done what they were given, or ``at_once``."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, kill_workers=at_once)


def until_done(futures: Sequence[Future]) -> Iterator[None]:
    """Yields now and then until all ``futures`` are done, and once more after that. Raises what the first failed one
    raised."""
    left = set(futures)
    while left:
        done, left = wait(left, timeout=_LOOK_AGAIN, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future in done:
                future.result()
        yield


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
