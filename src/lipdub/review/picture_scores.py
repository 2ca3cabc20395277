"""Measures of the mouth in pictures of a dub, taken in source and result alike.

Pictures are compared on mouth crops without head pose, so that head motion makes no difference.
"""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion
from lipdub.timeline.picture import Rgb, Window

CROP = (144, 120)
"""Width, height of a mouth crop. It shows one eye distance across, from above the lips to the chin."""

_BELOW_LIPS, _HALF_HEIGHT = 0.05, 0.42


def mouth_crop(
    motion: FaceMotion, row: int, size: tuple[int, int], pixels: Callable[[Window], Rgb]
) -> UInt8[np.ndarray, "120 144 3"] | None:
    """The mouth in row ``row`` of the track, without head pose; ``pixels`` returns RGB of windows of a picture of
    ``size``.

    None where the face is lost or outside the picture. Crops follow the poses of ``motion``, so source and result must
    be given the same motion.
    """
    if not motion.ok[row]:
        return None
    lips = motion.mean[[13, 14]].mean(0)
    middle = float(lips[1]) + _BELOW_LIPS
    corners = [(-0.5, middle - _HALF_HEIGHT), (0.5, middle - _HALF_HEIGHT), (-0.5, middle + _HALF_HEIGHT)]
    corners.append((0.5, middle + _HALF_HEIGHT))
    quad = motion.pixels(row, np.c_[np.array(corners), np.full(4, lips[2])])
    shrink = float(motion.poses.scale[row]) / CROP[0]
    low, high = np.floor(quad.min(0) - 2 * shrink - 2).astype(int), np.ceil(quad.max(0) + 2 * shrink + 2).astype(int)
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)
    if window.empty:
        return None
    picture = pixels(window)
    if shrink > 1.5:
        picture = cv2.GaussianBlur(picture, (0, 0), shrink * 0.4)
    matrix = cv2.getAffineTransform(
        (quad[:3] - [window.left + 0.5, window.top + 0.5]).astype(np.float32),
        np.array([[-0.5, -0.5], [CROP[0] - 0.5, -0.5], [-0.5, CROP[1] - 0.5]], np.float32),
    )
    return cv2.warpAffine(picture, matrix, CROP, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def lip_zone(landmarks: Float[np.ndarray, "478 3"], unit: float, window: Window) -> Float32[np.ndarray, "height width"]:
    """1 on the lips and up to .05 eye distances (``unit`` pixels each) around them, 0 from .16 on, in ``window``.

    The mask for ``sharpness`` and ``seam``, independent of the mask of any engine.
    """
    outline = landmarks[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]]), :2] - [window.left + 0.5, window.top + 0.5]
    lips = np.ones((window.height, window.width), np.uint8)
    cv2.fillPoly(lips, [np.round(outline * 16).astype(np.int32)], (0,), cv2.LINE_8, 4)
    away = cv2.distanceTransform(lips, cv2.DIST_L2, 3)
    return np.clip((0.16 - away / np.float32(unit)) / 0.11, 0, 1).astype(np.float32)


def flicker(result: UInt8[np.ndarray, "n h w 3"], true: UInt8[np.ndarray, "n h w 3"]) -> float:
    """Mean change from frame to frame of ``result`` over that of ``true`` pictures of the same mouth; 1 is natural."""
    return _restlessness(result) / max(_restlessness(true), 1e-6)


def sharpness(result: Rgb, source: Rgb, mask: Float32[np.ndarray, "height width"]) -> float:
    """Fine detail of ``result`` over that of ``source`` where ``mask`` > .5; 1: equally sharp; NaN if there is no such
    pixel.

    Detail is the standard deviation of the Laplacian (J. L. Pech-Pacheco et al., ICPR 2000).
    """
    inside = mask > 0.5
    if inside.sum() < 2:
        return float("nan")
    return float(_laplacian(result)[inside].std() / max(float(_laplacian(source)[inside].std()), 1e-3))


def seam(result: Rgb, source: Rgb, mask: Float32[np.ndarray, "height width"]) -> float:
    """Edge strength of ``result`` over that of ``source`` along the mask's soft border; above 1 a seam may be visible;
    NaN if the mask has no soft border."""
    border = (mask > 0.1) & (mask < 0.9)
    if not border.any():
        return float("nan")
    return float(_gradient(result)[border].mean() / max(float(_gradient(source)[border].mean()), 1e-3))


def _restlessness(crops: np.ndarray) -> float:
    """Mean absolute change from one crop to the next."""
    steps = [float(cv2.absdiff(a, b).mean()) for a, b in itertools.pairwise(crops)]
    return float(np.mean(steps)) if steps else 0.0


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _laplacian(picture: np.ndarray) -> np.ndarray:
    return cv2.Laplacian(_grey(picture), cv2.CV_32F, ksize=3)


def _gradient(picture: np.ndarray) -> np.ndarray:
    grey = _grey(picture)
    return cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3))
