"""Runs in arrays: stretches of True, and stretches of numbers that follow each other."""

import numpy as np
from jaxtyping import Bool, Int


def true_runs(flags: Bool[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """The runs of True in ``flags``, in order, each as a half-open range (first index, index after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]


def consecutive(numbers: Int[np.ndarray, " n"], gap: int = 1) -> list[Int[np.ndarray, " _k"]]:
    """``numbers``, which increase, cut wherever two neighbours lie more than ``gap`` apart; [] if there are none."""
    if len(numbers) == 0:
        return []
    return np.split(numbers, np.flatnonzero(np.diff(numbers) > gap) + 1)
