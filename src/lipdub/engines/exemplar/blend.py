"""Blends an exemplar's mouth into a face: matches its colour, and paints the inside of a mouth if none was filmed."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lipdub.engines.exemplar.mouth_masks import MouthMasks
from lipdub.engines.exemplar.warp import smoothstep

Layer = Float32[np.ndarray, "height width 3"]

_MAX_CHANGE = 30.0  # largest change of colour, of 255
_NEAR, _FAR, _FAR_SHARE = 0.10, 0.30, 0.02
_CELLS = 32  # the colour field is solved on cells of 1/32 eye distance
_INSIDE = np.array([0.30, 0.20, 0.20])  # colour of the inside of a mouth, relative to the lips
_IVORY = np.array([1.12, 1.05, 0.97])  # colour of teeth in the shade of a mouth, relative to the brightness of the lips
_TEETH, _TEETH_FROM = (
    0.42,
    0.026,
)  # down to this part of the opening; if half its height is at least this (eye distances)
_GREY = np.full((1, 3), 1 / 3, np.float32)
_ALIKE = 0.16  # the correlation of the detail of two mouths with the same outline
_DETAIL = 0.03  # detail finer than this (eye distances) comes from one exemplar alone


def mix_layers(main: Layer, other: Layer, share: float, unit: float) -> Layer:
    """``main`` with the low frequencies of ``other`` mixed in by ``share`` (0..1); fine detail is that of ``main``.

    ``unit`` is the eye distance in pixels.
    """
    return main + cv2.GaussianBlur(other - main, (0, 0), max(1.0, _DETAIL * unit)) * share


def cross_fade(one: Layer, other: Layer, share: float, unit: float) -> Layer:
    """From ``one`` to ``other`` by ``share`` (0..1), with as much fine detail on the way as at both ends.

    Details of two pictures correlate little, so their weighted mean is weaker than either; it is amplified to the power
    that it would lack. ``unit`` is the eye distance in pixels.
    """
    mixed = one + (other - one) * share
    low = cv2.GaussianBlur(mixed, (0, 0), max(1.0, _DETAIL * unit))
    rest = 1 - share
    gain = 1 / float(np.sqrt(share * share + rest * rest + 2 * _ALIKE * share * rest))
    return low + (mixed - low) * gain


def match_colour(layer: Layer, skin: Layer, mouth: MouthMasks, band: Float32[np.ndarray, "height width"]) -> Layer:
    """``layer`` in the colour of ``skin``: their difference in ``band`` (0..1) is spread smoothly over the mouth.

    Normalised convolution (H. Knutsson, C.-F. Westin, CVPR 1993) at two widths. The change is scaled by local
    brightness, so that the dark inside of the mouth is not tinted. Colours are 0..255.
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
    change = cv2.resize(np.clip(change, -_MAX_CHANGE, _MAX_CHANGE), (w, h), interpolation=cv2.INTER_LINEAR)
    light = cv2.transform(layer, _GREY)
    level = max(20.0, float((light * band).sum() / max(1.0, float(band.sum()))))
    light = cv2.GaussianBlur(light, (0, 0), max(1.0, 0.01 * mouth.unit))
    change *= np.clip(light / level, 0, 1)[..., None]
    change += layer
    return change


def keep_filmed(
    filmed: UInt8[np.ndarray, "height width 3"],
    made: UInt8[np.ndarray, "height width 3"],
    share: Float32[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width 3"]:
    """``made``, and ``filmed`` by ``share`` (0..1): exactly the one where it is 0, exactly the other where it is 1."""
    difference = made.astype(np.float32) - filmed
    difference *= (1 - share)[..., None]
    return (filmed + np.round(difference)).astype(np.uint8)


def paint_cavity(
    layer: Layer, mouth: MouthMasks, between: Float32[np.ndarray, "height width"], strength: float
) -> Layer:
    """``layer`` with the inside of a mouth painted into the opening, for a face that was never filmed with open mouth.

    It is dark and reddish, darker with depth, with a faint edge of upper teeth if the opening is large enough.
    ``between`` rises from 0 at the upper lip to 1 at the lower; ``strength`` is 0..1.
    """
    lips = (mouth.outer > 127) & (mouth.inner < 60)
    lip_colour = np.median(layer[lips], 0) if int(lips.sum()) > 20 else np.array([90.0, 50.0, 50.0])
    depth = cv2.distanceTransform((mouth.inner > 127).astype(np.uint8), cv2.DIST_L2, 3) * (1 / mouth.unit)
    shade = (1.35 - 0.55 * smoothstep(depth / 0.05)) / np.clip(1.15 - 0.35 * between, 0.5, 2)
    inside = shade[..., None] * (lip_colour * _INSIDE).astype(np.float32)
    tall = float(depth.max())
    if tall > _TEETH_FROM:
        ivory = (float(lip_colour.mean()) * _IVORY).astype(np.float32)
        soft = max(0.8, 0.012 * mouth.unit)
        below_lip = smoothstep((_TEETH - between) / 0.22)
        middle = smoothstep(depth / (0.6 * tall))
        shown = cv2.GaussianBlur(below_lip * middle, (0, 0), soft) * min((tall - _TEETH_FROM) / 0.02, 1.0) * 0.65
        inside += (ivory - inside) * shown[..., None]
    edge = cv2.GaussianBlur(mouth.inner, (0, 0), max(1.0, 0.018 * mouth.unit)).astype(np.float32)
    share = np.clip((edge * (1 / 255) - 0.3) / 0.65, 0, 1) * strength
    return layer + (inside - layer) * share[..., None]
