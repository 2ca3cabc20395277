"""Audio latents and decoded sound equal the recordings."""

# ruff: noqa: E402

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import audio_latents
from lipdub.errors import NoSound
from lipdub.timeline.sound import Sound

A, B, C = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track"
DS1 = "lora_ds1.safetensors"


@pytest.mark.parametrize(("name", "which"), [(A, "ref"), (B, "ref"), (C, "own")])
def test_spectrum_and_latent_equal_the_recording(name, which, case, wave, pipes, far):
    recorded = case(name)
    source = wave(recorded.inputs[recorded.settings["input" if which == "ref" else "own_audio"]])
    assert far(audio_latents.mel_of_sound(source), recorded[f"{which}.log_mel"]) < 1e-5
    latent = pipes(DS1).encode_audio(source)
    if which == "own":
        assert far(latent, recorded["own.audio_latent_raw"]) < 1e-5
        latent = audio_latents.fit_length(latent, recorded.settings["derived"]["audio_latents"])
        assert (latent[:, :, -3:] == 0).all()
    assert far(latent, recorded[f"{which}.audio_latent"]) < 1e-5


def test_a_long_latent_is_cut_to_the_length_of_the_picture():
    latent = torch.arange(2 * 3.0 * 5 * 4).view(2, 3, 5, 4)
    assert torch.equal(audio_latents.fit_length(latent, 2), latent[:, :, :2])
    assert torch.equal(audio_latents.fit_length(latent, 5), latent)


@pytest.mark.parametrize("name", [A, B, C])
def test_the_decoded_voice_equals_the_recording(name, case, pipes, far):
    recorded, modules = case(name), pipes(DS1).modules
    mel = audio_latents.decode(modules.audio_vae, recorded["s1.audio_latent"])
    assert far(mel, recorded["decode.log_mel"]) < 1e-5
    low = []
    hook = modules.vocoder.vocoder.register_forward_hook(lambda *call: low.append(call[2]))
    voice = audio_latents.vocode(modules.vocoder, mel)
    hook.remove()
    assert (voice.rate, list(voice.samples.shape)) == (48_000, recorded.settings["derived"]["wave_shape"])
    assert far(low[0][0, :, :4000], recorded["decode.wave16k_head"]) < 1e-5
    assert far(voice.samples[:, :12_000], recorded["decode.wave_head"]) < 1e-5
    assert far(np.sqrt(np.square(voice.samples).mean(1)), recorded["decode.wave_rms"]) < 1e-5


def test_mistake_an_unbounded_first_vocoder_is_loud_and_wrong(case, pipes, far, monkeypatch):
    recorded, modules = case(A), pipes(DS1).modules
    first = modules.vocoder.vocoder
    assert first.final_act_fn == "clamp"
    monkeypatch.setattr(first, "final_act_fn", None)
    with torch.no_grad():
        wave = first(recorded["decode.log_mel"])
    assert far(wave[0, :, :4000], recorded["decode.wave16k_head"]) == pytest.approx(0.2, rel=0.3)
    assert wave.abs().max() > 1


def test_one_channel_is_doubled_and_many_are_averaged():
    rng = np.random.default_rng(1)
    mono = rng.normal(0, 0.1, (1, 4000)).astype(np.float32)
    stereo = audio_latents.mel_of_sound(Sound(np.concatenate([mono, mono]), 16_000))
    assert torch.equal(audio_latents.mel_of_sound(Sound(mono, 16_000)), stereo)
    five = np.concatenate([mono * k for k in (1, 2, 0, 0, 2)]).astype(np.float32)
    assert torch.allclose(audio_latents.mel_of_sound(Sound(five, 16_000)), stereo, atol=1e-5)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_is_the_same_tone_at_sixteen_kilohertz(rate):
    def tone(at):
        return 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(at // 2, dtype=torch.float64) / at).float().repeat(
            2, 1
        )

    out = audio_latents.resample(tone(rate), Fraction(16_000, rate))
    assert out.shape == (2, 8_000)
    middle = slice(400, 7_600)
    assert (out - tone(16_000))[:, middle].abs().max() < 2e-3


def test_frequencies_above_nyquist_are_removed():
    t = torch.arange(48_000, dtype=torch.float64) / 48_000
    high = torch.sin(2 * torch.pi * 11_000 * t).float().repeat(2, 1)
    assert audio_latents.resample(high, Fraction(1, 3))[:, 100:-100].abs().max() < 1e-2


def test_mel_filters_have_equal_area_and_cover_the_band():
    filters = audio_latents.mel_filters()
    assert filters.shape == (64, 513)
    assert (filters >= 0).all()
    area = filters.sum(1)[20:] * (8_000 / 512)
    assert torch.allclose(area, torch.ones_like(area), atol=0.03)


@pytest.mark.parametrize(("channels", "samples"), [(0, 48_000), (1, 0), (2, 1_000)])
def test_missing_or_too_short_sound_is_refused(channels, samples):
    with pytest.raises(NoSound, match=r"too short for LTX\. .*source's own sound"):
        audio_latents.mel_of_sound(Sound(np.zeros((channels, samples), np.float32), 48_000))
