"""Makes room on the GPU when a window needs more memory there than was counted.

What memory a window needs is counted before anything is read (``memory``), but other programs may take some meanwhile,
and kernels may need work space that nobody counts. Then the window is generated again with less: smaller tiles of the
video VAE if that was at work, then the other networks in main memory between uses, then the transformer's blocks
streamed from there. Windows that are finished stay finished.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch

from lipdub.engines.ltx.block_streaming import stream_transformer
from lipdub.engines.ltx.memory import TILES, host_free
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.errors import MachineError
from lipdub.process.memory import give_back_memory
from lipdub.weights import log

Result = TypeVar("Result")

_HOST_RESERVE = 2_000_000_000
"""Bytes of main memory that stay free for everything else."""


def with_less_memory(pipeline: LipDubPipeline, window: tuple[int, int, int], generate: Callable[[], Result]) -> Result:
    """What ``generate`` returns; each time that it runs out of the device's memory, room is made and it is called
    again.

    ``window``: (frames, height, width), for the message. Raises ``MachineError`` if no more room can be made.
    """
    while True:
        try:
            return generate()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # here the error is gone, and with it the tensors that its traceback held
        give_back_memory()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        done = relieve(pipeline)
        if not done:
            raise _too_little(pipeline, window)
        log(f"{pipeline.device} has too little memory for this window; it is made again with {done}")


def is_out_of_memory(error: BaseException) -> bool:
    """True if a device has no memory left (torch says so in words for Apple's GPUs)."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def relieve(pipeline: LipDubPipeline) -> str:
    """Let ``pipeline`` need less memory on its device; returns in words what was done, "" if nothing is left to do."""
    memory = pipeline.memory
    smaller = [tiles for tiles in TILES if (tiles.side, tiles.frames) < (memory.tiles.side, memory.tiles.frames)]
    if pipeline.working == "video VAE" and smaller:
        pipeline.memory = replace(memory, tiles=smaller[0])
        return f"tiles of {smaller[0].side} pixels and {smaller[0].frames[0]} frames"
    if not memory.offload and pipeline.device.type != "mps":
        pipeline.memory = replace(memory, offload=True)
        for module in pipeline.others():
            module.to("cpu")
        return "the VAEs in main memory between uses"
    if not pipeline.streamed and _can_be_streamed(pipeline):
        pipeline.streamed = True
        stream_transformer(pipeline.modules.transformer, pipeline.device)
        return "the transformer streamed from main memory"
    return ""


def _can_be_streamed(pipeline: LipDubPipeline) -> bool:
    """Whether there is a GPU to stream to, and main memory for the blocks. Compiled blocks cannot get other hooks."""
    blocks = pipeline.modules.transformer.transformer_blocks
    compiled = any(getattr(block, "_compiled_call_impl", None) is not None for block in blocks)
    needed = sum(tensor.nbytes for tensor in [*blocks.parameters(), *blocks.buffers()])
    return not compiled and pipeline.device.type != "mps" and needed + _HOST_RESERVE <= host_free()


def _too_little(pipeline: LipDubPipeline, window: tuple[int, int, int]) -> MachineError:
    frames, height, width = window
    side, shorter = (min(height, width) - 1) // 64 * 64, (frames * 3 // 4 - 1) // 8 * 8 + 1
    smaller = [f"--engine-option size={side}"] * (side >= 64) + [f"--engine-option frames={shorter}"] * (shorter >= 9)
    instead = f", or try {' or '.join(smaller)}" if smaller else ""
    return MachineError(
        f"{pipeline.device} has too little memory for windows of {frames} frames of {width} x {height}, although"
        " everything else is in main memory",
        remedy=f"Close other programs that use the GPU{instead}. What is finished is kept.",
    )
