"""The loss of one training step: rectified flow on the target tokens of picture and sound, beside clean references.

A sample has four latents. Its *target* is the clip as it shall become; its *reference* is the clip as it was, which the
model always sees without noise (timestep 0). Target tokens are mixed with noise, ``x = (1 - s) z + s noise``, and the
transformer shall predict the velocity ``noise - z`` (Liu et al., Rectified Flow, 2022). The reference tokens come
first; their order does not matter to attention. Positions are those of a dub: the picture's reference has the
positions of the target, the sound's reference lies before time zero. No attention is masked, as when the engine works.

Measured against the reference implementation's recordings: same velocities, losses and gradients (``tests/golden``).
"""

from dataclasses import dataclass
from fractions import Fraction

import torch
from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel
from jaxtyping import Float, Float32
from torch import Tensor

from lipdub.engines.ltx import tokens
from lipdub.engines.ltx.sampler import Context
from lipdub.engines.ltx.tokens import AudioLatent, Positions, Tokens, VideoLatent
from lipdub.engines.ltx.transformer import ModalityInput, velocity


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One pair, or several of the same sizes: normalised latents of target and reference, and the target's context.

    ``downscale``: how many times smaller the reference's picture is. ``video_weight`` and ``audio_weight`` say how much
    each cell of the target counts in the loss (None: all the same). ``public_positions``: the sound's reference has
    positions from zero on, as in the public trainer; a dub does not work so.
    """

    video: VideoLatent
    audio: AudioLatent
    reference_video: VideoLatent
    reference_audio: AudioLatent
    context: Context
    rate: Fraction
    downscale: int = 1
    video_weight: Float[Tensor, "_batch _frames _height _width"] | None = None
    audio_weight: Float[Tensor, "_batch _frames"] | None = None
    public_positions: bool = False


@dataclass(frozen=True, eq=False)
class NoiseDraw:
    """What is drawn for one step: noise like the target's tokens, noise levels 0..1, and which samples of the batch
    have a clean first picture."""

    video: Tokens
    audio: Tokens
    video_sigma: Float32[Tensor, " _batch"]
    audio_sigma: Float32[Tensor, " _batch"]
    first_frame: Tensor


@dataclass(frozen=True, eq=False)
class StepLoss:
    """The loss of each sample: of the picture, of the sound, and their sum."""

    video: Float32[Tensor, " _batch"]
    audio: Float32[Tensor, " _batch"]

    @property
    def whole(self) -> Float32[Tensor, " _batch"]:
        """Picture and sound."""
        return self.video + self.audio


@dataclass(frozen=True, eq=False)
class _Noised:
    """One modality: the transformer's input, and what is expected of its last tokens, with their weights."""

    modality: ModalityInput
    expected: Tokens
    weight: Float32[Tensor, "_batch _tokens"]


def training_loss(model: LTX2VideoTransformer3DModel, sample: TrainingSample, draw: NoiseDraw) -> StepLoss:
    """The loss of ``sample`` with the noise ``draw``. Gradients flow into what of ``model`` requires them."""
    video, audio = _video(sample, draw), _audio(sample, draw)
    predicted = velocity(model, video.modality, audio.modality)
    return StepLoss(*(_error(made, one) for made, one in zip(predicted, (video, audio), strict=True)))


def training_inputs(sample: TrainingSample, draw: NoiseDraw) -> tuple[ModalityInput, ModalityInput]:
    """The transformer's inputs (video, audio) of this step."""
    return _video(sample, draw).modality, _audio(sample, draw).modality


def _video(sample: TrainingSample, draw: NoiseDraw) -> _Noised:
    grid = tokens.latent_grid(sample.video)
    target = tokens.pack_video(sample.video)
    reference = tokens.pack_video(sample.reference_video)
    places = tokens.video_positions(tokens.latent_grid(sample.reference_video), sample.rate, sample.downscale)
    positions = torch.cat([places, tokens.video_positions(grid, sample.rate)], 2)
    noised = torch.ones(target.shape[:2], device=target.device)
    noised[:, : grid[1] * grid[2]] = (~draw.first_frame.to(target.device)).float()[:, None]
    weight = noised if sample.video_weight is None else noised * sample.video_weight.flatten(1).float()
    return _noised((target, reference), positions, (draw.video, draw.video_sigma), (noised, weight), sample.context[0])


def _audio(sample: TrainingSample, draw: NoiseDraw) -> _Noised:
    target, reference = tokens.pack_audio(sample.audio), tokens.pack_audio(sample.reference_audio)
    before = tokens.audio_positions(reference.shape[1])
    if not sample.public_positions:
        before = tokens.shift_before_zero(before)
    positions = torch.cat([before, tokens.audio_positions(target.shape[1])], 2)
    noised = torch.ones(target.shape[:2], device=target.device)
    weight = noised if sample.audio_weight is None else sample.audio_weight.float()
    return _noised((target, reference), positions, (draw.audio, draw.audio_sigma), (noised, weight), sample.context[1])


def _noised(
    latents: tuple[Tokens, Tokens],
    positions: Positions,
    drawn: tuple[Tokens, Tensor],
    shares: tuple[Tensor, Tensor],
    context: Tensor,
) -> _Noised:
    """``latents``: target and reference. ``shares``: which target tokens are noised (1) or clean (0), and weights."""
    (target, reference), (noise, sigma), (noised, weight) = latents, drawn, shares
    z, noise = target.float(), noise.to(target.device).float()
    level = noised * sigma.to(target.device).float()[:, None]
    x = (1 - level[..., None]) * z + level[..., None] * noise
    clean = torch.zeros(reference.shape[:2], device=target.device)
    modality = ModalityInput(
        torch.cat([reference.float(), x], 1).to(target.dtype),
        positions.to(target.device).expand(len(target), -1, -1, -1).contiguous(),
        torch.cat([clean, level], 1),
        sigma.to(target.device).float(),
        context,
    )
    return _Noised(modality, noise - z, weight)


def _error(predicted: Tokens, one: _Noised) -> Float32[Tensor, " _batch"]:
    """The mean squared error over the target tokens, weighted; with equal weights their plain mean."""
    count = one.expected.shape[1]
    squared = (predicted[:, -count:].float() - one.expected).square().mean(2)
    return (squared * one.weight).sum(1) / one.weight.sum(1).clamp(min=1e-6)
