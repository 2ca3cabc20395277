"""Putting an exemplar's mouth on a face: light and colour matched, and a painted inside where none was filmed."""

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.engines.exemplar.lips import Mouth
from lipdub.engines.exemplar.warp import smoothstep

Layer = Float32[np.ndarray, "height width 3"]

_MOST = 30.0  # largest change of colour, of 255
_NEAR, _FAR, _FAR_SHARE = 0.10, 0.30, 0.02
_CELLS = 32  # the colour field is solved on cells of 1/32 eye distance
_DETAIL = 0.03  # what is finer than this (eye distances) comes from one exemplar alone


def mixed(main: Layer, other: Layer, share: float, unit: float) -> Layer:
    """``main`` with the broad light and colour of ``other`` mixed in by ``share``; fine detail stays ``main``'s."""
    return main + cv2.GaussianBlur(other - main, (0, 0), max(1.0, _DETAIL * unit)) * share


def matched(layer: Layer, skin: Layer, mouth: Mouth, band: Float32[np.ndarray, "height width"]) -> Layer:
    """``layer`` in the colour of ``skin``: their difference in the ``band``, spread smoothly over the mouth.

    Normalised convolution (H. Knutsson, C.-F. Westin, CVPR 1993) at two widths. The change is scaled by local
    brightness, so that the dark of the mouth is not tinted.
    """
    h, w = band.shape
    cell = max(1, round(mouth.unit / _CELLS))
    size = max(4, w // cell), max(4, h // cell)
    weight = cv2.resize(band, size, interpolation=cv2.INTER_AREA)
    differ = cv2.resize((skin - layer) * band[..., None], size, interpolation=cv2.INTER_AREA)

    def spread(x: np.ndarray) -> np.ndarray:
        near, far = _NEAR * mouth.unit / cell, _FAR * mouth.unit / cell
        wide = cv2.GaussianBlur(x, (0, 0), far, borderType=cv2.BORDER_CONSTANT)
        return cv2.GaussianBlur(x, (0, 0), near, borderType=cv2.BORDER_CONSTANT) + _FAR_SHARE * wide

    change = spread(differ) / np.maximum(spread(weight), 1e-4)[..., None]
    change = cv2.resize(np.clip(change, -_MOST, _MOST), (w, h), interpolation=cv2.INTER_LINEAR)
    light = layer.mean(-1)
    level = max(20.0, float((light * band).sum() / max(1.0, float(band.sum()))))
    light = cv2.GaussianBlur(light, (0, 0), max(1.0, 0.01 * mouth.unit))
    change *= np.clip(light / level, 0, 1)[..., None]
    change += layer
    return change


def with_cavity(layer: Layer, mouth: Mouth, between: Float32[np.ndarray, "height width"], strength: float) -> Layer:
    """Paint a dark, soft, reddish inside into the opening: for a face that never showed one.

    ``between`` rises from 0 at the upper lip to 1 at the lower; ``strength`` 0..1.
    """
    lips = (mouth.outer > 127) & (mouth.inner < 60)
    flesh = np.median(layer[lips], 0) if int(lips.sum()) > 20 else np.array([90.0, 50.0, 50.0])
    colour = (flesh * [0.30, 0.22, 0.22]).astype(np.float32)
    depth = cv2.distanceTransform((mouth.inner > 127).astype(np.uint8), cv2.DIST_L2, 3) * (1 / mouth.unit)
    shade = (1.35 - 0.45 * smoothstep(depth / 0.05)) / np.clip(1.15 - 0.35 * between, 0.5, 2)
    soft = cv2.GaussianBlur(cv2.erode(mouth.inner, np.ones((3, 3), np.uint8)), (0, 0), max(1.0, 0.012 * mouth.unit))
    share = soft.astype(np.float32) * (strength / 255)
    return layer + (shade[..., None] * colour - layer) * share[..., None]
