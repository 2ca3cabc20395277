"""Noise on the speech that the model follows: as loud as the option says, and nothing else changes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from conformance import studied
from drawn import FIRST, Drawn

from lipdub.engines.ltx.engine import LtxEngine
from lipdub.engines.ltx.fake_model import FakeWindowModel
from lipdub.engines.ltx.options import LtxOptions, parse_options
from lipdub.engines.ltx.sound_window import add_noise, speech_level
from lipdub.engines.seam import Guide
from lipdub.errors import OptionError
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.sound import Sound

FRAMES = 40
TIMES = FrameTimes(np.arange(FIRST + FRAMES), Fraction(1, 25), 1)
OPTIONS = LtxOptions(size=128, frames=25, overlap=8)


def speech(rate=16_000, channels=1):
    """Half a second of tone, half a second of silence, and so on, as long as the clip."""
    at = np.arange(round(TIMES.whole.end * rate)) / rate
    tone = np.where(at % 1 < 0.5, 0.2 * np.sin(2 * np.pi * 200 * at), 0).astype(np.float32)
    return Sound(np.repeat(tone[None], channels, 0), rate)


def test_the_level_of_speech_leaves_out_its_pauses():
    assert speech_level(speech()) == pytest.approx(0.2 / np.sqrt(2), rel=0.02)
    assert speech_level(speech(48_000, 2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.02)
    assert speech_level(Sound(np.zeros((1, 4800), np.float32), 16_000)) == 0
    assert speech_level(Sound(np.full((2, 9), 0.5, np.float32), 16_000)) == pytest.approx(0.5)
    assert speech_level(Sound(np.zeros((1, 0), np.float32), 16_000)) == 0


def test_the_same_seed_gives_the_same_noise():
    clean = speech(48_000, 2)
    one, same, other = (add_noise(clean, 0.01, seed).samples - clean.samples for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.allclose(one[0], one[1], atol=1e-6)
    assert float(np.sqrt(np.square(one).mean())) == pytest.approx(0.01, rel=0.02)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """What the model is asked for with an option: all requests."""
    folder = tmp_path_factory.mktemp("noise")
    clip = Drawn(folder / "drawn", frames=FRAMES, side=160)

    def asked(amount):
        model = FakeWindowModel()
        engine = LtxEngine(replace(OPTIONS, speech_noise=amount), loader=lambda prompts: model)
        study, _ = studied(engine, clip, folder / f"study-{amount}")
        guide = Guide(None, speech(), speech(48_000, 2), (Cue(TIMES.span(FIRST, FIRST + FRAMES), 1),), TIMES)
        answers = list(study.render(guide, clip.views()))
        assert len(answers) == FRAMES
        return model.requests

    return asked


def test_only_the_sound_that_is_followed_gets_noise(asked):
    clean, noisy = asked(0.0), asked(0.03)
    assert len(clean) == len(noisy) > 1
    added = []
    for before, after in zip(clean, noisy, strict=True):
        assert np.array_equal(before.frames, after.frames)
        assert np.array_equal(before.source_sound.samples, after.source_sound.samples)
        assert (before.prompt, before.seed, before.rate) == (after.prompt, after.seed, after.rate)
        assert before.dub_sound.span == after.dub_sound.span
        added.append(after.dub_sound.samples - before.dub_sound.samples)
    expected = 0.03 * 0.2 / np.sqrt(2)
    assert [float(np.sqrt(np.square(one).mean())) for one in added] == pytest.approx([expected] * len(added), rel=0.05)
    assert not np.array_equal(added[0], added[1]), "each window has noise of its own"


def test_without_the_option_the_sound_is_what_it_was(asked):
    start = TIMES.instant(FIRST)
    for request in asked(0.0):
        first = round((request.dub_sound.start) * 16_000)
        whole = speech().samples[:, first : first + request.dub_sound.samples.shape[1]]
        assert np.array_equal(request.dub_sound.samples[:, : whole.shape[1]], whole)
        assert request.dub_sound.start >= start


def test_the_latents_of_followed_speech_change_by_its_noise_and_no_other_token_does(files, wave, golden, pipes):
    torch = pytest.importorskip("torch")
    from lipdub.engines.ltx.audio_latents import fit_length, mel_of_sound
    from lipdub.engines.ltx.generation import GenerationSize

    clean = speech(48_000, 2)
    noisy = add_noise(clean, 0.03 * speech_level(clean), 1)
    quiet, loud = slice(58, 92), slice(8, 42)  # rows of 10 ms, in a pause and in speech
    change = mel_of_sound(noisy) - mel_of_sound(clean)
    assert change[:, :, quiet].mean() > 3, "the pauses are silent no more"
    strongest = mel_of_sound(clean)[0, 0, loud].mean(0).argmax()
    assert change[:, :, loud, strongest].abs().max() < 0.1, "speech is as loud as before"

    pipe = pipes("lora_ds1.safetensors")
    size = GenerationSize(25, Fraction(25), 64, 64)
    video, audio = torch.zeros(1, 128, *size.latent_grid()), torch.zeros(1, 8, 20, 16)
    context = torch.zeros(1, 4, 64), torch.zeros(1, 4, 32)
    inputs = [
        pipe.stage_1_inputs(size, context, (video, audio), fit_length(pipe.encode_audio(sound), size.audio_latents))
        for sound in (clean, noisy)
    ]
    for name in ("latent", "clean", "mask", "positions"):
        assert torch.equal(getattr(inputs[0].video, name), getattr(inputs[1].video, name))
    one, other = (one.audio for one in inputs)
    assert one.frozen
    assert other.frozen
    assert torch.equal(one.mask, other.mask)
    assert torch.equal(one.positions, other.positions)
    target = one.target
    assert not torch.equal(one.latent[:, :target], other.latent[:, :target])
    assert torch.equal(one.latent[:, target:], other.latent[:, target:]), "the source's sound is as it was"


def test_the_option_is_read_and_checked():
    assert parse_options({"speech-noise": "0.03"}).speech_noise == 0.03
    assert LtxOptions().speech_noise == 0
    with pytest.raises(OptionError, match=r"speech noise 2\.0 is not between 0 and 1\. Try 0\.03"):
        parse_options({"speech_noise": "2"})
