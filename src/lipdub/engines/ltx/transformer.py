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
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lipdub.engines.ltx.tokens import Positions, Tokens


@dataclass(frozen=True, eq=False)
class Stream:
    """One modality as the transformer is given it: noisy tokens, their places, and the prompt.

    ``timesteps`` and ``sigma`` are noise levels 0..1; the scaling that the embeddings want is done here.
    """

    tokens: Tokens
    positions: Positions
    timesteps: Float32[Tensor, "batch tokens"]
    sigma: Float32[Tensor, " batch"]
    context: Float[Tensor, "batch words width"]


def velocity(transformer: LTX2VideoTransformer3DModel, video: Stream, audio: Stream) -> tuple[Tokens, Tokens]:
    """Velocities (video, audio) of all tokens, shaped like them. The prompt is not masked."""
    scale = transformer.config["timestep_scale_multiplier"]
    with _gates_follow_the_other(transformer, video.sigma * scale, audio.sigma * scale):
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


@contextmanager
def _gates_follow_the_other(
    transformer: LTX2VideoTransformer3DModel, video_sigma: Tensor, audio_sigma: Tensor
) -> Iterator[None]:
    """Feed the gate of sound into picture the sound's sigma, and that of picture into sound the picture's."""
    config = transformer.config
    factor = config["cross_attn_timestep_scale_multiplier"] / config["timestep_scale_multiplier"]

    def fed(gate: nn.Module, sigma: Tensor) -> torch.utils.hooks.RemovableHandle:
        return gate.register_forward_pre_hook(lambda _, args: (sigma * factor, *args[1:]))

    hooks = (
        fed(transformer.av_cross_attn_video_a2v_gate, audio_sigma),
        fed(transformer.av_cross_attn_audio_v2a_gate, video_sigma),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
