"""Jobs for tests: a table with a clock that is set by hand, and a worker process whose jobs are small files."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipdub.errors import InputError
from lipdub.studio.progress import Listener
from lipdub.web.jobs import worker
from lipdub.web.jobs.job import Job
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import JobWaits, run_worker


@dataclass
class SetClock:
    """A clock that stands still until it is set."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def small_work(job: Job, listener: Listener) -> Mapping[str, Any]:
    """Writes ``steps`` lines, each by a step of its own, to the file of the request; lines that are there stay, as
    takes in a project do. "wrong", "bug", "waits" and "stuck" do what they say."""
    asked = job.request
    if asked.get("wrong"):
        raise InputError("the clip has no picture", file="secret folder/clip.mp4", remedy="Give another one")
    if asked.get("bug"):
        raise ValueError("the user's own text")
    if asked.get("waits") and Path(asked["waits"]).exists():
        raise JobWaits("another run of lipdub works in this project")
    if asked.get("stuck"):
        Path(asked["stuck"]).touch()
        time.sleep(1000)
    file, steps = Path(asked["file"]), int(asked.get("steps", 1))
    have = len(file.read_text().splitlines()) if file.exists() else 0
    for step in range(have, steps):
        time.sleep(float(asked.get("pause", 0.0)))
        listener("small", step, steps)
        with file.open("a") as out:
            out.write(f"{step}\n")
    return {"lines": steps, "_file": str(file)}


if __name__ == "__main__":
    name, database = sys.argv[1:3]
    worker.STOPS_WITHIN = 0.5
    sys.exit(run_worker(JobTable(Path(database)), name, small_work, quick=name.startswith("quick")))
