"""Small files for a batch, and what its processes do in tests: no film is made, but everything else is as it is.

The seed of a job says what becomes of it: see ``FAILS`` and the others. Its output gets the name of its source as text.
"""

import os
import signal
import time
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.studio.batch.outcome import JobOutcome
from lipdub.studio.batch.recipe import Digests, recipe_of
from lipdub.studio.batch.runner import BEGINS, ENDED, GO, PROGRESS
from lipdub.timeline.sound import Sound

FAILS, DIES, DIES_AFTER, HANGS, CRASHES = 3, 4, 5, 6, 7


def pretend(connection: Connection, parent: int) -> None:
    while (request := connection.recv()) is not None:
        connection.send((BEGINS, recipe_of(request, Digests())))
        assert connection.recv() == GO
        connection.send((PROGRESS, "render", 1, 2))
        seed, output = request.options.seed, request.output
        with (output.parent / "log.txt").open("a") as log:
            log.write(f"{os.getpid()} begins {output.name}\n")
        if seed == HANGS:
            time.sleep(60)
        if seed == DIES:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed == CRASHES:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(0.05)
        if seed == FAILS:
            connection.send((ENDED, JobOutcome(3, "nothing to dub")))
            continue
        output.write_text(request.source.name)
        if seed == DIES_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)
        with (output.parent / "log.txt").open("a") as log:
            log.write(f"{os.getpid()} ends {output.name}\n")
        connection.send((ENDED, JobOutcome(figures={"film_seconds": 0.4}, seconds=0.05)))


def log_of(folder: Path) -> list[list[str]]:
    """[process, begins or ends, film] in the order of time."""
    return [line.split() for line in (folder / "log.txt").read_text().splitlines()]


@dataclass(frozen=True)
class Small:
    """A folder with clips that open but show nobody, a dub track and two scripts."""

    folder: Path

    def jobs(self, *rows: str, head: str = "source,audio,output") -> Path:
        """A jobs file in the folder, with these rows."""
        path = self.folder / "jobs.csv"
        path.write_text("\n".join((head, *rows)) + "\n", "utf-8")
        return path


def small_files(folder: Path) -> None:
    """Write the files of ``Small`` into ``folder``."""
    blank = np.full((64, 64, 3), 90, np.uint8)
    for name in ("one.mp4", "two.mp4"):
        write_synthetic_clip(folder / name, [blank] * 10, Fraction(25))
    write_wave(folder / "dub.wav", Sound(np.zeros((1, 6400), np.float32), 16000))
    for language in ("es", "fr"):
        (folder / f"one.{language}.srt").write_text("1\n00:00:00,100 --> 00:00:00,300\nAh.\n", "utf-8")
