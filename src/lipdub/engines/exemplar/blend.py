"""Putting an exemplar's mouth on a face: light and colour matched, and a painted inside where none was filmed."""

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.engines.exemplar.mouth_masks import MouthMasks
from lipdub.engines.exemplar.warp import smoothstep

Layer = Float32[np.ndarray, "height width 3"]

_MOST = 30.0  # largest change of colour, of 255
_NEAR, _FAR, _FAR_SHARE = 0.10, 0.30, 0.02
_CELLS = 32  # the colour field is solved on cells of 1/32 eye distance
_INSIDE = np.array([0.30, 0.20, 0.20])  # a mouth's inside, as a part of the lips' colour
_IVORY = np.array([1.12, 1.05, 0.97])  # teeth in a mouth's shade, as a part of the lips' brightness
_TEETH, _TEETH_FROM = 0.42, 0.026  # down to this part of the opening; from this half height on (eye distances)
_GREY = np.full((1, 3), 1 / 3, np.float32)
_DETAIL = 0.03  # what is finer than this (eye distances) comes from one exemplar alone


def mix_layers(main: Layer, other: Layer, share: float, unit: float) -> Layer:
    """``main`` with the broad light and colour of ``other`` mixed in by ``share``; fine detail stays ``main``'s."""
    return main + cv2.GaussianBlur(other - main, (0, 0), max(1.0, _DETAIL * unit)) * share


def match_colour(layer: Layer, skin: Layer, mouth: MouthMasks, band: Float32[np.ndarray, "height width"]) -> Layer:
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
    light = cv2.transform(layer, _GREY)
    level = max(20.0, float((light * band).sum() / max(1.0, float(band.sum()))))
    light = cv2.GaussianBlur(light, (0, 0), max(1.0, 0.01 * mouth.unit))
    change *= np.clip(light / level, 0, 1)[..., None]
    change += layer
    return change


def paint_cavity(layer: Layer, mouth: MouthMasks, between: Float32[np.ndarray, "height width"], strength: float) -> Layer:
    """Paint the inside of a mouth into the opening, for a face that never showed one.

    Dark and reddish, darker with depth, with a faint edge of upper teeth when the opening is wide enough to show
    them. ``between`` rises from 0 at the upper lip to 1 at the lower; ``strength`` 0..1.
    """
    lips = (mouth.outer > 127) & (mouth.inner < 60)
    flesh = np.median(layer[lips], 0) if int(lips.sum()) > 20 else np.array([90.0, 50.0, 50.0])
    depth = cv2.distanceTransform((mouth.inner > 127).astype(np.uint8), cv2.DIST_L2, 3) * (1 / mouth.unit)
    shade = (1.35 - 0.55 * smoothstep(depth / 0.05)) / np.clip(1.15 - 0.35 * between, 0.5, 2)
    inside = shade[..., None] * (flesh * _INSIDE).astype(np.float32)
    tall = float(depth.max())
    if tall > _TEETH_FROM:
        ivory = (float(flesh.mean()) * _IVORY).astype(np.float32)
        soft = max(0.8, 0.012 * mouth.unit)
        below_lip = smoothstep((_TEETH - between) / 0.22)
        middle = smoothstep(depth / (0.6 * tall))
        shown = cv2.GaussianBlur(below_lip * middle, (0, 0), soft) * min((tall - _TEETH_FROM) / 0.02, 1.0) * 0.65
        inside += (ivory - inside) * shown[..., None]
    edge = cv2.GaussianBlur(mouth.inner, (0, 0), max(1.0, 0.018 * mouth.unit)).astype(np.float32)
    share = np.clip((edge * (1 / 255) - 0.3) / 0.65, 0, 1) * strength
    return layer + (inside - layer) * share[..., None]
