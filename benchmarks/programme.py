"""What a programme costs: two workers against one, three languages against one, one line again against all.

    python benchmarks/programme.py CLIP SCRIPT [SCRIPT ...] [--workers 2] [--skip-workers]

Every command runs in a process of its own with an empty cache (the models are linked), or with the cache of the command
before where that is the point. Prints seconds of wall and processor time, peak memory of the largest process, and
ratios; look at the ratios.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lipdub import weights


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and processor time, and the peak of the largest process in MiB."""

    wall: float
    processor: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:8.1f} s wall {self.processor:8.1f} s processor {self.peak:6.0f} MiB"


def lipdub(cache: Path, *arguments: object) -> Cost:
    """The cost of one command."""
    return begun(cache, *arguments)()


def begun(cache: Path, *arguments: object, core: int | None = None) -> Callable[[], Cost]:
    """Begin one command, on one ``core`` alone if it is given; the result waits for it and gives its cost."""
    cache.mkdir(exist_ok=True)
    if not (cache / "weights").exists():
        (cache / "weights").symlink_to(weights.cache_folder(), target_is_directory=True)
    program = (
        "import json, resource, sys, time; begun = time.perf_counter(); from lipdub.cli.main import main\n"
        "sys.argv = ['lipdub', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally:\n"
        "    use = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "    cpu = sum(u.ru_utime + u.ru_stime for u in use)\n"
        "    wall = time.perf_counter() - begun\n"
        "    print('COST', json.dumps([wall, cpu, max(u.ru_maxrss for u in use) / 1024]), file=sys.stderr)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "LIPDUB_CACHE": str(cache), "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(run.pid, {core})

    def cost() -> Cost:
        _, told = run.communicate()
        if run.returncode:
            raise SystemExit(f"lipdub {' '.join(map(str, arguments))}\n{told}")
        return Cost(*json.loads(next(row for row in told.splitlines() if row.startswith("COST"))[5:]))

    return cost


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("scripts", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--skip-workers", action="store_true", help="leave out the runs with one worker")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        one = asked.scripts[0]
        common = ("dub", asked.clip, "--consent", "--no-page", "--no-asr-check", "--subtitles", "none")
        if not asked.skip_workers:
            compare_workers(folder, common, one, asked.workers)
        project = folder / "film.lipdub"
        whole = lipdub(folder / "b", *common, "--script", one, "--project", project, "-o", folder / "whole.mp4")
        print(f"whole project   {whole}")
        plan = json.loads(next((project / "plans").glob("*.json")).read_text("utf-8"))
        line = plan["lines"][len(plan["lines"]) // 2]
        words = f"{line['text']} Y algo."
        redo = ("redo", project, "--line", line["id"], "--text", words, "-o", folder / "again.mp4")
        again = lipdub(folder / "b", *redo)
        print(
            f"one line again  {again}   {again.wall / whole.wall:.3f} of the whole (wall), {len(plan['lines'])} lines"
        )
        if len(asked.scripts) > 1:
            compare_languages(folder, common, asked.scripts)


def compare_workers(folder: Path, common: tuple[object, ...], script: Path, workers: int) -> None:
    """One worker on one core against several on as many, and whether the films are equal.

    What the machine could give at best is measured beside it: so many runs of one worker each at the same time, a core
    for each. Cores share memory and caches, so even runs that have nothing to do with each other slow each other down.
    """
    costs, films = [], []

    def begin(name: str, count: int, core: int | None) -> Callable[[], Cost]:
        films.append(folder / f"{name}.mp4")
        wanted = ("--script", script, "-o", films[-1], "--workers", count)
        return begun(folder / name, *common, *wanted, core=core)

    for count in (1, workers):
        costs.append(begin(f"workers-{count}", count, 0 if count == 1 else None)())
        print(f"{count} worker(s)     {costs[-1]}")
    same = "equal bytes" if films[0].read_bytes() == films[1].read_bytes() else "OTHER BYTES"
    print(f"                {costs[0].wall / costs[1].wall:.2f} times as fast with {workers} workers, {same}")
    beside = [wait() for wait in [begin(f"beside-{core}", 1, core) for core in range(workers)]]
    after = begin("alone-again", 1, 0)()
    print(f"1 worker again  {after}")
    alone = (costs[0].wall + after.wall) / 2  # the speed of a machine drifts
    most = workers * alone / max(cost.wall for cost in beside)
    print(f"                {most:.2f} times as much done by {workers} runs beside each other that share nothing")
    for film in films:
        shutil.rmtree(film.with_suffix(""), ignore_errors=True)


def compare_languages(folder: Path, common: tuple[object, ...], scripts: list[Path]) -> None:
    """Several languages in one run, against each by itself with the analysis at hand."""
    every = lipdub(folder / "c", *common, "--script", *scripts, "-o", folder / "out")
    print(f"{len(scripts)} languages     {every}")
    alone = [
        lipdub(folder / "c", *common, "--script", script, "-o", folder / f"alone-{number}.mp4")
        for number, script in enumerate(scripts)
    ]
    total = sum(cost.wall for cost in alone)
    print(f"                {every.wall / total:.2f} times what their dubs cost when the clip is analysed already")


if __name__ == "__main__":
    main()
