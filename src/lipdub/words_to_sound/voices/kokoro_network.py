"""Kokoro v1.0 by onnxruntime: phones and the style of a voice to sound.

The network is StyleTTS 2 with 82 million parameters (Y. A. Li et al., NeurIPS 2023; hexgrad, Kokoro-82M, 2025), its
weights with 8 bits. It takes the numbers of the phones (1, n) with 0 at both ends, a style (1, 256) that depends on how
many phones there are, and a speed, and gives samples at 24 kHz.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lipdub.errors import WeightsError
from lipdub.words_to_sound.phones.vocabulary import tokens
from lipdub.words_to_sound.voices.signed_convolutions import exact_and_fast, with_signed_inputs
from lipdub.words_to_sound.voices.speakable_text import split_text
from lipdub.words_to_sound.voices.trim_and_level import trim_silence

RATE = 24_000
"""Samples per second."""

_LONGEST = 400  # phones that are spoken at once; the network takes 510
_STYLES = (510, 1, 256)
_GAP = 0.25  # seconds between two parts of a text


def say(model: Path, styles: Sequence[Path], phones: str, speed: float) -> Float32[np.ndarray, " samples"]:
    """``phones`` at ``speed`` (1: natural; 0.5 to 2), with the network in the file ``model`` and the voice in the
    files ``styles`` (the mean of several). The same input gives the same samples. Raises ``WeightsError`` for a broken
    file."""
    voice = np.asarray(np.mean([_styles(path) for path in styles], axis=0), np.float32)
    session = _session(model)
    pieces: list[np.ndarray] = []
    for part in split_text(phones, _LONGEST):
        numbers = tokens(part)
        if not numbers:
            continue
        given = {
            "tokens": np.array([[0, *numbers, 0]], np.int64),
            "style": voice[min(len(numbers), len(voice)) - 1],
            "speed": np.array([speed], np.float32),
        }
        sound = np.asarray(session.run(None, given)[0], np.float32).reshape(-1)
        pieces += [trim_silence(sound, RATE), np.zeros(round(_GAP * RATE / speed), np.float32)]
    return np.concatenate(pieces[:-1]) if pieces else np.zeros(0, np.float32)


@cache
def _session(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # so that the samples are the same each time
    options.log_severity_level = 3
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(model.parent))
    try:
        network = with_signed_inputs(model) if exact_and_fast() else str(model)
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as broken:
        raise WeightsError(f"kokoro's network cannot be read ({broken})", file=model) from broken


@cache
def _styles(path: Path) -> Float32[np.ndarray, "510 1 256"]:
    try:
        return np.fromfile(path, "<f4").reshape(_STYLES)
    except (OSError, ValueError) as broken:
        raise WeightsError(f"the file of a voice cannot be read ({broken})", file=path) from broken
