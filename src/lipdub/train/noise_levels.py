"""Draws the noise and the noise levels of a training step.

Everything that is drawn follows from (seed, step, number in the step) alone. So a run that was ended and goes on draws
the same, without a generator's state being kept, and so do several processes that share the steps.
"""

import hashlib

import torch

from lipdub.train.noise_options import NoiseOptions
from lipdub.train.training_loss import NoiseDraw, TrainingSample

_FEW, _MANY = 1024, 4096
_SHIFT_FEW, _SHIFT_MANY = 0.95, 2.05
"""Tokens of the target, and the shift at these: as diffusers' LTX pipelines shift their schedule."""


def step_generator(*key: object) -> torch.Generator:
    """A generator on the CPU that depends on ``key`` (numbers and words) alone."""
    digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def shift_of(tokens: int, options: NoiseOptions) -> float:
    """The mean of the logit of noise levels for a target of ``tokens`` video tokens."""
    if not isinstance(options.shift, str):
        return float(options.shift)
    share = (tokens - _FEW) / (_MANY - _FEW)
    return _SHIFT_FEW + (_SHIFT_MANY - _SHIFT_FEW) * share


def draw_noise(sample: TrainingSample, options: NoiseOptions, generator: torch.Generator) -> NoiseDraw:
    """Noise and noise levels for ``sample``, drawn on the CPU in this order: levels, first pictures, video, audio."""
    batch, channels, frames, height, width = sample.video.shape
    shift = shift_of(frames * height * width, options)
    logits = torch.randn(2, batch, generator=generator) * options.spread + shift
    video_sigma, own = torch.sigmoid(logits)
    first = torch.rand(batch, generator=generator) < options.first_frame
    first &= torch.tensor(frames > 1)
    video = torch.randn(batch, frames * height * width, channels, generator=generator)
    audio = torch.randn(batch, sample.audio.shape[2], channels_of(sample), generator=generator)
    return NoiseDraw(video, audio, video_sigma, video_sigma if options.shared else own, first)


def fixed_draw(sample: TrainingSample, sigma: float, generator: torch.Generator) -> NoiseDraw:
    """A draw at the noise level ``sigma`` for both modalities, with no clean picture: for validation."""
    draw = draw_noise(sample, NoiseOptions(first_frame=0.0), generator)
    level = torch.full((len(sample.video),), sigma)
    return NoiseDraw(draw.video, draw.audio, level, level, draw.first_frame)


def channels_of(sample: TrainingSample) -> int:
    """Channels of an audio token: the latent's channels times its bins."""
    return sample.audio.shape[1] * sample.audio.shape[3]
