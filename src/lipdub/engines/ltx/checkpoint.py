"""Reads the published LTX-2.3 files into diffusers' modules; a file that does not fit exactly is refused.

``ltx-2.3-22b-distilled.safetensors`` holds everything but the text encoder: transformer, text connectors, video
VAE, audio VAE, vocoder and the latents' statistics; its metadata holds their configuration. The upsampler is a
second file. Files are checked by their headers, before data are read: so a wrong file of 46 GB is refused at once.
Tensors are read one by one, and the file is never mapped into memory as a whole (``tensor_file``). Files with weights
in 8 bits and their scales are read too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

from lipdub.engines.ltx import module_config, tensor_names
from lipdub.engines.ltx.eight_bits import FP8, EightBitLinear, dequantised, quantised, replace_linears
from lipdub.engines.ltx.placement import ON_CPU, WeightPlacement
from lipdub.engines.ltx.safetensors_header import REMEDY, SafetensorsHeader
from lipdub.engines.ltx.tensor_file import TensorFile
from lipdub.errors import WeightsError

GEMMA_WIDTH = 3840
"""Width of one hidden state of Gemma-3-12B, the text encoder of LTX-2.3."""

Module = TypeVar("Module", bound=torch.nn.Module)

_SHOWN = 5


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
        part: _fill(header, modules[part], tensor_maps[part], placement, transforms.get(part)) for part in module_names
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
    return _fill(header, module, tensor_map, placement)


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
    for name in _without_scales(header):
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
    network = config.get("transformer", {})
    makers: dict[tensor_names.ModuleName, tuple[Callable, Callable[[], dict]]] = {
        "transformer": (
            LTX2VideoTransformer3DModel,
            lambda: module_config.transformer(network, shapes),
        ),
        "connectors": (
            LTX2TextConnectors,
            lambda: module_config.connectors(network, shapes, text_width),
        ),
        "video_vae": (AutoencoderKLLTX2Video, lambda: module_config.video_vae(config.get("vae", {}), shapes)),
        "audio_vae": (AutoencoderKLLTX2Audio, lambda: module_config.audio_vae(config.get("audio_vae", {}))),
        "vocoder": (LTX2VocoderWithBWE, lambda: module_config.vocoder(config.get("vocoder", {}), shapes)),
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
    header: SafetensorsHeader,
    module: Module,
    tensor_map: dict[str, str],
    placement: WeightPlacement,
    transform: TensorTransform | None = None,
) -> Module:
    """Read the tensors one by one to their device, in the order of the file. Statistics and the vocoder stay in
    float32."""
    exact = isinstance(module, LTX2VocoderWithBWE)
    layers: dict[str, EightBitLinear] = {}
    if placement.fp8 and isinstance(module, LTX2VideoTransformer3DModel):
        layers = replace_linears(module.get_submodule("transformer_blocks"), "transformer_blocks")
    tensors = {}
    scales = _scales(header)
    with TensorFile(header) as file:
        for name, file_name in sorted(tensor_map.items(), key=lambda both: header.offsets[both[1]]):
            stored = file.read(file_name).to(placement.device)
            scale = file.read(scales[file_name]) if file_name in scales else None
            whole = exact or name.startswith("latents_")
            plain = stored if scale is None else dequantised(stored, scale)
            plain = plain.to(torch.float32 if whole else placement.dtype)
            changed = plain if transform is None else transform(name, plain)
            if name not in layers:
                tensors[name] = changed
            elif changed is plain and scale is not None and stored.dtype == FP8:
                tensors[name], layers[name].weight_scale = stored, scale.float().reshape(-1, 1).to(placement.device)
            else:
                tensors[name], layers[name].weight_scale = quantised(changed)
    module.load_state_dict(tensors, strict=True, assign=True)
    for buffer in module.buffers():
        buffer.data = buffer.data.to(placement.device)
    return module.eval().requires_grad_(False)


_SCALES = (".weight_scale", ".scale_weight")
"""Endings of the names of the scales in 8-bit files, instead of ``.weight``: of two common ways to write them."""

_UNREAD = (".input_scale", ".scale_input", ".comfy_quant")
"""Endings of tensors beside weights in 8 bits that are for layers which also compute in 8 bits."""

_MARK = "scaled_fp8"


def _scales(header: SafetensorsHeader) -> dict[str, str]:
    """The names of the scales by the names of the weights in 8 bits that they belong to."""
    return {
        f"{stem}.weight": name
        for name in header.shapes
        for ending in _SCALES
        if (stem := name.removesuffix(ending)) != name and _is_8_bit(header, f"{stem}.weight")
    }


def _is_8_bit(header: SafetensorsHeader, name: str) -> bool:
    return header.dtypes.get(name, "").startswith("F8_")


def _without_scales(header: SafetensorsHeader) -> list[str]:
    """The names of all tensors but those that only say how others are stored in 8 bits.

    Raises ``WeightsError`` for a scale of an impossible size.
    """
    scales = _scales(header)
    for weight, scale in scales.items():
        if header.size_of(scale) not in (1, header.shapes[weight][0]):
            raise WeightsError(f"{scale} has {header.size_of(scale)} numbers", file=header.path, remedy=REMEDY)
    aside = set(scales.values())
    for name in header.shapes:
        stem = next((name.removesuffix(ending) for ending in _UNREAD if name.endswith(ending)), "")
        if name == _MARK or (stem and _is_8_bit(header, f"{stem}.weight")):
            aside.add(name)
    return [name for name in header.shapes if name not in aside]
