"""Tiled encoding and decoding equal the recordings."""

# ruff: noqa: E402

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from torch.nn.functional import interpolate

from lipdub.engines.ltx import tiles, tiling, tokens, video_pixels
from lipdub.engines.ltx.generation import GenerationSize, SourceVideo
from lipdub.engines.ltx.tiles import Tiling

A, B, C, E = "a_dubit_ds1_25fps", "b_dubit_ds2_ntsc", "c_own_dub_track", "e_vae_tiling"
DS1 = "lora_ds1.safetensors"


@pytest.mark.parametrize("name", ["temporal", "spatial", "both"])
def test_tiles_are_cut_and_blended_as_recorded(name, case, frames, pipes, far):
    recorded, settings = case(E), case(E).settings["items"][name]
    count, height, width = settings["shape"]
    cut = Tiling(tuple(settings["frames"]), tuple(settings["height"]), tuple(settings["width"]))
    vae = pipes(DS1).modules.video_vae
    source = video_pixels.fit_frames(
        frames({"frames": count, "height": height, "width": width, "seed": 3}), height, width
    )
    assert far(tiling.encode(vae, source, cut), recorded[f"{name}.latent"]) < 1e-5

    runs = list(tiling.decode(vae, recorded[f"{name}.latent"], cut))
    pixels = torch.cat(runs, 2)[0]
    assert far(pixels[:, :, 3::8, 3::8], recorded[f"{name}.pixels_s8"]) < 1e-5
    assert far(pixels[:, :, height // 2], recorded[f"{name}.pixels_rows"]) < 1e-5
    assert far(pixels.mean((2, 3)), recorded[f"{name}.pixels_mean"]) < 1e-5
    assert max(run.shape[2] for run in runs) <= settings["frames"][0]


def test_mistake_untiled_decoding_differs(case, pipes, far):
    recorded = case(E)
    whole = Tiling((800, 24), (768, 64), (768, 64))
    pixels = torch.cat(list(tiling.decode(pipes(DS1).modules.video_vae, recorded["temporal.latent"], whole)), 2)[0]
    wrong = far(pixels[:, :, 3::8, 3::8], recorded["temporal.pixels_s8"])
    assert wrong == pytest.approx(case(E).settings["items"]["temporal"]["derived"]["untiled_decode_rel"], rel=0.1)


def test_tiles_have_the_aspect_of_the_picture(golden):
    for size, recorded in golden.cases["auto_decode_tiling"].items():
        cut = Tiling.of(*map(int, size.split("x")))
        assert {axis: list(getattr(cut, axis)) for axis in recorded} == recorded


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(2, 10), st.integers(0, 9), st.booleans())
def test_weights_of_all_tiles_sum_to_one(latents, size, overlap, causal):
    axis = tiles._TiledAxis(latents, size, min(overlap, size - 1), 8, causal)
    length = axis.samples(0, latents).stop
    latent_weights, sample_weights = torch.zeros(latents), torch.zeros(length)
    for cut in axis.tiles():
        assert cut.stop - cut.start <= size
        latent_weights[cut.start : cut.stop] += cut.latent_weights
        sample_weights[axis.samples(cut.start, cut.stop)] += cut.sample_weights
    assert torch.allclose(latent_weights, torch.ones(latents), atol=1e-6)
    assert torch.allclose(sample_weights, torch.ones(length), atol=1e-6)


def test_other_than_8_k_plus_1_frames_are_refused(pipes):
    with pytest.raises(ValueError, match=r"8 frames are not 8 k \+ 1"):
        tiling.encode(pipes(DS1).modules.video_vae, torch.zeros(1, 3, 8, 64, 64))
    with pytest.raises(ValueError, match="cannot overlap"):
        Tiling(frames=(24, 24)).axes((5, 1, 1))[0].tiles()


def _setting(recorded, stage) -> GenerationSize:
    settings = recorded.settings
    whole = GenerationSize(settings["derived"]["num_frames"], recorded.rate, settings["height"], settings["width"])
    return whole.halved() if stage == 1 else whole


@pytest.mark.parametrize(("name", "stage"), [(A, 1), (A, 2), (B, 1), (B, 2)])
def test_the_reference_latent_equals_the_recording(name, stage, case, frames, pipes, far):
    recorded = case(name)
    source = SourceVideo(frames(recorded.clip), recorded.rate)
    latent = pipes(recorded.settings["lora"]).video_reference(source, _setting(recorded, stage))
    assert far(tokens.pack_video(latent), recorded[f"s{stage}.video.ref_tokens"]) < 1e-5


@pytest.mark.parametrize("smooth", [False, True])
def test_mistake_another_way_to_resize(smooth, case, frames, pipes, far, monkeypatch):
    recorded = case(A)
    how = {"mode": "bilinear", "antialias": True} if smooth else {"mode": "nearest"}
    monkeypatch.setattr(video_pixels.nn, "interpolate", lambda x, size, **_: interpolate(x, size=size, **how))
    source = SourceVideo(frames(recorded.clip), recorded.rate)
    latent = pipes(DS1).video_reference(source, _setting(recorded, 1))
    assert far(tokens.pack_video(latent), recorded["s1.video.ref_tokens"]) == pytest.approx(
        0.02 if smooth else 0.07, rel=0.3
    )


@pytest.mark.parametrize("name", [A, B, C])
def test_decoded_pictures_equal_the_recording(name, case, pipes, far):
    recorded = case(name)
    pixels = torch.cat(list(pipes(DS1).decode_video(recorded["s2.video_latent"])), 2)
    shown = video_pixels.to_unit_range(pixels)
    assert list(shown.shape) == recorded.settings["derived"]["frames_shape"]
    assert far(shown[:, 3::8, 3::8], recorded["decode.frames_s8"]) < 1e-5
    assert far(shown.mean((1, 2)), recorded["decode.frames_mean"]) < 1e-5
    assert far(shown.std((1, 2)), recorded["decode.frames_std"]) < 1e-5
    last = video_pixels.to_bytes(pixels)[-1].astype(int)
    assert np.abs(last - recorded["decode.frame_last_u8"].numpy()).max() <= 1


@pytest.mark.parametrize("name", [A, B, C])
def test_the_upsampled_latent_equals_the_recording(name, case, pipes, far):
    recorded = case(name)
    assert far(pipes(DS1).upsample(recorded["s1.video_latent"]), recorded["upsampled"]) < 1e-5


@settings(max_examples=20)
@given(st.integers(3, 90), st.integers(3, 90), st.sampled_from([(32, 32), (32, 64), (64, 32)]))
def test_frames_of_any_size_fit_any_size(height, width, size):
    out = video_pixels.fit_frames(np.full((1, height, width, 3), 255, np.uint8), *size)
    assert tuple(out.shape) == (1, 3, 1, *size)
    assert torch.allclose(out, torch.ones_like(out), atol=1e-5)


def test_a_frame_of_the_right_size_is_not_changed():
    frames = np.random.default_rng(2).integers(0, 256, (3, 64, 96, 3), np.uint8)
    assert np.array_equal(video_pixels.to_bytes(video_pixels.fit_frames(frames, 64, 96)), frames)


def test_tiles_of_any_size_cover_the_picture_and_the_default_is_the_reference():
    assert tiles.TileSize().encoding == tiles.ENCODING
    assert Tiling.of(512, 1024) == Tiling((80, 24), (384, 64), (768, 64))
    small = Tiling.of(64, 1024, tiles.TileSize(256, (32, 16)))
    assert small == Tiling((32, 16), (96, 64), (256, 64))
    assert all(axis.tiles()[-1].stop == axis.latents for axis in small.axes((16, 2, 32)))
