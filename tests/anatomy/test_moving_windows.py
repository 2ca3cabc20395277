import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, maximum_filter1d, uniform_filter1d

from lipdub.anatomy.moving_windows import moving_maximum, moving_mean, weighted_sum


@given(st.integers(1, 60), st.integers(0, 4), st.booleans(), st.integers(0, 99))
def test_weighted_sums_are_scipys_to_the_last_bit(n: int, reach: int, even: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    values, weights = random.normal(size=(n, 3)), random.normal(size=2 * reach + 1)
    weights = weights + weights[::-1] if even else weights
    np.testing.assert_array_equal(
        weighted_sum(values, weights), correlate1d(values, weights, axis=0, mode="nearest"), strict=True
    )


@pytest.mark.parametrize("width", [3, 5, 9])
@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_means_and_maxima_are_scipys_to_the_last_bit(n: int, width: int) -> None:
    values = np.random.default_rng(n).random(n)
    np.testing.assert_array_equal(moving_mean(values, width), uniform_filter1d(values, width, mode="constant"))
    np.testing.assert_array_equal(moving_maximum(values, width), maximum_filter1d(values, width, mode="constant"))
