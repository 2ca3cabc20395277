"""Euler's method on the clean estimate, with the pinned tokens pinned again at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float
from torch import Tensor

from lipdub.engines.ltx.tokens import TokenSequence, Tokens
from lipdub.engines.ltx.transformer import ModalityInput, velocity

STAGE_1_SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0)
STAGE_2_SIGMAS = (0.909375, 0.725, 0.421875, 0.0)
"""Noise levels of the distilled model, half size from noise and full size from the upsampled latent."""

Context = tuple[Float[Tensor, "_batch _words _width"], Float[Tensor, "_batch _words _audio_width"]]
"""The prompt for the picture and for the sound."""


@dataclass(frozen=True, eq=False)
class DenoisingInputs:
    """What is denoised together: the picture's sequence and the sound's, and the prompt of both."""

    video: TokenSequence
    audio: TokenSequence
    context: Context

    def streams(self, video: Tokens, audio: Tokens, sigma: float) -> tuple[ModalityInput, ModalityInput]:
        """What the transformer is given at noise level ``sigma``; a frozen modality has sigma 0."""
        return (
            _stream(self.video, video, sigma, self.context[0]),
            _stream(self.audio, audio, sigma, self.context[1]),
        )


def _stream(sequence: TokenSequence, tokens: Tokens, sigma: float, context: Tensor) -> ModalityInput:
    level = torch.full((tokens.shape[0],), 0.0 if sequence.frozen else sigma, device=tokens.device)
    return ModalityInput(tokens, sequence.positions, sequence.mask[..., 0] * level[:, None], level, context)


@torch.no_grad()
def denoise(
    transformer: LTX2VideoTransformer3DModel,
    scene: DenoisingInputs,
    start: tuple[Tokens, Tokens],
    sigmas: tuple[float, ...],
    watch: Callable[[int, int], None] | None = None,
) -> tuple[Tokens, Tokens]:
    """From ``start`` (video, audio) down the ``sigmas``; returns the target tokens of both.

    ``watch`` is told (steps done, steps in all) after each step.
    """
    video, audio = start
    steps = len(sigmas) - 1
    for step, (sigma, after) in enumerate(pairwise(sigmas)):
        streams = scene.streams(video, audio, sigma)
        moves = velocity(transformer, *streams)
        video = _step(scene.video, streams[0], moves[0], (sigma, after))
        audio = _step(scene.audio, streams[1], moves[1], (sigma, after))
        if watch is not None:
            watch(step + 1, steps)
    return video[:, : scene.video.target], audio[:, : scene.audio.target]


def _step(sequence: TokenSequence, stream: ModalityInput, velocity: Tokens, sigmas: tuple[float, float]) -> Tokens:
    """x0 = x - v t, pinned; then along the line from x0 through x to the next noise level."""
    sigma, after = sigmas
    x = stream.tokens.float()
    x0 = x - velocity.float() * stream.timesteps[..., None]
    x0 = x0 * sequence.mask + sequence.clean.float() * (1 - sequence.mask)
    return (x + (x - x0) / sigma * (after - sigma)).to(stream.tokens.dtype)
