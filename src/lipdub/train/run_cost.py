"""What a run will need, told before it starts: memory counted from shapes, time from a speed measured in a moment."""

import time
from dataclasses import dataclass

import torch

from lipdub.train.lora_model import LoraModel
from lipdub.train.training_recipe import TrainingRecipe

_GB = 1e9
_PASSES = 3
"""Forward pass, forward pass again (gradient checkpointing), gradients of the inputs; none of the frozen weights."""
_BYTES_PER_CHANNEL = 160
"""Of one token in the one block that is worked on: as in a forward pass, twice, since values are kept for gradients."""
_SHARE = 0.5
"""The part of a measured matrix product's speed that a whole model is expected to reach."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """Bytes on the device and in main memory, and floating point operations and seconds of one step."""

    weights: int
    learnt: int
    working: int
    host: int
    flop: float
    seconds: float

    @property
    def device(self) -> int:
        """All bytes on the device."""
        return self.weights + self.learnt + self.working

    def lines(self, steps: int, where: str) -> list[str]:
        """For the user: memory, time, and that both are estimates."""
        parts = f"weights {self.weights / _GB:.2f}, LoRA {self.learnt / _GB:.2f}, working {self.working / _GB:.2f}"
        hours, minutes = divmod(round(steps * self.seconds / 60), 60)
        return [
            f"memory: about {self.device / _GB:.2f} GB on {where} ({parts}), {self.host / _GB:.2f} GB of main memory"
            " (counted, not measured)",
            f"time: about {hours} h {minutes:02d} min for {steps} steps of {self.flop / 1e12:.3g} TFLOP"
            " (from the speed of a matrix product here)",
        ]


def count_cost(model: LoraModel, recipe: TrainingRecipe, tokens: int) -> RunCost:
    """The cost of a run whose largest sample has ``tokens`` video tokens, references included."""
    learnt = sum(p.numel() for p in model.parameters().values())
    on_device, host, frozen = 0, 0, 0
    for parameter in model.transformer.parameters():
        size = parameter.numel() * parameter.element_size()
        if not parameter.requires_grad:
            frozen += parameter.numel()
            streamed = recipe.base.streamed and parameter.device.type == "cpu"
            on_device, host = (on_device, host + size) if streamed else (on_device + size, host)
    blocks = len(model.transformer.get_submodule("transformer_blocks"))  # type: ignore[arg-type]
    width = int(model.transformer.proj_in.out_features)
    kept = blocks * 2 if recipe.run.gradient_checkpointing else blocks * _BYTES_PER_CHANNEL
    flop = 2.0 * _PASSES * (frozen + learnt) * tokens * recipe.run.accumulate
    return RunCost(
        weights=on_device,
        learnt=learnt * (16 + (4 if recipe.run.ema else 0)),
        working=tokens * width * (_BYTES_PER_CHANNEL + kept),
        host=host,
        flop=flop,
        seconds=flop / (_SHARE * product_speed(model.device, model.dtype)),
    )


def product_speed(device: torch.device, dtype: torch.dtype) -> float:
    """Floating point operations a second of a matrix product here: the best of three."""
    side = 4096 if device.type == "cuda" else 512
    a = torch.ones(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        (a @ a)[0, 0].item()
        best = min(best, time.perf_counter() - began)
    return 2.0 * side**3 / max(best, 1e-9)
