"""Reads the published LTX-2.3 files into diffusers' modules, and refuses a file that does not fit exactly.

``ltx-2.3-22b-distilled.safetensors`` holds everything but the text encoder: transformer, text connectors, video
VAE, audio VAE, vocoder and the latents' statistics; its metadata says how they were built. The upsampler is a
second file. Only the headers are read before the fit is known, so a wrong file of 44 GB is refused at once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import torch
from diffusers.hooks.layerwise_casting import apply_layerwise_casting
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from safetensors import safe_open

from lipdub.engines.ltx import module_config, tensor_names
from lipdub.engines.ltx.safetensors_header import REMEDY, SafetensorsHeader
from lipdub.errors import WeightsError

GEMMA_WIDTH = 3840
"""Width of one hidden state of Gemma-3-12B, the text encoder of LTX-2.3."""

Module = TypeVar("Module", bound=torch.nn.Module)

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WeightPlacement:
    """Where the weights go: ``device``, and the ``dtype`` they are kept in (the vocoder stays in float32).

    ``fp8`` keeps the weights of the transformer's blocks in 8 bits (e4m3); every layer is brought to ``dtype`` while
    it works.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    fp8: bool = False


ON_CPU = WeightPlacement()

TensorTransform = Callable[[str, torch.Tensor], torch.Tensor]
"""What becomes of a tensor as it is read: (diffusers' name, tensor) -> tensor."""


@dataclass(frozen=True, eq=False)
class CheckpointModules:
    """The modules of one checkpoint, ready to run; the ``connectors`` may be left out where prompts come encoded."""

    transformer: LTX2VideoTransformer3DModel
    connectors: LTX2TextConnectors | None
    video_vae: AutoencoderKLLTX2Video
    audio_vae: AutoencoderKLLTX2Audio
    vocoder: LTX2VocoderWithBWE


def read_checkpoint(path: Path, text_width: int = GEMMA_WIDTH, placement: WeightPlacement = ON_CPU) -> CheckpointModules:
    """All modules of a 2.3 checkpoint; ``text_width`` is the text encoder's.

    Raises ``WeightsError`` if the file is not a 2.3 checkpoint, or lacks or exceeds what its own settings ask for.
    """
    read: Any = read_parts(path, get_args(tensor_names.ModuleName), text_width, placement)
    return CheckpointModules(**read)


def read_parts(
    path: Path,
    wanted: Sequence[tensor_names.ModuleName],
    text_width: int = GEMMA_WIDTH,
    placement: WeightPlacement = ON_CPU,
    change: TensorTransform | None = None,
) -> dict[tensor_names.ModuleName, torch.nn.Module]:
    """The ``wanted`` modules of a 2.3 checkpoint; ``change`` is put on the transformer's tensors as they are read.

    Raises ``WeightsError`` as ``read_checkpoint`` does; whether the tensors of other parts fit is not looked at.
    """
    header = SafetensorsHeader.of(path)
    config = header.config()
    version = str(header.metadata.get("model_version", "2.3"))
    if not version.startswith("2.3"):
        raise WeightsError(f"this is LTX {version}; Dub-It runs on LTX-2.3 only", file=path)
    places = _places(header)
    with _refusal(path):
        modules = {part: _build(part, config, _shapes(header, places[part]), text_width) for part in wanted}
    _check(header, places, modules)
    changes = {"transformer": change}
    return {part: _fill(path, modules[part], places[part], placement, changes.get(part)) for part in wanted}


def read_upsampler(path: Path, placement: WeightPlacement = ON_CPU) -> LTX2LatentUpsamplerModel:
    """The spatial x2 upsampler of latents. Raises ``WeightsError`` if the file is not one."""
    header = SafetensorsHeader.of(path)
    config = header.config()
    with _refusal(path), torch.device("meta"):
        module = LTX2LatentUpsamplerModel(**module_config.upsampler(config, header.shapes))
    place = {name: name for name in header.shapes}
    _check(header, {"upsampler": place}, {"upsampler": module})
    if config.get("spatial_scale", 2.0) != 2.0 or config.get("temporal_upsample", False):
        raise WeightsError("this upsampler does not double height and width alone", file=path)
    return _fill(path, module, place, placement)


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    """Turn the want of a setting, or a setting that makes no model, into a refusal of the file at ``path``."""
    try:
        yield
    except KeyError as error:
        raise WeightsError(f"the file lacks {error}", file=path, remedy=REMEDY) from error
    except (ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
        raise WeightsError(f"its settings make no model ({error})", file=path, remedy=REMEDY) from error


def _places(header: SafetensorsHeader) -> dict[tensor_names.ModuleName, dict[str, str]]:
    """For each part: diffusers' name -> the file's name. Raises ``WeightsError`` for a tensor of no part."""
    places: dict[tensor_names.ModuleName, dict[str, str]] = {part: {} for part in get_args(tensor_names.ModuleName)}
    strangers = []
    for name in header.shapes:
        if tensor_names.is_unused(name):
            continue
        placed = tensor_names.locate_tensor(name)
        if placed is None:
            strangers.append(name)
        else:
            places[placed[0]][placed[1]] = name
    for old, new in tensor_names.middle_block_names(set(places["video_vae"])).items():
        places["video_vae"][new] = places["video_vae"].pop(old)
    empty = [f"{part} (all of it)" for part, found in places.items() if not found]
    if strangers or empty:
        raise _misfit(header.path, empty, strangers, [])
    return places


def _shapes(header: SafetensorsHeader, place: dict[str, str]) -> module_config.Shapes:
    return {name: header.shapes[theirs] for name, theirs in place.items()}


def _build(part: tensor_names.ModuleName, config: dict, shapes: module_config.Shapes, text_width: int) -> torch.nn.Module:
    """The module with its weights still absent; only the vocoder, which is small, computes some itself."""
    makers: dict[tensor_names.ModuleName, tuple[Callable, Callable[[], dict]]] = {
        "transformer": (LTX2VideoTransformer3DModel, lambda: module_config.transformer(config["transformer"], shapes)),
        "connectors": (LTX2TextConnectors, lambda: module_config.connectors(config["transformer"], shapes, text_width)),
        "video_vae": (AutoencoderKLLTX2Video, lambda: module_config.video_vae(config["vae"], shapes)),
        "audio_vae": (AutoencoderKLLTX2Audio, lambda: module_config.audio_vae(config["audio_vae"])),
        "vocoder": (LTX2VocoderWithBWE, lambda: module_config.vocoder(config["vocoder"], shapes)),
    }
    make, settings = makers[part]
    with torch.device("cpu" if part == "vocoder" else "meta"):
        return make(**settings())


def _check(header: SafetensorsHeader, places: dict, modules: dict) -> None:
    """Raise ``WeightsError`` unless the file holds exactly the modules' tensors, each of the right shape."""
    missing, unexpected, misshapen = [], [], []
    for part, module in modules.items():
        wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        found = _shapes(header, places[part])
        missing += [f"{part}.{name}" for name in wanted.keys() - found.keys()]
        unexpected += [places[part][name] for name in found.keys() - wanted.keys()]
        for name in wanted.keys() & found.keys():
            if wanted[name] != found[name]:
                misshapen.append(f"{places[part][name]} {list(found[name])} instead of {list(wanted[name])}")
    if missing or unexpected or misshapen:
        raise _misfit(header.path, missing, unexpected, misshapen)


def _misfit(path: Path, missing: list[str], unexpected: list[str], misshapen: list[str]) -> WeightsError:
    def listed(kind: str, found: list[str]) -> list[str]:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return [f"{kind}: {', '.join(sorted(found)[:_SHOWN])}{more}"] if found else []

    faults = listed("missing", missing) + listed("not expected", unexpected) + listed("of another shape", misshapen)
    return WeightsError(f"the tensors do not fit LTX-2.3; {'; '.join(faults)}", file=path, remedy=REMEDY)


def _fill(
    path: Path, module: Module, place: dict[str, str], placement: WeightPlacement, change: TensorTransform | None = None
) -> Module:
    """Read the tensors, one at a time, straight to where they belong. Statistics and vocoder stay in float32."""
    exact = isinstance(module, LTX2VocoderWithBWE)
    small = _small(module) if placement.fp8 and isinstance(module, LTX2VideoTransformer3DModel) else frozenset()
    tensors = {}
    with safe_open(path, "pt", device=placement.device) as file:
        for name, theirs in place.items():
            whole = exact or name.startswith("latents_")
            tensor = file.get_tensor(theirs).to(torch.float32 if whole else placement.dtype)
            tensor = tensor if change is None else change(name, tensor)
            tensors[name] = tensor.to(torch.float8_e4m3fn) if name in small else tensor
    module.load_state_dict(tensors, strict=True, assign=True)
    for buffer in module.buffers():
        buffer.data = buffer.data.to(placement.device)
    if small:
        blocks = module.get_submodule("transformer_blocks")
        apply_layerwise_casting(blocks, torch.float8_e4m3fn, placement.dtype, skip_modules_pattern=_WHOLE)
    return module.eval().requires_grad_(False)


_WHOLE = ("norm",)
"""Layers of the blocks that stay whole in 8 bits."""


def _small(transformer: LTX2VideoTransformer3DModel) -> frozenset[str]:
    """The tensors that are kept in 8 bits if they may be: those of the blocks' linear layers."""
    found = set()
    for name, module in transformer.get_submodule("transformer_blocks").named_modules(prefix="transformer_blocks"):
        if isinstance(module, torch.nn.Linear) and not any(word in name for word in _WHOLE):
            found |= {f"{name}.{tensor}" for tensor, _ in module.named_parameters()}
    return frozenset(found)
