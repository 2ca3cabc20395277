"""Draws the noise and the noise levels of a training step.

Everything that is drawn follows from (seed, step, number in the step) alone. So a run that was ended and goes on draws
the same, without a generator's state being kept, and so do several processes that share the steps.
"""

import hashlib
from dataclasses import dataclass
from math import exp

import torch

from lipdub.errors import OptionError
from lipdub.train.training_loss import NoiseDraw, TrainingSample

_FEW, _MANY = 1024, 4096
_SHIFT_FEW, _SHIFT_MANY = 0.95, 2.05
"""Tokens of the target, and the shift at these: as diffusers' LTX pipelines shift their schedule."""


@dataclass(frozen=True, slots=True)
class NoiseOptions:
    """How noise is drawn.

    ``shift``: mean of the logit of a noise level (Esser et al., Scaling Rectified Flow Transformers, 2024: logit-normal
    sampling; ``exp(shift)`` is their shift of time); ``"auto"``: by the number of tokens, from 0.95 at 1024 to 2.05 at
    4096. ``spread``: its standard deviation. ``shared``: sound and picture have the same noise level.
    ``first_frame``: the probability that the first picture is given without noise.
    """

    shift: float | str = "auto"
    spread: float = 1.0
    shared: bool = True
    first_frame: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.shift, str) and self.shift != "auto":
            raise OptionError(f"noise.shift is '{self.shift}'", remedy='Give a number, or "auto"')
        if self.spread <= 0:
            raise OptionError(f"noise.spread {self.spread:g} is not above 0")
        if not 0 <= self.first_frame <= 1:
            raise OptionError(f"noise.first_frame {self.first_frame:g} is no probability")


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


def median_level(tokens: int, options: NoiseOptions) -> float:
    """The noise level that half of all draws are below."""
    return 1 / (1 + exp(-shift_of(tokens, options)))
