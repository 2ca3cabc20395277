"""The names of a published LTX-2.3 file's tensors in diffusers' modules.

The names on both sides are facts of the two file formats; every tensor of the file belongs to exactly one module.
"""

import re
from typing import Literal

ModuleName = Literal["transformer", "connectors", "video_vae", "audio_vae", "vocoder"]

_STATISTICS = (
    (r"^per_channel_statistics\.mean-of-means$", "latents_mean"),
    (r"^per_channel_statistics\.std-of-means$", "latents_std"),
)
_NORMS = ((r"\.q_norm\.", ".norm_q."), (r"\.k_norm\.", ".norm_k."))

_RENAMES: dict[ModuleName, tuple[tuple[str, str], ...]] = {
    "transformer": (
        (r"^patchify_proj\.", "proj_in."),
        (r"^audio_patchify_proj\.", "audio_proj_in."),
        (r"^adaln_single\.", "time_embed."),
        (r"^audio_adaln_single\.", "audio_time_embed."),
        (r"^prompt_adaln_single\.", "prompt_adaln."),
        (r"^audio_prompt_adaln_single\.", "audio_prompt_adaln."),
        (r"^av_ca_(video|audio)_scale_shift_adaln_single\.", r"av_cross_attn_\1_scale_shift."),
        (r"^av_ca_a2v_gate_adaln_single\.", "av_cross_attn_video_a2v_gate."),
        (r"^av_ca_v2a_gate_adaln_single\.", "av_cross_attn_audio_v2a_gate."),
        (r"\.scale_shift_table_a2v_ca_(video|audio)$", r".\1_a2v_cross_attn_scale_shift_table"),
        *_NORMS,
    ),
    "connectors": (
        (r"^(video|audio)_embeddings_connector\.", r"\1_connector."),
        (r"^(video|audio)_aggregate_embed\.", r"\1_text_proj_in."),
        (r"\.transformer_1d_blocks\.", ".transformer_blocks."),
        *_NORMS,
    ),
    "video_vae": (*_STATISTICS, (r"\.res_blocks\.", ".resnets.")),
    "audio_vae": _STATISTICS,
    "vocoder": (
        (r"\.ups\.", ".upsamplers."),
        (r"\.resblocks\.", ".resnets."),
        (r"\.conv_pre\.", ".conv_in."),
        (r"\.conv_post\.", ".conv_out."),
        (r"\.act_post\.", ".act_out."),
        (r"\.downsample\.lowpass\.filter$", ".downsample.filter"),
    ),
}

# The first match counts: the connectors are under the transformer's prefix.
_PREFIXES: tuple[tuple[str, ModuleName], ...] = (
    (r"^text_embedding_projection\.", "connectors"),
    (r"^model\.diffusion_model\.(?=(video|audio)_embeddings_connector\.)", "connectors"),
    (r"^model\.diffusion_model\.", "transformer"),
    (r"^vae\.", "video_vae"),
    (r"^audio_vae\.", "audio_vae"),
    (r"^vocoder\.", "vocoder"),
)

# Statistics of the training set that no module uses.
_UNUSED = re.compile(r"per_channel_statistics\.(channel|mean-of-stds|mean-of-stds_over_std-of-means)$")


def locate_tensor(name: str) -> tuple[ModuleName, str] | None:
    """The module that a tensor of the file belongs to and its name there, or None if it belongs to none."""
    for prefix, part in _PREFIXES:
        short, found = re.subn(prefix, "", name)
        if found:
            return part, diffusers_name(part, short)
    return None


def is_unused(name: str) -> bool:
    """True for tensors that may be in the file although no module uses them."""
    return _UNUSED.search(name) is not None


def diffusers_name(part: ModuleName, name: str) -> str:
    """The diffusers name of a tensor whose ``name`` in the file has no module prefix any more."""
    for pattern, replacement in _RENAMES[part]:
        name = re.sub(pattern, replacement, name)
    return _nest_level(name) if part == "video_vae" else name


def _nest_level(name: str) -> str:
    """Levels of the video VAE: the file numbers blocks and samplers in one list, diffusers nests them.

    Encoder 0 1 2 3 .. 8 -> block 0, its downsampler, block 1, its downsampler, .. middle.
    Decoder 0 1 2 3 4 .. -> middle, upsampler of 0, block 0, upsampler of 1, block 1, ..
    """

    def down(match: re.Match) -> str:
        level, sampler = divmod(int(match[1]), 2)
        return f"encoder.down_blocks.{level}." + ("downsamplers.0." if sampler else "")

    def up(match: re.Match) -> str:
        level, block = divmod(int(match[1]) - 1, 2)
        return "decoder.mid_block." if level < 0 else f"decoder.up_blocks.{level}." + ("" if block else "upsamplers.0.")

    name = re.sub(r"^encoder\.down_blocks\.(\d+)\.", down, name)
    return re.sub(r"^decoder\.up_blocks\.(\d+)\.", up, name)


def middle_block_names(names: set[str]) -> dict[str, str]:
    """New names for the tensors of the video encoder's last block: diffusers calls it the middle block."""
    levels = [int(m[1]) for name in names if (m := re.match(r"encoder\.down_blocks\.(\d+)\.", name))]
    last = f"encoder.down_blocks.{max(levels, default=0)}."
    return {name: name.replace(last, "encoder.mid_block.", 1) for name in names if name.startswith(last)}
