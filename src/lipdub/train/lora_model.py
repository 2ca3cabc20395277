"""The transformer that is trained: its own weights frozen, a LoRA of PEFT in float32 on every attention and
feed-forward layer.

The layers are those of the released recipe of the paper (JUST-DUB-IT, arXiv 2601.22143): query, key, value and output
of all six attentions, and both projections of both feed-forward layers.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from peft import LoraConfig
from safetensors import safe_open
from torch import Tensor, nn

from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.checkpoint_digest import DIGEST_KEY
from lipdub.engines.ltx.lora import read_lora
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.sampler import Context
from lipdub.errors import OptionError, WeightsError
from lipdub.train.frozen_linear import freeze_linears
from lipdub.train.latent_folder import TextCondition
from lipdub.train.training_recipe import BaseOptions, LoraOptions, OptimiserOptions

ADAPTER = "dub"
_ATTENTIONS = "attn1|attn2|audio_attn1|audio_attn2|audio_to_video_attn|video_to_audio_attn"
LAYERS = rf"transformer_blocks\.\d+\.(({_ATTENTIONS})\.to_(q|k|v|out\.0)|(ff|audio_ff)\.net\.(0\.proj|2))"
_SOUND_ALONE = re.compile(r"\.audio_(attn\d|ff)\.")
_LORA = re.compile(rf"^(?P<layer>.+)\.lora_(?P<half>[AB])\.{ADAPTER}\.weight$")


@dataclass(frozen=True, eq=False)
class LoraModel:
    """``transformer`` with its LoRA; ``device`` is where it works. ``connectors`` encode texts (None: not needed)."""

    transformer: LTX2VideoTransformer3DModel
    device: torch.device
    dtype: torch.dtype
    connectors: LTX2TextConnectors | None = None

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is learnt, by names such as ``transformer_blocks.0.attn1.to_q.lora_A``, sorted."""
        found = {}
        for name, parameter in self.transformer.named_parameters():
            if match := _LORA.match(name):
                found[f"{match['layer']}.lora_{match['half']}"] = parameter
        return dict(sorted(found.items()))

    @torch.no_grad()
    def context(self, text: TextCondition) -> Context:
        """The context of a text for the transformer. Raises ``OptionError`` if that needs connectors not loaded."""
        placed = TextCondition(
            text.video.to(self.device, self.dtype),
            text.audio.to(self.device, self.dtype),
            text.mask.to(self.device),
            text.encoded,
        )
        if text.encoded:
            return placed.video, placed.audio
        if self.connectors is None:
            raise OptionError("a text that was not encoded needs the checkpoint's connectors")
        return connect(self.connectors, placed)


def read_model(checkpoint: Path, base: BaseOptions, lora: LoraOptions, seed: int, *, texts: bool) -> LoraModel:
    """The transformer of ``checkpoint`` with a new LoRA. ``texts``: read the connectors too.

    Raises ``WeightsError`` if the checkpoint, or the LoRA to begin with, does not fit.
    """
    device = torch.device(_device_of(base.device))
    dtype = torch.float32 if base.hold == "float32" else torch.bfloat16
    changed = base.streamed or base.hold == "8bit"
    placement = WeightPlacement("cpu" if changed else str(device), dtype)
    read: Any = read_modules(checkpoint, ["transformer"], placement=placement)
    transformer: LTX2VideoTransformer3DModel = read["transformer"]
    if changed:
        _hold(transformer, base, device)
    add_lora(transformer, lora, seed, device)
    connectors: Any = None
    if texts:
        whole = WeightPlacement(str(device), dtype)
        connectors = read_modules(checkpoint, ["connectors"], text_width=1, placement=whole)["connectors"]
    return LoraModel(transformer, device, dtype, connectors)


def add_lora(transformer: LTX2VideoTransformer3DModel, options: LoraOptions, seed: int, device: torch.device) -> None:
    """Attach a LoRA in float32 that changes nothing yet (B is 0; A is drawn by ``seed``); all else is frozen."""
    torch.manual_seed(seed)
    options_of: Any = LoraConfig
    config = options_of(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=LAYERS,
        init_lora_weights=True,
    )
    transformer.requires_grad_(False)
    transformer.add_adapter(config, ADAPTER)
    for name, parameter in transformer.named_parameters():
        learnt = _LORA.match(name) is not None
        parameter.requires_grad_(learnt)
        if learnt:
            parameter.data = parameter.data.to(device, torch.float32)


def _device_of(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _hold(transformer: LTX2VideoTransformer3DModel, base: BaseOptions, device: torch.device) -> None:
    """Hold the blocks' weights in 8 bits or in main memory, all other weights on ``device``."""
    blocks = transformer.get_submodule("transformer_blocks")
    for block in blocks.children():
        freeze_linears(block, small=base.hold == "8bit")
        if not base.streamed:
            block.to(device)
    for name, child in transformer.named_children():
        if name != "transformer_blocks":
            child.to(device)
    streamed = {id(p) for m in blocks.modules() if isinstance(m, nn.Linear) for p in (m.weight,)}
    for parameter in transformer.parameters():
        if id(parameter) not in streamed or not base.streamed:
            parameter.data = parameter.data.to(device)


def learning_rates(parameters: dict[str, nn.Parameter], options: OptimiserOptions) -> dict[str, float]:
    """The learning rate of each parameter: the sound's own attention and feed-forward layers have another one."""
    return {name: options.audio_lr if _SOUND_ALONE.search(name) else options.lr for name in parameters}


def load_start(parameters: dict[str, nn.Parameter], path: Path, digest: str) -> None:
    """Begin with the LoRA in ``path``. Raises ``WeightsError`` if it is for another base or has other layers."""
    check_base(path, digest)
    pairs = read_lora(path).pairs
    halves = {
        f"{layer}.lora_{half}": one for layer, both in pairs.items() for half, one in zip("AB", both, strict=True)
    }
    other = [n for n in {*halves, *parameters} if n not in halves or n not in parameters]
    other += [n for n in halves if n in parameters and halves[n].shape != parameters[n].shape]
    if other:
        raise WeightsError(
            f"the LoRA to begin with has other layers or another rank ({sorted(other)[0]} and {len(other) - 1} more)",
            file=path,
            remedy="It must be of this model, and lora.rank must be its rank",
        )
    with torch.no_grad():
        for name, half in halves.items():
            parameters[name].copy_(half.to(parameters[name]))


def check_base(path: Path, digest: str) -> None:
    """Raise ``WeightsError`` if the LoRA in ``path`` says that it was trained on another checkpoint."""
    with safe_open(path, "pt") as file:
        trained_on = (file.metadata() or {}).get(DIGEST_KEY, digest)
    if trained_on != digest:
        raise WeightsError(
            f"the LoRA was trained on another checkpoint ({trained_on[:12]}, not {digest[:12]})",
            file=path,
            remedy="A LoRA works only with the model it was trained on",
        )


def connect(connectors: LTX2TextConnectors, text: TextCondition) -> Context:
    """The context of a text that went through the projections and not yet through the connectors: words first, learned
    registers in place of padding."""
    valid = (text.mask > 0).to(text.video.dtype)
    added = ((valid - 1) * torch.finfo(text.video.dtype).max)[:, None, None]
    return _through(connectors.video_connector, text.video, added), _through(
        connectors.audio_connector, text.audio, added
    )


def _through(connector: nn.Module, states: Tensor, mask: Tensor) -> Tensor:
    return connector(states, mask)[0]
