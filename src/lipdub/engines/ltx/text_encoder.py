"""Encodes a prompt: Gemma 3's hidden states of every layer, then the connectors that come with the checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AutoTokenizer, Gemma3ForConditionalGeneration, Gemma3TextModel, PreTrainedTokenizerBase
from transformers.utils import logging

from lipdub.engines.ltx.checkpoint import ON_CPU, WeightPlacement
from lipdub.engines.ltx.sampler import Context
from lipdub.errors import WeightsError

PROMPT_TOKENS = 1024
"""Tokens of every prompt: shorter ones are padded on the left, longer ones cut on the right."""


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Gemma 3 without its vision tower and output layer: only its hidden states are used.

    ``device``: where it works, if its weights are stored on another device.
    """

    tokenizer: PreTrainedTokenizerBase
    model: Gemma3TextModel
    device: torch.device | None = None

    @property
    def width(self) -> int:
        """The width of a hidden state."""
        return self.model.config.hidden_size

    @property
    def layers(self) -> int:
        """The number of hidden states per token: the embedding and the output of each layer."""
        return self.model.config.num_hidden_layers + 1

    def tokens(self, prompt: str) -> tuple[Int[Tensor, "1 1024"], Int[Tensor, "1 1024"]]:
        """(token ids, mask: 1 at tokens, 0 at padding).

        The text starts with BOS, added here if the tokenizer does not.
        """
        bos, pad = self.tokenizer.bos_token_id, self.tokenizer.pad_token_id
        ids = list(self.tokenizer(prompt.strip())["input_ids"])
        if ids[:1] != [bos]:
            ids.insert(0, bos)
        ids = ids[:PROMPT_TOKENS]
        padding = PROMPT_TOKENS - len(ids)
        mask = [0] * padding + [1] * len(ids)
        return torch.tensor([[pad] * padding + ids]), torch.tensor([mask])

    @torch.no_grad()
    def states(
        self, ids: Int[Tensor, "1 words"], mask: Int[Tensor, "1 words"]
    ) -> Float[Tensor, "1 words width layers"]:
        """The embedding and the output of every layer, stacked along the last axis."""
        device = self.model.device if self.device is None else self.device
        output = self.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True, use_cache=False
        )
        return torch.stack(output.hidden_states, -1)


def read_text_encoder(folder: Path, placement: WeightPlacement = ON_CPU) -> TextEncoder:
    """Read a Gemma 3 folder (weights, configuration, tokenizer), without the network.

    Raises ``WeightsError`` if the folder lacks something or holds another model.
    """
    if not (folder / "config.json").is_file():
        raise WeightsError("no text encoder here: config.json is missing", file=folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        with _without_progress_bars():
            read: Any = Gemma3ForConditionalGeneration.from_pretrained(
                folder, dtype=placement.dtype, local_files_only=True, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"the text encoder cannot be read ({error})", file=folder) from error
    whole, report = read
    faults = [f"{kind} {', '.join(sorted(map(str, report[kind]))[:5])}" for kind in _FAULTS if report.get(kind)]
    if faults:
        raise WeightsError(f"the text encoder's weights do not fit: {'; '.join(faults)}", file=folder)
    if tokenizer.bos_token_id is None or tokenizer.pad_token_id is None:
        raise WeightsError("the tokenizer has no token for the start of a text, or none for padding", file=folder)
    model = whole.model.language_model.to(placement.device)
    return TextEncoder(tokenizer, model.eval().requires_grad_(False))


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Show no progress bars while a model is read."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


_FAULTS = ("missing_keys", "unexpected_keys", "mismatched_keys")


@torch.no_grad()
def encode_prompt(encoder: TextEncoder, connectors: LTX2TextConnectors, prompt: str) -> Context:
    """The context of ``prompt`` for the picture and for the sound; all 1024 tokens are valid.

    The connectors normalise the states, move the words to the front and put learned registers in place of padding.
    """
    ids, mask = encoder.tokens(prompt)
    weight = connectors.video_text_proj_in.weight
    states = encoder.states(ids, mask).to(weight.device, weight.dtype)
    video, audio, _ = connectors(states, mask.to(weight.device))
    return video, audio
