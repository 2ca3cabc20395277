"""Measures the memory that the LTX networks take, beside what ``memory.py`` counts; random weights."""

import argparse
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from ltx_networks import (
    FULL,
    RATE,
    chosen,
    fill_weights,
    free_memory,
    hold_transformer,
    modality_inputs,
    reduce_to_8_bits,
    transformer,
    video_vae,
)

from lipdub.engines.ltx import memory, tiling
from lipdub.engines.ltx.generation import GenerationSize
from lipdub.engines.ltx.layered_encoder import PROMPTS_AT_ONCE, layer_states
from lipdub.engines.ltx.memory import MemoryPlan
from lipdub.engines.ltx.memory_counts import codec_bytes, forward_bytes
from lipdub.engines.ltx.tiles import Tiling
from lipdub.engines.ltx.transformer import velocity

GB = 1e9
SHAPES = ((768, 768), (704, 896), (512, 1216), (1088, 1920))
"""Height and width of windows: the usual one, wider ones, and a whole 1080p frame."""


@dataclass
class Peak:
    """Highest use of main memory (page-locked memory included) above that at the start, in bytes."""

    bytes: int = 0


@contextmanager
def main_memory() -> Iterator[Peak]:
    """Watch the main memory of this process while the block runs."""
    process, peak, over = psutil.Process(), Peak(), threading.Event()
    base = process.memory_info().rss

    def watch() -> None:
        while not over.is_set():
            peak.bytes = max(peak.bytes, process.memory_info().rss - base)
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
        peak.bytes = max(peak.bytes, process.memory_info().rss - base)
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class Use:
    """What some work took: bytes ``allocated`` and ``reserved`` on the GPU beside what was there, and ``seconds``."""

    allocated: int
    reserved: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.allocated / GB:.2f} GB, reserved {self.reserved / GB:.2f}, {self.seconds:.2f} s"


def used(device: str, work: Callable[[], object]) -> Use:
    """What ``work`` takes; on the CPU only the time."""
    gc.collect()
    if device != "cuda":
        begun = time.perf_counter()
        work()
        return Use(0, 0, time.perf_counter() - begun)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    base = torch.cuda.memory_allocated()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    return Use(torch.cuda.max_memory_allocated() - base, torch.cuda.max_memory_reserved() - base, seconds)


def run_peaks(args: argparse.Namespace) -> int:
    """Print what a forward, decoding and encoding take for several windows and tiles; returns 0."""
    build, device, dtype = chosen(args.tiny)
    with torch.device("meta"):
        model, vae = transformer(build), video_vae(build)
    fill_weights(model, device, dtype)
    fill_weights(vae, device, dtype)
    width = build.heads * build.width
    for height, wide in SHAPES if build is FULL else (build.window,):
        size = GenerationSize(build.frames, RATE, height, wide)
        inputs = modality_inputs(model, size, device, dtype)

        def forward(inputs=inputs) -> None:
            with torch.no_grad():
                velocity(model, *inputs)

        forward()
        counted = forward_bytes(width, size) / GB
        print(
            f"forward {wide} x {height} x {build.frames}: {used(device, forward)}; counted {counted:.2f} GB", flush=True
        )
    del model
    size = GenerationSize(build.frames, RATE, *build.window)
    for tiles in memory.TILES:
        cut = Tiling.of(size.height, size.width, tiles)
        latent = torch.randn(1, 128, *size.latent_grid(), device=device, dtype=dtype)
        pixels = torch.rand(1, 3, size.frames, size.height, size.width)
        decoded = used(device, lambda latent=latent, cut=cut: [None for _ in tiling.decode(vae, latent, cut)])
        encoded = used(device, lambda pixels=pixels, tiles=tiles: tiling.encode(vae, pixels, tiles.encoding))
        counted = codec_bytes(tiles, size) / GB
        print(f"tiles of {tiles.side} pixels, {tiles.frames[0]} frames: decode {decoded}; encode {encoded}", end="; ")
        print(f"counted {counted:.2f} GB", flush=True)
    return 0


def run_stream(args: argparse.Namespace) -> int:
    """Print what streaming the blocks takes of both memories, and the time of a forward; returns 0."""
    build, device, dtype = chosen(args.tiny)
    with torch.device("meta"):
        model = transformer(build)
    fill_weights(model, "cpu", dtype)
    plan = MemoryPlan(device, exact=not args.fp8, full_precision=dtype == torch.float32, streamed=True)
    if args.fp8:
        reduce_to_8_bits(model)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    free = psutil.virtual_memory().available
    with main_memory() as peak:
        begun = time.perf_counter()
        hold_transformer(model, plan)
        seconds = time.perf_counter() - begun
    fell = free - psutil.virtual_memory().available
    print(f"weights {weights / GB:.2f} GB in main memory; setting up streaming took {seconds:.1f} s and", end=" ")
    print(f"{peak.bytes / GB:.2f} GB beside them at most; free memory fell by {fell / GB:.2f} GB", flush=True)
    size = GenerationSize(build.frames, RATE, *build.window)
    inputs = modality_inputs(model, size, device, dtype)

    def forward() -> None:
        with torch.no_grad():
            velocity(model, *inputs)

    uses = [used(device, forward) for _ in range(4)]
    fastest = min(uses[1:], key=lambda use: use.seconds)
    rate = weights / fastest.seconds / GB
    print(
        f"forward {size.width} x {size.height} x {size.frames}: {fastest} (the first {uses[0].seconds:.2f} s);", end=" "
    )
    print(f"all weights in that time: {rate:.1f} GB/s", flush=True)
    return 0


def run_encoder(args: argparse.Namespace) -> int:
    """Print what a text encoder of Gemma-3-12B's shape takes layer by layer, and what it gives back; returns 0."""
    from transformers import Gemma3TextConfig, Gemma3TextModel

    build, device, dtype = chosen(args.tiny)
    full = {
        "hidden_size": 3840, "num_hidden_layers": 48, "intermediate_size": 15360, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 256, "vocab_size": 262208,
    }  # fmt: skip
    tiny = {
        "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 128, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 1000,
    }  # fmt: skip
    sizes = full if build is FULL else tiny
    with torch.device("meta"):
        model = Gemma3TextModel(Gemma3TextConfig(**sizes, sliding_window=1024, max_position_embeddings=131072))
    little = {**sizes, "vocab_size": 8, "num_hidden_layers": 1, "intermediate_size": 8}
    for name, buffer in Gemma3TextModel(Gemma3TextConfig(**little)).named_buffers():  # the meta device has no values
        parent, _, own = name.rpartition(".")
        model.get_submodule(parent).register_buffer(own, buffer.clone(), persistent=False)
    fill_weights(model.norm, device, dtype)
    model.rotary_emb.to(device)
    layer_bytes = [sum(tensor.numel() for tensor in layer.parameters()) * dtype.itemsize for layer in model.layers]

    def read_layer(layer: torch.nn.Module, number: int) -> torch.nn.Module:
        fill_weights(layer, "cpu", dtype)  # in place of reading them
        return layer.to(device)

    prompt = torch.randn(1, 1024, sizes["hidden_size"], device=device, dtype=dtype), torch.ones(1, 1024).long()
    uses: list[Any] = []
    with main_memory() as peak:
        for count in (1, PROMPTS_AT_ONCE):
            uses.append(used(device, lambda count=count: list(layer_states(model, read_layer, [prompt] * count))))
    print(f"weights {sum(layer_bytes) / GB:.2f} GB, of which a layer of {max(layer_bytes) / GB:.2f} GB at a time")
    print(
        f"a prompt: {uses[0]}; {PROMPTS_AT_ONCE} together: {uses[1]}; main memory {peak.bytes / GB:.2f} GB", flush=True
    )
    before = psutil.Process().memory_info().rss
    del model
    free_memory()
    after = psutil.Process().memory_info().rss
    print(f"released: main memory from {before / GB:.2f} to {after / GB:.2f} GB", flush=True)
    return 0
