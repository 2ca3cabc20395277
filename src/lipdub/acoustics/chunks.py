"""Long sound in overlapping chunks, for networks whose input is short."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.samples import Samples
from lipdub.timeline.sound import ANALYSIS_RATE
from lipdub.timeline.speech_features import FEATURE_STEP

HOP = int(ANALYSIS_RATE * FEATURE_STEP)
"""Samples between two rows of features."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples ``[first, stop)`` of the sound; of the rows a network makes of them, ``[keep, until)`` are used."""

    first: int
    stop: int
    keep: int
    until: int


def rows_of(samples: int) -> int:
    """The number of rows that describe ``samples`` samples; row i is centred on sample ``i * HOP``."""
    return ceil(samples / HOP)


def overlapping_chunks(samples: int, longest: int, trim: int) -> list[Chunk]:
    """Chunks of about equal length, at most ``longest`` rows, that cover ``samples`` samples.

    ``trim`` rows at each inner edge of a chunk are not used. The used rows, put end to end, are the rows
    ``0 .. rows_of(samples)``.
    """
    assert longest > 2 * trim >= 0
    rows = rows_of(samples)
    if rows <= longest:
        return [Chunk(0, samples, 0, rows)] if rows else []
    count = ceil((rows - 2 * trim) / (longest - 2 * trim))
    edges = [0, *(trim + round((rows - 2 * trim) * k / count) for k in range(1, count)), rows]
    out = []
    for begin, end in pairwise(edges):
        first, stop = max(0, begin - trim), min(rows, end + trim)
        out.append(Chunk(first * HOP, min(samples, stop * HOP), begin - first, end - first))
    return out


def padded(samples: Samples, first: int, stop: int) -> Float32[np.ndarray, " m"]:
    """``samples[first:stop]``, with zeros before the beginning and after the end of the sound."""
    inside = samples[max(first, 0) : max(stop, 0)]
    before = max(0, min(-first, stop - first))
    return np.pad(inside, (before, stop - first - before - len(inside)))
