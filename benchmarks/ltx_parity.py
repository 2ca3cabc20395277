"""Runs a tiny model in every plan of memory, and compares its latents with those of the reference implementation.

The model, the inputs and the recordings are those of ``tests/golden``. The recorded noise is fed in, because a GPU in
bfloat16 draws other numbers.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ltx_networks import chosen
from safetensors.torch import load_file

from lipdub.engines.ltx.generation import MemoryOptions, SourceVideo
from lipdub.engines.ltx.load_pipeline import load_pipeline
from lipdub.engines.ltx.memory import MemoryPlan
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.engines.ltx.weights_folder import find_files
from lipdub.timeline.sound import Sound

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
EXACT, HALF, EIGHT_BITS = 1e-4, 5e-2, 0.2
"""Largest relative differences in float32, in bfloat16, and with weights in 8 bits."""


def run_parity(args: argparse.Namespace) -> int:
    """Print one line for each plan and recorded case; returns 1 if a difference is too large or a plan fails."""
    sys.path.insert(0, str(GOLDEN))
    import make_checkpoint
    import make_inputs

    told = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
    device, wrong, ran = chosen(args.tiny)[1], 0, 0
    with tempfile.TemporaryDirectory() as made:
        make_checkpoint.write(Path(made), json.loads((GOLDEN / "layout.json").read_text(encoding="utf-8")))
        for name, (plan, bound) in plans(device).items():
            if args.only not in name:
                continue
            for case, settings in _cases(told, name == "float32"):
                ran += 1
                run = partial(_run, plan, made, case, settings, told, make_inputs)
                wrong += not _agrees(f"{name}: {case}", bound, run)
    print(f"parity on {device}: {ran} dubs, {wrong} beyond their bounds")
    return int(wrong > 0 or ran == 0)


def plans(device: str) -> dict[str, tuple[MemoryPlan, float]]:
    """The plans that are tried, by name, each with the largest difference that is allowed."""
    full = {"full_precision": True}
    away = MemoryOptions(offload=True)
    found = {
        "float32": (MemoryPlan(device, **full), EXACT),
        "float32 streamed": (MemoryPlan(device, streamed=True, **full), EXACT),
        "float32 all from main memory": (
            MemoryPlan(device, streamed=True, memory=away, text_encoder="streamed", **full),
            EXACT,
        ),
        "bfloat16": (MemoryPlan(device), HALF),
        "bfloat16 streamed": (MemoryPlan(device, streamed=True), HALF),
        "8 bits": (MemoryPlan(device, exact=False), EIGHT_BITS),
        "8 bits streamed": (MemoryPlan(device, exact=False, streamed=True), EIGHT_BITS),
    }
    if device == "cuda":
        found["bfloat16 compiled"] = (MemoryPlan(device, compiled=True), HALF)
        for backend in ("_native_cudnn", "_native_flash", "_native_efficient"):
            found[f"bfloat16 {backend}"] = (MemoryPlan(device, attention=backend), HALF)
    return found


def _cases(told: dict[str, Any], every: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The recorded dubs; if not ``every``, without that of the user's own track."""
    for name, settings in told["cases"].items():
        if settings["kind"] == "dubit" and (every or "own_audio" not in settings):
            yield name, settings


def _agrees(name: str, bound: float, run: Callable[[], tuple[float, float]]) -> bool:
    """Print how far the result of ``run`` is; a failure counts as too far, and does not end the other checks."""
    begun = time.monotonic()
    try:
        video, audio = run()
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {str(error)[:160]} *", flush=True)
        return False
    fine = max(video, audio) < bound
    seconds = time.monotonic() - begun
    mark = "" if fine else " *"
    print(f"{name}: video {video:.1e}, audio {audio:.1e}, bound {bound:.0e}, {seconds:.1f} s{mark}", flush=True)
    return fine


def _run(
    plan: MemoryPlan, folder: str, case: str, settings: dict[str, Any], told: dict[str, Any], inputs: Any
) -> tuple[float, float]:
    """One recorded dub under ``plan``: relative differences of the latents of picture and sound."""
    recorded = load_file(GOLDEN / f"{case}.safetensors")
    pipe = load_pipeline(find_files(Path(folder), settings["lora"], say=lambda line: None), plan)
    _feed_noise(pipe, [recorded[f"s{stage}.{kind}.noise"] for stage in (1, 2) for kind in ("video", "audio")])
    clip = told["inputs"][settings["input"]]

    def sound(spec: dict[str, Any]) -> Sound:
        return Sound(inputs.wave(spec["audio"]), spec["audio"]["rate"])

    made = pipe(
        SourceVideo(inputs.frames(clip), Fraction(*clip["fps"])),
        sound(clip),
        settings["prompt"],
        dub=sound(told["inputs"][settings["own_audio"]]) if "own_audio" in settings else None,
        height=settings["height"],
        width=settings["width"],
        reference_strength=settings["strength"],
    )
    return (
        _distance(made.video_latent, recorded["s2.video_latent"]),
        _distance(made.audio_latent, recorded["s1.audio_latent"]),
    )


def _feed_noise(pipe: LipDubPipeline, noise: list[torch.Tensor]) -> None:
    """Let the pipeline use ``noise`` in the order in which it draws."""
    coming = iter(noise)
    drawn: Any = lambda sequence, generator: next(coming).to(pipe.device, pipe.dtype)  # noqa: E731
    pipe._noise = drawn


def _distance(made: torch.Tensor, recorded: torch.Tensor) -> float:
    made = made.double().cpu()
    return ((made - recorded.double()).norm() / recorded.double().norm()).item()
