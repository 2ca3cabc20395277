"""The interface between the engine and the model, and LTX-2.3 Dub-It as that model.

Everything else in the engine runs without torch; torch is imported when a ``PreparedModel`` is made.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lipdub.engines.ltx.frame_grid import DEFAULT_RATE
from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.packages import check_packages
from lipdub.errors import MachineError, MissingExtra, WeightsError
from lipdub.timeline.sound import Sound
from lipdub.weights import cache_folder

Frames = UInt8[np.ndarray, "_frames _height _width 3"]


@dataclass(frozen=True, eq=False)
class WindowRequest:
    """One window of frames to be generated. The same request, ``seed`` included, gives the same bytes.

    ``frames``: the filmed RGB frames (8 k + 1) at ``rate``. ``source_sound``: the clip's sound beside them.
    ``dub_sound``: the sound to follow, or None if the voice is to be generated from the ``prompt``.
    """

    frames: Frames
    rate: Fraction
    source_sound: Sound
    dub_sound: Sound | None
    prompt: str
    seed: int


@dataclass(frozen=True, eq=False)
class GeneratedWindow:
    """``frames``: as many as requested, of the same size. ``voice``: the sound from the first of them on."""

    frames: Frames
    voice: Sound


@runtime_checkable
class WindowModel(Protocol):
    """Generates windows of frames."""

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        """Generate one window."""
        ...

    def prepare_prompts(self, prompts: tuple[str, ...]) -> None:
        """Encode ``prompts`` in advance, because encoding all at once is faster than one by one."""
        ...


class DubItModel:
    """LTX-2.3 Dub-It as a ``WindowModel``."""

    def __init__(self, pipeline: Any, reference_strength: float = 1.0) -> None:
        """``pipeline`` is a ``LipDubPipeline``; ``reference_strength`` is in 0..1."""
        self._pipeline, self._strength = pipeline, reference_strength

    def prepare_prompts(self, prompts: tuple[str, ...]) -> None:
        """Encode those of ``prompts`` that were not encoded yet, all together."""
        self._pipeline.prepare_prompts(prompts)

    def __call__(self, request: WindowRequest) -> GeneratedWindow:
        """Run both stages of Dub-It. The noise is drawn on the CPU, so that it is the same on every device.

        If the device runs out of memory, the window is made again with less (``relief``). Raises ``MachineError`` if
        that is still too much.
        """
        import torch

        from lipdub.engines.ltx.generation import SourceVideo
        from lipdub.engines.ltx.relief import with_less_memory

        frames, height, width = request.frames.shape[:3]

        def generate() -> Any:
            return self._pipeline(
                SourceVideo(request.frames, request.rate),
                request.source_sound,
                request.prompt,
                dub=request.dub_sound,
                generator=torch.Generator().manual_seed(request.seed),
                height=height,
                width=width,
                reference_strength=self._strength,
            )

        output = with_less_memory(self._pipeline, (frames, height, width), generate)
        return GeneratedWindow(output.frames, output.sound)


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """What is known before the networks are read.

    ``files`` (``LtxFiles``), ``plan`` (``MemoryPlan``: where the networks are held), ``reference_strength`` 0..1, and
    ``name``, which changes when the files change.
    """

    files: Any
    plan: Any
    reference_strength: float
    name: str

    def load(self, prompts: tuple[str, ...]) -> WindowModel:
        """Read the networks. ``prompts`` are encoded first, while there is memory for the text encoder.

        Raises ``WeightsError`` for files that do not fit.
        """
        from lipdub.engines.ltx.load_pipeline import load_pipeline

        contexts = cache_folder() / "ltx-prompts"
        return DubItModel(load_pipeline(self.files, self.plan, prompts, contexts), self.reference_strength)


def prepare_model(options: LtxOptions, weights: Path | None) -> PreparedModel:
    """Check this machine and the files in the folder ``weights``, and plan how the networks are held in memory.

    Raises ``MissingExtra`` without torch and the other packages of the extra ``ltx``, ``MachineError`` without a GPU or
    with too little memory, ``WeightsError`` without the weights or with wrong ones.
    """
    with MissingExtra.guard("ltx", "The LTX engine"):
        check_packages()
        from lipdub.engines.ltx.generation import GenerationSize
        from lipdub.engines.ltx.memory import count_weights, detect_device, plan_memory
        from lipdub.engines.ltx.weights_folder import find_files
    device = detect_device(options.device)
    if device.device == "cpu" and options.device == "auto":
        raise MachineError(
            "the LTX engine needs a GPU (CUDA), and none was found",
            remedy="--engine exemplar works here now; --engine-option device=cpu insists, and takes days",
        )
    if weights is None:
        raise WeightsError(
            "the LTX engine does not know where its weights are",
            remedy="Download the four parts of LTX-2.3 Dub-It (74 GB) as docs/ltx.md says, and give --weights FOLDER",
        )
    files = find_files(weights)
    size = GenerationSize(options.frames, DEFAULT_RATE, options.size, options.size)
    plan = plan_memory(device, count_weights(files), size)
    with MissingExtra.guard("ltx", "The LTX engine"):  # imported last: it takes seconds, and what is above may refuse
        from lipdub.engines.ltx.load_pipeline import check_attention
    check_attention(options.attention)
    plan = replace(plan, attention=options.attention, compiled=options.compile and not plan.streamed)
    return PreparedModel(files, plan, options.reference_strength, files_fingerprint(files))


def files_fingerprint(files: Any) -> str:
    """A digest of the names, sizes and times of change of ``files`` (``LtxFiles``), in 16 hexadecimal digits."""
    paths = [
        files.checkpoint,
        files.upsampler,
        files.lora,
        *sorted(path for path in files.text_encoder.iterdir() if path.is_file()),
    ]
    lines = "\n".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


ModelLoader = Callable[[tuple[str, ...]], WindowModel]
"""Loads a model that will get these prompts; called when the first window is to be generated."""
