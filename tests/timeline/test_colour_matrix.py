import numpy as np
import pytest

from lipdub.timeline.colour_matrix import LUMA_RED_BLUE, rgb_to_ycbcr, ycbcr_to_rgb


@pytest.mark.parametrize("matrix", LUMA_RED_BLUE)
def test_there_and_back_is_the_same_colour(matrix: str) -> None:
    rgb = np.random.default_rng(0).uniform(0, 255, (3, 4, 5))
    there = np.einsum("ij,jyx->iyx", rgb_to_ycbcr(matrix), rgb)
    np.testing.assert_allclose(ycbcr_to_rgb(there, matrix), rgb, atol=1e-9)


@pytest.mark.parametrize("matrix", LUMA_RED_BLUE)
def test_grey_has_no_chroma_and_pure_blue_and_red_have_most(matrix: str) -> None:
    y, cb, cr = rgb_to_ycbcr(matrix)
    np.testing.assert_allclose([y.sum(), cb.sum(), cr.sum()], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose([cb[2], cr[0]], [0.5, 0.5])
