"""The command, end to end: small clips of a portrait and one that shows nobody, dubbed in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip, write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.timeline.sound import Sound

ROWS = ("talk.mp4,dub.wav,a.mp4", "blank.mp4,dub.wav,b.mp4", "talk.mp4,short.wav,c.mp4")


class Desk:
    """A folder with clips and a jobs file, in which the command runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *rows: str) -> None:
        (self.folder / "jobs.csv").write_text("\n".join(("source,audio,output", *rows)) + "\n")

    def start(self, *arguments: str, consent: bool = True) -> "subprocess.Popen[str]":
        """The command, begun in a session of its own."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "LIPDUB_CACHE": str(self.folder / "cache"),
            "LIPDUB_WEIGHTS": os.environ.get("LIPDUB_WEIGHTS") or str(weights.cache_folder()),
            "TMPDIR": str(self.folder / "tmp"),
            "NO_COLOR": "1",
        }
        usual = ["--speech-features", "light", "--no-page", *(["--consent"] if consent else [])]
        return subprocess.Popen(
            [sys.executable, "-m", "lipdub", "batch", "jobs.csv", *usual, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, consent: bool = True) -> tuple[str, str]:
        """Run the command to its end; returns what it wrote to stdout and stderr."""
        run = self.start(*arguments, consent=consent)
        out, told = run.communicate(timeout=240)
        assert run.returncode == code, told
        return out, told

    def states(self) -> dict[str, str]:
        """The state of every job, by its output."""
        told = json.loads((self.folder / "jobs.batch.json").read_text())
        return {key: job["state"] for key, job in told["jobs"].items()}

    def wait_until(self, key: str, state: str) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if (self.folder / "jobs.batch.json").exists() and self.states().get(key) == state:
                return
            time.sleep(0.02)
        raise AssertionError(f"{key} is not {state}")


@pytest.fixture
def desk(models: None, portrait: np.ndarray, tmp_path: Path) -> Desk:
    face = np.ascontiguousarray(portrait[::2, ::2])
    swaying = [np.roll(face, (i % 5) - 2, axis=1) for i in range(40)]
    write_synthetic_clip(tmp_path / "talk.mp4", swaying, Fraction(25))
    write_synthetic_clip(tmp_path / "blank.mp4", [np.full_like(face, 90)] * 10, Fraction(25))
    voice = load_speech("es").sound
    for name, seconds in (("dub.wav", 1.5), ("short.wav", 1.0)):
        samples = voice.samples[:, voice.rate // 2 : int(voice.rate * (0.5 + seconds))]
        write_wave(tmp_path / name, Sound(samples, voice.rate))
    made = Desk(tmp_path)
    made.write(*ROWS)
    return made


def test_a_batch_is_made_told_and_not_repeated(desk: Desk) -> None:
    plan, _ = desk.run("--dry-run", consent=False)
    assert "3 to make" in plan
    _, told = desk.run(consent=False, code=2)
    assert "add --consent" in told
    assert not (desk.folder / "jobs.batch.json").exists()
    table, told = desk.run(code=3)
    assert "job 2 of 3, b.mp4: failed" in told
    assert "no face was found" in told
    assert "2 done, 1 failed" in table
    summary = json.loads((desk.folder / "jobs.batch.summary.json").read_text())
    assert [job["state"] for job in summary["jobs"]] == ["done", "failed", "done"]
    assert summary["jobs"][0]["figures"]["changed_seconds"] > 0.5
    assert summary["jobs"][1]["exit_code"] == 3
    before = (desk.folder / "a.mp4").stat().st_mtime_ns
    desk.write(*ROWS[:1], ROWS[2])
    again = json.loads(desk.run("--json", consent=False)[0])
    assert [job["state"] for job in again["jobs"]] == ["skipped", "skipped"]
    assert (desk.folder / "a.mp4").stat().st_mtime_ns == before
    desk.write("talk.mp4,short.wav,a.mp4", "gone.mp4,dub.wav,d.mp4")
    _, told = desk.run(code=2)
    assert "jobs.csv, line 2, column output: a.mp4: was made with another audio" in told
    assert "jobs.csv, line 3, column source: gone.mp4" in told
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_shards_make_what_one_run_makes(desk: Desk) -> None:
    desk.run(code=3)
    films = {name: (desk.folder / name).read_bytes() for name in ("a.mp4", "c.mp4")}
    for name in films:
        (desk.folder / name).unlink()
    (desk.folder / "jobs.batch.json").unlink()
    codes = []
    for number in (1, 2):
        run = desk.start("--shard", f"{number}/2", "--overwrite")
        run.communicate(timeout=240)
        codes.append(run.returncode)
    assert sorted(codes) == [0, 3]
    assert {name: (desk.folder / name).read_bytes() for name in films} == films
    table, _ = desk.run("--summary", code=3)
    assert "2 done, 1 failed" in table


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_batch_goes_on_and_loses_the_running_job_only(desk: Desk) -> None:
    run = desk.start()
    desk.wait_until("c.mp4", "running")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    assert desk.states() == {"a.mp4": "done", "b.mp4": "failed", "c.mp4": "running"}
    before = (desk.folder / "a.mp4").stat().st_mtime_ns
    time.sleep(2.5)  # so that folders of the killed run are old enough to be known as abandoned
    table, _ = desk.run(code=3)
    assert "1 done, 1 failed, 1 skipped" in table or "1 failed, 2 skipped" in table
    assert (desk.folder / "a.mp4").stat().st_mtime_ns == before
    assert list((desk.folder / "tmp").glob("lipdub-*")) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_stopped_batch_tells_what_is_done(desk: Desk) -> None:
    desk.write(*ROWS, "talk.mp4,dub.wav,d.mp4")
    run = desk.start()
    desk.wait_until("c.mp4", "running")
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does it
    table, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "1 done, 1 failed" in table
    assert "not done" in table
    assert "stopped" in told
    assert "no output file was written" not in told
    assert "Traceback" not in told
    assert desk.states()["d.mp4"] == "not done"
    assert list((desk.folder / "tmp").glob("lipdub-*")) == []
    table, _ = desk.run("--retry", code=3)
    assert "2 done, 1 failed, 1 skipped" in table


@pytest.mark.slow
def test_work_that_is_not_kept_serves_the_next_job_of_its_clip_and_is_removed(desk: Desk) -> None:
    desk.write(ROWS[0], ROWS[2])
    desk.run("--no-reuse")
    frames = {}
    for name in ("a", "c"):
        report = json.loads((desk.folder / f"{name}.report.json").read_text())
        frames[name] = next(stage["frames"] for stage in report["timings"] if stage["stage"] == "analyse")
    assert frames["a"] == 40
    assert frames["c"] == 0, "the faces of the clip were found before"
    assert list((desk.folder / "tmp").glob("lipdub-*")) == []
    assert not list((desk.folder / "cache").rglob("faces-*"))
