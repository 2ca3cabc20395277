"""Writes training data in the official layout with a few random items, and recipes for the tiny checkpoint."""

import json
from pathlib import Path

import torch

FRAMES, ROWS, COLUMNS, RATE = 9, 2, 3, 25.0
SOUND = 9
"""Audio latents beside nine frames at 25 a second."""


def write_item(root: Path, name: str, seed: int, *, words: int = 16, digest: str = "", **other) -> None:
    """One item of ``root/.precomputed``; ``other`` replaces what a file holds, by the file's folder."""
    drawn = torch.Generator().manual_seed(seed)
    video = {"num_frames": 2, "height": ROWS, "width": COLUMNS, "fps": RATE}
    sound = {"num_time_steps": SOUND, "frequency_bins": 16, "duration": SOUND / 25}

    def noise(*shape):
        return torch.randn(*shape, generator=drawn)

    mask = torch.zeros(2, ROWS, COLUMNS)
    mask[:, 1, 1] = 1
    parts = {
        "latents": {"latents": noise(128, 2, ROWS, COLUMNS), **video},
        "reference_latents": {"latents": noise(128, 2, ROWS, COLUMNS), **video},
        "audio_latents": {"latents": noise(8, SOUND, 16), **sound},
        "reference_audio_latents": {"latents": noise(8, SOUND + 2, 16), **sound},
        "conditions": {
            "video_prompt_embeds": noise(words, 64),
            "audio_prompt_embeds": noise(words, 32),
            "prompt_attention_mask": torch.ones(words),
            "after_connectors": True,
        },
        "video_masks": {"mask": mask},
    }
    for part, value in parts.items():
        path = root / ".precomputed" / part / f"{name}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**value, **({"checkpoint": digest} if digest else {}), **other.get(part, {})}, path)


def write_data(root: Path, digest: str, items: int = 4, held_out: int = 1) -> Path:
    """``items`` random items, the last ``held_out`` of them for validation, made by the checkpoint of ``digest``."""
    names = [f"person-{i}/clip" for i in range(items)]
    for i, name in enumerate(names):
        write_item(root, name, i, digest=digest)
    split = {name: "validation" if i >= items - held_out else "train" for i, name in enumerate(names)}
    marker = {"version": 1, "checkpoint": digest, "split": split, "card": {"clips": items, "consent": "drawn"}}
    (root / ".precomputed" / "lipdub.json").write_text(json.dumps(marker), encoding="utf-8")
    return root


def write_recipe(path: Path, checkpoint: Path, pairs: Path, /, **sections) -> Path:
    """A small recipe in float32 on the CPU; ``sections`` adds keys."""
    tables = {
        "base": {"weights": str(checkpoint), "hold": "float32", "device": "cpu"},
        "data": {"folder": str(pairs)},
        "lora": {"rank": 4, "alpha": 4},
        "optimiser": {"lr": 1e-2, "audio_lr": 1e-3},
        "run": {"folder": "run", "steps": 6, "save_every": 2, "keep": 2},
    }
    for name, keys in sections.items():
        if isinstance(keys, dict):
            tables.setdefault(name, {}).update(keys)
    lines = [f"seed = {sections.get('seed', 3)}"]
    for name, keys in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
