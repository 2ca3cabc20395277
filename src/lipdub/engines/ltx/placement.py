"""Where networks are held, and in which dtype."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class WeightPlacement:
    """Where weights are held: on ``device``, in ``dtype`` (the vocoder always in float32).

    ``fp8``: the weights of the linear layers in the transformer's blocks are held in 8 bits (``eight_bits``).
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    fp8: bool = False


ON_CPU = WeightPlacement()


@dataclass(frozen=True, slots=True)
class TextEncoderPlacement:
    """Where the text encoder works: on ``device`` in ``dtype``. ``offload``: its layers are read from their files one
    by one (``layered_encoder``)."""

    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    offload: bool = False
