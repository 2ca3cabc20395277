"""Keeps the studio's workers running: starts them, begins another one where one died, and ends them with the server.

    with Supervisor(worker_command(places), JobTable(places.database), count=1):
        ...  # the server runs

Several servers may use one database: each has workers of its own, and leases keep them apart.
"""

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lipdub.disk.lock_file import is_locked, remove_if_unlocked
from lipdub.errors import LipdubError
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import RESTART, SERVER_ENDED, sign_of_life

QUICK_WORKERS = 2
"""Workers that are kept free for jobs of few seconds (``job.QUICK``): two, since a proxy of a long film takes minutes,
and a line that somebody wants to hear should not wait for it."""

_KINDS = ("worker", "quick")
"""How the names of workers begin; those of quick ones with the second."""

_LOOK_AGAIN = 0.2
_SOON, _LATEST = 0.5, 30.0
_STEADY = 60.0
"""Seconds that a process must live so that its end counts as the first one."""
_PATIENCE = 5.0
"""Seconds that workers get to end by themselves before they are killed."""

log = logging.getLogger("lipdub.web.jobs")

Command = Callable[[str], Sequence[str]]
"""The program and arguments of a worker of a name."""


def worker_command(database: Path, folder: Path, given: Sequence[Path] = ()) -> Command:
    """The command of the workers of a studio: see ``worker``."""

    def command(name: str) -> list[str]:
        module = [sys.executable, "-m", "lipdub.web.jobs.worker"]
        return [*module, name, *map(str, (database, folder, *given))]

    return command


@dataclass(eq=False)
class _Place:
    """A worker that shall run: its process, and when the next one may be started."""

    kind: str
    process: "subprocess.Popen[bytes] | None" = None
    name: str = ""
    began: float = 0.0
    deaths: int = 0
    not_before: float = 0.0


@dataclass(eq=False)
class Supervisor:
    """Keeps ``count`` workers, and ``QUICK_WORKERS`` more, running while its block runs. ``cores`` says how many
    processes each may use for one job (0: as many as there are cores, divided among the workers)."""

    command: Command
    table: JobTable
    count: int = 1
    cores: int = 0
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _places: list[_Place] = field(default_factory=list, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start the workers, and a thread that looks after them. Jobs whose workers are gone are free at once."""
        with contextlib.suppress(LipdubError, OSError):  # their leases run out by themselves
            free_jobs_of_the_dead(self.table)
        usual, quick = _KINDS
        self._places = [*(_Place(usual) for _ in range(self.count)), *(_Place(quick) for _ in range(QUICK_WORKERS))]
        for place in self._places:
            self._begin(place)
        self._thread = threading.Thread(target=self._look_after, name="lipdub-supervisor", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End all workers; the jobs that they are doing wait again. Returns within some seconds."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        running = [place for place in self._places if place.process is not None]
        for place in running:
            _let_end(place)
        until = time.monotonic() + _PATIENCE
        for place in running:
            assert place.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                place.process.wait(max(0.0, until - time.monotonic()))
            _kill(place.process)
            with contextlib.suppress(LipdubError):
                self.table.release(place.name, SERVER_ENDED)
            place.process = None

    @property
    def processes(self) -> dict[str, int]:
        """The process ids of the workers that run now, by their names."""
        return {place.name: place.process.pid for place in self._places if place.process is not None}

    def _look_after(self) -> None:
        while not self._ended.wait(_LOOK_AGAIN):
            for place in self._places:
                if place.process is not None and place.process.poll() is not None:
                    self._has_ended(place)
                if place.process is None and time.monotonic() >= place.not_before:
                    self._begin(place)

    def _begin(self, place: _Place) -> None:
        place.name = f"{place.kind}-{secrets.token_hex(6)}"
        environment = {**os.environ, "LIPDUB_STUDIO_CORES": str(self.cores or _share(self.count))}
        try:
            place.process = subprocess.Popen(
                list(self.command(place.name)), stdin=subprocess.PIPE, env=environment, start_new_session=True
            )
        except OSError as refused:
            place.deaths += 1
            place.not_before = time.monotonic() + _pause(place.deaths)
            log.error("a worker cannot be started: %s", refused.strerror)
            return
        place.began = time.monotonic()

    def _has_ended(self, place: _Place) -> None:
        """A worker is gone: its job is free, and another one follows, later each time."""
        assert place.process is not None
        code, lived = place.process.returncode, time.monotonic() - place.began
        _kill(place.process)
        self._free(place, how_it_ended(code))
        place.process = None
        if code == RESTART:
            place.deaths, place.not_before = 0, 0.0
            return
        place.deaths = 1 if lived > _STEADY else place.deaths + 1
        place.not_before = time.monotonic() + _pause(place.deaths)
        log.warning("worker %s ended (%s); another one is started", place.name, how_it_ended(code))

    def _free(self, place: _Place, how: str) -> None:
        try:
            self.table.abandon(place.name, how)
        except LipdubError as refused:  # its lease runs out by itself
            log.error("the jobs of worker %s: %s", place.name, refused)


def free_jobs_of_the_dead(table: JobTable) -> None:
    """Free the jobs of workers that do not live any more, and remove the files that told so.

    Raises ``LipdubError`` or ``OSError``.
    """
    state = table.database.path.parent
    for owner in table.owners():
        if not any(is_locked(file) for file in state.glob(f"{sign_of_life(owner)}*")):
            table.abandon(owner, "its process was ended together with the server")
    for kind in _KINDS:
        for file in state.glob(f"{sign_of_life(kind)}*"):
            remove_if_unlocked(file)


def how_it_ended(code: int) -> str:
    """Why a process ended, from its exit code (negative: by that signal), as the end of a sentence."""
    if code in (-getattr(signal, "SIGKILL", 9), -getattr(signal, "SIGTERM", 15)):
        return "the system or another program ended its process, most likely because memory ran out"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
    return f"its process crashed ({name})"


def _let_end(place: _Place) -> None:
    """Ask a worker to end: its standard input is closed."""
    assert place.process is not None
    assert place.process.stdin is not None
    with contextlib.suppress(OSError):
        place.process.stdin.close()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a worker and what it started, if anything of it still runs, and forget it."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _pause(deaths: int) -> float:
    return min(_SOON * 2.0 ** (deaths - 1), _LATEST)


def _share(count: int) -> int:
    """The cores that each of ``count`` workers may use."""
    from lipdub.studio.processes import available_cores

    return max(1, available_cores() // max(1, count))
