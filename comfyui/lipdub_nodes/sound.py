"""ComfyUI's AUDIO, and arrays in files, through which it goes to lipdub's process and comes back."""

from pathlib import Path
from typing import Any

import numpy as np

from .problems import LipdubError


def write_audio(audio: Any, path: Path) -> int:
    """Write the waveform of ``audio`` to ``path`` (.npy) as floats, (channels, samples), and return its rate in samples
    per second.

    ``audio`` is ComfyUI's: a mapping with ``waveform`` (1, channels, samples), a tensor on any device, and
    ``sample_rate``. Raises ``LipdubError`` if it is no sound, or several.
    """
    try:
        waveform, rate = audio["waveform"], int(audio["sample_rate"])
    except (TypeError, KeyError, ValueError) as wrong:
        raise LipdubError("The input dub is no sound. Connect it to an AUDIO output.") from wrong
    samples = np.asarray(_on_cpu(waveform), dtype=np.float32)
    if samples.ndim != 3 or samples.shape[0] != 1:
        raise LipdubError(
            f"The input dub holds {samples.shape[0] if samples.ndim == 3 else 'no'} sounds. Connect one with one sound."
        )
    if samples.shape[1] not in (1, 2):
        raise LipdubError(f"The input dub has {samples.shape[1]} channels. Mix it down to mono or stereo.")
    if samples.shape[2] == 0 or rate <= 0:
        raise LipdubError("The input dub is empty. Connect it to a sound that has samples.")
    if not np.isfinite(samples).all():
        raise LipdubError("The input dub holds values that are no numbers. Make the sound again.")
    np.save(path, samples[0])
    return rate


def read_audio(path: Path, rate: int) -> dict[str, Any]:
    """ComfyUI's AUDIO of the array at ``path`` (channels, samples). It is mapped, not read: a sound that no node takes
    needs no memory."""
    import torch

    samples = np.load(path, mmap_mode="c")
    return {"waveform": torch.from_numpy(samples).unsqueeze(0), "sample_rate": rate}


def silent_audio(rate: int = 48_000) -> dict[str, Any]:
    """One sample of silence, for a film without sound."""
    import torch

    return {"waveform": torch.zeros(1, 2, 1), "sample_rate": rate}


def _on_cpu(waveform: Any) -> Any:
    """The tensor in this computer's own memory, without its history."""
    for step in ("detach", "cpu", "float"):
        if hasattr(waveform, step):
            waveform = getattr(waveform, step)()
    return waveform
