"""What the engine asks of a model, and Dub-It behind it: the only door to torch in the engine."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lipdub.engines.ltx.frame_grid import DEFAULT_RATE
from lipdub.engines.ltx.options import LtxOptions
from lipdub.errors import MachineError, MissingExtra, WeightsError
from lipdub.timeline.sound import Sound
from lipdub.weights import cache_folder

Frames = UInt8[np.ndarray, "_frames _height _width 3"]


@dataclass(frozen=True, eq=False)
class WindowRequest:
    """One window to be made: its filmed ``frames`` (8 k + 1) at ``rate`` and the ``source`` sound beside them; the
    ``dub`` to follow, or None if the voice is to be made from the ``prompt``. Same ``seed``, same bytes."""

    frames: Frames
    rate: Fraction
    source: Sound
    dub: Sound | None
    prompt: str
    seed: int


@dataclass(frozen=True, eq=False)
class GeneratedWindow:
    """As many ``frames`` as were wanted, of the same size, and the ``voice`` from the first of them on."""

    frames: Frames
    voice: Sound


@runtime_checkable
class WindowModel(Protocol):
    """Makes windows."""

    def __call__(self, wanted: WindowRequest) -> GeneratedWindow:
        """The window, saying something else."""
        ...

    def learn(self, prompts: tuple[str, ...]) -> None:
        """These prompts will come: what is slow about each is better done for all at once."""
        ...


class DubItModel:
    """LTX-2.3 Dub-It as a ``WindowModel``."""

    def __init__(self, pipeline: Any, reference_strength: float = 1.0) -> None:
        """With a ``LipDubPipeline``."""
        self._pipeline, self._strength = pipeline, reference_strength
        self._contexts: dict[str, Any] = {}

    def learn(self, prompts: tuple[str, ...]) -> None:
        """Make the contexts of ``prompts``, all while the text encoder is there, and forget others."""
        self._pipeline.learn(prompts)
        self._contexts = {
            prompt: self._contexts.get(prompt) or self._pipeline.context(prompt) for prompt in dict.fromkeys(prompts)
        }

    def __call__(self, wanted: WindowRequest) -> GeneratedWindow:
        """Both stages of Dub-It; the noise is drawn on the CPU."""
        import torch

        from lipdub.engines.ltx.pipeline import SourceVideo

        context = self._contexts.get(wanted.prompt) or self._pipeline.context(wanted.prompt)
        height, width = wanted.frames.shape[1:3]
        made = self._pipeline(
            SourceVideo(wanted.frames, wanted.rate),
            wanted.source,
            context,
            dub=wanted.dub,
            generator=torch.Generator().manual_seed(wanted.seed),
            height=height,
            width=width,
            reference_strength=self._strength,
        )
        return GeneratedWindow(made.frames, made.sound)


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """What is known before the networks are read: the files, how they will be held here, how firmly the reference is
    held to, and a ``name`` that changes when the files do."""

    files: Any
    plan: Any
    reference_strength: float
    name: str

    def load_pipeline(self, prompts: tuple[str, ...]) -> WindowModel:
        """Read the networks; the contexts of ``prompts`` are made on the way, while there is room for the text
        encoder. Raises ``WeightsError`` for files that do not fit."""
        from lipdub.engines.ltx.memory import load_pipeline

        kept = cache_folder() / "ltx-prompts"
        return DubItModel(load_pipeline(self.files, self.plan, prompts, kept), self.reference_strength)


def prepare_model(options: LtxOptions, weights: Path | None) -> PreparedModel:
    """Look at the machine and at the folder ``weights`` before any work is done.

    Raises ``MissingExtra`` without torch and the like, ``MachineError`` without a GPU or with too little memory,
    ``WeightsError`` without the weights or with wrong ones.
    """
    with MissingExtra.guard("ltx", "The LTX engine"):
        from lipdub.engines.ltx.weights_folder import find_files
        from lipdub.engines.ltx.memory import detect_device, plan_memory, count_weights
        from lipdub.engines.ltx.pipeline import GenerationSize
    machine = detect_device(options.device)
    if machine.device == "cpu" and options.device == "auto":
        raise MachineError(
            "the LTX engine needs a GPU (CUDA), and none was found",
            remedy="--engine exemplar works here now; --engine-option device=cpu insists, and takes days",
        )
    if weights is None:
        raise WeightsError(
            "the LTX engine was not told where its weights are",
            remedy="Download the four parts of LTX-2.3 Dub-It (66 GB) as docs/ltx.md tells, and give --weights FOLDER",
        )
    files = find_files(weights)
    plan = plan_memory(machine, count_weights(files), GenerationSize(options.frames, DEFAULT_RATE, options.size, options.size))
    return PreparedModel(files, plan, options.reference_strength, files_fingerprint(files))


def files_fingerprint(files: Any) -> str:
    """A word that changes when ``files`` (a ``Files``) do: their names, sizes and times."""
    parts = [
        files.checkpoint,
        files.upsampler,
        files.lora,
        *sorted(path for path in files.text_encoder.iterdir() if path.is_file()),
    ]
    told = "\n".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in parts)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


ModelLoader = Callable[[tuple[str, ...]], WindowModel]
"""Loads a model that will be given these prompts; called when the first window is to be made."""
