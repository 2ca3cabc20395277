"""Times LTX-2.3 Dub-It on the window that lipdub gives it and on a whole 1080p frame, and compares with a lower bound.

The weights are random, so no download is needed, and the pictures mean nothing. The schedule is the real one: 8 steps
at half size, upsampling, 3 steps at full size, with encoding and tiled decoding; the dub track is the user's, and the
prompt is given as a context. The lower bound ("floor") of one forward pass is its operations at the rate of a large
matrix product measured here, or the bytes of its weights at the copying rate measured here, whichever takes longer.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from ltx_networks import FULL, RATE, NetworkSize, chosen, fill_weights, reduce_to_8_bits, transformer, unused, video_vae
from torch.utils.flop_counter import FlopCounterMode

from lipdub.engines.ltx import sampler
from lipdub.engines.ltx.checkpoint import CheckpointModules
from lipdub.engines.ltx.generation import GenerationSize, SourceVideo
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.engines.ltx.transformer import velocity
from lipdub.timeline.sound import Sound

OVERLAP = 24
"""Frames that two windows share."""


def run_speed(args: argparse.Namespace) -> int:
    """Run the benchmark and print its lines; returns exit code 0."""
    build, device, dtype = chosen(args.tiny)
    count()
    pipe = build_pipeline(build, device, dtype, args)
    pixels = {"window": build.window, "frame": build.frame}
    sizes = {kind: GenerationSize(build.frames, RATE, *sides) for kind, sides in pixels.items()}
    spent = {kind: show_dub(pipe, kind, size, args.runs) for kind, size in sizes.items()}
    if all(spent.values()):
        print(f"whole frame / window: {spent['frame'] / spent['window']:.2f} times the time")
    show_floor(pipe, sizes["window"], args.runs)
    return 0


def build_pipeline(build: NetworkSize, device: str, dtype: torch.dtype, args: argparse.Namespace) -> LipDubPipeline:
    """A pipeline whose networks are on the device, with small random weights."""
    with torch.device("meta"):
        modules: dict[str, Any] = {
            "transformer": transformer(build),
            "video_vae": video_vae(build),
            "audio_vae": AutoencoderKLLTX2Audio(ch_mult=build.sound),
            "upsampler": LTX2LatentUpsamplerModel(mid_channels=build.mid, use_rational_resampler=False),
        }
    for name, module in modules.items():
        fill_weights(module, device, dtype)
        if name == "transformer" and args.fp8:
            reduce_to_8_bits(module)
        numbers = sum(p.numel() for p in module.parameters())
        print(f"  {name}: {numbers / 1e9:.3f} billion weights")
    model = modules["transformer"]
    if args.attention != "native":
        model.set_attention_backend(args.attention)
    if args.compiled:
        model.compile_repeated_blocks(fullgraph=True)
    silent = unused(LTX2VocoderWithBWE)  # the voice is the user's
    checkpoint = CheckpointModules(model, None, modules["video_vae"], modules["audio_vae"], silent)
    return LipDubPipeline(checkpoint, modules["upsampler"], None)


def show_dub(pipe: LipDubPipeline, kind: str, size: GenerationSize, runs: int) -> float:
    """Dub ``runs`` times; print the fastest by stage. Returns its seconds, or 0 if there was too little memory."""
    best: dict[str, float] = {}
    try:
        for _ in range(runs):
            spent = time_dub(pipe, size)
            best = spent if not best or spent["whole"] < best["whole"] else best
    except torch.cuda.OutOfMemoryError:
        print(f"{kind} {size.width} x {size.height}, {size.frames} frames: out of memory")
        torch.cuda.empty_cache()
        return 0.0
    long = best["whole"] / (size.frames / RATE)
    chained = best["whole"] / ((size.frames - OVERLAP) / RATE)
    print(
        f"{kind} {size.width} x {size.height}, {size.frames} frames: {best['whole']:.2f} s"
        f" (encode {best['before']:.2f}, 8 steps {best['stage 1']:.2f}, double and encode {best['between']:.2f},"
        f" 3 steps {best['stage 2']:.2f}, decode {best['after']:.2f});"
        f" {float(long):.2f} s for a second, {float(chained):.2f} s where windows share {OVERLAP} frames;"
        f" peak {peak(pipe) / 1e9:.2f} GB"
    )
    return best["whole"]


def time_dub(pipe: LipDubPipeline, size: GenerationSize) -> dict[str, float]:
    """The seconds that each part of one dub takes."""
    generator = np.random.default_rng(0)
    shape = (size.frames, size.height, size.width, 3)
    video = SourceVideo(generator.integers(0, 256, shape, np.uint8), size.rate)
    samples = ceil(size.frames / size.rate * 48_000)
    sound = Sound(generator.normal(0, 0.1, (2, samples)).astype(np.float32), 48_000)
    marks = [now(pipe)]
    stages: dict[tuple[int, int], float] = {}
    if pipe.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    pipe(
        video,
        sound,
        context(pipe),
        dub=sound,
        height=size.height,
        width=size.width,
        on_step=lambda stage, done, of: stages.update({(stage, done): now(pipe)}),
    )
    end = now(pipe)
    # the first step of a stage is as long as its second
    first = stages[1, 1] - (stages[1, 2] - stages[1, 1])
    second = stages[2, 1] - (stages[2, 2] - stages[2, 1])
    return {
        "before": first - marks[0],
        "stage 1": stages[1, 8] - first,
        "between": second - stages[1, 8],
        "stage 2": stages[2, 3] - second,
        "after": end - stages[2, 3],
        "whole": end - marks[0],
    }


def now(pipe: LipDubPipeline) -> float:
    """The time after the device has finished all its work."""
    if pipe.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(pipe: LipDubPipeline) -> int:
    """The peak of memory in bytes: on the GPU in the last run, or of this process since its start."""
    if pipe.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def context(pipe: LipDubPipeline) -> sampler.Context:
    """A random context in place of an encoded prompt."""
    config = pipe.modules.transformer.config
    widths = config["cross_attention_dim"], config["audio_cross_attention_dim"]
    video, audio = (torch.randn(1, 1024, width, device=pipe.device, dtype=pipe.dtype) for width in widths)
    return video, audio


def stage_2_inputs(pipe: LipDubPipeline, size: GenerationSize) -> sampler.DenoisingInputs:
    """The inputs of stage 2 for one window, of noise."""
    video = torch.randn(1, 128, *size.latent_grid(), device=pipe.device, dtype=pipe.dtype)
    audio = torch.randn(1, 8, size.audio_latents, 16, device=pipe.device, dtype=pipe.dtype)
    return pipe.stage_2_inputs(size, context(pipe), (video, audio), video)


def show_floor(pipe: LipDubPipeline, size: GenerationSize, runs: int) -> None:
    """Time one forward pass of the window's second stage, and print the least time that it could take on this
    device."""
    inputs = stage_2_inputs(pipe, size)
    modalities = inputs.at_sigma(inputs.video.latent, inputs.audio.latent, 0.9)

    def forward() -> None:
        with torch.no_grad():
            velocity(pipe.modules.transformer, *modalities)

    with FlopCounterMode(display=False) as counter:
        forward()
    operations = counter.get_total_flops()
    weights = sum(p.numel() * p.element_size() for p in pipe.modules.transformer.parameters())
    seconds = fastest(pipe, forward, runs)
    rate, bandwidth = matmul_rate(pipe, runs), copy_rate(pipe, runs)
    floor = max(operations / rate, weights / bandwidth)
    video = inputs.video.latent.shape[1]
    print(f"one forward of {video} picture tokens: {seconds * 1e3:.1f} ms")
    print(f"  its floor: {floor * 1e3:.1f} ms, {floor / seconds:.0%} of that")
    print(f"  {operations / 1e12:.3f} TFLOP at {rate / 1e12:.3f} TFLOP/s = {operations / rate * 1e3:.1f} ms")
    print(f"  {weights / 1e9:.3f} GB of weights at {bandwidth / 1e9:.1f} GB/s = {weights / bandwidth * 1e3:.1f} ms")


def fastest(pipe: LipDubPipeline, work: Callable[[], object], runs: int) -> float:
    """The seconds of the fastest run, after one to warm up."""
    work()
    seconds = []
    for _ in range(max(3, runs)):
        start = now(pipe)
        work()
        seconds.append(now(pipe) - start)
    return min(seconds)


def matmul_rate(pipe: LipDubPipeline, runs: int) -> float:
    """The operations per second of a large matrix product."""
    side = 8192 if pipe.device.type == "cuda" else 1024
    a = torch.randn(side, side, device=pipe.device, dtype=pipe.dtype)
    return 2 * side**3 / fastest(pipe, lambda: a @ a, runs)


def copy_rate(pipe: LipDubPipeline, runs: int) -> float:
    """The bytes per second that are read, or written: half of what a large copy moves."""
    size = 1 << (32 if pipe.device.type == "cuda" else 27)
    a = torch.empty(size, dtype=torch.uint8, device=pipe.device)
    b = torch.empty_like(a)
    return 2 * size / fastest(pipe, lambda: b.copy_(a), runs)


def count() -> None:
    """Count weights and operations of the full-size transformer for the whole schedule, without running it.

    All layers are alike: one and two layers are counted, and the difference taken for each of the others.
    """
    with torch.device("meta"):
        one, two = (transformer(replace(FULL, layers=layers)) for layers in (1, 2))
    weights = _all_layers(*(sum(p.numel() for p in model.parameters()) for model in (one, two)))
    print(f"counted, full size: {weights / 1e9:.2f} billion weights in the transformer")
    totals = {}
    for kind, (height, width) in (("window", FULL.window), ("frame", FULL.frame)):
        full = GenerationSize(FULL.frames, RATE, height, width)
        steps = ((full.halved(), len(sampler.STAGE_1_SIGMAS) - 1), (full, len(sampler.STAGE_2_SIGMAS) - 1))
        totals[kind] = sum(
            times * _all_layers(forward_operations(one, size), forward_operations(two, size)) for size, times in steps
        )
        second = totals[kind] / float(FULL.frames / RATE)
        seen = f"{kind} {width} x {height}, {FULL.frames} frames"
        print(f"counted, full size, {seen}: {totals[kind] / 1e15:.2f} PFLOP, {second / 1e15:.2f} for a second")
    print(f"counted, whole frame / window: {totals['frame'] / totals['window']:.2f} times the operations")


def _all_layers(one: int, two: int) -> int:
    """What is counted for all layers, from what is for one and for two."""
    return one + (FULL.layers - 1) * (two - one)


def forward_operations(model: LTX2VideoTransformer3DModel, size: GenerationSize) -> int:
    """The operations of one forward pass (on the meta device); both modalities have a reference as long as the
    target."""
    grid = size.latent_grid()
    video = 2 * grid[0] * grid[1] * grid[2]
    audio = 2 * size.audio_latents
    config = model.config

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, device="meta")

    level = empty(1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(
            hidden_states=empty(1, video, 128),
            audio_hidden_states=empty(1, audio, 128),
            encoder_hidden_states=empty(1, 1024, config["cross_attention_dim"]),
            audio_encoder_hidden_states=empty(1, 1024, config["audio_cross_attention_dim"]),
            timestep=level,
            audio_timestep=level,
            sigma=level,
            audio_sigma=level,
            video_coords=empty(1, 3, video, 2),
            audio_coords=empty(1, 1, audio, 2),
            return_dict=False,
        )
    return counter.get_total_flops()
