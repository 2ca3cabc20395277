"""Sound to latents and back: 16 kHz stereo, log mel spectrum, audio VAE, vocoder. It needs torch but not torchaudio.

The resampler is the windowed-sinc interpolation of J. O. Smith, "Digital Audio Resampling" (CCRMA, 1984-2002), with
a Hann window. The mel filters are those of Slaney's Auditory Toolbox (Technical Report 1998-010), of equal area.
"""

from fractions import Fraction
from math import ceil, pi

import numpy as np
import torch
import torch.nn.functional as nn
from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from lipdub.engines.ltx.tokens import AudioLatent
from lipdub.errors import NoSound
from lipdub.timeline.sound import ANALYSIS_RATE, Sound

BINS, WINDOW, HOP = 64, 1024, 160

MIN_SAMPLES = 1_600
"""Smallest number of samples at 16 kHz that a sound must have."""

_ZEROS, _ROLLOFF = 6, 0.99
_FLOOR = 1e-5

Wave = Float32[Tensor, "2 _samples"]
LogMel = Float[Tensor, "1 2 _frames _bins"]


def mel_of_sound(sound: Sound) -> Float32[Tensor, "1 2 frames 64"]:
    """The log mel spectrum of the whole ``sound``. One channel is doubled; more than two are averaged.

    Computed on the CPU, so that it is the same on every device. Raises ``NoSound`` if the sound is shorter than a tenth
    of a second.
    """
    samples = sound.samples
    if samples.shape[0] == 0 or samples.shape[1] * ANALYSIS_RATE < MIN_SAMPLES * sound.rate:
        raise NoSound(
            f"a sound of {samples.shape[1] / sound.rate:.3f} s is too short for LTX",
            remedy="It wants the source's own sound, a tenth of a second at least.",
        )
    if samples.shape[0] > 2:
        samples = samples.mean(0, keepdims=True)
    wave = torch.tensor(samples).expand(2, -1)
    return log_mel(resample(wave, Fraction(ANALYSIS_RATE, sound.rate)))


def resample(wave: Wave, factor: Fraction) -> Wave:
    """``wave`` with ``factor`` times as many samples a second: a windowed sinc with six zero crossings, cut off at 0.99
    of the lower Nyquist frequency.

    Returns ``ceil(samples * factor)`` samples; beyond the ends of ``wave`` silence is assumed.
    """
    if factor == 1:
        return wave
    new, old = factor.numerator, factor.denominator
    cutoff = min(old, new) * _ROLLOFF
    reach = ceil(_ZEROS * old / cutoff)
    at = torch.arange(-reach, reach + old, dtype=torch.float64) / old
    t = (at[None] - torch.arange(new, dtype=torch.float64)[:, None] / new) * cutoff
    t = t.clamp(-_ZEROS, _ZEROS)
    taps = torch.sinc(t) * torch.cos(t * pi / _ZEROS / 2) ** 2 * (cutoff / old)
    padded = nn.pad(wave, (reach, reach + old))
    out = nn.conv1d(padded[:, None], taps[:, None].to(wave), stride=old)
    return out.transpose(1, 2).flatten(1)[:, : ceil(wave.shape[1] * factor)]


def log_mel(wave: Wave) -> Float32[Tensor, "1 2 frames 64"]:
    """The natural log of the mel spectrum of a 16 kHz wave: magnitudes of 1024 samples every 160, 64 bands to 8 kHz."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(wave, WINDOW, HOP, window=window, center=True, pad_mode="reflect", return_complex=True)
    mel = mel_filters().to(wave) @ spectrum.abs()
    return mel.clamp(min=_FLOOR).log().transpose(1, 2)[None]


def mel_filters() -> Float64[Tensor, "64 513"]:
    """Triangular filters of equal area, evenly spaced on Slaney's scale: linear to 1 kHz, then logarithmic."""
    top = 15 + 27 * np.log(ANALYSIS_RATE / 2 / 1000) / np.log(6.4)
    mel = np.linspace(0, top, BINS + 2)
    edges = np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
    bins = np.linspace(0, ANALYSIS_RATE / 2, WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)) * area[:, None])


@torch.no_grad()
def encode(vae: AutoencoderKLLTX2Audio, mel: LogMel) -> AudioLatent:
    """The normalised latent of a log mel spectrum: the mean that the encoder gives, no sampling."""
    latent = vae.encode(mel.to(vae.device, vae.dtype), return_dict=False)[0].mode()
    mean, std = _statistics(vae, latent)
    return ((latent - mean) / std).to(latent.dtype)


@torch.no_grad()
def decode(vae: AutoencoderKLLTX2Audio, latent: AudioLatent) -> LogMel:
    """The log mel spectrum of a normalised latent; n latent frames give 4 n - 3 frames of 10 ms."""
    mean, std = _statistics(vae, latent)
    return vae.decode((latent * std + mean).to(vae.dtype), return_dict=False)[0]


def _statistics(vae: AutoencoderKLLTX2Audio, latent: AudioLatent) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the latent's channels and bins, shaped (1, channels, 1, bins)."""
    shape = (1, latent.shape[1], 1, latent.shape[3])
    return vae.latents_mean.view(shape), vae.latents_std.view(shape)


@torch.no_grad()
def vocode(vocoder: LTX2VocoderWithBWE, mel: LogMel) -> Sound:
    """The sound of a log mel spectrum, stereo at the vocoder's rate (48 kHz), always computed in float32."""
    wave = vocoder(mel.to(vocoder.device, torch.float32))[0]
    return Sound(wave.cpu().numpy(), vocoder.config["output_sampling_rate"])


def fit_length(latent: AudioLatent, count: int) -> AudioLatent:
    """``latent`` with ``count`` frames: cut at the end, or followed by zeros."""
    return nn.pad(latent, (0, 0, 0, count - latent.shape[2]))
