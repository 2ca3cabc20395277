"""Closures: how many closed lips (p, b, m) a dub requests, and how many are found in the finished pictures."""

import numpy as np
from jaxtyping import Float

from lipdub.timeline.runs import true_runs

SHUT = 0.02
"""Aperture (eye distances) below which lips count as closed."""


def closures(aperture: Float[np.ndarray, " n"], closed: Float[np.ndarray, " n"]) -> tuple[int, int]:
    """(Requested, found): runs where ``closed`` is .5 or more, and those of them in which the lips were shut.

    Runs in which the face was lost throughout do not count.
    """
    requested = found = 0
    for first, stop in true_runs(closed >= 0.5):
        seen = aperture[first:stop][np.isfinite(aperture[first:stop])]
        if len(seen):
            requested += 1
            found += bool(seen.min() < SHUT)
    return requested, found
