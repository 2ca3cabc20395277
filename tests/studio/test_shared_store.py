"""Workers on machines that share no disk: files pass through a store, and the bytes are those of local workers."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import lipdub
from lipdub import weights
from lipdub.plugins import package_version
from lipdub.review.report import Report
from lipdub.studio.analyse import faces_by_workers
from lipdub.studio.progress import Listener, silent

needs_ray = pytest.mark.skipif(not package_version("ray"), reason="the extra ray is not installed")
GIVEN = lipdub.DubOptions(speech_features="light", consent=True, page=False, overwrite=True, workers=2)
SPEECH = lipdub.SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",), to="es")
SMALL = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@dataclass(frozen=True)
class Places:
    """The disk of the machine of the command (``home``), the store, and the disk of the other machine."""

    home: Path
    store: Path
    away: Path


@pytest.fixture
def places(talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    found = Places(tmp_path / "home", tmp_path / "store", tmp_path / "away")
    for folder in (found.home, found.store, found.away):
        folder.mkdir()
    for file in (talk.clip, talk.script):
        shutil.copy(file, found.home)
    models = found.home / "models"
    models.mkdir()
    for name in ("face-landmarks", "face-detector", "voice-activity"):
        file = weights.resolve(name)
        (models / file.name).symlink_to(file)
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(models))
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    monkeypatch.setenv("LIPDUB_CACHE", str(found.home / "cache"))
    return found


def film(places: Places, name: str, listener: Listener = silent, **options: Any) -> Report:
    project = lipdub.open_project(places.home / f"{name}.lipdub", places.home / "talk.mp4", lipdub.Caller(listener))
    speech = replace(SPEECH, script=places.home / "talk.es.srt")
    given = lipdub.ProjectOptions(replace(GIVEN, **options), speech)
    return project.render("", places.home / f"{name}.mp4", given)


class Machines:
    """A cluster whose head has no core, and other machines: processes that do not see the folder ``home``."""

    def __init__(self, places: Places) -> None:
        from ray.cluster_utils import Cluster

        self.places = places
        self.cluster = Cluster(
            initialize_head=True, head_node_args={**SMALL, "num_cpus": 0, "include_dashboard": False}
        )
        self.workers = f"ray:{self.cluster.address}"
        self.started: list[subprocess.Popen] = []

    def add(self, name: str, more: dict[str, str] | None = None) -> subprocess.Popen:
        """A machine with a cache of its own below ``away``."""
        import ray

        cache = self.places.away / name
        environment = {**os.environ, "LIPDUB_CACHE": str(cache), "LIPDUB_WEIGHTS": "", **(more or {})}
        ray_start = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={self.cluster.address}"]
        ray_start += ["--num-cpus=1", f"--object-store-memory={SMALL['object_store_memory']}", "--block"]
        hidden = f"mount -t tmpfs none '{self.places.home}' && exec \"$@\""
        log = self.places.away / f"{name}.log"
        with log.open("wb") as out:
            self.started.append(
            subprocess.Popen(
                ["unshare", "-rm", "sh", "-c", hidden, "sh", *ray_start],
                env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=self.places.away,
            )
        )  # fmt: skip
        count = len(self.started)
        self.cluster.connect() if not ray.is_initialized() else None
        until = time.monotonic() + 60
        while sum(node["Alive"] and bool(node["Resources"].get("CPU")) for node in ray.nodes()) < count:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        return self.started[-1]

    def close(self) -> None:
        import signal

        import ray

        for process in self.started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        ray.shutdown()
        self.cluster.shutdown()


@pytest.fixture
def machines(places: Places) -> Iterator[Machines]:
    found = Machines(places)
    yield found
    found.close()


@needs_ray
@pytest.mark.slow
def test_it(machines, places, monkeypatch):
    monkeypatch.setattr(faces_by_workers, "LITTLE_FOR_TWO", 0)
    monkeypatch.setattr(faces_by_workers, "LEAST_SECONDS", 2)
    t = time.time()
    film(places, "local", workers=2)
    print("local", time.time() - t)
    machines.add("one")
    machines.add("two")
    print("cluster", time.time() - t)
    monkeypatch.setenv("LIPDUB_CACHE", str(places.home / "cache2"))
    t = time.time()
    r = film(places, "far", workers=machines.workers, shared_store=f"file://{places.store}")
    print("far", time.time() - t, r.warnings)
    assert (places.home / "far.mp4").read_bytes() == (places.home / "local.mp4").read_bytes()
    os.system(
        f"cd {places.store}; find . -type f | xargs ls -la; cd {places.away}; find . -maxdepth 4 | grep -v checked; cat one.log | tail -3"
    )
