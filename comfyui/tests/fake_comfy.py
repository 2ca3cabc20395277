"""A small fake of what the nodes use of ComfyUI: its schema classes, VIDEO, folders, progress and interruption.

Only names and behaviour that the nodes rely on are here, written from their use. ``FakeComfy.install`` puts it where
``import comfy_api`` and others find it.
"""

import io as byte_streams
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av


class InterruptProcessingException(BaseException):
    """What ComfyUI raises in a node when the user cancels. Here nothing that catches ``Exception`` may stop it."""


@dataclass
class Slot:
    """An input or output of a schema: its type, its id, and everything else by name."""

    io_type: str
    id: str
    more: dict[str, Any]

    @property
    def optional(self) -> bool:
        """Whether the input may be left out."""
        return bool(self.more.get("optional", False))


def _kind(io_type: str) -> Any:
    def made(id: str = "", **more: Any) -> Slot:
        return Slot(io_type, id, more)

    return SimpleNamespace(Input=made, Output=made, io_type=io_type)


@dataclass
class Schema:
    """What a node says of itself. As in ComfyUI, no id may stand for two things."""

    node_id: str
    display_name: str
    category: str
    description: str
    inputs: list[Slot]
    outputs: list[Slot]
    is_output_node: bool = False

    def __post_init__(self) -> None:
        ids = [slot.id for slot in (*self.inputs, *self.outputs)]
        assert len(ids) == len(set(ids)), f"ids must be unique between inputs and outputs: {ids}"


class NodeOutput:
    """What a node returns."""

    def __init__(self, *args: Any) -> None:
        self.args = args


class ComfyNode:
    """The base class of nodes."""


class ComfyExtension:
    """The base class of extensions."""


class VideoInput:
    """The base class of videos: its own stream is everything, encoded into memory."""

    def get_stream_source(self) -> Any:
        """A path or a stream."""
        raise AssertionError("this would encode all frames into memory")

    def get_components(self) -> Any:
        """All frames as tensors, which the nodes must never ask for."""
        raise AssertionError("no node may decode the frames")


class VideoFromFile(VideoInput):
    """A video in a file or in memory, perhaps a part of it."""

    def __init__(self, file: Any, *, start_time: float = 0, duration: float = 0) -> None:
        self.file, self.window = file, (start_time, duration)
        self.saved: list[str] = []

    def get_stream_source(self) -> Any:
        """The path or the stream, whole even if the video is trimmed."""
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        """Start and duration in seconds; 0: to the end."""
        return self.window

    def save_to(self, path: str) -> None:
        """Write the video, packets as they are."""
        self.saved.append(path)
        remux(self.file, path)


class VideoFromElsewhere(VideoInput):
    """A video that other nodes made: it can only be saved."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def save_to(self, path: str) -> None:
        """Write the video."""
        shutil.copyfile(self.file, path)


def remux(source: Any, path: str) -> None:
    """Copy the packets of ``source`` into a new file, as SaveVideo does with format and codec ``auto``."""
    if isinstance(source, byte_streams.BytesIO):
        source.seek(0)
    with av.open(source, "r") as given, av.open(path, "w", options={"movflags": "use_metadata_tags"}) as out:
        for key, value in given.metadata.items():
            out.metadata[key] = value
        out.metadata["prompt"] = "{}"
        streams = {
            stream: out.add_stream_from_template(stream, opaque=True)
            for stream in given.streams
            if stream.type in ("video", "audio", "subtitle")
        }
        for packet in given.demux():
            if packet.stream in streams and packet.dts is not None:
                packet.stream = streams[packet.stream]
                out.mux(packet)


@dataclass
class FakeComfy:
    """ComfyUI with its folders in ``base``. ``bars`` are the values that were shown; ``interrupted`` is what the user
    pressed, asked with each look; ``freed`` counts how often the GPU was emptied."""

    base: Path
    bars: list[tuple[int, int]] = field(default_factory=list)
    interrupted: Callable[[], bool] = lambda: False
    freed: int = 0

    def install(self, put: Callable[[str, ModuleType], None]) -> None:
        """Make the modules importable; ``put`` takes the name and the module."""
        for name in ("input", "output", "temp"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        folders = _module(
            "folder_paths",
            get_input_directory=lambda: str(self.base / "input"),
            get_output_directory=lambda: str(self.base / "output"),
            get_temp_directory=lambda: str(self.base / "temp"),
        )
        kinds = {name: _kind(name.upper()) for name in ("Boolean", "Int", "Float", "String", "Combo", "Video", "Audio")}
        schema = _module("comfy_api.io", ComfyNode=ComfyNode, NodeOutput=NodeOutput, Schema=Schema, **kinds)
        api = _module(
            "comfy_api.v0_0_2",
            ComfyExtension=ComfyExtension,
            InputImpl=SimpleNamespace(VideoFromFile=VideoFromFile),
            io=schema,
        )
        management = _module(
            "comfy.model_management",
            throw_exception_if_processing_interrupted=self._throw,
            unload_all_models=self._free,
            soft_empty_cache=lambda: None,
        )
        utils = _module("comfy.utils", ProgressBar=self._bar)
        comfy = _module("comfy", model_management=management, utils=utils)
        package = _module("comfy_api", v0_0_2=api)
        for module in (folders, schema, api, management, utils, comfy, package):
            put(module.__name__, module)

    def _throw(self) -> None:
        if self.interrupted():
            raise InterruptProcessingException

    def _free(self) -> None:
        self.freed += 1

    def _bar(self, total: int) -> Any:
        def update_absolute(value: int, of: int) -> None:
            assert of == total
            self.bars.append((value, of))

        return SimpleNamespace(update_absolute=update_absolute)


def _module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    for key, value in content.items():
        setattr(made, key, value)
    made.__path__ = []  # type: ignore[attr-defined]
    return made
