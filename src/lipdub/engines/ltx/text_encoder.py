"""Encodes a prompt: Gemma 3's hidden states of every layer, then the connectors that come with the checkpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer, Gemma3TextModel, PreTrainedTokenizerBase

from lipdub.engines.ltx.layered_encoder import States, layer_states
from lipdub.engines.ltx.placement import ON_CPU, WeightPlacement
from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.sampler import Context
from lipdub.engines.ltx.tensor_file import TensorFile
from lipdub.engines.ltx.text_tensors import PROMPT_TOKENS, text_tensors
from lipdub.errors import WeightsError

Mask = Int[Tensor, "1 1024"]


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, prompt: str) -> tuple[Int[Tensor, "1 1024"], Mask]:
    """(token ids, mask: 1 at tokens, 0 at padding).

    The text starts with BOS, added here if the tokenizer does not.
    """
    bos, pad = tokenizer.bos_token_id, tokenizer.pad_token_id
    ids = list(tokenizer(prompt.strip())["input_ids"])
    if ids[:1] != [bos]:
        ids.insert(0, bos)
    ids = ids[:PROMPT_TOKENS]
    padding = PROMPT_TOKENS - len(ids)
    mask = [0] * padding + [1] * len(ids)
    return torch.tensor([[pad] * padding + ids]), torch.tensor([mask])


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Gemma 3 without its vision tower and output layer: only its hidden states are used."""

    tokenizer: PreTrainedTokenizerBase
    model: Gemma3TextModel

    @property
    def width(self) -> int:
        """The width of a hidden state."""
        return self.model.config.hidden_size

    @property
    def layers(self) -> int:
        """The number of hidden states per token: the embedding and the output of each layer."""
        return self.model.config.num_hidden_layers + 1

    def tokens(self, prompt: str) -> tuple[Int[Tensor, "1 1024"], Mask]:
        """(token ids, mask: 1 at tokens, 0 at padding), as ``prompt_tokens``."""
        return prompt_tokens(self.tokenizer, prompt)

    @torch.no_grad()
    def states(
        self, ids: Int[Tensor, "1 words"], mask: Int[Tensor, "1 words"]
    ) -> Float[Tensor, "1 words width layers"]:
        """The embedding and the output of every layer, stacked along the last axis."""
        device = self.model.device
        output = self.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True, use_cache=False
        )
        return torch.stack(output.hidden_states, -1)


class TextEncoderFiles:
    """The folder of a Gemma 3: its tokenizer, and its text model, whose weights are read when they are asked for.

    The vision tower and the output layer are never read.
    """

    def __init__(self, folder: Path, placement: WeightPlacement = ON_CPU) -> None:
        """Read tokenizer and configuration, and check the names and shapes of the weights.

        Raises ``WeightsError`` if the folder lacks something or holds another model.
        """
        if not (folder / "config.json").is_file():
            raise WeightsError("no text encoder here: config.json is missing", file=folder)
        self.folder, self._placement = folder, placement
        try:
            self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
            with init_empty_weights(include_buffers=False):
                self.model = Gemma3TextModel(config.get_text_config()).eval().requires_grad_(False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise WeightsError(f"the text encoder cannot be read ({error})", file=folder) from error
        if self.tokenizer.bos_token_id is None or self.tokenizer.pad_token_id is None:
            raise WeightsError("the tokenizer has no token for the start of a text, or none for padding", file=folder)
        self._places = text_tensors(folder)
        self._check()

    def _check(self) -> None:
        """Raise ``WeightsError`` unless the files hold exactly the text model's weights."""
        expected = {name: tuple(tensor.shape) for name, tensor in self.model.state_dict().items()}
        found = {name: header.shapes[stored] for name, (header, stored) in self._places.items()}
        faults = {
            "missing": expected.keys() - found.keys(),
            "not expected": found.keys() - expected.keys(),
            "of another shape": {name for name in expected.keys() & found.keys() if expected[name] != found[name]},
        }
        listed = [f"{kind}: {', '.join(sorted(names)[:5])}" for kind, names in faults.items() if names]
        if listed:
            raise WeightsError(f"the text encoder's weights do not fit: {'; '.join(listed)}", file=self.folder)

    def whole(self) -> "TextEncoder":
        """The text encoder with all its weights on the device."""
        self._read(self.model, "")
        on_device: Any = self.model  # transformers describes its method ``to`` in a way that type checkers misread
        on_device.to(self._placement.device)
        return TextEncoder(self.tokenizer, self.model)

    def layered_states(self, prompts: list[str]) -> Iterator[tuple[States, Mask]]:
        """The states of each prompt and its mask, on the CPU; layers are read and freed one by one."""
        device, dtype = self._placement.device, self._placement.dtype
        self._read(self.model.norm, "norm.")
        self.model.norm.to(device)
        self.model.rotary_emb.to(device)
        masks, embedded = [], []
        for ids, mask in (prompt_tokens(self.tokenizer, prompt) for prompt in prompts):
            masks.append(mask)
            embedded.append((self._embedded(ids).to(device, dtype), mask))

        def read_layer(layer: nn.Module, number: int) -> nn.Module:
            self._read(layer, f"layers.{number}.")
            return layer

        yield from zip(layer_states(self.model, read_layer, embedded), masks, strict=True)

    def _embedded(self, ids: Int[Tensor, "1 words"]) -> Float[Tensor, "1 words width"]:
        """The embedded tokens, of which only the rows that are needed are read."""
        rows, short = torch.unique(ids, return_inverse=True)
        header, stored = self._places["embed_tokens.weight"]
        with TensorFile(header) as file:
            table = file.read_rows(stored, rows.tolist()).to(self._placement.dtype)
        self.model.embed_tokens.weight = nn.Parameter(table, requires_grad=False)
        return self.model.embed_tokens(short)

    def _read(self, module: nn.Module, prefix: str) -> None:
        """Read all weights of ``module``, whose names in the files begin with ``prefix``, to the device."""
        tensors = {}
        places = [(name, *self._places[prefix + name]) for name in module.state_dict()]
        for path, group in groupby(sorted(places, key=_place), key=lambda place: place[1].path):
            members = list(group)
            with TensorFile(members[0][1]) as file:
                for name, _, stored in members:
                    tensors[name] = file.read(stored).to(self._placement.device).to(self._placement.dtype)
            assert path == members[0][1].path
        module.load_state_dict(tensors, strict=True, assign=True)
        module.requires_grad_(False)


def _place(place: tuple[str, SafetensorsHeader, str]) -> tuple[str, int]:
    """Where a tensor lies: file, and first byte."""
    _, header, stored = place
    return header.path.name, header.offsets[stored][0]


def read_text_encoder(folder: Path, placement: WeightPlacement = ON_CPU) -> TextEncoder:
    """Read a Gemma 3 folder (weights, configuration, tokenizer), without the network and tensor by tensor.

    Raises ``WeightsError`` if the folder lacks something or holds another model.
    """
    return TextEncoderFiles(folder, placement).whole()


def encode_prompt(encoder: TextEncoder, connectors: LTX2TextConnectors, prompt: str) -> Context:
    """The context of ``prompt`` for the picture and for the sound; all 1024 tokens are valid."""
    ids, mask = encoder.tokens(prompt)
    return connect(connectors, encoder.states(ids, mask), mask)


@torch.no_grad()
def connect(connectors: LTX2TextConnectors, states: States, mask: Mask) -> Context:
    """The context of a prompt with these hidden states.

    The connectors normalise the states, move the words to the front and put learned registers in place of padding.
    """
    weight = connectors.video_text_proj_in.weight
    video, audio, _ = connectors(states.to(weight.device, weight.dtype), mask.to(weight.device))
    return video, audio
