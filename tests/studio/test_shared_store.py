"""Workers on machines that share no disk: files pass through a store, and the bytes are those of local workers.

The other machines are processes of this one in a mount namespace (unshare(1)) in which the folder of the first machine,
with its source, project, models and cache, is empty.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import lipdub
from lipdub import weights
from lipdub.errors import MachineError, MissingExtra, OptionError, ServiceError
from lipdub.plugins import package_version
from lipdub.review.report import Report
from lipdub.studio import session
from lipdub.studio.analyse import faces_by_workers
from lipdub.studio.processes import WorkerPool
from lipdub.studio.ray_workers import RayPool

HIDDEN = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none "$1" && shift && exec "$@"', "sh"]
GIVEN = lipdub.DubOptions(speech_features="light", consent=True, page=False, overwrite=True, workers=2)
SPEECH = lipdub.SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",), to="es")
SMALL = {"num_cpus": 0, "object_store_memory": 80 * 2**20}

UNRELIABLE = """
import itertools, fsspec
from fsspec.implementations.local import LocalFileSystem

calls = itertools.count(1)

def tried(name):
    def call(system, *given, **named):
        if next(calls) % 3 == 0:
            raise OSError("busy")
        return getattr(LocalFileSystem, name)(system, *given, **named)
    return call

methods = ("put_file", "get_file", "pipe_file", "cat_file", "ls", "mv", "isdir")
made = type("Unreliable", (LocalFileSystem,), {"protocol": "unreliable", **{m: tried(m) for m in methods}})
fsspec.register_implementation("unreliable", made, clobber=True)
"""
"""A store of which every third call fails, for every Python process that finds it as ``sitecustomize``."""


def can_hide() -> bool:
    """Whether a process can be started here that sees another disk."""
    try:
        return subprocess.run([*HIDDEN, "/tmp", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@dataclass(frozen=True)
class Places:
    """The disk of the machine of the command (``home``), the store, and the disks of other machines (``away``)."""

    home: Path
    store: Path
    away: Path


@pytest.fixture
def places(talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    from fsspec.registry import _registry

    found = Places(tmp_path / "home", tmp_path / "store", tmp_path / "away")
    for folder in (found.home, found.store, found.away, found.home / "models"):
        folder.mkdir()
    for file in (talk.clip, talk.script):
        shutil.copy(file, found.home)
    for name in ("face-landmarks", "face-detector", "voice-activity"):
        file = weights.resolve(name)
        (found.home / "models" / file.name).symlink_to(file)
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(found.home / "models"))
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    monkeypatch.setenv("LIPDUB_CACHE", str(found.home / "cache"))
    (found.away / "sitecustomize.py").write_text(UNRELIABLE, "utf-8")
    exec(UNRELIABLE, {})
    yield found
    _registry.pop("unreliable", None)


def film(places: Places, name: str, **options: Any) -> Report:
    project = lipdub.open_project(places.home / f"{name}.lipdub", places.home / "talk.mp4")
    speech = replace(SPEECH, script=places.home / "talk.es.srt")
    given = lipdub.ProjectOptions(replace(GIVEN, **options), speech)
    return project.render("", places.home / f"{name}.mp4", given)


class Machines:
    """A cluster whose head has no core, and other machines with a core each."""

    def __init__(self, places: Places) -> None:
        from ray.cluster_utils import Cluster

        self.places = places
        self.cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
        self.workers = f"ray:{self.cluster.address}"
        self.started: list[subprocess.Popen] = []

    def add(self, name: str) -> subprocess.Popen:
        """A machine with a cache of its own below ``away``, and without models."""
        away, home = self.places.away, str(self.places.home)
        path = os.pathsep.join([str(away), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "LIPDUB_CACHE": str(away / name), "LIPDUB_WEIGHTS": "", "PYTHONPATH": path}
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={self.cluster.address}"]
        start += ["--num-cpus=1", f"--object-store-memory={SMALL['object_store_memory']}", "--block"]
        count = len(self.started) + 1
        for _ in range(3):  # Ray gives a node half a minute to start, and a busy machine may need more
            with (away / f"{name}.log").open("wb") as log:
                out: Any = {"stdout": log, "stderr": subprocess.STDOUT, "start_new_session": True, "cwd": away}
                process = subprocess.Popen([*HIDDEN, home, *start], env=environment, **out)
            while process.poll() is None and self.count() < count:
                time.sleep(0.2)
            if process.poll() is None:
                self.started.append(process)
                return process
        raise AssertionError((away / f"{name}.log").read_text())

    def count(self) -> int:
        """How many other machines the cluster has."""
        return sum(node["Alive"] and bool(node["Resources"].get("CPU")) for node in self.nodes())

    def nodes(self) -> list[dict[str, Any]]:
        return self.cluster.global_state.node_table()

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.cluster.shutdown()


@pytest.fixture
def machines(places: Places) -> Iterator[Machines]:
    found = Machines(places)
    yield found
    found.close()


@contextmanager
def meanwhile(happens: Callable[[], bool], do: Callable[[], object]) -> Iterator[threading.Event]:
    """``do`` is called once ``happens`` is true while the block runs; then the event is set."""
    ended, done = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.wait(0.02) and not done.is_set():
            if happens():
                do()
                done.set()

    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(look)
        try:
            yield done
        finally:
            ended.set()
            looking.result()


@pytest.mark.skipif(not package_version("ray"), reason="the extra ray is not installed")
@pytest.mark.skipif(not can_hide(), reason="no process can be started here that sees another disk")
@pytest.mark.slow
def test_machines_that_share_no_disk_make_the_same_bytes(
    places: Places, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third call of the store fails, and one machine is lost while both render."""
    seen = subprocess.run([*HIDDEN, str(places.home), "ls", places.home], capture_output=True, check=True)
    assert seen.stdout == b"", "other machines do not see this disk"
    monkeypatch.setattr(faces_by_workers, "LITTLE_FOR_TWO", 0)
    monkeypatch.setattr(faces_by_workers, "LEAST_SECONDS", 2)
    machines.add("one")
    two = machines.add("two")
    unseen = places.home / "store"
    unseen.mkdir()
    with pytest.raises(MachineError, match=r"the node [\d.]+ .* cannot work on this: .*there is no such folder"):
        film(places, "film", workers=machines.workers, shared_store=f"file://{unseen}")
    assert not any((places.home / "film.lipdub").rglob("*.segment"))

    def both_render() -> bool:
        return len(list(places.store.glob("runs/*/begun/*"))) >= 2

    with meanwhile(both_render, lambda: os.killpg(two.pid, signal.SIGKILL)) as lost:
        report = film(places, "far", workers=machines.workers, shared_store=f"unreliable://{places.store}")
    assert lost.is_set(), "both machines worked"
    assert any("was lost" in note and "is made by another one" in note for note in report.warnings), report.warnings
    assert list(places.store.glob("runs/*/*/*")) == []
    assert len(list((places.away / "one" / "work").glob("object-*"))) == 2, "the source, and the shot with its study"
    shutil.rmtree(places.home / "cache")
    film(places, "local")
    assert (places.home / "far.mp4").read_bytes() == (places.home / "local.mp4").read_bytes()


class WithoutCluster(RayPool):
    """Workers that are processes of this machine, in the place of those of a cluster: they get copies all the same."""

    own = WorkerPool()

    @property
    def room(self) -> int:
        return 2

    def tasks(self, most: int, remedy: str = "", file: Path | None = None) -> Any:
        return self.own.tasks(most, remedy, file)

    def close(self, *, at_once: bool = False) -> None:
        self.own.close(at_once=at_once)


@pytest.mark.skipif(sys.platform == "win32", reason="the store is a folder whose URL has no drive")
@pytest.mark.slow
def test_what_is_finished_passes_through_the_store_too(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second film has other settings and the patches of the first one: reels pass to the workers."""
    pytest.importorskip("fsspec")
    monkeypatch.setattr(session, "RayPool", WithoutCluster)
    far: Any = {"workers": "ray", "shared_store": f"file://{places.store}"}
    film(places, "far", **far)
    objects = set((places.store / "objects").iterdir())
    assert len(objects) == 4, "two models, the source, the shot"
    for name in ("more", "local"):
        shutil.copytree(places.home / "far.lipdub", places.home / f"{name}.lipdub")
    film(places, "more", crf=40, **far)
    film(places, "local", crf=40, workers=1)
    assert (places.home / "more.mp4").read_bytes() == (places.home / "local.mp4").read_bytes()
    reels = set((places.store / "objects").iterdir()) - objects
    assert reels, "reels of patches were put there"
    assert list(places.store.glob("runs/*/*")) == []
    assert list(places.store.rglob("*.part")) == []


def test_a_store_that_cannot_be_used_is_told_before_anything_is_made(places: Places) -> None:
    pytest.importorskip("fsspec")
    wrong = {
        "file:///no/such/folder": (OptionError, "there is no such folder or bucket"),
        "folder": (OptionError, "is no URL of a store. Write for example s3://BUCKET/FOLDER"),
        "nosuch://x": (OptionError, "Protocol not known: nosuch"),
        "oci://x/y": (MissingExtra, "needs the package ocifs, which is not installed. Install it on all machines: pip"),
    }
    for url, (kind, told) in wrong.items():
        with pytest.raises(kind) as found:
            film(places, "film", workers="ray", shared_store=url)
        assert told in str(found.value)
    with pytest.raises(OptionError, match="--shared-store is for the workers of a Ray cluster"):
        film(places, "film", workers=2, shared_store=f"file://{places.store}")
    assert not any((places.home / "cache" / "work").glob("[a-z]*")), "nothing was analysed or spoken"
    assert not (places.home / "film.mp4").exists()


def test_a_store_that_does_not_answer_is_told(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.local import LocalFileSystem

    from lipdub.disk import object_store

    def refuse(*given: Any, **named: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(object_store.time, "sleep", lambda seconds: None)
    silent = type("Silent", (LocalFileSystem,), {"protocol": "unreliable", "isdir": refuse})
    fsspec.register_implementation("unreliable", silent, clobber=True)
    with pytest.raises(ServiceError, match="fails again and again: no route to host"):
        film(places, "film", workers="ray", shared_store=f"unreliable://{places.store}")
