"""Does the studio stay quick and small while people work in it?

    python benchmarks/studio.py [--minutes N] [--clients N] [--jobs N]

A real server (``lipdub studio``) with two projects of the demo's portrait. Jobs are given to it without a pause: lines
are made again, films rendered. Meanwhile each client reads a language, changes a line and its note, looks at takes and
listens to events, half a second apart. Printed are errors, how long an edit takes, and the memory of the server and of
its workers over time. Linux only (/proc). Needs the extra studio, and httpx.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from lipdub.demo.make import make_demo_clip

PROJECTS = ("one", "two")
PAUSE = 0.5  # seconds between two looks of a client
SAMPLES = 10  # rows of memory that are printed


@dataclass
class Measured:
    """What was seen: seconds of edits and of reads, events, requests by what came of them, and memory in bytes at an
    instant (s): of the server, and the sum of its workers."""

    edits: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    events: int = 0
    came: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), args.jobs) as (process, url, key):
        measured, ended = Measured(), threading.Event()
        headers = {"X-Api-Key": key}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            begin_projects(client, Path(folder))
            who = [threading.Thread(target=work, args=(url, headers, n, measured, ended)) for n in range(args.clients)]
            who += [threading.Thread(target=listen, args=(url, headers, measured, ended)) for _ in range(args.clients)]
            who += [threading.Thread(target=give_jobs, args=(url, headers, name, measured, ended)) for name in PROJECTS]
            for thread in who:
                thread.start()
            begun = time.monotonic()
            while time.monotonic() - begun < 60 * args.minutes:
                time.sleep(2.0)
                measured.memory.append((time.monotonic() - begun, *memory(process.pid)))
            ended.set()
            for thread in who:
                thread.join()
    tell(measured)


@contextmanager
def server(folder: Path, jobs: int) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """A server in a process of its own, its address and its key."""
    command = [sys.executable, "-m", "lipdub", "studio", "--folder", str(folder / "lipdub"), "--port", "0"]
    environment = os.environ | {"LIPDUB_VOICE": "nanotts"}
    process = subprocess.Popen(
        [*command, "--no-browser", "--jobs", str(jobs)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        parts = urlsplit(process.stdout.readline().strip())
        yield process, f"{parts.scheme}://{parts.netloc}", parse_qs(parts.query)["key"][0]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            print(f"  the server ended with exit code {process.wait(30)}")
        except subprocess.TimeoutExpired:
            process.kill()
            print("  the server had to be killed")


def begin_projects(client: httpx.Client, folder: Path) -> None:
    """Two projects, each with a film."""
    clip, script = make_demo_clip(folder / "demo")
    for name in PROJECTS:
        with clip.open("rb") as video, script.open("rb") as lines:
            files = {"video": (f"{name}.mp4", video), "script": (f"{name}.es.srt", lines)}
            given = {"name": name, "consent": "true", "to": "es"}
            answer = client.post("/v1/projects", data=given, files=files)
            answer.raise_for_status()
    for name in PROJECTS:
        until_ended(client, name)
        client.post(f"/v1/projects/{name}/languages/es/render").raise_for_status()
    for name in PROJECTS:
        until_ended(client, name)


def until_ended(client: httpx.Client, project: str) -> None:
    """Wait until all jobs of a project have ended; they must have ended well."""
    while True:
        found = client.get("/v1/jobs", params={"project": project}).raise_for_status().json()["data"]
        if all(job["status"] == "completed" for job in found):
            return
        wrong = [job for job in found if job["status"] in ("failed", "cancelled")]
        if wrong:
            raise SystemExit(f"a job failed: {wrong}")
        time.sleep(0.5)


def work(url: str, headers: dict[str, str], number: int, measured: Measured, ended: threading.Event) -> None:
    """What a person does in the page."""
    chance = random.Random(number)
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        while not ended.wait(PAUSE):
            place = f"/v1/projects/{chance.choice(PROJECTS)}/languages/es"
            told = timed(client, "GET", place, measured, measured.reads)
            lines = [each["id"] for each in (told or {}).get("segments", [])]
            if not lines:
                continue
            line = f"{place}/segments/{chance.choice(lines)}"
            offset = chance.randint(-5, 5) / 100
            timed(client, "PATCH", line, measured, measured.edits, {"offset": offset, "note": f"by {number}"})
            timed(client, "GET", f"{line}/takes", measured, measured.reads)
            timed(client, "GET", f"{place}/stale", measured, measured.reads)


def timed(
    client: httpx.Client,
    method: str,
    path: str,
    measured: Measured,
    seconds: list[float],
    body: dict[str, Any] | None = None,
) -> Any:
    """The answer to a request (None: it failed); how long it took is noted."""
    begun = time.perf_counter()
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        measured.came[type(error).__name__] += 1
        return None
    seconds.append(time.perf_counter() - begun)
    measured.came[str(answer.status_code)] += 1
    if answer.status_code >= 400:
        measured.wrong.append(f"{method} {path}: {answer.text[:300]}")
        return None
    return answer.json()


def listen(url: str, headers: dict[str, str], measured: Measured, ended: threading.Event) -> None:
    """Follow the events until the end."""
    with (
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
        client.stream("GET", "/v1/events") as stream,
    ):
        for row in stream.iter_lines():
            measured.events += row.startswith("event:")
            if ended.is_set():
                return


def give_jobs(url: str, headers: dict[str, str], project: str, measured: Measured, ended: threading.Event) -> None:
    """One job after the other in a project: a line is made again, all stale ones with the film."""
    turns = ({"segments": ["1"]}, {"segments": "stale", "film": True}, {"segments": ["2"], "film": True})
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for turn in range(10**6):
            if ended.is_set():
                return
            path = f"/v1/projects/{project}/languages/es/redo"
            job = timed(client, "POST", path, measured, [], turns[turn % len(turns)])
            while job is not None and job["status"] in ("queued", "processing") and not ended.wait(0.3):
                job = timed(client, "GET", f"/v1/jobs/{job['id']}", measured, [])
            if job is not None:
                measured.jobs[job["status"]] += 1
                if job["error"]:
                    measured.wrong.append(f"job: {job['error']}")


def memory(server: int) -> tuple[int, int]:
    """Bytes in memory: of the server, and of everything that it started."""
    parents = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    below, found = {server}, True
    while found:
        found = {process for process, parent in parents.items() if parent in below} - below
        below |= found
    return resident(server), sum(map(resident, below - {server}))


def resident(process: int) -> int:
    """Resident bytes of a process; 0 if it is gone."""
    try:
        rows = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(row.split()[1]) for row in rows if row.startswith("VmRSS")), 0)


def tell(measured: Measured) -> None:
    """Print the figures."""
    print(f"  answers {dict(measured.came)}, events heard {measured.events}, jobs {dict(measured.jobs)}")
    for name, seconds in (("an edit", measured.edits), ("a read", measured.reads)):
        ordered = sorted(seconds)
        late, last = ordered[int(0.95 * len(ordered))], ordered[-1]
        told = ", ".join(f"{1000 * each:.0f} ms" for each in (statistics.median(ordered), late, last))
        print(f"  {name}: median, 95 %, longest: {told} ({len(ordered)} of them)")
    step = max(1, len(measured.memory) // SAMPLES)
    for when, ours, theirs in measured.memory[::step]:
        print(f"  after {when:4.0f} s: server {ours / 2**20:.0f} MB, workers {theirs / 2**20:.0f} MB")
    for text, count in Counter(measured.wrong).most_common(10):
        print(f"  {count} x {text}")


if __name__ == "__main__":
    main()
