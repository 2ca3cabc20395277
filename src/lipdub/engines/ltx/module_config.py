"""The configuration of diffusers' modules, from the configuration in an LTX-2.3 file and the shapes of its tensors.

Counts and types come from the file's ``config``; widths come from the shapes. ``shapes`` always holds the module's
tensors under diffusers' names. A ``KeyError`` names the tensor or setting that the file lacks; a ``ValueError`` says
what does not fit together.

A setting that the file leaves out is as in the reference implementation's LTX-2.3: the numbers here, and the defaults
of diffusers' modules, which are the same. The shapes of the tensors show whether that is true of the file.
"""

from math import prod
from typing import Any

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]

_DOWN = {"compress_space_res": "spatial", "compress_time_res": "temporal", "compress_all_res": "spatiotemporal"}
_UP = {"compress_space": "spatial", "compress_time": "temporal", "compress_all": "spatiotemporal"}
_STRIDES = {"spatial": (1, 2), "temporal": (2, 1), "spatiotemporal": (2, 2)}


def transformer(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``LTX2VideoTransformer3DModel``."""
    width, audio_width = shapes["proj_in.weight"][0], shapes["audio_proj_in.weight"][0]
    heads, audio_heads = config.get("num_attention_heads", 32), config.get("audio_num_attention_heads", 32)
    block = "transformer_blocks.0."
    modulated = "prompt_adaln.linear.weight" in shapes
    gated = block + "attn1.to_gate_logits.weight" in shapes
    return {
        "in_channels": shapes["proj_in.weight"][1],
        "out_channels": shapes["proj_out.weight"][0],
        "num_attention_heads": heads,
        "attention_head_dim": width // heads,
        "cross_attention_dim": shapes[block + "attn2.to_k.weight"][1],
        "gated_attn": gated,
        "cross_attn_mod": modulated,
        "audio_in_channels": shapes["audio_proj_in.weight"][1],
        "audio_out_channels": shapes["audio_proj_out.weight"][0],
        "audio_num_attention_heads": audio_heads,
        "audio_attention_head_dim": audio_width // audio_heads,
        "audio_cross_attention_dim": shapes[block + "audio_attn2.to_k.weight"][1],
        "audio_gated_attn": gated,
        "audio_cross_attn_mod": modulated,
        "num_layers": config.get("num_layers", 48),
        "norm_eps": config.get("norm_eps", 1e-6),
        "pos_embed_max_pos": config.get("positional_embedding_max_pos", [20])[0],
        "audio_pos_embed_max_pos": config.get("audio_positional_embedding_max_pos", [20])[0],
        "rope_theta": config.get("positional_embedding_theta", 10_000.0),
        "rope_type": config.get("rope_type", "split"),
        "rope_double_precision": config.get("frequencies_precision", "float64") == "float64",
        "timestep_scale_multiplier": config.get("timestep_scale_multiplier", 1000),
        "cross_attn_timestep_scale_multiplier": config.get("av_ca_timestep_scale_multiplier", 1000),
        "use_prompt_embeddings": False,
        "perturbed_attn": True,
        "ff_bias": block + "ff.net.2.bias" in shapes,
        "audio_ff_bias": block + "audio_ff.net.2.bias" in shapes,
    }


def connectors(config: Config, shapes: Shapes, text_width: int) -> Config:
    """The arguments of ``LTX2TextConnectors``; ``text_width`` is the width of a hidden state of the text encoder."""
    stacked = shapes["video_text_proj_in.weight"][1]
    if stacked % text_width:
        raise ValueError(f"hidden states of the text encoder, {text_width} wide, do not fill up {stacked}")
    settings: Config = {
        "caption_channels": text_width,
        "text_proj_in_factor": stacked // text_width,
        "connector_rope_base_seq_len": config.get("connector_positional_embedding_max_pos", [4096])[0],
        "rope_theta": config.get("positional_embedding_theta", 10_000.0),
        "rope_type": config.get("rope_type", "split"),
        "rope_double_precision": config.get("frequencies_precision", "float64") == "float64",
        "per_modality_projections": True,
        "proj_bias": "video_text_proj_in.bias" in shapes,
    }
    for modality, prefix in (("video", "connector"), ("audio", "audio_connector")):
        registers, width = shapes[f"{modality}_connector.learnable_registers"]
        heads = config.get(f"{prefix}_num_attention_heads", 32)
        gate = f"{modality}_connector.transformer_blocks.0.attn1.to_gate_logits.weight"
        settings |= {
            f"{modality}_connector_num_attention_heads": heads,
            f"{modality}_connector_attention_head_dim": width // heads,
            f"{modality}_connector_num_layers": config.get(f"{prefix}_num_layers", 8),
            f"{modality}_connector_num_learnable_registers": registers,
            f"{modality}_gated_attn": gate in shapes,
            f"{modality}_hidden_dim": shapes[f"{modality}_text_proj_in.weight"][0],
        }
    return settings


def _given(config: Config, names: dict[str, str]) -> Config:
    """The settings that ``config`` has, by diffusers' names; ``names``: the file's name -> diffusers' name."""
    return {ours: config[theirs] for theirs, ours in names.items() if config.get(theirs) is not None}


def _default_blocks(steps: tuple[tuple[str, int], ...]) -> list[tuple[str, dict[str, int]]]:
    """The video VAE's blocks with 4, 6, 4, 2 and 2 layers, and these (kind, factor) steps between them."""
    rows = [("res_x", {"num_layers": layers}) for layers in (4, 6, 4, 2, 2)]
    between = [(kind, {"multiplier": factor}) for kind, factor in steps]
    return [block for pair in zip(rows, between, strict=False) for block in pair] + rows[-1:]


_ENCODER_STEPS = (
    ("compress_space_res", 2),
    ("compress_time_res", 2),
    ("compress_all_res", 2),
    ("compress_all_res", 1),
)
_DECODER_STEPS = (("compress_space", 2), ("compress_time", 2), ("compress_all", 1), ("compress_all", 2))


def video_vae(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``AutoencoderKLLTX2Video``. Both lists of blocks are in the order from pixels to latent."""
    encoder_blocks = config.get("encoder_blocks") or _default_blocks(_ENCODER_STEPS)
    decoder_blocks = config.get("decoder_blocks") or _default_blocks(_DECODER_STEPS)
    layers, down, factors = _blocks(encoder_blocks, _DOWN)
    up_layers, up, up_factors = _blocks(decoder_blocks, _UP)
    latent, base = config.get("latent_channels", 128), config.get("decoder_base_channels", 128)
    patch = config.get("patch_size", 4)
    strides = [_STRIDES[kind] for kind in down]
    first = shapes["encoder.conv_in.conv.weight"][0]
    return {
        "latent_channels": latent,
        "block_out_channels": [first * prod(factors[: i + 1]) for i in range(len(factors))],
        "down_block_types": ["LTX2VideoDownBlock3D"] * len(down),
        "layers_per_block": layers,
        "downsample_type": down,
        "spatio_temporal_scaling": [True] * len(down),
        "decoder_block_out_channels": [base * prod(up_factors[: i + 1]) for i in range(len(up_factors))],
        "decoder_layers_per_block": up_layers,
        "decoder_spatio_temporal_scaling": [True] * len(up),
        "decoder_inject_noise": [False] * len(up_layers),
        "upsample_type": up[::-1],
        "upsample_residual": [bool(b.get("residual", False)) for k, b in decoder_blocks if k in _UP],
        "upsample_factor": up_factors,
        "timestep_conditioning": config.get("timestep_conditioning", False),
        "patch_size": patch,
        "encoder_causal": True,
        "decoder_causal": config.get("causal_decoder", False),
        "encoder_spatial_padding_mode": config.get("encoder_spatial_padding_mode", "zeros"),
        "decoder_spatial_padding_mode": config.get("spatial_padding_mode", "zeros"),
        "spatial_compression_ratio": patch * prod(space for _, space in strides),
        "temporal_compression_ratio": prod(time for time, _ in strides),
    }


def _blocks(blocks: list, kinds: dict[str, str]) -> tuple[list[int], list[str], list[int]]:
    """(layers of each residual block, type of each sampler between them, channel factor of each sampler)."""
    layers = [settings["num_layers"] for kind, settings in blocks if kind == "res_x"]
    samplers = [(kinds[kind], settings.get("multiplier", 1)) for kind, settings in blocks if kind != "res_x"]
    return layers, [kind for kind, _ in samplers], [factor for _, factor in samplers]


def audio_vae(config: Config) -> Config:
    """The arguments of ``AutoencoderKLLTX2Audio``."""
    model = config.get("model", {}).get("params", {})
    net, front = model.get("ddconfig", {}), config.get("preprocessing", {})
    names = {
        "ch": "base_channels",
        "out_ch": "output_channels",
        "ch_mult": "ch_mult",
        "num_res_blocks": "num_res_blocks",
        "in_channels": "in_channels",
        "resolution": "resolution",
        "z_channels": "latent_channels",
        "norm_type": "norm_type",
        "causality_axis": "causality_axis",
        "mid_block_add_attention": "mid_block_add_attention",
        "mel_bins": "mel_bins",
        "double_z": "double_z",
    }
    settings = _given(front.get("mel", {}), {"n_mel_channels": "mel_bins"}) | _given(net, names)
    settings |= _given(front.get("stft", {}), {"hop_length": "mel_hop_length", "causal": "is_causal"})
    settings |= _given(model, {"sampling_rate": "sample_rate"})
    return settings | {"attn_resolutions": net.get("attn_resolutions") or None}


def vocoder(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``LTX2VocoderWithBWE``.

    The first vocoder always limits its wave to -1..1, by tanh or clamping.
    """
    settings: Config = {}
    for part, name, prefix in (("vocoder", "vocoder", ""), ("bwe", "bwe_generator", "bwe_")):
        hidden, mels, _ = shapes[f"{name}.conv_in.weight"]
        names = {
            "upsample_kernel_sizes": f"{prefix}upsample_kernel_sizes",
            "upsample_rates": f"{prefix}upsample_factors",
            "resblock_kernel_sizes": f"{prefix}resnet_kernel_sizes",
            "resblock_dilation_sizes": f"{prefix}resnet_dilations",
            "activation": f"{prefix}act_fn",
        }
        settings |= _given(config.get(part, {}), names) | {
            f"{prefix}in_channels": mels,
            f"{prefix}hidden_channels": hidden,
            f"{prefix}out_channels": shapes[f"{name}.conv_out.weight"][0],
            f"{prefix}antialias": True,
            f"{prefix}final_bias": f"{name}.conv_out.bias" in shapes,
        }
    bwe = config.get("bwe", {})
    names = {
        "hop_length": "hop_length",
        "num_mels": "num_mel_channels",
        "input_sampling_rate": "input_sampling_rate",
        "output_sampling_rate": "output_sampling_rate",
    }
    settings |= _given(bwe, names) | _given(bwe, {"n_fft": "filter_length"}) | _given(bwe, {"n_fft": "window_length"})
    tanh = config.get("vocoder", {}).get("use_tanh_at_final", False)
    return settings | {"final_act_fn": "tanh" if tanh else "clamp", "bwe_final_act_fn": None}


def upsampler(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``LTX2LatentUpsamplerModel``."""
    width, channels = shapes["initial_conv.weight"][:2]
    return {
        "in_channels": channels,
        "mid_channels": width,
        "num_blocks_per_stage": config.get("num_blocks_per_stage", 4),
        "dims": config.get("dims", 3),
        "spatial_upsample": config.get("spatial_upsample", True),
        "temporal_upsample": config.get("temporal_upsample", False),
        "rational_spatial_scale": config.get("spatial_scale", 2.0),
        "use_rational_resampler": config.get("rational_resampler", False),
    }
