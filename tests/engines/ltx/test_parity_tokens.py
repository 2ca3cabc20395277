"""Order, positions, masks and noise of the tokens equal the recordings exactly."""

# ruff: noqa: E402

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lipdub.engines.ltx import sampler, tokens

A, B, C = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track"
STAGES = [(name, stage) for name in (A, B, C) for stage in (1, 2)]
SIGMAS = {1: sampler.STAGE_1_SIGMAS, 2: sampler.STAGE_2_SIGMAS}


def _modalities(inputs):
    return ("video", inputs.video), ("audio", inputs.audio)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_positions_and_masks_are_exact(name, stage, case, stage_inputs):
    recorded, settings = case(name), case(name).settings["derived"]
    for modality, sequence in _modalities(stage_inputs(name, stage)):
        assert torch.equal(sequence.positions, recorded[f"s{stage}.{modality}.positions"])
        assert torch.equal(sequence.mask, recorded[f"s{stage}.{modality}.mask"])
        assert sequence.target == settings[f"s{stage}.{modality}.target_tokens"]
        assert sequence.latent.shape[1] == sequence.target + settings[f"s{stage}.{modality}.ref_tokens"]


@pytest.mark.parametrize("name", [A, B, C])
def test_noise_is_drawn_in_the_recorded_order_even_if_it_is_not_used(name, case, stage_inputs, pipes):
    recorded = case(name)
    generator = torch.Generator().manual_seed(recorded.settings["seed"])
    for stage in (1, 2):
        for modality, sequence in _modalities(stage_inputs(name, stage)):
            noise = pipes(recorded.settings["lora"])._noise(sequence, generator)
            assert torch.equal(noise, recorded[f"s{stage}.{modality}.noise"])


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_the_start_of_denoising_equals_the_recording(name, stage, case, stage_inputs, far):
    recorded = case(name)
    for modality, sequence in _modalities(stage_inputs(name, stage)):
        start = sequence.noised(recorded[f"s{stage}.{modality}.noise"], SIGMAS[stage][0])
        assert far(start, recorded[f"s{stage}.{modality}.x_init"]) < 1e-6


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_timesteps_are_exact(name, stage, case, stage_inputs):
    recorded, inputs = case(name), stage_inputs(name, stage)
    starts = (recorded[f"s{stage}.{modality}.x_init"] for modality in ("video", "audio"))
    for modality, modality_input in zip(("video", "audio"), inputs.at_sigma(*starts, SIGMAS[stage][0]), strict=True):
        assert torch.equal(modality_input.timesteps[..., None], recorded[f"s{stage}.{modality}.timesteps0"])
        assert torch.equal(modality_input.sigma, recorded[f"s{stage}.{modality}.sigma0"])


@pytest.mark.parametrize("name", [A, B])
def test_the_number_of_tokens_equals_the_recording(name, case):
    recorded = case(name)
    assert (
        tokens.audio_latent_count(recorded.settings["derived"]["num_frames"], recorded.rate)
        == (recorded.settings["derived"]["audio_latents"])
    )


def test_mistake_reference_sound_without_shift_overlaps_the_target(case):
    recorded = case(A)["s1.audio.positions"]
    unshifted = tokens.audio_positions(27)
    assert (unshifted - recorded[:, :, 25:]).abs().min() > 1


def test_mistake_a_rounded_rate_changes_every_time(case, far):
    recorded = case(B)["s1.video.positions"]
    wrong = torch.cat(
        [tokens.video_positions((5, 2, 3), Fraction(29)), tokens.video_positions((5, 1, 1), Fraction(29), 2)], 2
    )
    assert far(wrong, recorded) == pytest.approx(3e-4, rel=0.3)


def test_mistake_a_small_reference_without_downscale_covers_a_part_of_the_picture(case, far):
    recorded = case(B)["s1.video.positions"][:, :, 30:]
    assert far(tokens.video_positions((5, 1, 1), case(B).rate, 1), recorded) > 0.3


def test_mistake_ignoring_the_strength_changes_mask_and_start(case, stage_inputs, far):
    recorded, inputs = case(B), stage_inputs(B, 1)
    ones = inputs.video.mask.clone()
    ones[:, inputs.video.target :] = 0
    wrong = replace(inputs.video, mask=ones)
    assert far(wrong.mask, recorded["s1.video.mask"]) > 0.05
    assert far(wrong.noised(recorded["s1.video.noise"]), recorded["s1.video.x_init"]) == pytest.approx(0.09, rel=0.2)


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 6))
def test_packing_and_unpacking_give_the_same_latent(frames, rows, columns, count):
    video = torch.randn(1, 3, frames, rows, columns)
    assert torch.equal(tokens.unpack_video(tokens.pack_video(video), (frames, rows, columns)), video)
    audio = torch.randn(2, 8, count, 16)
    assert torch.equal(tokens.unpack_audio(tokens.pack_audio(audio), 16), audio)
    assert tokens.pack_audio(audio).shape == (2, count, 128)


@settings(max_examples=20)
@given(st.integers(1, 200))
def test_audio_tokens_follow_without_gap_and_references_end_one_latent_before_zero(count):
    places = tokens.audio_positions(count)
    assert torch.equal(places[0, 0, 1:, 0], places[0, 0, :-1, 1])
    assert places[0, 0, 0, 0] == 0
    before = tokens.shift_before_zero(places)
    assert before.max() == pytest.approx(-0.04)
    assert torch.allclose(before[..., 1] - before[..., 0], places[..., 1] - places[..., 0], atol=1e-5)


@settings(max_examples=20)
@given(st.integers(2, 20), st.fractions(Fraction(10), Fraction(120)))
def test_video_tokens_follow_without_gap_at_any_rate_and_the_first_is_one_frame(latents, rate):
    times = tokens.video_positions((latents, 1, 1), rate)[0, 0]
    assert times[0].tolist() == pytest.approx([0, 1 / float(rate)])
    assert torch.equal(times[1:, 0], times[:-1, 1])
    assert times[-1, 1].item() == pytest.approx((8 * latents - 7) / float(rate), rel=1e-6)
