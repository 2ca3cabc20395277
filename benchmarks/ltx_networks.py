"""The LTX networks with random weights, of the published sizes or tiny, and how the engine holds them in memory."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

from lipdub.engines.ltx import prompt_cache
from lipdub.engines.ltx.checkpoint import CheckpointModules
from lipdub.engines.ltx.eight_bits import quantised, replace_linears
from lipdub.engines.ltx.generation import GenerationSize
from lipdub.engines.ltx.load_pipeline import _configure
from lipdub.engines.ltx.memory import MemoryPlan
from lipdub.engines.ltx.transformer import ModalityInput


@dataclass(frozen=True)
class NetworkSize:
    """The size of the networks (layers, heads and their widths, channels), and of their inputs in pixels."""

    layers: int
    heads: int
    width: int
    channels: int
    sound: tuple[int, ...]
    mid: int
    window: tuple[int, int]
    frame: tuple[int, int]
    frames: int


FULL = NetworkSize(48, 32, 128, 128, (1, 2, 4), 1024, (768, 768), (1088, 1920), 121)
TINY = NetworkSize(2, 4, 16, 8, (1, 1, 1), 32, (128, 128), (128, 192), 17)
RATE = Fraction(25)
"""Frames a second."""


def chosen(tiny: bool) -> tuple[NetworkSize, str, torch.dtype]:
    """The networks' size, the device and the dtype: full size on a CUDA GPU, tiny if asked for or without a GPU."""
    gpu = torch.cuda.is_available()
    if gpu:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return FULL if gpu and not tiny else TINY, "cuda" if gpu else "cpu", torch.bfloat16 if gpu else torch.float32


def machine_line(tiny: bool) -> str:
    """What is used here, in one line."""
    build, device, dtype = chosen(tiny)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    size = "full-size" if build is FULL else "tiny"
    line = f"{size} networks, random weights, {name}, {dtype}, torch {torch.__version__}"
    return line if device == "cuda" else f"No CUDA GPU is here: it only shows that this runs. {line}"


def transformer(build: NetworkSize) -> LTX2VideoTransformer3DModel:
    """With the structure of LTX-2.3."""
    wide, narrow = build.heads * build.width, build.heads * build.width // 2
    return LTX2VideoTransformer3DModel(
        num_attention_heads=build.heads,
        attention_head_dim=build.width,
        cross_attention_dim=wide,
        audio_num_attention_heads=build.heads,
        audio_attention_head_dim=build.width // 2,
        audio_cross_attention_dim=narrow,
        num_layers=build.layers,
        gated_attn=True,
        cross_attn_mod=True,
        audio_gated_attn=True,
        audio_cross_attn_mod=True,
        rope_type="split",
        use_prompt_embeddings=False,
        perturbed_attn=True,
    )


def video_vae(build: NetworkSize) -> AutoencoderKLLTX2Video:
    """With the structure of LTX-2.3."""
    c = build.channels
    layers = (4, 6, 4, 2, 2) if build is FULL else (1, 1, 1, 1, 1)
    return AutoencoderKLLTX2Video(
        block_out_channels=(2 * c, 4 * c, 8 * c, 8 * c),
        decoder_block_out_channels=(2 * c, 4 * c, 4 * c, 8 * c),
        layers_per_block=layers,
        decoder_layers_per_block=layers,
        decoder_spatio_temporal_scaling=(True,) * 4,
        decoder_inject_noise=(False,) * 5,
        upsample_type=("spatiotemporal", "spatiotemporal", "temporal", "spatial"),
        upsample_residual=(False,) * 4,
        upsample_factor=(2, 2, 1, 2),
        decoder_causal=False,
        decoder_spatial_padding_mode="zeros",
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )


def fill_weights(module: torch.nn.Module, device: str, dtype: torch.dtype) -> None:
    """Fill ``module`` with random weights on ``device``; the latents' statistics become 0 and 1.

    One block of numbers is used again and again, because drawing billions of them on a CPU takes minutes.
    """
    numbers = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).mul_(0.02).to(device, dtype)

    def put(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name.startswith("latents_"):
            return torch.full(tensor.shape, float(name.endswith("std")), device=device)
        out = torch.empty(tensor.shape, device=device, dtype=dtype)
        flat = out.view(-1)
        for first in range(0, flat.numel(), numbers.numel()):
            part = flat[first : first + numbers.numel()]
            part.copy_(numbers[: part.numel()])
        return out

    module.load_state_dict({name: put(name, t) for name, t in module.state_dict().items()}, assign=True)
    for buffer_name, buffer in module.named_buffers():
        assert not buffer.is_meta, buffer_name
    module.eval().requires_grad_(False)


def modality_inputs(
    model: LTX2VideoTransformer3DModel, size: GenerationSize, device: str, dtype: torch.dtype
) -> tuple[ModalityInput, ModalityInput]:
    """Inputs of noise for one forward pass: half of the tokens are references, and the sound is frozen."""
    frames, rows, columns = size.latent_grid()
    video, audio, config = 2 * frames * rows * columns, 2 * size.audio_latents, model.config

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, dtype=dtype)

    def places(axes: int, count: int) -> torch.Tensor:
        return torch.rand(1, axes, count, 2, device=device)

    levels = torch.cat([torch.full((1, video // 2), 0.9), torch.zeros(1, video - video // 2)], 1).to(device)
    sigma, zero = torch.tensor([0.9], device=device), torch.zeros(1, device=device)
    silent = torch.zeros(1, audio, device=device)
    contexts = [noise(1, 1024, config[name]) for name in ("cross_attention_dim", "audio_cross_attention_dim")]
    return (
        ModalityInput(noise(1, video, 128), places(3, video), levels, sigma, contexts[0]),
        ModalityInput(noise(1, audio, 128), places(1, audio), silent, zero, contexts[1]),
    )


Network = TypeVar("Network", bound=torch.nn.Module)


def unused(kind: type[Network]) -> Network:
    """A network of this ``kind`` without weights, to stand where one is named and never used."""
    return kind.__new__(kind)


def hold_transformer(model: LTX2VideoTransformer3DModel, plan: MemoryPlan) -> None:
    """Hold the transformer as the engine does under ``plan``."""
    vaes = unused(AutoencoderKLLTX2Video), unused(AutoencoderKLLTX2Audio)
    _configure(CheckpointModules(model, None, *vaes, unused(LTX2VocoderWithBWE)), plan)


def reduce_to_8_bits(model: LTX2VideoTransformer3DModel) -> None:
    """Hold the blocks' weights in 8 bits, as the engine does."""
    exact = dict(model.named_parameters())
    for name, layer in replace_linears(model.transformer_blocks, "transformer_blocks").items():
        weight, layer.weight_scale = quantised(exact[name])
        layer.weight = torch.nn.Parameter(weight, requires_grad=False)
        if layer.bias is not None:
            layer.bias = torch.nn.Parameter(exact[f"{name.removesuffix('weight')}bias"], requires_grad=False)


def free_memory() -> None:
    """Give back what released networks held, as the engine does."""
    prompt_cache._free_memory()
