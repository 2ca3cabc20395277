"""The first three of the six layers of whisper-base's encoder, computed with numpy's matrix products.

Whisper: A. Radford et al., "Robust speech recognition via large-scale weak supervision", 2022 (weights: MIT). Two
convolutions over the log-mel spectrogram, the second with stride 2; sinusoids that tell the place in the chunk; then
layers of self-attention with eight heads and of two linear layers, each after a layer normalisation. GELU is computed
by its tanh approximation (D. Hendrycks and K. Gimpel, 2016).

The weights are in ``encoder_weights.npz``, made by ``lipdub.train.encoder_weights``: matrices as whole numbers of six
bits with a scale for each output.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from lipdub.errors import WeightsError
from lipdub.sound_to_mouth.network_layers import Linear, Norm, Rows, neighbours, self_attention

LAYERS = 3
"""Layers that are computed: mouths are predicted better from the third one's output than from any later one's."""

WIDTH = 512
"""Numbers in a row of the encoder."""

FILE = "encoder_weights.npz"
_HEADS = 8


class _Layer(NamedTuple):
    """One layer of the encoder."""

    first_norm: Norm
    queries: Linear
    joined: Linear
    second_norm: Norm
    wide: Linear
    narrow: Linear

    def __call__(self, rows: Rows) -> Rows:
        rows = rows + self_attention(self.first_norm(rows), self.queries, self.joined, _HEADS)
        rows += self.narrow(_gelu(self.wide(self.second_norm(rows))))
        return rows


class EncoderNetwork:
    """Rows of the encoder from a log-mel spectrogram. It holds no state, so threads may share it."""

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        """``tensors`` as in the file. Raises ``KeyError`` or ``ValueError`` if they are those of another network."""
        self._stem = _linear(tensors, "stem0"), _linear(tensors, "stem1")
        self._layers = [_layer(tensors, f"layer{i}.") for i in range(LAYERS)]

    @staticmethod
    @cache
    def shipped() -> "EncoderNetwork":
        """The network in the package. Raises ``WeightsError`` if its file is damaged."""
        source = files("lipdub.sound_to_mouth") / FILE
        try:
            with source.open("rb") as file, np.load(file) as tensors:
                return EncoderNetwork(tensors)
        except MemoryError:
            raise
        except Exception as broken:  # a damaged archive fails in many ways: zipfile, zlib, struct, numpy
            reason = " ".join(str(broken).split())[:120] or type(broken).__name__
            raise WeightsError(
                f"the weights of the speech encoder cannot be read ({reason})",
                file=str(source),
                remedy="Install lipdub again.",
            ) from broken

    def rows(self, mel: Float32[np.ndarray, "80 frames"], place: int = 0) -> Rows:
        """The output of the third layer, one row for every two columns of ``mel``, as if the first were row ``place``
        of a sound."""
        first, second = self._stem
        rows = _gelu(first(neighbours(np.ascontiguousarray(mel.T), 1)))
        rows = _gelu(second(neighbours(rows, 2)))
        rows += _places(place, len(rows))
        for layer in self._layers:
            rows = layer(rows)
        return rows


def _linear(tensors: Mapping[str, np.ndarray], name: str) -> Linear:
    """The layer ``name``: whole numbers, and what a step of each output's numbers is worth."""
    numbers, step = tensors[f"{name}.weight"], tensors[f"{name}.step"].astype(np.float32)
    if numbers.dtype != np.int8 or numbers.ndim != 2 or step.shape != numbers.shape[:1]:
        raise ValueError(f"{name} is no matrix of whole numbers")
    return Linear((numbers * step[:, None]).T, tensors[f"{name}.bias"].astype(np.float32))


def _norm(tensors: Mapping[str, np.ndarray], name: str) -> Norm:
    scale, shift = (tensors[f"{name}.{part}"].astype(np.float32) for part in ("scale", "shift"))
    return Norm(scale, shift)


def _layer(tensors: Mapping[str, np.ndarray], name: str) -> _Layer:
    return _Layer(
        _norm(tensors, f"{name}first_norm"),
        _linear(tensors, f"{name}queries"),
        _linear(tensors, f"{name}joined"),
        _norm(tensors, f"{name}second_norm"),
        _linear(tensors, f"{name}wide"),
        _linear(tensors, f"{name}narrow"),
    )


def _places(first: int, count: int) -> Float32[np.ndarray, "count 512"]:
    """Sines and cosines of 256 wavelengths from 2 pi to 20,000 pi rows, from row ``first`` on."""
    half = WIDTH // 2
    angles = (first + np.arange(count))[:, None] * np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _gelu(x: np.ndarray) -> np.ndarray:
    inner = x * x
    inner *= np.float32(0.044715 * (2 / np.pi) ** 0.5)
    inner += np.float32((2 / np.pi) ** 0.5)
    inner *= x
    np.tanh(inner, out=inner)
    inner += 1
    inner *= x
    inner *= np.float32(0.5)
    return inner
