"""One call of the audio-video transformer with the noise levels of Dub-It.

Every token has its own timestep, and each modality its own sigma: a modality that is given, not generated, has sigma 0,
and reference tokens have timestep 0 beside target tokens that do not.

The layers by which sound and picture attend to each other are modulated in two ways, and LTX-2.3 derives them from
two different values: **scale and shift follow each token's own timestep, the gate follows the other modality's
sigma**. diffusers' ``LTX2VideoTransformer3DModel`` takes both from one place, chosen by ``use_cross_timestep``: the
own timestep (False), or the other's sigma (True). Where all tokens of both modalities share one sigma this makes no
difference; with reference or frozen tokens either choice is wrong (relative error of the velocity 0.1 to 0.3). So the
model is called with False, which is right for scale and shift, and during the call the timestep that goes into the two
gates is replaced by hooks. Nothing else of the model is changed: fused weights, PEFT adapters, offloading, quantisation
and gradient checkpointing work as usual.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2AudioVideoRotaryPosEmbed, LTX2VideoTransformer3DModel
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lipdub.engines.ltx.tokens import Positions, Tokens


@dataclass(frozen=True, eq=False)
class ModalityInput:
    """The transformer's input for one modality: noisy tokens, their positions, and the context of the prompt.

    ``timesteps`` (per token) and ``sigma`` (per sample) are noise levels 0..1; ``velocity`` scales them as the
    embeddings need them.
    """

    tokens: Tokens
    positions: Positions
    timesteps: Float32[Tensor, "batch tokens"]
    sigma: Float32[Tensor, " batch"]
    context: Float[Tensor, "batch words width"]


def velocity(
    transformer: LTX2VideoTransformer3DModel, video: ModalityInput, audio: ModalityInput
) -> tuple[Tokens, Tokens]:
    """The velocities (video, audio) of all tokens, in the tokens' shapes. No token of the prompt is masked."""
    scale = transformer.config["timestep_scale_multiplier"]
    with (
        _embed_levels_once(transformer, video.timesteps * scale, audio.timesteps * scale),
        _swap_gate_timesteps(transformer, video.sigma * scale, audio.sigma * scale),
    ):
        return transformer(
            hidden_states=video.tokens,
            audio_hidden_states=audio.tokens,
            encoder_hidden_states=video.context,
            audio_encoder_hidden_states=audio.context,
            timestep=video.timesteps * scale,
            audio_timestep=audio.timesteps * scale,
            sigma=video.sigma * scale,
            audio_sigma=audio.sigma * scale,
            video_coords=video.positions,
            audio_coords=audio.positions,
            use_cross_timestep=False,
            return_dict=False,
        )


def compute_rotary_on_cpu(transformer: nn.Module, device: torch.device) -> None:
    """Compute the rotary embeddings on the CPU from now on, and move them to ``device``.

    LTX-2.3 computes their frequencies in float64, which Apple's GPUs do not have.
    """
    for module in transformer.modules():
        if isinstance(module, LTX2AudioVideoRotaryPosEmbed):
            module.register_forward_pre_hook(_rotary_inputs_on_cpu, with_kwargs=True)
            module.register_forward_hook(partial(_rotary_to, device))


def _rotary_inputs_on_cpu(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """A hook that moves positions to the CPU and asks for the result there."""
    moved = tuple(each.cpu() if isinstance(each, Tensor) else each for each in args)
    return moved, {**kwargs, "device": torch.device("cpu")}


def _rotary_to(device: torch.device, module: nn.Module, args: tuple, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A hook that moves cosines and sines to ``device``."""
    return tuple(one.to(device) for one in output)


Hooks = list[torch.utils.hooks.RemovableHandle]


@contextmanager
def _removed(hooks: Hooks) -> Iterator[None]:
    """Remove ``hooks`` from the model at the end, also after an error."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _embed_levels_once(
    transformer: LTX2VideoTransformer3DModel, video: Float32[Tensor, "_b _n"], audio: Float32[Tensor, "_b _m"]
) -> AbstractContextManager[None]:
    """Embed each distinct timestep once, not once for each token, and expand the rows to all tokens afterwards.

    A sequence has two distinct timesteps (target and reference), so the modulations of thousands of tokens cost two
    rows of a matrix product. If all tokens of every sample share one timestep, a single row is broadcast.
    """
    hooks: Hooks = []
    for timesteps, modules in (
        (video, (transformer.time_embed, transformer.av_cross_attn_video_scale_shift)),
        (audio, (transformer.audio_time_embed, transformer.av_cross_attn_audio_scale_shift)),
    ):
        if bool((timesteps == timesteps[:, :1]).all()):
            levels, rows = timesteps[:, 0], None
        else:
            levels, rows = torch.unique(timesteps.flatten(), return_inverse=True)
        for module in modules:
            hooks.append(module.register_forward_pre_hook(partial(_replace_timesteps, levels)))
            if rows is not None:
                hooks.append(module.register_forward_hook(partial(_expand_rows, rows)))
    return _removed(hooks)


def _replace_timesteps(timesteps: Tensor, module: nn.Module, args: tuple) -> tuple:
    """A hook that replaces the timesteps that the model would embed."""
    return (timesteps, *args[1:])


def _expand_rows(rows: Tensor, module: nn.Module, args: tuple, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A hook that expands the rows to all tokens."""
    return tuple(one[rows] for one in output)


def _swap_gate_timesteps(
    transformer: LTX2VideoTransformer3DModel, video_sigma: Float32[Tensor, " _b"], audio_sigma: Float32[Tensor, " _b"]
) -> AbstractContextManager[None]:
    """Give the gate of sound into picture the sound's sigma, and the gate of picture into sound the picture's."""
    config = transformer.config
    factor = config["cross_attn_timestep_scale_multiplier"] / config["timestep_scale_multiplier"]
    fed = (
        (transformer.av_cross_attn_video_a2v_gate, audio_sigma * factor),
        (transformer.av_cross_attn_audio_v2a_gate, video_sigma * factor),
    )
    return _removed([gate.register_forward_pre_hook(partial(_replace_timesteps, sigma)) for gate, sigma in fed])
