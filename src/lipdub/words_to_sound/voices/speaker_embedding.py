"""Which voice a speech is in, as 256 numbers: alike for one person, whatever is said and in which language.

The network is the voice encoder of Resemblyzer 0.1.4 (C. Jemine, Apache-2.0; trained on LibriSpeech-other, VoxCeleb1
and VoxCeleb2): three LSTM layers of 256 cells and a linear layer, with the loss GE2E (L. Wan, Q. Wang, A. Papir,
I. L. Moreno, ICASSP 2018). It is computed here with NumPy. ``lipdub weights fetch speaker`` downloads it.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.errors import WeightsError
from lipdub.timeline.sound import ANALYSIS_RATE

MODEL = "speaker"
"""The name of the network's file in ``lipdub.weights``."""

SIZE = 256
"""Numbers of an embedding."""

LEAST = 1.6
"""Seconds of speech that an embedding needs."""

_CELLS, _MELS, _LAYERS = 256, 40, 3
_WINDOW, _HOP = 400, 160  # samples
_FRAMES, _STEP = 160, 80  # frames of a window that is embedded (1.6 s), and from one to the next
_LEVEL = 10 ** (-30 / 20)  # RMS that the network was trained at
_LOUD, _BLOCK = 0.1, 480  # blocks of 30 ms below this part of the loud ones are left out

# Where each array begins in the file, in bytes, and its shape; float32. The file is known by its digest, so nothing of
# it has to be unpickled, which could run code.
_ARRAYS = {
    "input 0": (269_883, (4 * _CELLS, _MELS)),
    "state 0": (433_723, (4 * _CELLS, _CELLS)),
    "input bias 0": (5_676_603, (4 * _CELLS,)),
    "state bias 0": (5_680_699, (4 * _CELLS,)),
    "input 1": (1_482_299, (4 * _CELLS, _CELLS)),
    "state 1": (2_530_875, (4 * _CELLS, _CELLS)),
    "input bias 1": (5_684_795, (4 * _CELLS,)),
    "state bias 1": (5_688_891, (4 * _CELLS,)),
    "input 2": (3_579_451, (4 * _CELLS, _CELLS)),
    "state 2": (4_628_027, (4 * _CELLS, _CELLS)),
    "input bias 2": (5_692_987, (4 * _CELLS,)),
    "state bias 2": (5_697_083, (4 * _CELLS,)),
    "linear": (7_731, (SIZE, _CELLS)),
    "linear bias": (6_699, (SIZE,)),
}


def embed(file: Path, samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " 256"] | None:
    """The embedding of speech of one person (mono, 16 kHz) by the network in ``file``: 256 numbers of 0 and more whose
    squares add up to 1. None if there are less than 1.6 seconds of speech.

    The mean over windows of 1.6 s that overlap by half. Raises ``WeightsError`` if ``file`` cannot be read.
    """
    network = read_network(file)
    speech = spoken_parts(samples)
    if len(speech) < LEAST * ANALYSIS_RATE:
        return None
    mels = _mel_powers(speech)
    starts = range(0, max(1, len(mels) - _FRAMES + 1), _STEP)
    every = np.stack([mels[a : a + _FRAMES] for a in starts])
    parts = np.concatenate([network.embedded(every[i : i + 16]) for i in range(0, len(every), 16)])
    mean = parts.mean(0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class SpeakerNetwork:
    """The arrays of the network, by name, as in ``_ARRAYS``."""

    arrays: dict[str, Float32[np.ndarray, "..."]]

    def embedded(self, mels: Float32[np.ndarray, "windows frames 40"]) -> Float32[np.ndarray, "windows 256"]:
        """One embedding for each window of ``mels``: the last state of the last layer, a linear layer, no negative
        numbers, length 1."""
        steps = mels.transpose(1, 0, 2)
        for layer in range(_LAYERS):
            steps = self._lstm(layer, steps)
        out = np.maximum(steps[-1] @ self.arrays["linear"].T + self.arrays["linear bias"], 0)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def _lstm(
        self, layer: int, steps: Float32[np.ndarray, "frames windows n"]
    ) -> Float32[np.ndarray, "frames windows 256"]:
        """A layer of long short-term memory (S. Hochreiter, J. Schmidhuber, 1997): the state after each frame."""
        bias = self.arrays[f"input bias {layer}"] + self.arrays[f"state bias {layer}"]
        given = steps @ self.arrays[f"input {layer}"].T + bias
        back = np.ascontiguousarray(self.arrays[f"state {layer}"].T)
        state = np.zeros((steps.shape[1], _CELLS), np.float32)
        memory, out = np.zeros_like(state), []
        for gates in given:
            enter, forget, new, leave = np.split(gates + state @ back, 4, axis=1)
            memory = _sigmoid(forget) * memory + _sigmoid(enter) * np.tanh(new)
            state = _sigmoid(leave) * np.tanh(memory)
            out.append(state)
        return np.stack(out)


@lru_cache(maxsize=1)
def read_network(file: Path) -> SpeakerNetwork:
    """The network in ``file``. Raises ``WeightsError`` if it is another file or a damaged one."""
    try:
        content = file.read_bytes()
    except OSError as broken:
        raise WeightsError(f"the network that tells voices apart cannot be read ({broken})", file=file) from broken
    last = max(start + 4 * int(np.prod(shape)) for start, shape in _ARRAYS.values())
    arrays = {}
    if len(content) >= last:
        for name, (start, shape) in _ARRAYS.items():
            arrays[name] = np.frombuffer(content, "<f4", int(np.prod(shape)), start).reshape(shape)
    if not arrays or not all(np.isfinite(a).all() and float(np.abs(a).max()) < 100 for a in arrays.values()):
        raise WeightsError(
            "this is not the network that tells voices apart, or it is damaged",
            file=file,
            remedy=f"Fetch it with: lipdub weights fetch {MODEL}",
        )
    return SpeakerNetwork(arrays)


def spoken_parts(samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " m"]:
    """The blocks of 30 ms that are not silent, at the level that the network knows."""
    blocks = samples[: len(samples) - len(samples) % _BLOCK].reshape(-1, _BLOCK)
    if not len(blocks):
        return samples[:0]
    levels = np.sqrt((blocks.astype(np.float64) ** 2).mean(1))
    loud = float(np.percentile(levels, 95))
    heard = np.convolve(levels > _LOUD * loud, np.ones(7), "same") > 0 if loud > 0 else np.zeros(len(blocks), bool)
    speech = blocks[heard].reshape(-1)
    rms = float(np.sqrt((speech.astype(np.float64) ** 2).mean())) if len(speech) else 0.0
    return (speech * (_LEVEL / rms)).astype(np.float32) if rms > 0 else speech


def _mel_powers(samples: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, "frames 40"]:
    """The power in 40 mel bands every 10 ms, in windows of 25 ms (Hann) around each instant."""
    padded = np.pad(samples, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    spectra = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return (spectra @ mel_bands(_WINDOW).T).astype(np.float32)


@cache
def mel_bands(size: int) -> Float64[np.ndarray, "40 bins"]:
    """What takes the power spectrum of ``size`` samples to 40 mel bands: triangles on the mel scale of M. Slaney's
    Auditory Toolbox (1998), linear to 1 kHz and logarithmic above, each with the same area."""
    step = np.log(6.4) / 27
    top = 15 + np.log(ANALYSIS_RATE / 2 / 1000) / step
    mels = np.linspace(0, top, _MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.arange(size // 2 + 1) * ANALYSIS_RATE / size
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)
