"""Reads the Dub-It IC-LoRA and fuses it into the transformer's weights (``W += strength * B @ A``)."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lipdub.engines.ltx.checkpoint import TensorTransform
from lipdub.engines.ltx.checkpoint_digest import DIGEST_KEY, checkpoint_digest
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_file import TensorFile
from lipdub.engines.ltx.tensor_names import diffusers_name
from lipdub.errors import WeightsError
from lipdub.weights import log

_NAME = re.compile(r"^(?:diffusion_model|transformer)\.(.+)\.lora_([AB])\.weight$")


@dataclass(frozen=True, eq=False)
class LoraWeights:
    """Low-rank changes of the transformer's layers. ``pairs``: diffusers' name of the layer -> (A, B).

    ``downscale``: how many times smaller than the target the reference video was in training (1: as large).
    ``base``: the digest of the checkpoint on which it was trained ("": it does not say).
    """

    path: Path
    pairs: dict[str, tuple[Float[Tensor, "_rank _inputs"], Float[Tensor, "_outputs _rank"]]]
    downscale: int = 1
    base: str = ""


def read_lora(path: Path) -> LoraWeights:
    """Read an IC-LoRA. Raises ``WeightsError`` if a tensor has no partner, or the metadata are invalid."""
    header = SafetensorsHeader.of(path)
    halves: dict[str, dict[str, Tensor]] = {}
    unpaired = []
    with TensorFile(header) as file:
        for name in header.shapes:
            if (match := _NAME.match(name)) is None:
                unpaired.append(name)
            else:
                module = diffusers_name("transformer", match[1] + ".")[:-1]
                halves.setdefault(module, {})[match[2]] = file.read(name)
    unpaired += [module for module, both in halves.items() if len(both) != 2]
    if unpaired or not halves:
        found = ", ".join(sorted(unpaired)[:5]) or "no pair at all"
        raise WeightsError(f"not a LoRA of pairs A and B for the LTX transformer ({found})", file=path)
    pairs = {m: (both["A"], both["B"]) for m, both in halves.items()}
    return LoraWeights(path, pairs, _downscale(header), header.metadata.get(DIGEST_KEY, ""))


def _downscale(header: SafetensorsHeader) -> int:
    text = header.metadata.get("reference_downscale_factor", "1")
    try:
        factor = int(text)
    except ValueError:
        factor = 0
    if factor < 1:
        raise WeightsError(f"reference_downscale_factor is '{text}', not a whole number from 1", file=header.path)
    return factor


def fuse_transform(lora: LoraWeights, strength: float = 1.0) -> TensorTransform:
    """A transform that adds the LoRA to each weight while it is read, so that weights are never in memory twice.

    The sums ``W + strength * B @ A`` are taken in float32. The caller must check with ``check_shapes`` that every
    layer exists.
    """

    def transform(name: str, tensor: Tensor) -> Tensor:
        pair = lora.pairs.get(name.removesuffix(".weight"))
        if pair is None or not name.endswith(".weight"):
            return tensor
        a, b = (half.to(tensor.device, torch.float32) for half in pair)
        return tensor + (strength * b @ a).to(tensor.dtype)

    return transform


def tell_other_base(lora: LoraWeights, checkpoint: Path) -> None:
    """Write a line to the log if ``lora`` was trained on another checkpoint than it is used with.

    That is no error: Dub-It itself is trained on one checkpoint of LTX-2.3 and used with a distilled one.
    """
    if lora.base and lora.base != checkpoint_digest(checkpoint):
        log(f"{lora.path.name} was trained on another checkpoint than {checkpoint.name}; it may do less than it learnt")


def check_shapes(layers: dict[str, tuple[int, ...]], lora: LoraWeights) -> None:
    """Raise ``WeightsError`` unless every pair fits a layer; ``layers`` are the shapes of weights by layer name."""
    misfits = []
    for name, (a, b) in lora.pairs.items():
        if layers.get(name) != (b.shape[0], a.shape[1]) or a.shape[0] != b.shape[1]:
            misfits.append(name)
    if misfits:
        more = f" and {len(misfits) - 5} more" if len(misfits) > 5 else ""
        raise WeightsError(
            f"the LoRA does not fit this transformer: {', '.join(sorted(misfits)[:5])}{more}",
            file=lora.path,
            remedy="A LoRA works only with the model it was trained on; Dub-It needs LTX-2.3.",
        )
