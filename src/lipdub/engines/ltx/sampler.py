"""Denoising with Euler's method on the estimate of the clean tokens; reference tokens stay fixed at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float
from torch import Tensor

from lipdub.engines.ltx.tokens import Tokens, TokenSequence
from lipdub.engines.ltx.transformer import ModalityInput, velocity

STAGE_1_SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0)
STAGE_2_SIGMAS = (0.909375, 0.725, 0.421875, 0.0)
"""Sigmas of the distilled model: stage 1 from pure noise at half size, stage 2 from the upsampled latent."""

Context = tuple[Float[Tensor, "_batch _words _width"], Float[Tensor, "_batch _words _audio_width"]]
"""The encoded prompt: for the picture, and for the sound."""


@dataclass(frozen=True, eq=False)
class DenoisingInputs:
    """The token sequences of picture and sound that are denoised together, and the context of their prompt."""

    video: TokenSequence
    audio: TokenSequence
    context: Context

    def at_sigma(self, video: Tokens, audio: Tokens, sigma: float) -> tuple[ModalityInput, ModalityInput]:
        """The transformer's inputs (video, audio) for these tokens at ``sigma``; a frozen modality has sigma 0."""
        return (
            _modality_input(self.video, video, sigma, self.context[0]),
            _modality_input(self.audio, audio, sigma, self.context[1]),
        )


def _modality_input(sequence: TokenSequence, tokens: Tokens, sigma: float, context: Tensor) -> ModalityInput:
    level = torch.full((tokens.shape[0],), 0.0 if sequence.frozen else sigma, device=tokens.device)
    return ModalityInput(tokens, sequence.positions, sequence.mask[..., 0] * level[:, None], level, context)


@torch.no_grad()
def denoise(
    transformer: LTX2VideoTransformer3DModel,
    inputs: DenoisingInputs,
    start: tuple[Tokens, Tokens],
    sigmas: tuple[float, ...],
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[Tokens, Tokens]:
    """Denoise from the tokens ``start`` (video, audio) down the ``sigmas``; returns the target tokens of both.

    ``on_step`` is called with (steps done, steps in all) after each step.
    """
    video, audio = start
    steps = len(sigmas) - 1
    for step, (sigma, after) in enumerate(pairwise(sigmas)):
        modalities = inputs.at_sigma(video, audio, sigma)
        velocities = velocity(transformer, *modalities)
        video = _euler_step(inputs.video, modalities[0], velocities[0], (sigma, after))
        audio = _euler_step(inputs.audio, modalities[1], velocities[1], (sigma, after))
        if on_step is not None:
            on_step(step + 1, steps)
    return video[:, : inputs.video.target], audio[:, : inputs.audio.target]


def _euler_step(
    sequence: TokenSequence, modality: ModalityInput, velocity: Tokens, sigmas: tuple[float, float]
) -> Tokens:
    """x0 = x - v t, with fixed tokens put back; then along the line from x0 through x to the next sigma."""
    sigma, after = sigmas
    x = modality.tokens.float()
    x0 = x - velocity.float() * modality.timesteps[..., None]
    x0 = x0 * sequence.mask + sequence.clean.float() * (1 - sequence.mask)
    return (x + (x - x0) / sigma * (after - sigma)).to(modality.tokens.dtype)
