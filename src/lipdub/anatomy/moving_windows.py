"""Sums, means and maxima over windows that move along an array.

The same numbers as ``scipy.ndimage``'s ``correlate1d``, ``uniform_filter1d`` and ``maximum_filter1d`` give, to the last
bit. Importing that package takes a fifth of a second at every start.
"""

import numpy as np
from jaxtyping import Float, Float64


def weighted_sum(
    values: Float[np.ndarray, "n *rest"], weights: Float64[np.ndarray, " width"]
) -> Float64[np.ndarray, "n *rest"]:
    """At each place the sum of the values around it times ``weights`` (an odd number); the end values are repeated."""
    reach, n = len(weights) // 2, len(values)
    around = np.concatenate([np.repeat(values[:1], reach, 0), values, np.repeat(values[-1:], reach, 0)])
    if np.abs(weights - weights[::-1]).max() > np.finfo(np.float64).eps:
        out = around[2 * reach :] * weights[-1]
        for k in range(2 * reach):
            out += around[k : k + n] * weights[k]
        return out
    out = around[reach : reach + n] * weights[reach]
    for k in range(reach):
        out += (around[k : k + n] + around[2 * reach - k : 2 * reach - k + n]) * weights[k]
    return out


def moving_mean(values: Float64[np.ndarray, " n"], width: int) -> Float64[np.ndarray, " n"]:
    """The mean of ``width`` values around each place; beyond the ends they count as 0."""
    around = np.pad(values, (width // 2, width - 1 - width // 2))
    first = np.cumsum(around[:width])[-1:]
    return np.cumsum(np.concatenate([first, around[width:] - around[:-width]])) / width


def moving_maximum(values: Float[np.ndarray, " n"], width: int) -> Float[np.ndarray, " n"]:
    """The largest of ``width`` values around each place; beyond the ends they count as 0."""
    around = np.pad(values, (width // 2, width - 1 - width // 2))
    return np.lib.stride_tricks.sliding_window_view(around, width).max(-1)
