"""Loads the pipeline as ``memory`` planned it.

The plan is made without the libraries that hold the networks, which take seconds to import; they are imported here.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName

from lipdub.engines.ltx.block_streaming import stream_transformer
from lipdub.engines.ltx.checkpoint import CheckpointModules, read_modules, read_upsampler
from lipdub.engines.ltx.lora import check_shapes, fuse_transform, read_lora, tell_other_base
from lipdub.engines.ltx.memory import MemoryPlan
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.prompt_cache import PromptCache
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_names import ModuleName, locate_tensor
from lipdub.engines.ltx.transformer import compute_rotary_on_cpu
from lipdub.engines.ltx.weights_folder import LtxFiles, text_encoder_shape
from lipdub.errors import OptionError

_NATIVE = "Leave that option out: attention=native works everywhere."


def load_pipeline(
    files: LtxFiles, plan: MemoryPlan, prompts: tuple[str, ...] = (), contexts: Path | None = None
) -> LipDubPipeline:
    """Load the pipeline as planned.

    ``prompts`` are encoded first, and the text encoder is freed before the transformer is read; for later prompts it is
    read again. Contexts are stored in the folder ``contexts`` (None: in memory only). Raises ``WeightsError`` for a
    file that is missing or does not fit.
    """
    lora = read_lora(files.lora)
    check_shapes(_layers(files.checkpoint), lora)
    tell_other_base(lora, files.checkpoint)
    prompt_cache = PromptCache(files, plan.first_encoder_placement, contexts)
    prompt_cache.prepare(prompts)
    prompt_cache.placement = plan.encoder_placement
    _, width, _ = text_encoder_shape(files.text_encoder)
    placement = WeightPlacement("cpu" if plan.memory.offload else plan.device, plan.dtype)
    others: tuple[ModuleName, ...] = ("video_vae", "audio_vae", "vocoder")
    read: Any = read_modules(files.checkpoint, ["transformer"], width, plan.placement, fuse_transform(lora))
    read |= read_modules(files.checkpoint, others, width, placement)
    modules = CheckpointModules(connectors=None, **read)
    _configure(modules, plan)
    upsampler = read_upsampler(files.upsampler, placement)
    pipeline = LipDubPipeline(modules, upsampler, prompt_cache, lora.downscale, plan.memory)
    pipeline.streamed = plan.streamed
    return pipeline


def _layers(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the transformer's weight matrices, by diffusers' names of their layers."""
    header = SafetensorsHeader.of(checkpoint)
    located = ((locate_tensor(name), shape) for name, shape in header.shapes.items())
    return {
        found[1].removesuffix(".weight"): shape
        for found, shape in located
        if found is not None and found[0] == "transformer" and found[1].endswith(".weight") and len(shape) == 2
    }


def _configure(modules: CheckpointModules, plan: MemoryPlan) -> None:
    """Stream the transformer's blocks, choose its attention and compile its blocks as planned."""
    model = modules.transformer
    if plan.streamed:
        stream_transformer(model, torch.device(plan.device))
    if plan.device == "mps":
        compute_rotary_on_cpu(model, torch.device(plan.device))
    if plan.attention != "native":
        try:
            model.set_attention_backend(plan.attention)
        except (ValueError, RuntimeError, ImportError) as error:
            raise OptionError(f"attention={plan.attention} cannot be used here ({error})", remedy=_NATIVE) from error
    if plan.compiled:
        model.compile_repeated_blocks(fullgraph=True)


def check_attention(name: str) -> None:
    """Raise ``OptionError`` unless diffusers knows an attention backend of this ``name``."""
    names = [backend.value for backend in AttentionBackendName]
    if name not in names:
        raise OptionError(f"there is no attention '{name}'", remedy=f"Choose {', '.join(names)}.")
