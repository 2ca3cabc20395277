"""Plans how the networks are held in memory.

``detect_device`` measures the machine, ``count_weights`` reads the headers of the files, ``plan_memory`` decides (a
pure function); ``load_pipeline`` carries the plan out. The preferred order is: exact weights on the GPU; exact
weights in main memory, streamed to the GPU block by block while it works; 8-bit weights on the GPU; 8-bit weights,
streamed.

What is needed besides the weights is counted from traces of the tensors' shapes (``memory_counts``), not measured.
Nothing here imports diffusers or transformers, which take seconds: ``lipdub doctor`` shows a plan, too.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from lipdub.engines.ltx.generation import GenerationSize, MemoryOptions
from lipdub.engines.ltx.memory_counts import WeightCounts, codec_bytes, count_weights, forward_bytes
from lipdub.engines.ltx.placement import TextEncoderPlacement, WeightPlacement
from lipdub.engines.ltx.tiles import TileSize
from lipdub.errors import MachineError

__all__ = [
    "ComputeDevice",
    "MemoryPlan",
    "WeightCounts",
    "count_weights",
    "describe_plan",
    "detect_device",
    "plan_memory",
]

GB = 1_000_000_000

TILES = (TileSize(), TileSize(512), TileSize(512, (48, 16)), TileSize(384, (32, 16)), TileSize(256, (32, 16)))
"""Tile sizes of the video VAE, from that of the reference implementation to the smallest."""

TextEncoderUse = Literal["device", "streamed", "cpu"]
"""The text encoder: whole on the device, or read layer by layer from its files, working on the device or the CPU."""

_SLACK = GB  # on the GPU, for gaps of the allocator and work space of libraries
_HOST_SLACK = 3 * GB  # for Python, the libraries, the clip's frames
_MIN_CAPABILITY = (8, 0)
_SMALL_MODEL = 1_000_000_000  # weights up to which a CPU is used without asking
_INSTEAD = "The engine that needs no GPU works now: --engine exemplar."


@dataclass(frozen=True, slots=True)
class ComputeDevice:
    """A device for the model, and its free memory.

    ``device``: torch's name (``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``). ``free``: free bytes on it. ``host``:
    free bytes of main memory. ``capability``: compute capability (major, minor) of a CUDA GPU. ``name``: for the user.
    ``chosen``: True if the user named the device.
    """

    device: str
    free: int
    host: int
    capability: tuple[int, int] = (0, 0)
    name: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How the networks are held in memory.

    ``exact``: weights in bfloat16 (float32 if ``full_precision``); if False, the transformer's blocks are in 8 bits.
    ``streamed``: the transformer is in main memory and its blocks are streamed to the device.
    ``memory``: tile size, and whether the other networks are in main memory between uses.
    ``text_encoder``: how it works once the transformer is loaded. ``encoder_first``: before that it is put on the
    device whole. ``attention``: a backend of diffusers. ``compiled``: the blocks are compiled, which takes a minute.
    ``device_bytes`` and ``host_bytes``: the highest use of memory that is expected.
    """

    device: str
    exact: bool = True
    full_precision: bool = False
    streamed: bool = False
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    text_encoder: TextEncoderUse = "device"
    encoder_first: bool = False
    attention: str = "native"
    compiled: bool = False
    device_bytes: int = 0
    host_bytes: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which the networks work."""
        return torch.float32 if self.full_precision else torch.bfloat16

    @property
    def placement(self) -> WeightPlacement:
        """The placement of the transformer's weights."""
        return WeightPlacement("cpu" if self.streamed else self.device, self.dtype, fp8=not self.exact)

    @property
    def encoder_placement(self) -> TextEncoderPlacement:
        """The placement of the text encoder beside the transformer."""
        device = "cpu" if self.text_encoder == "cpu" else self.device
        return TextEncoderPlacement(device, self.dtype, offload=self.text_encoder != "device")

    @property
    def first_encoder_placement(self) -> TextEncoderPlacement:
        """The placement of the text encoder before the transformer is loaded."""
        return TextEncoderPlacement(self.device, self.dtype) if self.encoder_first else self.encoder_placement


def detect_device(device: str = "auto") -> ComputeDevice:
    """The best device of this machine (CUDA, else Apple's GPU, else the CPU), or the ``device`` that the user names.

    Raises ``MachineError`` if there is no such device.
    """
    host, chosen = host_free(), device != "auto"
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        if not torch.cuda.is_available():
            raise MachineError("torch finds no CUDA GPU here", remedy=_INSTEAD)
        gpu = torch.device("cuda" if device == "auto" else device)
        if (gpu.index or 0) >= torch.cuda.device_count():
            raise MachineError(f"there is no GPU '{device}' here, only {torch.cuda.device_count()}", remedy=_INSTEAD)
        properties = torch.cuda.get_device_properties(gpu)
        free, _ = torch.cuda.mem_get_info(gpu)
        return ComputeDevice(str(gpu), free, host, (properties.major, properties.minor), properties.name, chosen)
    if device == "mps" or (device == "auto" and torch.backends.mps.is_available()):
        if not torch.backends.mps.is_available():
            raise MachineError("torch finds no Apple GPU here", remedy=_INSTEAD)
        return ComputeDevice("mps", host, host, name="Apple GPU", chosen=chosen)
    return ComputeDevice("cpu", host, host, name="CPU", chosen=chosen)


def host_free() -> int:
    """Free bytes of main memory (psutil comes with accelerate)."""
    import psutil

    return int(psutil.virtual_memory().available)


def plan_memory(device: ComputeDevice, counts: WeightCounts, size: GenerationSize) -> MemoryPlan:
    """The best plan for windows of ``size`` on ``device``.

    Raises ``MachineError``, with the numbers, if there is no GPU, it is too old, or there is too little memory.
    """
    if device.device == "cpu":
        return _on_cpu(device, counts)
    if device.device.startswith("cuda") and device.capability < _MIN_CAPABILITY:
        capability = ".".join(map(str, device.capability))
        raise MachineError(
            f"the GPU ({device.name}) is of compute capability {capability}, and LTX needs 8.0 for bfloat16",
            remedy=_INSTEAD,
        )
    for plan in _candidates(device, counts, size):
        if plan.device_bytes <= device.free and plan.host_bytes <= device.host:
            return plan
    raise _memory_error(device, counts, size)


def _candidates(device: ComputeDevice, counts: WeightCounts, size: GenerationSize) -> list[MemoryPlan]:
    """All plans for a GPU, the best first, whether they fit or not."""
    kinds = [(True, False), (True, True), (False, False), (False, True)]
    if device.device == "mps":
        kinds = [(True, False)]
    plans = []
    for exact, streamed in kinds:
        for offload in (False, True):
            for tiles in TILES:
                plan = MemoryPlan(device.device, exact, streamed=streamed, memory=MemoryOptions(tiles, offload))
                plans.append(_estimate(plan, device, counts, size))
    return plans


def _estimate(plan: MemoryPlan, device: ComputeDevice, counts: WeightCounts, size: GenerationSize) -> MemoryPlan:
    """``plan`` with the memory that it needs; the text encoder is on the device if there is memory for it.

    The memory of the device is that of the most greedy step: a forward pass, a tile of the decoder or encoder, or the
    encoding of prompts while the transformer is loaded. Main memory holds what is streamed or moved in between, once;
    and while it is packed for streaming, one block twice. Tensors are read one by one, so that reading needs no more.
    """
    weights = counts.transformer_bytes(plan.exact)
    on_device = counts.streamed_bytes(plan.exact) if plan.streamed else weights
    others = counts.others * 2
    moved, resident = (others, 0) if plan.memory.offload else (0, others)
    tiles = plan.memory.tiles
    working = max(forward_bytes(counts.width, size), codec_bytes(tiles, size) + moved)
    base = on_device + resident + _SLACK
    encoder, connecting = counts.text_encoder * 2, 2 * (counts.connector_weights + 2 * counts.prompt_states)
    apple = device.device == "mps"
    where: TextEncoderUse = "streamed"
    if apple or base + connecting > device.free:
        where, connecting = "cpu", 0
    elif base + max(working, connecting) + encoder <= device.free:
        where, connecting = "device", encoder
    layered = counts.layered_host_bytes(where == "cpu")
    held = (weights if plan.streamed else 0) + (others if plan.memory.offload else 0)
    packing = counts.block_bytes(plan.exact) if plan.streamed else 0
    later = 0 if where == "device" else layered
    first = not apple and encoder + _SLACK <= device.free
    host_bytes = max(held + max(packing, later), 0 if first else layered) + _HOST_SLACK
    device_bytes = base + (working + encoder if where == "device" else max(working, connecting))
    if apple:  # one memory for both
        host_bytes = device_bytes = device_bytes + host_bytes
    return replace(plan, text_encoder=where, encoder_first=first, device_bytes=device_bytes, host_bytes=host_bytes)


def _on_cpu(device: ComputeDevice, counts: WeightCounts) -> MemoryPlan:
    """A plan in float32 if that fits, else in bfloat16; a large model only if the user named the CPU."""
    if counts.transformer > _SMALL_MODEL and not device.chosen:
        raise MachineError(
            "no GPU was found, and a CPU would take days for a dub with LTX",
            remedy=f"{_INSTEAD} (--engine-option device=cpu insists.)",
        )
    plan = MemoryPlan("cpu", text_encoder="cpu")
    for full_precision in (True, False):
        weights = counts.transformer + counts.others + counts.layered_host_bytes(True) // 2
        needed = weights * (4 if full_precision else 2) + _HOST_SLACK
        if needed <= device.host:
            return replace(plan, full_precision=full_precision, device_bytes=needed, host_bytes=needed)
    raise MachineError(
        f"LTX needs {needed / GB:.0f} GB of free memory and there are {device.host / GB:.0f} GB", remedy=_INSTEAD
    )


def _memory_error(device: ComputeDevice, counts: WeightCounts, size: GenerationSize) -> MachineError:
    """The error that says which memory is too small, by how much, and with which smaller window it would be enough."""
    plans = _candidates(device, counts, size)
    fitting = [plan for plan in plans if plan.device_bytes <= device.free]
    if fitting:
        host = min(plan.host_bytes for plan in fitting)
        what = (
            f"LTX needs {host / GB:.0f} GB of free main memory beside this GPU and there are {device.host / GB:.0f} GB"
        )
        return MachineError(what, remedy=_INSTEAD)
    least = min(plan.device_bytes for plan in plans)
    windows = f"windows of {size.frames} frames of {size.width} x {size.height}"
    what = f"LTX needs {least / GB:.1f} GB on the GPU for {windows}, and {device.free / GB:.1f} GB are free"
    smaller = _largest_side(device, counts, size)
    remedy = f"It would fit with --engine-option size={smaller}." if smaller else _INSTEAD
    return MachineError(what, remedy=remedy)


def _largest_side(device: ComputeDevice, counts: WeightCounts, size: GenerationSize) -> int:
    """The largest side of a square window that fits, or 0."""
    for side in range(min(size.height, size.width) - 64, 255, -64):
        window = replace(size, height=side, width=side)
        if any(
            p.device_bytes <= device.free and p.host_bytes <= device.host for p in _candidates(device, counts, window)
        ):
            return side
    return 0


def describe_plan(plan: MemoryPlan) -> list[str]:
    """The plan in lines for the user."""
    kind = ("float32" if plan.full_precision else "bfloat16") if plan.exact else "8 bits (e4m3)"
    where = f"streamed from main memory to {plan.device}" if plan.streamed else f"on {plan.device}"
    read = "read layer by layer, working on"
    places = {"device": f"whole on {plan.device}", "streamed": f"{read} {plan.device}", "cpu": f"{read} the CPU"}
    moves = plan.encoder_first and plan.text_encoder != "device"
    encoder = (f"{places['device']}, later " if moves else "") + places[plan.text_encoder]
    tiles = plan.memory.tiles
    offloaded = ", kept in main memory between uses" if plan.memory.offload else ""
    return [
        f"transformer: {kind}, {where}, attention {plan.attention}" + (", compiled" if plan.compiled else ""),
        f"text encoder: {encoder}, freed after use",
        f"VAEs and vocoder: tiles of {tiles.side} pixels and {tiles.frames[0]} frames{offloaded}",
        f"memory: about {plan.device_bytes / GB:.1f} GB on {plan.device}, {plan.host_bytes / GB:.1f} GB of main memory"
        " (counted, not measured)",
    ]
