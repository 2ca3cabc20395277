"""Workers on a Ray cluster of two nodes on this machine make the bytes of local ones, also if a node is lost."""

import os
import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lipdub
from lipdub import weights
from lipdub.errors import MachineError, MissingExtra, OptionError
from lipdub.plugins import package_version
from lipdub.review.report import Report
from lipdub.studio import ray_nodes, ray_workers
from lipdub.studio.processes import AskedWorkers
from lipdub.studio.progress import Listener, silent
from lipdub.studio.ray_workers import RayPool
from lipdub.studio.workers.attempts import MOST, Attempts

needs_ray = pytest.mark.skipif(not package_version("ray"), reason="the extra ray is not installed")
GIVEN = lipdub.DubOptions(speech_features="light", consent=True, page=False, overwrite=True, workers=2)
SPEECH = lipdub.SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",), to="es")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (0, AskedWorkers()),
        (3, AskedWorkers(3)),
        ("4", AskedWorkers(4)),
        ("ray", AskedWorkers(ray="")),
        ("ray:10.0.0.1:6379", AskedWorkers(ray="10.0.0.1:6379")),
        ("ray:auto", AskedWorkers(ray="auto")),
    ],
)
def test_workers_are_asked_for_by_number_or_by_cluster(text: int | str, asked: AskedWorkers) -> None:
    assert AskedWorkers.parse(text) == asked


@pytest.mark.parametrize("text", ["-1", "many", "rays", "", "²"])
def test_what_asks_for_no_workers_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--workers"):
        AskedWorkers.parse(text)


def test_a_part_that_ends_its_worker_again_and_again_is_given_up(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempts")
    for _ in range(MOST):
        attempts.begin("1.segment", "a part")
        attempts.begin("2.segment", "another part")
        attempts.finish("2.segment")
    with pytest.raises(MachineError, match="a part ended its worker 3 times"):
        attempts.begin("1.segment", "a part")
    attempts.begin("2.segment", "another part")
    attempts.forget()
    attempts.begin("1.segment", "a part")


@needs_ray
def test_a_cluster_that_is_not_there_is_told_at_once(talk: Any, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no Ray cluster answers at 127\.0\.0\.1:1\. Start one there"):
        film(talk, tmp_path / "film.mp4", workers="ray:127.0.0.1:1")
    with pytest.raises(MachineError, match="not through the Ray Client"):
        film(talk, tmp_path / "film.mp4", workers="ray://127.0.0.1:10001")
    assert list((tmp_path / "cache" / "runs").iterdir()) == []


def test_without_ray_the_extra_is_named(talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lipdub\[ray\]'"):
        film(talk, tmp_path / "film.mp4", workers="ray")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test, which the nodes see; models are where they are."""
    monkeypatch.setenv("LIPDUB_WEIGHTS", os.environ.get("LIPDUB_WEIGHTS") or str(weights.cache_folder()))
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))


def film(talk: Any, output: Path, listener: Listener = silent, *, workers: int | str) -> Report:
    """A film of a project beside ``output``."""
    project = lipdub.open_project(output.with_suffix(".lipdub"), talk.clip, lipdub.Caller(listener))
    speech = replace(SPEECH, script=talk.script)
    return project.render("", output, lipdub.ProjectOptions(replace(GIVEN, workers=workers), speech))


class TwoNodes:
    """A cluster of nodes with a core each, which are processes of this machine: one, and those that are added."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        self.cluster = Cluster(initialize_head=True, head_node_args={**self.small, "include_dashboard": False})
        self.workers = f"ray:{self.cluster.address}"

    def add(self, environment: dict[str, str] | None = None) -> Any:
        """A node that is begun with more in its environment."""
        return self.cluster.add_node(**self.small, env_vars=environment or {})


@pytest.fixture
def nodes() -> Iterator[TwoNodes]:
    found = TwoNodes()
    yield found
    found.cluster.shutdown()


@needs_ray
@pytest.mark.slow
def test_a_lost_node_costs_what_it_had_not_finished(talk: Any, tmp_path: Path, nodes: TwoNodes) -> None:
    """It is lost while both nodes work on parts of the film."""
    film(talk, tmp_path / "local.mp4", workers=2)
    second = nodes.add()
    finished: dict[Path, int] = {}
    ended, lost = threading.Event(), threading.Event()

    def lose() -> None:
        folder = tmp_path / "ray.lipdub" / "segments" / "es"
        while not ended.wait(0.02):
            made = [file for file in folder.glob("*.segment") if ".part" not in file.name]
            begun = list((tmp_path / "cache" / "runs").glob("*/attempts/*"))
            if len(begun) == 2:
                nodes.cluster.remove_node(second, allow_graceful=False)
                finished.update({file: file.stat().st_mtime_ns for file in made})
                lost.set()
                return

    with ThreadPoolExecutor(1) as thread:
        losing = thread.submit(lose)
        try:
            report = film(talk, tmp_path / "ray.mp4", workers=nodes.workers)
        finally:
            ended.set()
            losing.result()
    assert lost.is_set(), "both nodes worked"
    assert any("was lost" in note and "is made by another one" in note for note in report.warnings), report.warnings
    assert (tmp_path / "ray.mp4").read_bytes() == (tmp_path / "local.mp4").read_bytes()
    assert {file: file.stat().st_mtime_ns for file in finished} == finished, "nothing was made again"
    assert list((tmp_path / "cache" / "runs").iterdir()) == []
    assert list((tmp_path / "ray.lipdub").rglob("*.part.*")) == []


@needs_ray
@pytest.mark.slow
def test_nodes_that_cannot_work_are_named_before_anything_is_begun(talk: Any, tmp_path: Path, nodes: TwoNodes) -> None:
    """Nodes without lipdub, with another version of it, and without models, one after the other."""
    for name, text in (("none", "raise ImportError('no', name='lipdub')"), ("other", "__version__ = '0.0.1'")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lipdub.py").write_text(text, "utf-8")
    nowhere = {"LIPDUB_WEIGHTS": "", "LIPDUB_CACHE": str(tmp_path / "empty"), "LIPDUB_DOWNLOAD": "none"}
    refused = {
        "lipdub is not installed there. Install lipdub": {"PYTHONPATH": str(tmp_path / "none")},
        r"lipdub 0\.0\.1 is installed there": {"PYTHONPATH": str(tmp_path / "other")},
        "model 'face-landmarks' is not on this machine": nowhere,
    }
    for told, environment in refused.items():
        node = nodes.add(environment)
        with pytest.raises(MachineError, match=rf"the node [\d.]+ of the Ray cluster cannot work on this: .*{told}"):
            film(talk, tmp_path / "film.mp4", workers=nodes.workers)
        nodes.cluster.remove_node(node)
    assert list((tmp_path / "cache" / "runs").iterdir()) == []


@needs_ray
@pytest.mark.slow
def test_each_worker_has_a_gpu_of_its_own_and_what_ends_workers_is_given_up(
    tmp_path: Path, nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPUs are there in name only."""
    nodes.cluster.add_node(**nodes.small, num_gpus=2)
    (tmp_path / "talk.mp4").touch()
    monkeypatch.setattr(ray_workers, "_MOST", 1)
    said: list[str] = []

    def needs(file: Path) -> ray_nodes.NodeNeeds:
        return ray_nodes.NodeNeeds(tmp_path, file, tmp_path, dict, lambda there, here: "", accelerator=True)

    with RayPool(nodes.cluster.address, True, needs, said.append) as pool:
        assert pool.room == 2
        with pool.tasks(5, file=tmp_path / "talk.mp4") as submit:
            asked = [submit(os.getenv, "CUDA_VISIBLE_DEVICES") for _ in range(6)]
            assert {each.result(timeout=120) for each in asked} <= {"0", "1"}
            refused = submit(int, "no number")
            with pytest.raises(ValueError, match="invalid literal") as found:
                refused.result(timeout=60)
            assert any("a worker on node" in note for note in found.value.__notes__)
        with (
            pytest.raises(MachineError, match="workers end again and again"),
            pool.tasks(2, file=tmp_path / "talk.mp4"),
        ):
            pool._submit(os._exit, 1).result(timeout=120)
        assert "what it was making is made by another one" in said[0]


def test_a_node_says_what_it_does_not_see(tmp_path: Path) -> None:
    """The question is asked here, in the place of a node."""
    (tmp_path / "talk.mp4").write_bytes(b"1234")
    (tmp_path / "mark").touch()
    expected = {
        "version": lipdub.__version__,
        "store": "",
        "folder": str(tmp_path),
        "mark": str(tmp_path / "mark"),
        "source": str(tmp_path / "talk.mp4"),
        "bytes": 4,
    }
    ask = ray_nodes._question()
    before = os.getcwd()
    try:
        assert ask(expected, pickle.dumps(dict)) == ("", "", {})
        for name, path in (("folder", "/no"), ("mark", "/no/mark"), ("source", "/no")):
            wrong, remedy, _ = ask({**expected, name: path}, pickle.dumps(dict))
            assert wrong == "it does not see /no"
            assert "a disk that all nodes see under the same names" in remedy
        assert ask({**expected, "bytes": 5}, b"")[0].startswith("it sees another file as ")
        assert ask({**expected, "version": "0.0"}, b"")[0].endswith("is installed there, and 0.0 here")
        assert ask(expected, b"no pickle")[0].startswith("UnpicklingError")
    finally:
        os.chdir(before)
