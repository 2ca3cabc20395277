"""Linear layers whose weights are not learnt, held in 8 bits or in main memory, through which gradients still flow.

diffusers' own ways to do this (layerwise casting, group offloading) change a weight in place after the forward pass;
the backward pass then finds it in the wrong dtype or on the wrong device. Here the weight is made ready again in the
backward pass, and nothing of it is kept in between.
"""

from typing import Any

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 127


class FrozenLinear(nn.Linear):
    """A linear layer made from another one, whose weight needs no gradient.

    ``small``: the weight is held as whole numbers of 8 bits with one scale for each row (the largest of the row is
    127). The weight stays where it is; the layer works on the device of its input.
    """

    def __init__(self, layer: nn.Linear, *, small: bool) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        scale, held = None, layer.weight.data
        if small:
            held, scale = quantise_rows(held)
        self.weight = nn.Parameter(held, requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.data, requires_grad=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """``input`` times the weight, plus the bias, in the dtype of ``input``."""
        product: Any = _Product.apply(input, self.weight, self.scale)
        return product if self.bias is None else product + self.bias.to(product)


class _Product(torch.autograd.Function):
    """``x W^T``; its gradient ``g W`` makes W ready again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor | None) -> Tensor:
        ctx.held = weight, scale
        return functional.linear(x, _ready(weight, scale, x))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        weight, scale = ctx.held
        return grad @ _ready(weight, scale, grad), None, None


def _ready(weight: Tensor, scale: Tensor | None, like: Tensor) -> Tensor:
    """The weight on the device and in the dtype of ``like``."""
    moved = weight.to(like.device, non_blocking=True)
    return moved.to(like.dtype) if scale is None else (moved.float() * scale.to(like.device)).to(like.dtype)


def quantise_rows(
    weight: Float[Tensor, "_out _in"],
) -> tuple[Int8[Tensor, "_out _in"], Float[Tensor, "_out 1"]]:
    """Whole numbers from -127 to 127, and the scale of each row by which they give the weight again."""
    scale = weight.float().abs().amax(1, keepdim=True).clamp(min=1e-12) / _STEPS
    return (weight.float() / scale).round().to(torch.int8), scale


def freeze_linears(model: nn.Module, *, small: bool) -> int:
    """Replace every linear layer in ``model`` by a frozen one; returns how many were replaced."""
    names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    for name in names:
        model.set_submodule(name, FrozenLinear(model.get_submodule(name), small=small))  # type: ignore[arg-type]
    return len(names)
