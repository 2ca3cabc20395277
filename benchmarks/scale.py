"""What a thousand hours in five languages cost on 1, 10 and 1,000 machines, and what becomes the limit.

    python benchmarks/scale.py measure CLIP SCRIPT    # costs of every step, for a second of film, as JSON
    python benchmarks/scale.py [COSTS.json]           # tables, from these costs or from those in this file

``measure`` makes a project in the steps that machines share (plan, prepare, shards, assemble), each in a process of its
own with one worker, and counts processor seconds and the bytes that go through read and write calls (/proc/self/io).
The tables come from a discrete simulation: tasks that wait for others, machines that take the first task that is ready,
and a disk that all share. Nothing in it is fitted: it multiplies and waits.
"""

import argparse
import hashlib
import heapq
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lipdub import weights
from lipdub.studio.workers.shares import divided

HOURS, LENGTH, LANGUAGES = 1000, 45 * 60.0, 5
"""Hours of film, the seconds of one programme, and the languages of each."""

CORES, SHARED = 16, 0.8
"""Cores of a machine; and what a core does of what it does alone when all work (two cores measured: 0.9)."""

DISK = 1.2e9
"""Bytes per second that a disk gives to all machines together: a line of 10 Gbit/s."""


@dataclass(frozen=True)
class Step:
    """What one step costs: processor seconds (``cpu``) and bytes ``read`` and ``written`` for each second of film, and
    processor seconds for each process that is started (``start``)."""

    cpu: float
    read: float
    written: float
    start: float


@dataclass(frozen=True)
class Costs:
    """The steps: the ``analyse`` of a film, once; ``prepare`` (speak and plan), the ``shards`` (render and encode) and
    ``assemble`` (mix, copy, verify) for each language."""

    analyse: Step
    prepare: Step
    shards: Step
    assemble: Step


MEASURED = Costs(
    analyse=Step(cpu=0.410, read=3245884, written=1014168, start=2.3),
    prepare=Step(cpu=0.529, read=3122271, written=670741, start=2.3),
    shards=Step(cpu=0.412, read=3148323, written=885656, start=2.3),
    assemble=Step(cpu=0.288, read=3316385, written=407205, start=2.3),
)
"""1080p with one speaker in view most of the time, the voice kokoro; see docs/scale.md for the machine and the film. A
start is .8 s to read the plan, and 1.5 s for models: two workers against one."""


@dataclass(order=True)
class Task:
    """Something that one machine does in ``seconds``. It can begin when ``waits`` others are done; ``then`` wait for
    it. ``order`` decides between tasks that are ready."""

    order: tuple[int, ...]
    seconds: float = field(compare=False)
    bytes: float = field(compare=False)
    waits: int = field(default=0, compare=False)
    then: list["Task"] = field(default_factory=list, compare=False)

    def after(self, *others: "Task") -> "Task":
        """The same task, which waits for ``others``."""
        for other in others:
            other.then.append(self)
        self.waits += len(others)
        return self


@dataclass(frozen=True)
class Outcome:
    """Seconds until all is ``done``, the share of the time in which machines have a task (``used``), the bytes per
    second that the disk gives on the mean while they work (``flow``), and the ``tasks`` per second that begin."""

    done: float
    used: float
    flow: float
    tasks: float


def programme(costs: Costs, number: int, seconds: float, shards: int, cores: int = CORES) -> Iterator[Task]:
    """The tasks of one programme, each language in so many ``shards``, where each task has so many ``cores``."""
    analysed = Task((number, 0), *of_machine(costs.analyse, seconds, cores))
    yield analysed
    for language in range(LANGUAGES):
        prepared = Task((number, 1, language), *of_machine(costs.prepare, seconds, 2)).after(analysed)
        yield prepared
        made = [Task((number, 2, language), *of_machine(costs.shards, seconds / shards, cores)) for _ in range(shards)]
        yield from (task.after(prepared) for task in made)
        yield Task((number, 3, language), *of_machine(costs.assemble, seconds, 2)).after(*made)


def of_machine(step: Step, seconds: float, cores: int) -> tuple[float, float]:
    """Seconds and bytes of a ``step`` of so many ``seconds`` of film on ``cores`` of a machine."""
    able = cores * SHARED
    return step.start + step.cpu * seconds / able, (step.read + step.written) * seconds


def run(tasks: list[Task], machines: int) -> Outcome:
    """Do ``tasks`` on ``machines``: whenever one is free it takes the first ready task, which nobody may interrupt."""
    ready = [task for task in tasks if not task.waits]
    heapq.heapify(ready)
    working: list[tuple[float, int, Task]] = []
    now, busy, free, begun = 0.0, 0.0, machines, 0
    while ready or working:
        while ready and free:
            task = heapq.heappop(ready)
            free, begun, busy = free - 1, begun + 1, busy + task.seconds
            heapq.heappush(working, (now + task.seconds, begun, task))
        now, _, done = heapq.heappop(working)
        free += 1
        for task in done.then:
            task.waits -= 1
            if not task.waits:
                heapq.heappush(ready, task)
    return Outcome(now, busy / (now * machines), sum(task.bytes for task in tasks) / now, begun / now)


def show(costs: Costs) -> None:
    """Print all tables."""
    print("processor seconds, bytes read and written for a second of film; seconds to start")
    for name, step in asdict(costs).items():
        print(f"  {name:10} {step['cpu']:7.3f} {step['read']:12,.0f} {step['written']:12,.0f} {step['start']:6.1f}")
    count = round(HOURS * 3600 / LENGTH)
    print(
        f"\n{HOURS} hours ({count} programmes of {LENGTH / 60:.0f} min) into {LANGUAGES} languages, {CORES} cores each"
    )
    print("  machines  tasks at once  shards     hours  used   disk MB/s  tasks/s")
    for machines, (at_once, shards) in itertools.product((1, 10, 1000), ((1, 1), (1, 16), (8, 1), (8, 16))):
        cores = CORES // at_once
        tasks = [task for number in range(count) for task in programme(costs, number, LENGTH, shards, cores)]
        told = run(tasks, machines * at_once)
        print(
            f"  {machines:8} {at_once:14} {shards:7} {told.done / 3600:9.1f} {told.used:5.2f} {told.flow / 1e6:11.0f}"
            f" {told.tasks:8.2f}{'  more than the disk gives' if told.flow > DISK else ''}"
        )
    print("\none film of two hours into five languages, minutes until the last is done")
    print("  machines " + "".join(f"{shards:6} shards" for shards in (1, 8, 64, 512)))
    for machines in (1, 10, 100, 1000):
        done = [run(list(programme(costs, 0, 7200.0, shards)), machines).done / 60 for shards in (1, 8, 64, 512)]
        print(f"  {machines:8} " + "".join(f"{minutes:13.1f}" for minutes in done))
    show_shares()


def show_shares() -> None:
    """How much longer than the mean the longest share is: by hash, and by length."""
    print("\nthe longest share of a programme of 45 minutes against the mean (drawn segments of 2 to 12 s, ten films)")
    print("  shards   by hash   by length")
    for count in (4, 8, 16, 64):
        ratios = [longest_shares(random.Random(seed), count) for seed in range(10)]
        by_hash, by_length = (sum(each) / len(each) for each in zip(*ratios, strict=True))
        print(f"  {count:6} {by_hash:9.2f} {by_length:11.2f}")


def longest_shares(dice: random.Random, count: int) -> tuple[float, float]:
    """The longest of ``count`` shares against the mean, of segments divided by hash and by length."""
    lengths: dict[int, int] = {}
    while sum(lengths.values()) < LENGTH * 25:
        lengths[len(lengths)] = int(25 * dice.uniform(2, 12))
    mean = sum(lengths.values()) / count
    hashed = [0] * count
    for number, length in lengths.items():
        hashed[hashlib.sha256(f"{number}-{length}".encode()).digest()[0] % count] += length
    fair = [sum(lengths[number] for number in share) for share in divided([[n] for n in lengths], lengths, count)]
    return max(hashed) / mean, max(fair) / mean


def measure(clip: Path, script: Path) -> None:
    """Make a project step by step and print what each step costs, as JSON that this program reads."""
    from lipdub.media.probe import probe

    seconds = float(probe(clip).duration)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "weights").symlink_to(weights.cache_folder(), target_is_directory=True)
        project, film = folder / "film.lipdub", folder / "film.mp4"
        usual = ("--workers", "1", "--no-page", "--consent")
        told = {
            "analyse": [cost(folder, "plan", clip, "--script", script, "--project", project, *usual, "--no-asr-check")],
            "prepare": [cost(folder, "make", project, "-o", film, "--prepare-only", *usual)],
            "shards": [cost(folder, "make", project, "-o", film, "--shard", f"{n}/2", *usual) for n in (1, 2, 1)],
            "assemble": [cost(folder, "assemble", project, "-o", film, "--no-make", *usual)],
        }
        print(json.dumps({"seconds": seconds, "runs": told}, indent=1), file=sys.stderr)
    start = told["shards"].pop()["cpu"]  # a shard that was made: it reads the plan, and what it has
    print(json.dumps({name: asdict(per_second(runs, seconds, start)) for name, runs in told.items()}, indent=1))


def per_second(runs: list[dict[str, float]], seconds: float, start: float) -> Step:
    """The cost of a step that was made by ``runs``."""
    total = {name: sum(each[name] for each in runs) for name in ("cpu", "read", "written")}
    cpu = max(0.0, total["cpu"] - len(runs) * start) / seconds
    return Step(cpu, total["read"] / seconds, total["written"] / seconds, start)


def cost(cache: Path, *arguments: object) -> dict[str, float]:
    """What one command costs: processor and wall seconds, bytes read and written."""
    program = (
        "import json, resource, sys, time; begun = time.perf_counter(); from lipdub.cli.main import main\n"
        "sys.argv = ['lipdub', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally:\n"
        "    use = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    io = dict(row.split(': ') for row in open('/proc/self/io').read().splitlines())\n"
        "    told = dict(cpu=use.ru_utime + use.ru_stime, wall=time.perf_counter() - begun,\n"
        "                read=int(io['rchar']), written=int(io['wchar']), peak=use.ru_maxrss / 1024)\n"
        "    print('COST', json.dumps(told), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "LIPDUB_CACHE": str(cache), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"lipdub {' '.join(map(str, arguments))}\n{done.stderr}")
    return json.loads(next(row for row in done.stderr.splitlines() if row.startswith("COST"))[5:])


def read_costs(told: Mapping[str, Mapping[str, float]]) -> Costs:
    """Costs as ``measure`` prints them."""
    return Costs(**{name: Step(**step) for name, step in told.items()})


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", help="COSTS.json, or: measure CLIP SCRIPT")
    files = parser.parse_args().files
    if len(files) == 3 and str(files[0]) == "measure":
        measure(files[1], files[2])
    else:
        show(read_costs(json.loads(files[0].read_text("utf-8"))) if files else MEASURED)


if __name__ == "__main__":
    main()
