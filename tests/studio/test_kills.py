"""A project whose command is killed again and again ends with the film of one undisturbed run, byte for byte."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from lipdub import weights
from lipdub.disk.temporary_folder import _GRACE
from lipdub.plugins import package_version

KILLS = int(os.environ.get("LIPDUB_KILLS", "3"))
"""Kills in one test run; the environment variable sets another number."""
SEED = 20
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL"),
    pytest.mark.skipif(not package_version("py-nanotts"), reason="the voice nanotts is not installed"),
]


@dataclass(frozen=True)
class Runs:
    """The folder in which a project, a cache, temporary files and the film are."""

    home: Path

    @property
    def project(self) -> Path:
        return self.home / "talk.lipdub"

    @property
    def film(self) -> Path:
        return self.home / "talk.es.mp4"

    def start(self, *what: str) -> "subprocess.Popen[bytes]":
        """The command, begun in a session of its own."""
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "LIPDUB_CACHE": str(self.home / "cache"),
            "LIPDUB_WEIGHTS": os.environ.get("LIPDUB_WEIGHTS") or str(weights.cache_folder()),
            "TMPDIR": str(self.home / "tmp"),
        }
        command = [sys.executable, "-m", "lipdub", "dub", *what, "--project", str(self.project), "-o", str(self.film)]
        usual = ["--consent", "--no-page", "--no-asr-check", "--overwrite", "--workers", "2"]
        usual += ["--speech-features", "light", "--voice", "nanotts"]
        return subprocess.Popen(
            [*command, *usual],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )

    def finish(self, *what: str) -> float:
        """Run the command to its end; returns how many seconds that took."""
        began = time.monotonic()
        run = self.start(*what)
        told, _ = run.communicate(timeout=240)
        assert run.returncode == 0, told.decode()
        return time.monotonic() - began

    def finished(self) -> dict[str, int]:
        """The finished parts of the project and when they were written, in ns."""
        parts = [*self.project.glob("takes/*/*/*/take.json"), *self.project.glob("segments/*/*.segment")]
        parts += [file.with_name("patches.reel") for file in self.project.glob("takes/**/cues/*/patches.json")]
        parts += [file.with_name("voice.npy") for file in self.project.glob("takes/*/*/*/voice.json")]
        kept = [file for file in parts if not file.name.endswith(".part.segment")]
        return {str(file.relative_to(self.project)): file.stat().st_mtime_ns for file in kept}


def test_killed_again_and_again(talk, tmp_path: Path) -> None:
    """Each run goes on where the one before was killed. When a film is finished, another project is begun."""
    given = (str(talk.clip), "--script", str(talk.script), "--to", "es")
    undisturbed, killed = Runs(tmp_path / "one"), Runs(tmp_path / "two")
    seconds = undisturbed.finish(*given)
    assert len(undisturbed.finished()) > 6 * 3
    dice, before, kills = random.Random(SEED), {}, 0
    while kills < KILLS:
        run = killed.start(*given)
        wait_for_a_random_moment(dice, run, killed, seconds)
        if run.poll() is None:
            os.kill(run.pid, signal.SIGKILL)
            kills += 1
        told, _ = run.communicate(timeout=60)
        assert run.returncode in (0, -signal.SIGKILL), told.decode()
        wait_for_the_end_of(run.pid)
        check_nothing_was_made_again(before, killed)
        before = killed.finished()
        if run.returncode == 0:
            check_film(killed, undisturbed)
            shutil.rmtree(killed.project)
            before = {}
    time.sleep(_GRACE)  # so that the last folder is old enough to be known as abandoned
    killed.finish(*given)
    check_nothing_was_made_again(before, killed)
    check_film(killed, undisturbed)
    assert list((killed.home / "tmp").iterdir()) == []
    assert list((killed.home / "cache" / "work").glob(".run-*")) == []


def wait_for_a_random_moment(dice: random.Random, run: "subprocess.Popen[bytes]", runs: Runs, seconds: float) -> None:
    """Wait for a part of ``seconds``, or until some more parts of the project are finished and a little longer."""
    if dice.random() < 0.3:
        parts, longest, longer = 1000, dice.uniform(0.05, 0.9) * seconds, 0.0
    else:
        parts, longest, longer = len(runs.finished()) + dice.randint(1, 8), 2 * seconds, dice.uniform(0, 0.4)
    until = time.monotonic() + longest
    while run.poll() is None and time.monotonic() < until and len(runs.finished()) < parts:
        time.sleep(0.01)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(longer)


def check_nothing_was_made_again(before: dict[str, int], runs: Runs) -> None:
    after = runs.finished()
    assert {name for name, at in before.items() if after.get(name) != at} == set(), "these were finished before"


def check_film(runs: Runs, undisturbed: Runs) -> None:
    """The film is that of the undisturbed run, and so are the parts of the project; nothing else is left there."""
    assert runs.film.read_bytes() == undisturbed.film.read_bytes()
    assert runs.finished().keys() == undisturbed.finished().keys()
    assert [path for path in runs.project.rglob("*") if ".part" in path.name or path.name.startswith(".run-")] == []
    assert [path for path in runs.home.iterdir() if path.name.startswith(".")] == []


def wait_for_the_end_of(group: int) -> None:
    """Wait until no process of a session is left: workers notice that their parent is gone."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not living(group):
            return
        time.sleep(0.05)
    raise AssertionError(f"processes are left: {living(group)}")


def living(group: int) -> list[str]:
    """The processes of a session that are no zombies."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return [row[2] for row in rows if row[0] == str(group) and "Z" not in row[1]]
