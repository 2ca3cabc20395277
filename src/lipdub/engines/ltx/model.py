"""What the engine asks of a model, and Dub-It behind it: the only door to torch in the engine."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lipdub.engines.ltx.options import LtxOptions
from lipdub.errors import MachineError, MissingExtra, WeightsError
from lipdub.timeline.sound import Sound

Frames = UInt8[np.ndarray, "_frames _height _width 3"]


@dataclass(frozen=True, eq=False)
class Wanted:
    """One window to be made: its filmed ``frames`` (8 k + 1) at ``rate`` and the ``source`` sound beside them; the
    ``dub`` to follow, or None if the voice is to be made from the ``prompt``. Same ``seed``, same bytes."""

    frames: Frames
    rate: Fraction
    source: Sound
    dub: Sound | None
    prompt: str
    seed: int


@dataclass(frozen=True, eq=False)
class Made:
    """As many ``frames`` as were wanted, of the same size, and the ``voice`` from the first of them on."""

    frames: Frames
    voice: Sound


@runtime_checkable
class Model(Protocol):
    """Makes windows."""

    def __call__(self, wanted: Wanted) -> Made:
        """The window, saying something else."""
        ...


class DubIt:
    """LTX-2.3 Dub-It as a ``Model``."""

    def __init__(self, pipeline: Any, reference_strength: float = 1.0) -> None:
        """With a ``LipDubPipeline``."""
        self._pipeline, self._strength = pipeline, reference_strength
        self._context: tuple[str, Any] = ("", None)

    def __call__(self, wanted: Wanted) -> Made:
        """Both stages of Dub-It; the noise is drawn on the CPU."""
        import torch

        from lipdub.engines.ltx.pipeline import Footage

        if self._context[1] is None or self._context[0] != wanted.prompt:
            self._context = (wanted.prompt, self._pipeline.context(wanted.prompt))
        height, width = wanted.frames.shape[1:3]
        made = self._pipeline(
            Footage(wanted.frames, wanted.rate),
            wanted.source,
            self._context[1],
            dub=wanted.dub,
            generator=torch.Generator().manual_seed(wanted.seed),
            height=height,
            width=width,
            reference_strength=self._strength,
        )
        return Made(made.frames, made.sound)


def check_machine(options: LtxOptions, weights: Path | None) -> None:
    """Raise before any work is done: ``MissingExtra`` without torch, ``MachineError`` without the accelerator,
    ``WeightsError`` without the weights."""
    with MissingExtra.guard("ltx", "The LTX engine"):
        import diffusers  # noqa: F401
        import torch
        import transformers  # noqa: F401
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if options.device == "auto" and not there["cuda"]():
        raise MachineError(
            "the LTX engine needs a CUDA GPU, and none was found",
            remedy="--engine exemplar works here now; --engine-option device=cpu tries without one, for hours",
        )
    if options.device != "auto" and not there[options.device]():
        raise MachineError(
            f"the LTX engine was told device={options.device}, which this machine does not have",
            remedy="--engine exemplar works here now",
        )
    if weights is None:
        raise WeightsError(
            "the LTX engine was not told where its weights are",
            remedy="Download the four parts of LTX-2.3 Dub-It (66 GB) as docs/ltx.md tells, and give --weights FOLDER",
        )


def load(options: LtxOptions, weights: Path) -> Model:
    """Dub-It from the files in the folder ``weights``, placed as this machine allows.

    Raises ``WeightsError`` for files that are missing or do not fit, ``MachineError`` for too little memory.
    """
    with MissingExtra.guard("ltx", "The LTX engine"):
        from lipdub.engines.ltx.checkpoint import Placement
        from lipdub.engines.ltx.folder import find_files
        from lipdub.engines.ltx.pipeline import LipDubPipeline
    device = "cuda" if options.device == "auto" else options.device
    return DubIt(LipDubPipeline.from_files(find_files(weights), Placement(device)), options.reference_strength)


def fingerprint(weights: Path | None) -> str:
    """A word that changes when the files in the folder ``weights`` do: their names, sizes and times."""
    files = sorted(weights.rglob("*.safetensors")) if weights is not None and weights.is_dir() else []
    return _word(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)


def _word(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


Loader = Callable[[], Model]
"""Loads a model; called when the first window is to be made."""
