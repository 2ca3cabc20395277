"""Broken files of every kind: an exit code of the table, one sentence, nothing left behind, and never a hang.

Each case is a number: the same number breaks the same file in the same way. ``LIPDUB_FUZZ=2000`` tries more of them,
``LIPDUB_FUZZ_FROM=500`` begins elsewhere.
"""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.errors import LipdubError, WeightsError
from lipdub.timeline.project import Project

from .seeds import Seed, damages, make_seeds

pytestmark = pytest.mark.fuzz

CASES = int(os.environ.get("LIPDUB_FUZZ", "60"))
FIRST = int(os.environ.get("LIPDUB_FUZZ_FROM", "0"))
CODES = {0, 2, 3, 4, 5, 7}
PATIENCE = 120.0
DAMAGES = damages()


@dataclass
class Bench:
    """Healthy files in ``folder``, a worker that runs commands, and the temporary folder it uses."""

    folder: Path
    scratch: Path
    seeds: list[Seed]
    worker: "subprocess.Popen[str] | None" = field(default=None)

    def run(self, *command: str) -> tuple[int, str]:
        """(exit code, what was printed to stderr). Fails the test if the process dies or does not answer."""
        if self.worker is None:
            self.worker = self._started()
        worker = self.worker
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(command) + "\n")
        worker.stdin.flush()
        ready, _, _ = select.select([worker.stdout], [], [], PATIENCE)
        line = worker.stdout.readline() if ready else ""
        if not line:
            self.stop()
            why = "hangs" if not ready else f"dies (exit {worker.returncode})"
            pytest.fail(f"lipdub {' '.join(command)} {why}")
        answer = json.loads(line)
        return answer["code"], answer["said"]

    def _started(self) -> "subprocess.Popen[str]":
        here = Path(__file__).with_name("worker.py")
        environment = {**os.environ, "TMPDIR": str(self.scratch), "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
        return subprocess.Popen(
            [sys.executable, str(here)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.kill()
            with self.worker:  # closes its pipes and waits for it
                self.worker = None


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    folder, scratch = tmp_path_factory.mktemp("healthy"), tmp_path_factory.mktemp("scratch")
    made = Bench(folder, scratch, make_seeds(folder))
    yield made
    made.stop()


def commands(seed: Seed, broken: Path, healthy: Path, output: Path) -> list[str]:
    """What is done with a broken file."""
    plain = [
        "--speech-features",
        "light",
        "--consent",
        "--no-reuse",
        "--no-asr-check",
        "--face",
        "largest",
        "-o",
        str(output),
    ]
    clip, sound = str(healthy / "a.mp4"), str(healthy / "sound-a.wav")
    match seed.part:
        case "clip":
            return ["dub", str(broken), "--audio", sound, *plain]
        case "sound":
            return ["dub", clip, "--audio", str(broken), *plain]
        case "script":
            return ["dub", clip, "--script", str(broken), "--to", "es", *plain]
        case "glossary":
            order = ["--script", str(healthy / "a.en.srt"), "--to", "es", "--glossary", str(broken), "--dry-run"]
            return ["dub", clip, *order, "--translator", "openai:http://127.0.0.1:9/v1", *plain]
        case _:
            return ["dub", clip, "--audio", sound, "--prior", str(broken), *plain]


def broken_file(seed: Seed, number: int, healthy: Path, folder: Path) -> tuple[Path, str]:
    """The seed, broken as ``number`` says, in ``folder``; and how."""
    random = np.random.default_rng(number)
    way = list(DAMAGES)[int(random.integers(0, len(DAMAGES)))]
    path = folder / seed.name
    path.write_bytes(DAMAGES[way]((healthy / seed.name).read_bytes(), random))
    return path, way


def test_the_healthy_files_are_dubbed(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "a.en.srt").write_text("1\n00:00:00,000 --> 00:00:00,400\nHello.\n")
    for seed in bench.seeds:
        if seed.part in ("clip", "sound", "script", "prior"):
            place = tmp_path / seed.name
            place.mkdir()
            code, said = bench.run(*commands(seed, bench.folder / seed.name, bench.folder, place / "o.mkv"))
            assert code == 0, f"{seed.name}: {said}"


@pytest.mark.parametrize("number", range(FIRST, FIRST + CASES))
def test_a_broken_file_is_dubbed_or_refused_in_a_sentence(bench: Bench, tmp_path: Path, number: int) -> None:
    (bench.folder / "a.en.srt").write_text("1\n00:00:00,000 --> 00:00:00,400\nHello.\n")
    seed = bench.seeds[number % len(bench.seeds)]
    path, way = broken_file(seed, number, bench.folder, tmp_path)
    if seed.part == "project":
        check_project(path)
        return
    code, said = bench.run(*commands(seed, path, bench.folder, tmp_path / "o.mkv"))
    told = f"case {number}: {seed.name} {way}: exit {code}: {said}"
    assert code in CODES, told
    left = {entry.name for entry in tmp_path.iterdir()} - {seed.name}
    if code:
        lines = [line for line in said.splitlines() if line.startswith("lipdub: ")]
        assert len(lines) == 1, told
        assert len(lines[0]) < 1200, told
        assert left == set(), f"{told}: {left} left"
    elif seed.part == "glossary":
        assert left == set(), told
    else:
        assert left >= {"o.mkv", "o.report.json", "o.review.html"}, told
        assert not [name for name in left if name.startswith(".")], told
    assert not list(bench.scratch.glob("lipdub-*")), told


def check_project(path: Path) -> None:
    """A broken project is read, or refused by an error that is meant for users."""
    with contextlib.suppress(LipdubError):
        Project.load(path)


def test_a_damaged_cache_is_made_again(bench: Bench, tmp_path: Path) -> None:
    """Whatever is damaged in what was kept: the next run gives the same film."""
    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copytree(weights.cache_folder(), cache / "weights")
    environment = {**os.environ, "LIPDUB_CACHE": str(cache)}
    clip, sound = str(bench.folder / "a.mp4"), str(bench.folder / "sound-a.wav")

    def dubbed(name: str) -> bytes:
        command = ["dub", clip, "--audio", sound, "-o", str(tmp_path / name), "--speech-features", "light", "--consent"]
        command += ["--no-page", "--face", "largest"]
        done = subprocess.run(
            [sys.executable, "-m", "lipdub", *command], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return (tmp_path / name).read_bytes()

    first = dubbed("first.mp4")
    for number in range(FIRST, FIRST + max(3, CASES // 20)):
        random = np.random.default_rng(number)
        files = sorted(path for path in (cache / "work").rglob("*") if path.is_file())
        victim = files[int(random.integers(0, len(files)))]
        way = list(DAMAGES)[int(random.integers(0, len(DAMAGES)))]
        victim.write_bytes(DAMAGES[way](victim.read_bytes(), random))
        assert dubbed(f"{number}.mp4") == first, f"case {number}: {victim.relative_to(cache)} {way}"
