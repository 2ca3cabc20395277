"""Closures requested and found."""

import numpy as np

from lipdub.review.closures import closures


def test_closures_are_counted_as_stretches() -> None:
    closed = np.array([0, 1, 1, 0, 0.4, 0.6, 0, 1, 1, 1, 0, 1.0])
    aperture = np.array([0.1, 0.1, 0.01, 0.1, 0, 0.05, 0.1, np.nan, 0.019, 0.2, 0.1, np.nan])
    assert closures(aperture, closed) == (3, 2)
    assert closures(aperture, 0 * closed) == (0, 0)
