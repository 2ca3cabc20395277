"""Layers that the networks for speech here have in common, computed with numpy's matrix products."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

Rows = Float32[np.ndarray, "_rows _width"]
"""Numbers of a network, one row for each instant."""


class Linear(NamedTuple):
    """A linear layer: ``weight`` (inputs, outputs) and ``bias`` (outputs,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, rows: Rows) -> Rows:
        """The outputs for every row."""
        out = rows @ self.weight
        out += self.bias
        return out


class Norm(NamedTuple):
    """Layer normalisation with ``scale`` and ``shift`` (width,)."""

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, rows: Rows) -> Rows:
        """Every row with mean 0 and variance 1, then scaled and shifted."""
        centred = rows - rows.mean(-1, keepdims=True)
        centred /= np.sqrt(np.mean(centred * centred, -1, keepdims=True) + np.float32(1e-5))
        centred *= self.scale
        centred += self.shift
        return centred


def self_attention(rows: Rows, queries: Linear, joined: Linear, heads: int) -> Rows:
    """Attention of all ``rows`` to each other (A. Vaswani et al., "Attention is all you need", 2017).

    ``queries`` gives queries, keys and values side by side, ``joined`` takes the heads side by side.
    """
    each = rows.shape[1] // heads
    q, k, v = queries(rows).reshape(len(rows), 3, heads, each).transpose(1, 2, 0, 3)
    scores = (q * np.float32(each**-0.5)) @ k.transpose(0, 2, 1)
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return joined((scores @ v).transpose(1, 0, 2).reshape(rows.shape))


def neighbours(rows: Rows, stride: int) -> Rows:
    """Every ``stride``-th row with the one before and the one after it, side by side; zeros beyond the ends."""
    around = np.pad(rows, ((1, 1), (0, 0)))
    count = (len(rows) + stride - 1) // stride
    return np.concatenate([around[k : k + stride * (count - 1) + 1 : stride] for k in range(3)], axis=1)
