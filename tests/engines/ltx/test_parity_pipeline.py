"""Both stages and the whole dub equal the recordings; the tests named ``mistake`` show what breaks without a rule."""

# ruff: noqa: E402

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import prompt_cache, sampler, tokens
from lipdub.engines.ltx.generation import GenerationSize, PipelineOptions, SourceVideo
from lipdub.engines.ltx.pipeline import LipDubPipeline
from lipdub.engines.ltx.weights_folder import LtxFiles
from lipdub.errors import OptionError, WeightsError
from lipdub.timeline.sound import Sound

A, B, C = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track"
DS1 = "lora_ds1.safetensors"
SIGMAS = {1: sampler.STAGE_1_SIGMAS, 2: sampler.STAGE_2_SIGMAS}


def _run(name, stage, inputs, case, pipes):
    """A stage from the recorded noise: (video, audio) target tokens."""
    recorded = case(name)
    start = tuple(
        sequence.noised(recorded[f"s{stage}.{modality}.noise"], SIGMAS[stage][0])
        for modality, sequence in (("video", inputs.video), ("audio", inputs.audio))
    )
    return sampler.denoise(pipes(recorded.settings["lora"]).modules.transformer, inputs, start, SIGMAS[stage])


@pytest.mark.parametrize("name", [A, B, C])
@pytest.mark.parametrize("stage", [1, 2])
def test_a_stage_equals_the_recording(name, stage, case, stage_inputs, pipes, far):
    recorded = case(name)
    video, audio = _run(name, stage, stage_inputs(name, stage), case, pipes)
    assert far(video, tokens.pack_video(recorded[f"s{stage}.video_latent"])) < 1e-5
    assert far(audio, tokens.pack_audio(recorded["s1.audio_latent"])) < 1e-4


@pytest.mark.parametrize("name", [A, B, C])
def test_the_whole_dub_equals_the_recording(name, case, frames, wave, pipes, far):
    recorded, settings = case(name), case(name).settings
    dub = wave(recorded.inputs[settings["own_audio"]]) if "own_audio" in settings else None
    seen = []
    made = pipes(settings["lora"])(
        SourceVideo(frames(recorded.clip), recorded.rate),
        wave(recorded.clip),
        settings["prompt"],
        dub=dub,
        generator=torch.Generator().manual_seed(settings["seed"]),
        height=settings["height"],
        width=settings["width"],
        reference_strength=settings["strength"],
        on_step=lambda *step: seen.append(step),
    )
    assert far(made.video_latent, recorded["s2.video_latent"]) < 1e-5
    assert far(made.audio_latent, recorded["s1.audio_latent"]) < 1e-4
    assert list(made.frames.shape) == settings["derived"]["frames_shape"]
    assert np.abs(made.frames[-1].astype(int) - recorded["decode.frame_last_u8"].numpy()).max() <= 1
    assert far(made.frames[:, 3::8, 3::8] / 255, recorded["decode.frames_s8"]) < 5e-3
    assert made.rate == recorded.rate
    assert seen == [(1, i, 8) for i in range(1, 9)] + [(2, i, 3) for i in range(1, 4)]
    if dub is not None:
        assert made.sound is dub
    else:
        assert far(made.sound.samples[:, :12_000], recorded["decode.wave_head"]) < 1e-3
        assert far(np.sqrt(np.square(made.sound.samples).mean(1)), recorded["decode.wave_rms"]) < 1e-3


def test_mistake_a_truncated_rate_moves_the_picture(case, stage_inputs, pipes, far):
    recorded, inputs = case(B), stage_inputs(B, 1)
    whole = GenerationSize(33, Fraction(29), 64, 96)
    wrong = torch.cat(
        [tokens.video_positions(whole.latent_grid(), whole.rate), tokens.video_positions((5, 1, 1), whole.rate, 2)], 2
    )
    video, _ = _run(B, 1, replace(inputs, video=replace(inputs.video, positions=wrong)), case, pipes)
    assert far(video, tokens.pack_video(recorded["s1.video_latent"])) == pytest.approx(4e-2, rel=0.3)


def test_mistake_reference_positions_without_downscale_move_the_picture(case, stage_inputs, pipes, far):
    recorded, inputs = case(B), stage_inputs(B, 1)
    wrong = inputs.video.positions.clone()
    wrong[:, 1:, inputs.video.target :] /= 2
    video, _ = _run(B, 1, replace(inputs, video=replace(inputs.video, positions=wrong)), case, pipes)
    assert far(video, tokens.pack_video(recorded["s1.video_latent"])) == pytest.approx(1e-2, rel=0.5)


def test_mistake_reference_sound_that_is_not_before_zero(case, stage_inputs, pipes, far):
    recorded, inputs = case(A), stage_inputs(A, 1)
    wrong = torch.cat([tokens.audio_positions(25), tokens.audio_positions(27)], 2)
    _, audio = _run(A, 1, replace(inputs, audio=replace(inputs.audio, positions=wrong)), case, pipes)
    assert far(audio, tokens.pack_audio(recorded["s1.audio_latent"])) > 1e-2


def test_mistake_reference_sound_trimmed_to_the_frames(case, wave, pipes, far):
    recorded = case(A)
    pipe, whole = pipes(DS1), wave(recorded.clip)
    short = Sound(whole.samples[:, : whole.samples.shape[1] * 9 // 10], whole.rate)
    setting = GenerationSize(25, recorded.rate, 64, 64)
    video = tokens.unpack_video(recorded["s1.video.ref_tokens"], setting.latent_grid())
    context = recorded["prompt.video"], recorded["prompt.audio"]
    inputs = pipe.stage_1_inputs(setting, context, (video, pipe.encode_audio(short)))
    made, _ = pipe.run_stage(inputs, 1, torch.Generator().manual_seed(recorded.settings["seed"]))
    assert far(made, tokens.pack_video(recorded["s1.video_latent"])) == pytest.approx(1e-2, rel=0.5)


@pytest.fixture
def small():
    """Nine frames and their sound."""
    rng = np.random.default_rng(3)
    sound = Sound(rng.normal(0, 0.1, (1, 8_000)).astype(np.float32), 16_000)
    return SourceVideo(rng.integers(0, 256, (12, 40, 50, 3), np.uint8), Fraction(24_000, 1001)), sound


def test_the_same_seed_gives_the_same_dub_with_a_prompt_or_its_context(small, pipes):
    pipe = pipes(DS1)
    context = pipe.context("a")
    bare = LipDubPipeline(pipe.modules, pipe.upsampler, None)
    first = pipe(*small, "a", height=64, width=64, generator=torch.Generator().manual_seed(0))
    again = bare(*small, context, height=64, width=64)
    other = bare(*small, context, dub=small[1], height=64, width=64, generator=torch.Generator().manual_seed(1))
    assert first.frames.shape == (9, 64, 64, 3)
    assert np.array_equal(first.frames, again.frames)
    assert np.array_equal(first.sound.samples, again.sound.samples)
    assert not np.array_equal(first.frames, other.frames)
    with pytest.raises(OptionError, match="text encoder"):
        bare.context("a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 100, "width": 128}, "multiples of 64"),
        ({"height": 0, "width": 64}, "multiples of 64"),
        ({"height": 64, "width": 64, "reference_strength": 1.5}, "between 0 and 1"),
    ],
)
def test_impossible_sizes_are_refused(options, message, small, pipes):
    with pytest.raises(OptionError, match=message):
        pipes(DS1)(*small, "a", **options)


def test_no_frames_and_too_small_references_are_refused(small, pipes):
    footage, _ = small
    with pytest.raises(OptionError, match="no frames"):
        GenerationSize.of(SourceVideo(footage.frames[:0], footage.rate), PipelineOptions(64, 64))
    setting = GenerationSize.of(footage, PipelineOptions(64, 64)).halved()
    with pytest.raises(OptionError, match="too small"):
        pipes("lora_ds2.safetensors").video_reference(footage, setting)


def test_a_text_encoder_of_another_depth_is_refused(files, exact, monkeypatch, whole_pipeline):
    paths = LtxFiles(files / "ckpt.safetensors", files / "upsampler.safetensors", files / "gemma", files / DS1)
    monkeypatch.setattr(prompt_cache, "text_encoder_shape", lambda folder: ("gemma3", 32, 49))
    with pytest.raises(WeightsError, match="gives 49 hidden states and the checkpoint wants 3"):
        whole_pipeline(paths, exact)


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_fewer_than_nine_frames_give_one_frame(frames, small, pipes):
    footage, voice = small
    pipe = pipes(DS1)
    few = SourceVideo(footage.frames[:frames], footage.rate)
    made = pipe(few, voice, pipe.context("a"), dub=voice, height=64, width=128)
    assert made.frames.shape == (1, 64, 128, 3)
    assert made.sound is voice
    with pytest.raises(OptionError, match="fewer than nine frames"):
        GenerationSize.of(few, PipelineOptions(64, 64))


def test_odd_picture_sizes_and_mono_sound_are_accepted(pipes):
    pipe = pipes(DS1)
    rng = np.random.default_rng(4)
    footage = SourceVideo(rng.integers(0, 256, (9, 37, 91, 3), np.uint8), Fraction(30_000, 1001))
    mono = Sound(rng.normal(0, 0.1, (1, 9_999)).astype(np.float32), 22_050)
    made = pipe(footage, mono, pipe.context("a"), dub=mono, height=64, width=128)
    assert made.frames.shape == (9, 64, 128, 3)
