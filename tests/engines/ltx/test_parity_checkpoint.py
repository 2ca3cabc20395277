"""Checkpoints are read completely, or refused with the name of what is wrong."""

# ruff: noqa: E402

import json
from math import prod
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from safetensors import safe_open

from lipdub.engines.ltx import module_config, tensor_names
from lipdub.engines.ltx.checkpoint import CheckpointModules, read_checkpoint, read_upsampler
from lipdub.engines.ltx.lora import check_shapes, read_lora
from lipdub.engines.ltx.placement import WeightPlacement
from lipdub.engines.ltx.text_encoder import read_text_encoder
from lipdub.errors import WeightsError

WIDTH = 32


def _changed(source: Path, to: Path, drop=(), add=(), metadata=None) -> Path:
    """A file like ``source`` without some tensors, with more of them, or with other metadata; all weights are 0."""
    with source.open("rb") as file:
        entries = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    kept = {**entries.pop("__metadata__", {}), **(metadata or {})}
    sizes = {name: (t["dtype"], t["shape"]) for name, t in entries.items() if name not in drop}
    sizes |= {name: ("F32", [3]) for name in add}
    header, end = {"__metadata__": kept}, 0
    for name, (dtype, shape) in sizes.items():
        start, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with to.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return to


@pytest.fixture(scope="module")
def parts(files, exact) -> CheckpointModules:
    return read_checkpoint(files / "ckpt.safetensors", WIDTH, exact)


def test_every_tensor_of_the_file_is_in_exactly_one_module(files, parts):
    modules = {part: getattr(parts, part).state_dict() for part in CheckpointModules.__dataclass_fields__}
    with safe_open(files / "ckpt.safetensors", "pt") as file:
        assert sum(map(len, modules.values())) == len(file.keys())
        for name in file.keys():  # noqa: SIM118
            part, short = tensor_names.locate_tensor(name)
            short = short.replace("encoder.down_blocks.4.", "encoder.mid_block.")
            assert torch.equal(modules[part][short], file.get_tensor(name)), name


def test_every_module_has_weights_and_needs_no_gradient(parts):
    for part in CheckpointModules.__dataclass_fields__:
        module = getattr(parts, part)
        assert not any(t.is_meta for t in [*module.parameters(), *module.buffers()])
        assert not any(p.requires_grad for p in module.parameters())
        assert not module.training


def test_the_vocoder_and_the_statistics_stay_exact_in_any_precision(files):
    parts = read_checkpoint(files / "ckpt.safetensors", WIDTH, WeightPlacement("cpu", torch.bfloat16))
    assert parts.transformer.dtype == torch.bfloat16
    assert {p.dtype for p in parts.vocoder.parameters()} == {torch.float32}
    assert parts.video_vae.latents_std.dtype == torch.float32
    assert parts.audio_vae.latents_mean.dtype == torch.float32


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("vae.decoder.conv_out.conv.bias", "video_vae.decoder.conv_out.conv.bias"),
        ("model.diffusion_model.patchify_proj.weight", "proj_in.weight"),
        ("model.diffusion_model.transformer_blocks.2.attn1.to_q.bias", "transformer_blocks.2.attn1.to_q.bias"),
        ("vocoder.mel_stft.mel_basis", "vocoder.mel_stft.mel_basis"),
        ("audio_vae.per_channel_statistics.mean-of-means", "latents_mean"),
    ],
)
def test_a_missing_tensor_is_named(files, tmp_path, drop, message):
    part = _changed(files / "ckpt.safetensors", tmp_path / "part.safetensors", drop=[drop])
    with pytest.raises(WeightsError, match=message.replace(".", r"\.")):
        read_checkpoint(part, WIDTH)


@pytest.mark.parametrize("name", ["stranger.weight", "vae.encoder.extra.bias", "model.diffusion_model.more"])
def test_an_unknown_tensor_is_named(files, tmp_path, name):
    more = _changed(files / "ckpt.safetensors", tmp_path / "more.safetensors", add=[name])
    with pytest.raises(WeightsError, match=f"not expected: {name}"):
        read_checkpoint(more, WIDTH)


def test_unused_statistics_are_accepted(files, tmp_path):
    more = _changed(
        files / "ckpt.safetensors", tmp_path / "more.safetensors", add=["vae.per_channel_statistics.mean-of-stds"]
    )
    read_checkpoint(more, WIDTH)


def test_a_missing_last_block_is_noticed(files, tmp_path):
    with safe_open(files / "ckpt.safetensors", "pt") as file:
        last = [name for name in file.keys() if ".transformer_blocks.2." in name]  # noqa: SIM118
    part = _changed(files / "ckpt.safetensors", tmp_path / "part.safetensors", drop=last)
    with pytest.raises(WeightsError, match=r"missing: .*transformer_blocks\.2.* and .* more"):
        read_checkpoint(part, WIDTH)


def test_other_files_and_other_models_are_refused(files, tmp_path):
    with pytest.raises(WeightsError, match="all of it"):
        read_checkpoint(files / "upsampler.safetensors", WIDTH)
    with pytest.raises(WeightsError, match="does not say"):
        read_checkpoint(files / "lora_ds1.safetensors", WIDTH)
    with pytest.raises(WeightsError, match="missing"):
        read_checkpoint(tmp_path / "nothing.safetensors", WIDTH)
    with pytest.raises(WeightsError, match=r"tensors|lacks"):
        read_upsampler(files / "ckpt.safetensors")
    short = tmp_path / "short.safetensors"
    short.write_bytes((files / "upsampler.safetensors").read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_upsampler(short)
    newer = _changed(files / "upsampler.safetensors", tmp_path / "newer.safetensors", metadata={"model_version": "2.5"})
    with pytest.raises(WeightsError, match=r"LTX 2\.5"):
        read_checkpoint(newer, WIDTH)


def test_another_text_width_is_refused(files):
    with pytest.raises(WeightsError, match="text encoder"):
        read_checkpoint(files / "ckpt.safetensors", 33)


def test_an_impossible_configuration_is_refused(files, tmp_path):
    with safe_open(files / "ckpt.safetensors", "pt") as file:
        config = json.loads(file.metadata()["config"])
    for change in ({"vae": {}}, {"transformer": {**config["transformer"], "num_attention_heads": "four"}}):
        odd = _changed(
            files / "ckpt.safetensors",
            tmp_path / "odd.safetensors",
            metadata={"config": json.dumps({**config, **change})},
        )
        with pytest.raises(WeightsError, match=r"do not fit|no model"):
            read_checkpoint(odd, WIDTH)


def test_a_lora_has_a_downscale_factor_and_fits_only_its_model(files, parts, tmp_path, exact):
    assert read_lora(files / "lora_ds1.safetensors").downscale == 1
    lora = read_lora(files / "lora_ds2.safetensors")
    assert lora.downscale == 2
    assert len(lora.pairs) == 84
    with pytest.raises(WeightsError, match="not a LoRA"):
        read_lora(files / "upsampler.safetensors")
    half = _changed(
        files / "lora_ds1.safetensors",
        tmp_path / "half.safetensors",
        drop=["diffusion_model.transformer_blocks.0.attn1.to_q.lora_B.weight"],
    )
    with pytest.raises(WeightsError, match=r"transformer_blocks\.0\.attn1\.to_q"):
        read_lora(half)
    for text in ("two", "0"):
        odd = _changed(half, tmp_path / "odd.safetensors", metadata={"reference_downscale_factor": text})
        with pytest.raises(WeightsError, match=r"not a LoRA|whole number"):
            read_lora(odd)
    pairs = dict(lora.pairs)
    pairs["transformer_blocks.7.attn1.to_q"] = pairs["transformer_blocks.0.attn1.to_q"]
    wrong = type(lora)(lora.path, pairs)
    linear = ((name, m) for name, m in parts.transformer.named_modules() if isinstance(m, torch.nn.Linear))
    layers = {name: tuple(module.weight.shape) for name, module in linear}
    check_shapes(layers, lora)
    with pytest.raises(WeightsError, match=r"transformer_blocks\.7"):
        check_shapes(layers, wrong)


def test_a_folder_without_a_text_encoder_is_refused(files, tmp_path, exact):
    with pytest.raises(WeightsError, match=r"config\.json is missing"):
        read_text_encoder(tmp_path, exact)
    (tmp_path / "config.json").write_text('{"model_type": "gemma3"}')
    with pytest.raises(WeightsError, match="cannot be read"):
        read_text_encoder(tmp_path, exact)


def test_the_published_video_vae_has_its_published_widths():
    """Widths of the 22B model's VAE: encoder 256 512 1024 1024, decoder 256 512 512 1024, 32 x 32 x 8."""

    def blocks(layers, kinds):
        rows = [["res_x", {"num_layers": n}] for n in layers]
        samplers = [[kind, {"multiplier": factor}] for kind, factor in kinds]
        return [row for pair in zip(rows, samplers, strict=False) for row in pair] + [rows[-1]]

    down = [("compress_space_res", 2), ("compress_time_res", 2), ("compress_all_res", 2), ("compress_all_res", 1)]
    up = [("compress_space", 2), ("compress_time", 2), ("compress_all", 1), ("compress_all", 2)]
    config = {"encoder_blocks": blocks((4, 6, 4, 2, 2), down), "decoder_blocks": blocks((4, 6, 4, 2, 2), up)}
    settings = module_config.video_vae(config, {"encoder.conv_in.conv.weight": (128, 48, 3, 3, 3)})
    assert settings["block_out_channels"] == [256, 512, 1024, 1024]
    assert settings["decoder_block_out_channels"] == [256, 512, 512, 1024]
    assert settings["layers_per_block"] == settings["decoder_layers_per_block"] == [4, 6, 4, 2, 2]
    assert settings["downsample_type"] == ["spatial", "temporal", "spatiotemporal", "spatiotemporal"]
    assert settings["upsample_type"] == ["spatiotemporal", "spatiotemporal", "temporal", "spatial"]
    assert settings["upsample_factor"] == [2, 2, 1, 2]
    assert (settings["spatial_compression_ratio"], settings["temporal_compression_ratio"]) == (32, 8)


def test_settings_that_a_file_leaves_out_are_those_of_the_published_model():
    """The numbers of LTX-2.3, from the shapes of its tensors alone."""
    vae = module_config.video_vae({}, {"encoder.conv_in.conv.weight": (128, 48, 3, 3, 3)})
    assert vae["block_out_channels"] == [256, 512, 1024, 1024]
    assert vae["decoder_block_out_channels"] == [256, 512, 512, 1024]
    assert vae["layers_per_block"] == [4, 6, 4, 2, 2]
    assert (vae["spatial_compression_ratio"], vae["temporal_compression_ratio"]) == (32, 8)
    shapes = {f"{part}.conv_in.weight": (width, 128, 7) for part, width in (("vocoder", 1536), ("bwe_generator", 512))}
    shapes |= {f"{part}.conv_out.weight": (2, 24, 7) for part in ("vocoder", "bwe_generator")}
    with torch.device("meta"):
        audio = AutoencoderKLLTX2Audio(**module_config.audio_vae({}))
        vocoder = LTX2VocoderWithBWE(**module_config.vocoder({}, shapes))
    assert (audio.config["base_channels"], audio.config["ch_mult"]) == (128, (1, 2, 4))
    assert audio.config["latent_channels"] == 8
    assert vocoder.config["upsample_factors"] == [5, 2, 2, 2, 2, 2]
    assert vocoder.config["bwe_upsample_factors"] == [6, 5, 2, 2, 2]
    assert (vocoder.config["input_sampling_rate"], vocoder.config["output_sampling_rate"]) == (16_000, 48_000)
    block = "transformer_blocks.0."
    shapes = {
        "proj_in.weight": (4096, 128),
        "audio_proj_in.weight": (2048, 128),
        "proj_out.weight": (128, 4096),
        "audio_proj_out.weight": (128, 2048),
        f"{block}attn2.to_k.weight": (4096, 4096),
        f"{block}audio_attn2.to_k.weight": (2048, 2048),
    }
    settings = module_config.transformer({}, shapes)
    assert settings["num_layers"] == 48
    assert (settings["attention_head_dim"], settings["audio_attention_head_dim"]) == (128, 64)
    assert (settings["rope_type"], settings["rope_double_precision"]) == ("split", True)
    assert settings["cross_attn_timestep_scale_multiplier"] == settings["timestep_scale_multiplier"] == 1000


def test_a_file_without_settings_is_refused_if_its_shapes_are_not_those_of_the_published_one(files, tmp_path):
    bare = _changed(files / "ckpt.safetensors", tmp_path / "bare.safetensors", metadata={"config": "{}"})
    with pytest.raises(WeightsError, match=r"do not fit LTX-2\.3|no model"):
        read_checkpoint(bare, WIDTH)
