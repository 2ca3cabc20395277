"""The Dub-It IC-LoRA: its file, and two ways to put it to work.

Fusing (``W += strength * B @ A``) costs nothing at run time; attaching through PEFT keeps it apart, which training
and several adapters need. Both give the same velocities.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from lipdub.engines.ltx.checkpoint import TensorTransform
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_names import diffusers_name
from lipdub.errors import WeightsError

_NAME = re.compile(r"^(?:diffusion_model|transformer)\.(.+)\.lora_([AB])\.weight$")


@dataclass(frozen=True, eq=False)
class LoraWeights:
    """Low-rank changes of the transformer's layers: module name (as diffusers calls it) -> (A, B).

    ``downscale`` is how many times smaller than the target the reference video was in training (1: as large).
    """

    path: Path
    pairs: dict[str, tuple[Float[Tensor, "_rank _inputs"], Float[Tensor, "_outputs _rank"]]]
    downscale: int = 1


def read_lora(path: Path) -> LoraWeights:
    """Read an IC-LoRA. Raises ``WeightsError`` if a tensor is no half of a pair, or the metadata makes no sense."""
    header = SafetensorsHeader.of(path)
    halves: dict[str, dict[str, Tensor]] = {}
    strangers = []
    with safe_open(path, "pt") as file:
        for name in header.shapes:
            if (match := _NAME.match(name)) is None:
                strangers.append(name)
            else:
                module = diffusers_name("transformer", match[1] + ".")[:-1]
                halves.setdefault(module, {})[match[2]] = file.get_tensor(name)
    strangers += [module for module, both in halves.items() if len(both) != 2]
    if strangers or not halves:
        found = ", ".join(sorted(strangers)[:5]) or "no pair at all"
        raise WeightsError(f"not a LoRA of pairs A and B for the LTX transformer ({found})", file=path)
    return LoraWeights(path, {m: (both["A"], both["B"]) for m, both in halves.items()}, _downscale(header))


def _downscale(header: SafetensorsHeader) -> int:
    text = header.metadata.get("reference_downscale_factor", "1")
    try:
        factor = int(text)
    except ValueError:
        factor = 0
    if factor < 1:
        raise WeightsError(f"reference_downscale_factor is '{text}', not a whole number from 1", file=header.path)
    return factor


@torch.no_grad()
def fuse(transformer: LTX2VideoTransformer3DModel, lora: LoraWeights, strength: float = 1.0) -> None:
    """Add the LoRA to the weights for good. Raises ``WeightsError``, before any change, if it does not fit."""
    _check(transformer, lora)
    for name, (a, b) in lora.pairs.items():
        weight = transformer.get_submodule(name).get_parameter("weight")
        a, b = (half.to(weight.device, torch.float32) for half in (a, b))
        weight.data = weight + (strength * b @ a).to(weight.dtype)


def fuse_transform(lora: LoraWeights, strength: float = 1.0) -> TensorTransform:
    """The LoRA as a change of the weights while they are read, so that they never lie in memory twice.

    The same sums as ``fuse``. That every layer of the LoRA exists is for the caller to check, with ``check_shapes``.
    """

    def change(name: str, tensor: Tensor) -> Tensor:
        pair = lora.pairs.get(name.removesuffix(".weight"))
        if pair is None or not name.endswith(".weight"):
            return tensor
        a, b = (half.to(tensor.device, torch.float32) for half in pair)
        return tensor + (strength * b @ a).to(tensor.dtype)

    return change


def attach(transformer: LTX2VideoTransformer3DModel, lora: LoraWeights, name: str = "dubit") -> None:
    """Put the LoRA beside the weights with PEFT, as adapter ``name``. Raises ``WeightsError`` if it does not fit."""
    _check(transformer, lora)
    state = {}
    for module, (a, b) in lora.pairs.items():
        state |= {f"transformer.{module}.lora_A.weight": a, f"transformer.{module}.lora_B.weight": b}
    transformer.load_lora_adapter(state, adapter_name=name)


def _check(transformer: LTX2VideoTransformer3DModel, lora: LoraWeights) -> None:
    layers = {n: tuple(m.weight.shape) for n, m in transformer.named_modules() if isinstance(m, torch.nn.Linear)}
    check_shapes(layers, lora)


def check_shapes(layers: dict[str, tuple[int, ...]], lora: LoraWeights) -> None:
    """Raise ``WeightsError`` unless every pair fits a layer: ``layers`` are shapes of weights by module name."""
    wrong = []
    for name, (a, b) in lora.pairs.items():
        if layers.get(name) != (b.shape[0], a.shape[1]) or a.shape[0] != b.shape[1]:
            wrong.append(name)
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(
            f"the LoRA does not fit this transformer: {', '.join(sorted(wrong)[:5])}{more}",
            file=lora.path,
            remedy="A LoRA works only with the model it was trained on; Dub-It needs LTX-2.3.",
        )
