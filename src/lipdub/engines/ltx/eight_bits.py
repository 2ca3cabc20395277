"""Linear layers whose weights are held in 8 bits (e4m3) with a scale, and are converted while the layer works.

A weight is ``scale * number in e4m3``. Published 8-bit files have one scale for a whole matrix (``weight_scale``).
Where lipdub reduces weights itself, every row of the matrix has its own, so that its largest number is 448, the largest
of e4m3; without scales, the many weights below 2 ** -6 would keep less than three bits of their mantissa.
The biases stay exact, and so do the layers in ``KEPT_EXACT``.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

FP8 = torch.float8_e4m3fn

KEPT_EXACT = ("norm", "to_gate_logits")
"""Parts of the names of layers that are not held in 8 bits; the reference implementation does not cast the gates."""

_LARGEST = 448.0
_SMALLEST_SCALE = 1e-12

Weight = Float[Tensor, "_outputs _inputs"]


class EightBitLinear(nn.Linear):
    """A linear layer with ``weight`` in e4m3 and ``weight_scale``: one number, or one for each row (outputs, 1)."""

    weight_scale: Tensor

    def __init__(self, like: nn.Linear) -> None:
        """As wide as ``like``, without weights (on the meta device)."""
        super().__init__(like.in_features, like.out_features, like.bias is not None, device="meta")
        self.register_buffer("weight_scale", torch.ones(()), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output, in the dtype of ``input``."""
        weight = self.weight.to(input.dtype) * self.weight_scale.to(input.dtype)
        return functional.linear(input, weight, self.bias)


def quantised(weight: Weight) -> tuple[Tensor, Tensor]:
    """(weights in e4m3, scale of each row) of ``weight``."""
    exact = weight.float()
    scale = (exact.abs().amax(1, keepdim=True) / _LARGEST).clamp(min=_SMALLEST_SCALE)
    return (exact / scale).to(FP8), scale


def dequantised(weight: Tensor, scale: Tensor) -> Weight:
    """The weights in float32 of ``weight`` in 8 bits with ``scale``: one number, or one for each row."""
    scale = scale.float().to(weight.device)
    rows = scale.numel() > 1
    return weight.float() * (scale.reshape(-1, *[1] * (weight.ndim - 1)) if rows else scale.reshape(()))


def replace_linears(blocks: nn.Module, prefix: str) -> dict[str, EightBitLinear]:
    """Replace the linear layers in ``blocks`` by such layers; returns them by the names of their weights.

    The names start with ``prefix``. Layers of ``KEPT_EXACT`` stay.
    """
    found = {}
    for name, module in list(blocks.named_modules()):
        if isinstance(module, nn.Linear) and not any(word in name for word in KEPT_EXACT):
            parent, _, last = name.rpartition(".")
            layer = EightBitLinear(module)
            setattr(blocks.get_submodule(parent), last, layer)
            found[f"{prefix}.{name}.weight"] = layer
    return found
