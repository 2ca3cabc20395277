"""Y'CbCr and R'G'B': luma weights and matrices of the ITU's recommendations, by the names of ``PixelLayout.matrix``."""

import numpy as np
from jaxtyping import Float, Float64

LUMA_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Weights of red and blue in luma (K_R, K_B of ITU-T H.273, 8.3): ITU-R BT.601, BT.709, BT.2020 with non-constant
luminance. Green has the rest to 1."""


def rgb_to_ycbcr(matrix: str) -> Float64[np.ndarray, "3 3"]:
    """The rows Y', Cb, Cr that R', G', B' are multiplied by (ITU-T H.273, 8.3); a ``matrix`` of another name counts as
    BT.601. Y' has the range of R'G'B', Cb and Cr have the same width around 0."""
    red, blue = LUMA_RED_BLUE.get(matrix, LUMA_RED_BLUE["bt601"])
    luma = np.array([red, 1 - red - blue, blue])
    to_blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    to_red = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, to_blue, to_red])


def ycbcr_to_rgb(planes: Float[np.ndarray, "3 height width"], matrix: str) -> Float[np.ndarray, "3 height width"]:
    """R', G', B' of Y', Cb, Cr on the scale of ``rgb_to_ycbcr``; not clipped. Raises ``KeyError`` for a matrix that is
    none of ``LUMA_RED_BLUE``."""
    luma, cb, cr = planes
    red, blue = LUMA_RED_BLUE[matrix]
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b])
