"""Writes the LoRA of a run as one file for LTX-2, ComfyUI and lipdub.

Names are the publisher's (``diffusion_model.<layer>.lora_A.weight``), values bfloat16. The scale alpha / rank, for
which that format has no key, is in B already. The metadata say how references were given, on which checkpoint it was
trained, by which recipe and on which data.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from lipdub.disk.publish import atomic_output, check_output_path
from lipdub.engines.ltx.checkpoint_digest import DIGEST_KEY
from lipdub.engines.ltx.tensor_names import diffusers_name
from lipdub.errors import InputError
from lipdub.train.run_files import RunState, checkpoints, read_state, read_tensors

_PREFIX = "diffusion_model."


def export_lora(run: Path, output: Path, step: int = 0, *, overwrite: bool = False) -> RunState:
    """Write the LoRA of the folder ``run`` as ``output``; returns the state of the checkpoint that was taken.

    ``step``: the checkpoint; 0: the one with the lowest validation loss if there was validation, else the last. If the
    run keeps a running mean, that is written. Raises ``InputError`` if there is no such checkpoint, and ``OutputError``
    if the file cannot be written.
    """
    found = checkpoints(run)
    check_output_path(output, found.values(), overwrite=overwrite)
    path = _chosen(run, found, step)
    state = read_state(path)
    tensors = _published(read_tensors(path), state)
    with atomic_output(output, overwrite=overwrite) as part:
        save_file(tensors, part, metadata(state))
    return state


def _chosen(run: Path, found: dict[int, Path], step: int) -> Path:
    if not found:
        raise InputError("there is no checkpoint of a run here", file=run, remedy="Name the folder of a training run")
    if step == 0:
        last = list(found)[-1]
        step = read_state(found[last]).best_step or last
    if step not in found:
        kept = ", ".join(map(str, found))
        raise InputError(f"there is no checkpoint after {step} steps", file=run, remedy=f"There are: {kept}")
    return found[step]


def _published(tensors: dict[str, Tensor], state: RunState) -> dict[str, Tensor]:
    """The LoRA under the publisher's names."""
    kind = "ema." if any(name.startswith("ema.") for name in tensors) else "lora."
    lora = state.recipe["lora"]
    scale = lora["alpha"] / lora["rank"]
    published = {}
    for name, tensor in tensors.items():
        if not name.startswith(kind):
            continue
        layer = name.removeprefix(kind)
        assert diffusers_name("transformer", layer) == layer, "these layers have one name in both formats"
        scaled = tensor * scale if layer.endswith("lora_B") else tensor
        published[f"{_PREFIX}{layer}.weight"] = scaled.to(torch.bfloat16).contiguous()
    return published


def metadata(state: RunState) -> dict[str, str]:
    """The metadata of an exported LoRA."""
    paths = {"weights", "folder", "start", "clips", "audio"}
    recipe = {
        name: {key: value for key, value in keys.items() if key not in paths} if isinstance(keys, dict) else keys
        for name, keys in state.recipe.items()
    }
    return {
        "format": "pt",
        "reference_downscale_factor": str(state.downscale),
        "reference_spatial_scale_factor": str(state.downscale),
        "reference_temporal_scale_factor": "1",
        DIGEST_KEY: state.base,
        "lipdub_recipe": json.dumps(recipe),
        "lipdub_data_card": json.dumps(dict(state.card)),
        "lipdub_steps": str(state.step),
    }
