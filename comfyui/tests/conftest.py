"""The nodes, loaded as ComfyUI loads a folder of custom nodes, against a fake of it; and a small video."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from comfyui.tests.fake_comfy import FakeComfy

PACK = Path(__file__).parents[1]

os.environ["LIPDUB_VOICE"] = "nanotts"  # tests must not depend on which models are on the machine

SCRIPT = "1\n00:00:00,200 --> 00:00:01,200\nBuenos días.\n\n2\n00:00:01,500 --> 00:00:02,700\nMuchas gracias.\n"


@dataclass
class Pack:
    """The loaded nodes: ``nodes`` by name, and the fake that they run in."""

    name: str
    comfy: FakeComfy
    nodes: dict[str, Any]

    def module(self, name: str) -> ModuleType:
        """The module ``lipdub_nodes.NAME``."""
        return importlib.import_module(f"{self.name}.lipdub_nodes.{name}")

    def run(self, node: str, **inputs: Any) -> tuple[Any, ...]:
        """The outputs of a node, run with the defaults of its schema for what is not given."""
        given = {
            slot.id: slot.more["default"] for slot in self.nodes[node].define_schema().inputs if "default" in slot.more
        }
        return self.nodes[node].execute(**{**given, **inputs}).args


@pytest.fixture
def comfy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeComfy:
    """A fake ComfyUI with its own folders."""
    made = FakeComfy(tmp_path / "comfy")
    made.install(lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    return made


@pytest.fixture
def pack(comfy: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    """The pack, loaded from its folder."""
    monkeypatch.delenv("LIPDUB_PYTHON", raising=False)
    monkeypatch.delenv("LIPDUB_COMFYUI_COMMANDS", raising=False)
    name = f"{PACK}".replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        extension = asyncio.run(module.comfy_entrypoint())
        nodes = asyncio.run(extension.get_node_list())
        yield Pack(name, comfy, {each.define_schema().node_id: each for each in nodes})
    finally:
        for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[loaded]


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a portrait that sways, silent; skips where the small models cannot be had."""
    cv2 = pytest.importorskip("cv2")
    np = pytest.importorskip("numpy")
    from lipdub import weights
    from lipdub.demo.media_files import write_synthetic_clip
    from lipdub.errors import WeightsError

    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    small = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (256, 256), interpolation=cv2.INTER_AREA)
    swaying = [np.roll(small, (i % 5) - 2, axis=1) for i in range(5)]
    file = tmp_path_factory.mktemp("talk") / "talk.mp4"
    write_synthetic_clip(file, [swaying[i % 5] for i in range(75)], Fraction(25))
    return file


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that has the models of this machine and nothing else. What is analysed in it is kept."""
    from lipdub import weights

    folder = tmp_path_factory.mktemp("cache")
    (folder / "weights").symlink_to(weights.cache_folder(), target_is_directory=True)
    return folder


@pytest.fixture
def real(pack: Pack, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """The pack with a lipdub that really works, in the Python of the tests."""
    monkeypatch.setenv("LIPDUB_CACHE", str(kept))
    monkeypatch.setenv("LIPDUB_PYTHON", sys.executable)
    return pack
