"""One call of the audio-video transformer with Dub-It's noise levels.

Every token has its own timestep, and each modality its own noise level (sigma): a modality that is given rather
than made has sigma 0, and reference tokens have timestep 0 beside targets that do not.

The layers by which sound and picture attend to each other are modulated in two ways, and LTX-2.3 takes them from
two different places: **scale and shift follow each token's own timestep, the gate follows the other modality's
sigma**. diffusers' ``LTX2VideoTransformer3DModel`` takes both from one place, chosen by ``use_cross_timestep``: the
own timestep (False), or the other's sigma (True). Where all tokens of both modalities share one sigma this makes no
difference; with reference or frozen tokens either choice is wrong (relative error of the velocity 0.1 to 0.3). So the
model is called with False, which is right for scale and shift, and for the length of the call the timestep that goes
into the two gates is replaced. Nothing else of the model is touched: fused weights, PEFT adapters, offloading,
quantisation and gradient checkpointing work as ever.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lipdub.engines.ltx.tokens import Positions, Tokens


@dataclass(frozen=True, eq=False)
class ModalityInput:
    """One modality as the transformer is given it: noisy tokens, their places, and the prompt.

    ``timesteps`` and ``sigma`` are noise levels 0..1; the scaling that the embeddings want is done here.
    """

    tokens: Tokens
    positions: Positions
    timesteps: Float32[Tensor, "batch tokens"]
    sigma: Float32[Tensor, " batch"]
    context: Float[Tensor, "batch words width"]


def velocity(transformer: LTX2VideoTransformer3DModel, video: ModalityInput, audio: ModalityInput) -> tuple[Tokens, Tokens]:
    """Velocities (video, audio) of all tokens, shaped like them. The prompt is not masked."""
    scale = transformer.config["timestep_scale_multiplier"]
    with (
        _levels_once(transformer, video.timesteps * scale, audio.timesteps * scale),
        _gates_follow_the_other(transformer, video.sigma * scale, audio.sigma * scale),
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


Hooks = list[torch.utils.hooks.RemovableHandle]


@contextmanager
def _removed(hooks: Hooks) -> Iterator[None]:
    """Whatever happens, the model is left without ``hooks``."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _levels_once(
    transformer: LTX2VideoTransformer3DModel, video: Float32[Tensor, "_b _n"], audio: Float32[Tensor, "_b _m"]
) -> AbstractContextManager[None]:
    """Embed each distinct timestep once, not once for each token, and lay the rows out again afterwards.

    There are two in a sequence (target and reference), so the modulations of thousands of tokens cost two rows of a
    matrix product. If all tokens of every sample share one, a single row is handed on, which spreads by itself.
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
            hooks.append(module.register_forward_pre_hook(partial(_given, levels)))
            if rows is not None:
                hooks.append(module.register_forward_hook(partial(_laid_out, rows)))
    return _removed(hooks)


def _given(timesteps: Tensor, module: nn.Module, args: tuple) -> tuple:
    """Instead of the timesteps that the model would embed, these."""
    return (timesteps, *args[1:])


def _laid_out(rows: Tensor, module: nn.Module, args: tuple, made: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A row for every token."""
    return tuple(one[rows] for one in made)


def _gates_follow_the_other(
    transformer: LTX2VideoTransformer3DModel, video_sigma: Float32[Tensor, " _b"], audio_sigma: Float32[Tensor, " _b"]
) -> AbstractContextManager[None]:
    """Feed the gate of sound into picture the sound's sigma, and that of picture into sound the picture's."""
    config = transformer.config
    factor = config["cross_attn_timestep_scale_multiplier"] / config["timestep_scale_multiplier"]
    fed = (
        (transformer.av_cross_attn_video_a2v_gate, audio_sigma * factor),
        (transformer.av_cross_attn_audio_v2a_gate, video_sigma * factor),
    )
    return _removed([gate.register_forward_pre_hook(partial(_given, sigma)) for gate, sigma in fed])
