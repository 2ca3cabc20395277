"""Reads the published LTX-2.3 files into diffusers' modules; a file that does not fit exactly is refused.

``ltx-2.3-22b-distilled.safetensors`` holds everything but the text encoder: transformer, text connectors, video
VAE, audio VAE, vocoder and the latents' statistics; its metadata holds their configuration. The upsampler is a
second file. Files are checked by their headers, before data are read: so a wrong file of 44 GB is refused at once.
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
    """Where weights are held: on ``device``, in ``dtype`` (the vocoder always in float32).

    ``fp8``: the weights of the transformer's blocks are held in 8 bits (e4m3); each layer is converted to ``dtype``
    while it works.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.bfloat16
    fp8: bool = False


ON_CPU = WeightPlacement()

TensorTransform = Callable[[str, torch.Tensor], torch.Tensor]
"""Applied to each tensor when it is read: (diffusers' name, tensor) -> tensor."""


@dataclass(frozen=True, eq=False)
class CheckpointModules:
    """The modules of one checkpoint, ready to run. ``connectors`` is None if prompts are given as contexts."""

    transformer: LTX2VideoTransformer3DModel
    connectors: LTX2TextConnectors | None
    video_vae: AutoencoderKLLTX2Video
    audio_vae: AutoencoderKLLTX2Audio
    vocoder: LTX2VocoderWithBWE


def read_checkpoint(
    path: Path, text_width: int = GEMMA_WIDTH, placement: WeightPlacement = ON_CPU
) -> CheckpointModules:
    """All modules of a 2.3 checkpoint; ``text_width`` is the width of the text encoder's hidden states.

    Raises ``WeightsError`` if the file is not a 2.3 checkpoint, or if it has other tensors than its configuration says.
    """
    read: Any = read_modules(path, get_args(tensor_names.ModuleName), text_width, placement)
    return CheckpointModules(**read)


def read_modules(
    path: Path,
    module_names: Sequence[tensor_names.ModuleName],
    text_width: int = GEMMA_WIDTH,
    placement: WeightPlacement = ON_CPU,
    transform: TensorTransform | None = None,
) -> dict[tensor_names.ModuleName, torch.nn.Module]:
    """The modules ``module_names`` of a 2.3 checkpoint; ``transform`` is applied to the transformer's tensors.

    Raises ``WeightsError`` as ``read_checkpoint`` does, but does not check the tensors of other modules.
    """
    header = SafetensorsHeader.of(path)
    config = header.config()
    version = str(header.metadata.get("model_version", "2.3"))
    if not version.startswith("2.3"):
        raise WeightsError(f"this is LTX {version}; Dub-It runs on LTX-2.3 only", file=path)
    tensor_maps = _tensor_maps(header)
    with _refuse_misfits(path):
        modules = {part: _build(part, config, _shapes(header, tensor_maps[part]), text_width) for part in module_names}
    _check(header, tensor_maps, modules)
    transforms = {"transformer": transform}
    return {
        part: _fill(path, modules[part], tensor_maps[part], placement, transforms.get(part)) for part in module_names
    }


def read_upsampler(path: Path, placement: WeightPlacement = ON_CPU) -> LTX2LatentUpsamplerModel:
    """The upsampler of latents, by two in height and width. Raises ``WeightsError`` if the file is not one."""
    header = SafetensorsHeader.of(path)
    config = header.config()
    with _refuse_misfits(path), torch.device("meta"):
        module = LTX2LatentUpsamplerModel(**module_config.upsampler(config, header.shapes))
    tensor_map = {name: name for name in header.shapes}
    _check(header, {"upsampler": tensor_map}, {"upsampler": module})
    if config.get("spatial_scale", 2.0) != 2.0 or config.get("temporal_upsample", False):
        raise WeightsError("this upsampler does not double height and width alone", file=path)
    return _fill(path, module, tensor_map, placement)


@contextmanager
def _refuse_misfits(path: Path) -> Iterator[None]:
    """Turn errors about a missing or impossible setting into a ``WeightsError`` about the file at ``path``."""
    try:
        yield
    except KeyError as error:
        raise WeightsError(f"the file lacks {error}", file=path, remedy=REMEDY) from error
    except (ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
        raise WeightsError(f"its settings make no model ({error})", file=path, remedy=REMEDY) from error


def _tensor_maps(header: SafetensorsHeader) -> dict[tensor_names.ModuleName, dict[str, str]]:
    """For each module: diffusers' name -> the file's name of each tensor.

    Raises ``WeightsError`` for unknown tensors.
    """
    tensor_maps: dict[tensor_names.ModuleName, dict[str, str]] = {
        part: {} for part in get_args(tensor_names.ModuleName)
    }
    unknown = []
    for name in header.shapes:
        if tensor_names.is_unused(name):
            continue
        location = tensor_names.locate_tensor(name)
        if location is None:
            unknown.append(name)
        else:
            tensor_maps[location[0]][location[1]] = name
    for old, new in tensor_names.middle_block_names(set(tensor_maps["video_vae"])).items():
        tensor_maps["video_vae"][new] = tensor_maps["video_vae"].pop(old)
    empty = [f"{part} (all of it)" for part, found in tensor_maps.items() if not found]
    if unknown or empty:
        raise _misfit(header.path, empty, unknown, [])
    return tensor_maps


def _shapes(header: SafetensorsHeader, tensor_map: dict[str, str]) -> module_config.Shapes:
    return {name: header.shapes[file_name] for name, file_name in tensor_map.items()}


def _build(
    part: tensor_names.ModuleName, config: dict, shapes: module_config.Shapes, text_width: int
) -> torch.nn.Module:
    """The module without weights (on the meta device); only the vocoder is on the CPU, as it computes some itself."""
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


def _check(header: SafetensorsHeader, tensor_maps: dict, modules: dict) -> None:
    """Raise ``WeightsError`` unless the file holds exactly the tensors of ``modules``, each in the right shape."""
    missing, unexpected, misshapen = [], [], []
    for part, module in modules.items():
        expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        found = _shapes(header, tensor_maps[part])
        missing += [f"{part}.{name}" for name in expected.keys() - found.keys()]
        unexpected += [tensor_maps[part][name] for name in found.keys() - expected.keys()]
        for name in expected.keys() & found.keys():
            if expected[name] != found[name]:
                misshapen.append(f"{tensor_maps[part][name]} {list(found[name])} instead of {list(expected[name])}")
    if missing or unexpected or misshapen:
        raise _misfit(header.path, missing, unexpected, misshapen)


def _misfit(path: Path, missing: list[str], unexpected: list[str], misshapen: list[str]) -> WeightsError:
    def listed(kind: str, found: list[str]) -> list[str]:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return [f"{kind}: {', '.join(sorted(found)[:_SHOWN])}{more}"] if found else []

    faults = listed("missing", missing) + listed("not expected", unexpected) + listed("of another shape", misshapen)
    return WeightsError(f"the tensors do not fit LTX-2.3; {'; '.join(faults)}", file=path, remedy=REMEDY)


def _fill(
    path: Path,
    module: Module,
    tensor_map: dict[str, str],
    placement: WeightPlacement,
    transform: TensorTransform | None = None,
) -> Module:
    """Read the tensors one by one to their device. Statistics and the vocoder stay in float32."""
    exact = isinstance(module, LTX2VocoderWithBWE)
    small = _fp8_tensors(module) if placement.fp8 and isinstance(module, LTX2VideoTransformer3DModel) else frozenset()
    tensors = {}
    with safe_open(path, "pt", device=placement.device) as file:
        for name, file_name in tensor_map.items():
            whole = exact or name.startswith("latents_")
            tensor = file.get_tensor(file_name).to(torch.float32 if whole else placement.dtype)
            tensor = tensor if transform is None else transform(name, tensor)
            tensors[name] = tensor.to(torch.float8_e4m3fn) if name in small else tensor
    module.load_state_dict(tensors, strict=True, assign=True)
    for buffer in module.buffers():
        buffer.data = buffer.data.to(placement.device)
    if small:
        blocks = module.get_submodule("transformer_blocks")
        apply_layerwise_casting(blocks, torch.float8_e4m3fn, placement.dtype, skip_modules_pattern=_NOT_FP8)
    return module.eval().requires_grad_(False)


_NOT_FP8 = ("norm",)
"""Layers of the blocks that are not held in 8 bits."""


def _fp8_tensors(transformer: LTX2VideoTransformer3DModel) -> frozenset[str]:
    """The tensors that can be held in 8 bits: those of the linear layers in the transformer's blocks."""
    found = set()
    for name, module in transformer.get_submodule("transformer_blocks").named_modules(prefix="transformer_blocks"):
        if isinstance(module, torch.nn.Linear) and not any(word in name for word in _NOT_FP8):
            found |= {f"{name}.{tensor}" for tensor, _ in module.named_parameters()}
    return frozenset(found)
