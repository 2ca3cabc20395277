"""The configuration of diffusers' modules, from the configuration in an LTX-2.3 file and the shapes of its tensors.

Counts and types come from the file's ``config``; widths come from the shapes. ``shapes`` always holds the module's
tensors under diffusers' names. A ``KeyError`` names the tensor or setting that the file lacks; a ``ValueError`` says
what does not fit together.
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


def video_vae(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``AutoencoderKLLTX2Video``. Both lists of blocks are in the order from pixels to latent."""
    layers, down, factors = _blocks(config["encoder_blocks"], _DOWN)
    up_layers, up, up_factors = _blocks(config["decoder_blocks"], _UP)
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
        "upsample_residual": [bool(b.get("residual", False)) for k, b in config["decoder_blocks"] if k in _UP],
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
    model = config["model"]["params"]
    net, front = model["ddconfig"], config.get("preprocessing", {})
    return {
        "base_channels": net["ch"],
        "output_channels": net["out_ch"],
        "ch_mult": net["ch_mult"],
        "num_res_blocks": net["num_res_blocks"],
        "attn_resolutions": net.get("attn_resolutions") or None,
        "in_channels": net["in_channels"],
        "resolution": net["resolution"],
        "latent_channels": net["z_channels"],
        "norm_type": net.get("norm_type", "pixel"),
        "causality_axis": net.get("causality_axis", "height"),
        "mid_block_add_attention": net.get("mid_block_add_attention", False),
        "sample_rate": model.get("sampling_rate", 16_000),
        "mel_hop_length": front.get("stft", {}).get("hop_length", 160),
        "is_causal": front.get("stft", {}).get("causal", True),
        "mel_bins": net.get("mel_bins", front.get("mel", {}).get("n_mel_channels", 64)),
        "double_z": net.get("double_z", True),
    }


def vocoder(config: Config, shapes: Shapes) -> Config:
    """The arguments of ``LTX2VocoderWithBWE``.

    The first vocoder always limits its wave to -1..1, by tanh or clamping.
    """
    settings: Config = {}
    for part, name, prefix in (("vocoder", "vocoder", ""), ("bwe", "bwe_generator", "bwe_")):
        net = config[part]
        hidden, mels, _ = shapes[f"{name}.conv_in.weight"]
        settings |= {
            f"{prefix}in_channels": mels,
            f"{prefix}hidden_channels": hidden,
            f"{prefix}out_channels": shapes[f"{name}.conv_out.weight"][0],
            f"{prefix}upsample_kernel_sizes": net["upsample_kernel_sizes"],
            f"{prefix}upsample_factors": net["upsample_rates"],
            f"{prefix}resnet_kernel_sizes": net["resblock_kernel_sizes"],
            f"{prefix}resnet_dilations": net["resblock_dilation_sizes"],
            f"{prefix}act_fn": net.get("activation", "snakebeta"),
            f"{prefix}antialias": True,
            f"{prefix}final_bias": f"{name}.conv_out.bias" in shapes,
        }
    bwe = config["bwe"]
    return settings | {
        "final_act_fn": "tanh" if config["vocoder"].get("use_tanh_at_final", False) else "clamp",
        "bwe_final_act_fn": None,
        "filter_length": bwe["n_fft"],
        "window_length": bwe["n_fft"],
        "hop_length": bwe["hop_length"],
        "num_mel_channels": bwe["num_mels"],
        "input_sampling_rate": bwe["input_sampling_rate"],
        "output_sampling_rate": bwe["output_sampling_rate"],
    }


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
