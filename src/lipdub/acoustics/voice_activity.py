"""Voice activity detection: the Silero model (MIT), run by onnxruntime."""

from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Float32

from lipdub.acoustics.chunks import HOP, padded, rows_of
from lipdub.errors import WeightsError
from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE

_STEP, _CONTEXT = 512, 64  # samples in each input of the model at 16 kHz, and samples before them that it needs too


class VoiceActivity:
    """The probability of speech in a sound. An instance is used by one thread at a time."""

    def __init__(self, model: Path) -> None:
        """Load the ONNX file ``model``. Raises ``WeightsError`` if it cannot be used."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a tiny model: more threads are slower
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as broken:  # onnxruntime has no common base for what it raises
            raise WeightsError(
                "the voice activity model cannot be read", file=model, remedy="Delete it, it will be fetched again."
            ) from broken

    def probabilities(self, samples: Samples, gain: float = 1.0) -> Float32[np.ndarray, " rows"]:
        """Probability of speech 0..1 for every row of 16 kHz ``samples``, multiplied by ``gain`` first."""
        steps = -(-len(samples) // _STEP)
        state = np.zeros((2, 1, 128), np.float32)
        rate = np.array(ANALYSIS_RATE, np.int64)
        probability = np.zeros(steps)
        for i in range(steps):
            cut = padded(samples, i * _STEP - _CONTEXT, (i + 1) * _STEP) * np.float32(gain)
            result, state = self._session.run(None, {"input": cut[None], "state": state, "sr": rate})
            probability[i] = np.asarray(result).item()
        rows = np.arange(rows_of(len(samples)))
        if not steps:
            return np.zeros(0, np.float32)
        return np.interp(rows * HOP, (np.arange(steps) + 0.5) * _STEP, probability).astype(np.float32)
