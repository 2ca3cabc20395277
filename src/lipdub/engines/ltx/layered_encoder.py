"""Runs Gemma 3 layer by layer for all prompts together, each layer read from its file when its turn comes.

A text encoder of 24 GB is needed for seconds. Here neither the GPU nor main memory ever holds more of it than one layer
(0.5 GB) and the rows of the embedding that the prompts need, so that no memory has to be given back afterwards, and
prompts can be encoded beside a transformer in main memory. The files are read once for ``PROMPTS_AT_ONCE`` prompts.
Every prompt runs alone through every layer, so its states do not depend on the others.

How the model calls its layers (masks, positions) is not repeated here: the model itself runs once for each prompt with
recorders in place of the layers, and what they were called with is used for the layers.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

EmbeddedTokens = Float[Tensor, "1 words width"]
States = Float[Tensor, "1 words width layers"]

PROMPTS_AT_ONCE = 8
"""Prompts whose states are held in main memory together: 0.4 GB each for Gemma-3-12B in bfloat16."""


class _Recorder(nn.Module):
    """Stands in for a layer: returns what it is given and records how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {}

    def forward(self, hidden: Tensor, **options: Any) -> Tensor:
        self.options = options
        return hidden


LayerReader = Callable[[nn.Module, int], nn.Module]
"""Reads the weights of a layer, given without weights and with its number, to the device where it works."""


@torch.no_grad()
def layer_states(
    model: nn.Module, read_layer: LayerReader, prompts: list[tuple[EmbeddedTokens, Int[Tensor, "1 words"]]]
) -> Iterator[States]:
    """The embedding and the output of every layer of each prompt (embedded tokens, mask), on the CPU.

    ``model``: a ``Gemma3TextModel`` whose layers have no weights (meta device). As in transformers, the last state is
    that after the model's last norm.
    """
    layers = list(model.get_submodule("layers").children())
    options = [_recorded_options(model, len(layers), *prompt) for prompt in prompts]
    hidden = [embedded for embedded, _ in prompts]
    states = [[embedded.cpu()] for embedded in hidden]
    for number, empty in enumerate(layers):
        layer = read_layer(empty, number)
        for prompt, states_of in enumerate(states):
            made = layer(hidden[prompt], **options[prompt][number])
            hidden[prompt] = made[0] if isinstance(made, tuple) else made
            if number < len(layers) - 1:
                states_of.append(hidden[prompt].cpu())
        layer.to("meta")
    norm = model.get_submodule("norm")
    for states_of, last in zip(states, hidden, strict=True):
        states_of.append(norm(last).cpu())
    while states:
        yield torch.stack(states.pop(0), -1)


def _recorded_options(model: nn.Module, count: int, embedded: Tensor, mask: Tensor) -> list[dict[str, Any]]:
    """The options with which the model calls each of its ``count`` layers for a prompt."""
    layers = model.get_submodule("layers")
    recorders = [_Recorder() for _ in range(count)]
    model.add_module("layers", nn.ModuleList(recorders))
    try:
        model(inputs_embeds=embedded, attention_mask=mask.to(embedded.device), use_cache=False)
    finally:
        model.add_module("layers", layers)
    return [recorder.options for recorder in recorders]
