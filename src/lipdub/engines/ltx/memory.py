"""What goes where: from the machine's memory and the files' sizes to a plan, and from the plan to a pipeline.

``detect_device`` measures the machine, ``count_weights`` reads the files' headers, ``plan_memory`` decides (a pure function) and
``load_pipeline`` carries it out. The exact weights are preferred: whole on the GPU, then in the host's memory and streamed to
the GPU block by block while it works, and only then in 8 bits, on the GPU or streamed.

What a forward pass and the decoder need besides the weights is counted from their shapes, not measured.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from lipdub.engines.ltx.checkpoint import CheckpointModules, WeightPlacement, read_parts, read_upsampler
from lipdub.engines.ltx.weights_folder import LtxFiles, text_encoder_shape
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.lora import check_shapes, fuse_transform, read_lora
from lipdub.engines.ltx.tensor_names import ModuleName, locate_tensor
from lipdub.engines.ltx.pipeline import LipDubPipeline, MemoryOptions, GenerationSize
from lipdub.engines.ltx.tiling import TileSize
from lipdub.engines.ltx.prompt_cache import TextEncoderPlacement, PromptCache
from lipdub.errors import MachineError

GB = 1_000_000_000

TILES = (TileSize(), TileSize(512), TileSize(512, (48, 16)), TileSize(384, (32, 16)), TileSize(256, (32, 16)))
"""Of the video VAE, from the reference's to the smallest."""

_SLACK = GB  # for the allocator's gaps and the libraries' work space
_HOST_SLACK = 3 * GB  # for Python, the libraries, the clip's frames
_PER_NUMBER = 80  # bytes of bfloat16 for each number of a token's width: modulations, feed-forward, q k v, residuals
_STREAMED = 0.15  # of the transformer's weights lie on the GPU while its blocks are streamed
_DECODER = 256 * 2 * 6  # bytes for each 4 x 4 pixels of a frame: channels, bytes of bfloat16, tensors alive at once
_OLDEST = (8, 0)
_FEW = 1_000_000_000
_INSTEAD = "The engine that needs no GPU works now: --engine exemplar."


@dataclass(frozen=True, slots=True)
class ComputeDevice:
    """``device`` (``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``) with ``free`` bytes, and ``host`` free bytes of main
    memory. ``capability`` is a CUDA GPU's (major, minor). ``chosen``: the user named the device."""

    device: str
    free: int
    host: int
    capability: tuple[int, int] = (0, 0)
    name: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class WeightCounts:
    """Numbers (weights) in the transformer, in the ``others`` (both VAEs, vocoder, upsampler) and in the text encoder
    with its connectors; ``width`` of a video token in the transformer."""

    transformer: int
    others: int
    words: int
    width: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How the networks are held. ``exact`` weights are bfloat16 (or float32 if ``whole``), otherwise the blocks' are
    kept in 8 bits; ``streamed`` ones lie in the host's memory. ``room``: tiles, and whether the VAEs lie aside.
    ``words``: where the text encoder works once the transformer is there; if ``first``, it is put on the device whole
    as long as that is empty. ``attention`` is a backend of diffusers; ``compiled`` blocks take a minute to prepare.
    ``device_bytes`` and ``host_bytes`` are what is expected to be used at most."""

    device: str
    exact: bool = True
    whole: bool = False
    streamed: bool = False
    room: MemoryOptions = field(default_factory=MemoryOptions)
    words: Literal["device", "streamed", "cpu"] = "device"
    first: bool = False
    attention: str = "native"
    compiled: bool = False
    device_bytes: int = 0
    host_bytes: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """Of the work."""
        return torch.float32 if self.whole else torch.bfloat16

    @property
    def placement(self) -> WeightPlacement:
        """Of the transformer's weights."""
        return WeightPlacement("cpu" if self.streamed else self.device, self.dtype, fp8=not self.exact)

    @property
    def desk(self) -> TextEncoderPlacement:
        """Of the text encoder beside the transformer."""
        return TextEncoderPlacement("cpu" if self.words == "cpu" else self.device, self.dtype, self.words == "streamed")

    @property
    def first_desk(self) -> TextEncoderPlacement:
        """Of the text encoder before the transformer is there."""
        return TextEncoderPlacement(self.device, self.dtype) if self.first else self.desk


def detect_device(device: str = "auto") -> ComputeDevice:
    """What is here: a CUDA GPU, else Apple's, else the CPU; or the ``device`` that the user names.

    Raises ``MachineError`` if there is no such device.
    """
    host, chosen = _host_free(), device != "auto"
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        if not torch.cuda.is_available():
            raise MachineError("torch finds no CUDA GPU here", remedy=_INSTEAD)
        at = torch.device("cuda" if device == "auto" else device)
        if (at.index or 0) >= torch.cuda.device_count():
            raise MachineError(f"there is no GPU '{device}' here, only {torch.cuda.device_count()}", remedy=_INSTEAD)
        properties = torch.cuda.get_device_properties(at)
        free, _ = torch.cuda.mem_get_info(at)
        return ComputeDevice(str(at), free, host, (properties.major, properties.minor), properties.name, chosen)
    if device == "mps" or (device == "auto" and torch.backends.mps.is_available()):
        if not torch.backends.mps.is_available():
            raise MachineError("torch finds no Apple GPU here", remedy=_INSTEAD)
        return ComputeDevice("mps", host, host, name="Apple GPU", chosen=chosen)
    return ComputeDevice("cpu", host, host, name="CPU", chosen=chosen)


def _host_free() -> int:
    """Free bytes of main memory (psutil comes with accelerate)."""
    import psutil

    return int(psutil.virtual_memory().available)


def count_weights(files: LtxFiles) -> WeightCounts:
    """From the files' headers. Raises ``WeightsError`` if they cannot be read."""
    header = SafetensorsHeader.of(files.checkpoint)
    counted: dict[str, int] = {}
    for name in header.shapes:
        placed = locate_tensor(name)
        if placed is not None:
            counted[placed[0]] = counted.get(placed[0], 0) + header.numbers_of(name)
    shards = (path for path in files.text_encoder.glob("*.safetensors"))
    words = sum(SafetensorsHeader.of(path).numbers() for path in shards) + counted.get("connectors", 0)
    others = sum(counted.get(part, 0) for part in ("video_vae", "audio_vae", "vocoder"))
    width = next((shape[0] for name, shape in header.shapes.items() if name.endswith(".patchify_proj.weight")), 4096)
    return WeightCounts(counted.get("transformer", 0), others + SafetensorsHeader.of(files.upsampler).numbers(), words, width)


def plan_memory(machine: ComputeDevice, sizes: WeightCounts, setting: GenerationSize) -> MemoryPlan:
    """The best plan for making windows of ``setting`` here.

    Raises ``MachineError`` with the numbers if there is no GPU, it is too old, or memory does not reach.
    """
    if machine.device == "cpu":
        return _on_cpu(machine, sizes)
    if machine.device.startswith("cuda") and machine.capability < _OLDEST:
        told = ".".join(map(str, machine.capability))
        raise MachineError(
            f"the GPU ({machine.name}) is of compute capability {told}, and LTX needs 8.0 for bfloat16", remedy=_INSTEAD
        )
    for plan in _candidates(machine, sizes, setting):
        if plan.device_bytes <= machine.free and plan.host_bytes <= machine.host:
            return plan
    raise _too_little(machine, sizes, setting)


def _candidates(machine: ComputeDevice, sizes: WeightCounts, setting: GenerationSize) -> list[MemoryPlan]:
    """Every plan for a GPU, the best first; whether one fits is not asked here."""
    kinds = [(True, False), (True, True), (False, False), (False, True)]
    if machine.device == "mps":
        kinds = [(True, False)]
    plans = []
    for exact, streamed in kinds:
        for aside in (False, True):
            for tiles in TILES:
                plan = MemoryPlan(machine.device, exact, streamed=streamed, room=MemoryOptions(tiles, aside))
                plans.append(_weighed(plan, machine, sizes, setting))
    return plans


def _weighed(plan: MemoryPlan, machine: ComputeDevice, sizes: WeightCounts, setting: GenerationSize) -> MemoryPlan:
    """``plan`` with what it needs, and with the text encoder where there is room for it beside the rest."""
    weights = sizes.transformer * (2 if plan.exact else 1)
    here = int(weights * _STREAMED) if plan.streamed else weights
    others = sizes.others * 2
    visiting, staying = (others, 0) if plan.room.aside else (0, others)
    working = max(forward_bytes(sizes.width, setting), decoder_bytes(plan.room.tiles, setting) + visiting)
    device = here + staying + working + _SLACK
    apple = machine.device == "mps"
    words: Literal["device", "streamed", "cpu"] = "cpu" if apple else "streamed"
    if not apple and device + sizes.words * 2 <= machine.free:
        words, device = "device", device + sizes.words * 2
    first = not apple and sizes.words * 2 + _SLACK <= machine.free
    held = (weights if plan.streamed else 0) + (others if plan.room.aside else 0)
    host = max(held, sizes.words * 2) + _HOST_SLACK
    if apple:  # one memory for both
        host = device = device + host
    return replace(plan, words=words, first=first, device_bytes=device, host_bytes=host)


def forward_bytes(width: int, setting: GenerationSize) -> int:
    """What one forward pass needs beside the weights, in bfloat16, with a reference as large as the target."""
    frames, rows, columns = setting.grid()
    return 2 * frames * rows * columns * width * _PER_NUMBER


def decoder_bytes(tiles: TileSize, setting: GenerationSize) -> int:
    """What decoding one tile needs beside the weights, and the frames it is laid into."""
    frames = min(tiles.frames[0], setting.frames)
    high, wide = min(tiles.side, setting.height), min(tiles.side, setting.width)
    return frames * (high // 4) * (wide // 4) * _DECODER + frames * setting.height * setting.width * 12


def _on_cpu(machine: ComputeDevice, sizes: WeightCounts) -> MemoryPlan:
    """In float32 if that fits, else in bfloat16; big models only if the user insists on the CPU."""
    if sizes.transformer > _FEW and not machine.chosen:
        raise MachineError(
            "no GPU was found, and a CPU would take days for a dub with LTX",
            remedy=f"{_INSTEAD} (--engine-option device=cpu insists.)",
        )
    plan = MemoryPlan("cpu", words="cpu")
    for whole in (True, False):
        held = max(sizes.transformer + sizes.others, sizes.words) * (4 if whole else 2) + _HOST_SLACK
        if held <= machine.host:
            return replace(plan, whole=whole, device_bytes=held, host_bytes=held)
    raise MachineError(
        f"LTX needs {held / GB:.0f} GB of free memory and there are {machine.host / GB:.0f} GB", remedy=_INSTEAD
    )


def _too_little(machine: ComputeDevice, sizes: WeightCounts, setting: GenerationSize) -> MachineError:
    """Which memory does not reach, by how much, and with which smaller window it would."""
    plans = _candidates(machine, sizes, setting)
    fitting = [plan for plan in plans if plan.device_bytes <= machine.free]
    if fitting:
        host = min(plan.host_bytes for plan in fitting)
        told = (
            f"LTX needs {host / GB:.0f} GB of free main memory beside this GPU and there are {machine.host / GB:.0f} GB"
        )
        return MachineError(told, remedy=_INSTEAD)
    least = min(plan.device_bytes for plan in plans)
    seen = f"windows of {setting.frames} frames of {setting.width} x {setting.height}"
    told = f"LTX needs {least / GB:.1f} GB on the GPU for {seen}, and {machine.free / GB:.1f} GB are free"
    smaller = _smaller(machine, sizes, setting)
    remedy = f"It would fit with --engine-option size={smaller}." if smaller else _INSTEAD
    return MachineError(told, remedy=remedy)


def _smaller(machine: ComputeDevice, sizes: WeightCounts, setting: GenerationSize) -> int:
    """The largest side of a square window that fits, or 0."""
    for side in range(min(setting.height, setting.width) - 64, 255, -64):
        window = replace(setting, height=side, width=side)
        if any(
            p.device_bytes <= machine.free and p.host_bytes <= machine.host for p in _candidates(machine, sizes, window)
        ):
            return side
    return 0


def load_pipeline(files: LtxFiles, plan: MemoryPlan, prompts: tuple[str, ...] = (), kept: Path | None = None) -> LipDubPipeline:
    """The pipeline as ``plan`` has it. The contexts of ``prompts`` are made first, and the text encoder freed, before
    the transformer is read; prompts that come later bring the text encoder back for a while. Contexts are kept in
    ``kept``. Raises ``WeightsError`` for a file that is missing or does not fit.
    """
    lora = read_lora(files.lora)
    check_shapes(_layers(files.checkpoint), lora)
    words = PromptCache(files, plan.first_desk, kept)
    words.learn(prompts)
    words.desk = plan.desk
    _, width, _ = text_encoder_shape(files.text_encoder)
    lying = WeightPlacement("cpu" if plan.room.aside else plan.device, plan.dtype)
    others: tuple[ModuleName, ...] = ("video_vae", "audio_vae", "vocoder")
    read: Any = read_parts(files.checkpoint, ["transformer"], width, plan.placement, fuse_transform(lora))
    read |= read_parts(files.checkpoint, others, width, lying)
    parts = CheckpointModules(connectors=None, **read)
    _settle(parts, plan)
    return LipDubPipeline(parts, read_upsampler(files.upsampler, lying), words, lora.downscale, plan.room)


def _layers(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the transformer's weight matrices, by diffusers' names of their modules."""
    header = SafetensorsHeader.of(checkpoint)
    placed = ((locate_tensor(name), shape) for name, shape in header.shapes.items())
    return {
        found[1].removesuffix(".weight"): shape
        for found, shape in placed
        if found is not None and found[0] == "transformer" and found[1].endswith(".weight") and len(shape) == 2
    }


def _settle(parts: CheckpointModules, plan: MemoryPlan) -> None:
    """Stream the transformer's blocks, choose its attention, compile its blocks, as the plan has it."""
    model = parts.transformer
    if plan.streamed:
        model.enable_group_offload(
            onload_device=torch.device(plan.device),
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=plan.device.startswith("cuda"),
        )
    if plan.attention != "native":
        model.set_attention_backend(plan.attention)
    if plan.compiled:
        model.compile_repeated_blocks(fullgraph=True)


def describe_plan(plan: MemoryPlan) -> list[str]:
    """The plan in lines, for the doctor and the report."""
    kind = ("float32" if plan.whole else "bfloat16") if plan.exact else "8 bits (e4m3)"
    where = f"streamed from main memory to {plan.device}" if plan.streamed else f"on {plan.device}"
    places = {"device": f"whole on {plan.device}", "streamed": f"streamed to {plan.device}", "cpu": "on the CPU"}
    encoder = (f"{places['device']}, later " if plan.first and plan.words != "device" else "") + places[plan.words]
    tiles = plan.room.tiles
    aside = ", lying in main memory between uses" if plan.room.aside else ""
    return [
        f"transformer: {kind}, {where}, attention {plan.attention}" + (", compiled" if plan.compiled else ""),
        f"text encoder: {encoder}, freed after use",
        f"VAEs and vocoder: tiles of {tiles.side} pixels and {tiles.frames[0]} frames{aside}",
        f"memory: about {plan.device_bytes / GB:.1f} GB on {plan.device}, {plan.host_bytes / GB:.1f} GB of main memory"
        " (counted, not measured)",
    ]
