"""Small pictures of the lower face without pose and scale, which can be compared between frames of one person."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import (
    CHIN,
    INNER_LOWER,
    INNER_UPPER,
    NOSE_BASE,
    OUTER_LOWER,
    OUTER_UPPER,
    RIGID,
    canonical_face,
)
from lipdub.timeline.picture import Rgb, Window

THUMBNAIL_SIZE = (40, 32)
"""Width, height of a thumbnail in pixels."""

HALF_WIDTH = 0.55
"""Half the width of the area that a thumbnail shows, in eye distances. Its height is from the base of the nose to below
the chin."""


class Thumbnail(NamedTuple):
    """``picture`` (32, 40, 3), and ``redness``: CIE a* of the lips minus that of the ring of skin around them."""

    picture: UInt8[np.ndarray, "32 40 3"]
    redness: float


def thumbnail_rows() -> tuple[float, float]:
    """Height of a thumbnail's top and bottom edge on the canonical face (y down, eye distances below the eyes)."""
    face = canonical_face()
    return float(face[NOSE_BASE, 1]), float(face[CHIN, 1] + 0.05)


def thumbnail(
    landmarks: Float32[np.ndarray, "478 3"], size: tuple[int, int], pixels: Callable[[Window], Rgb]
) -> Thumbnail:
    """Thumbnail of the face at ``landmarks`` in a picture of ``size`` (width, height); ``pixels`` returns RGB of a
    window."""
    canonical = canonical_face()
    top, bottom = thumbnail_rows()
    place = pose.fit_pose(landmarks[None, RIGID], canonical[RIGID])
    corners = np.array([[-HALF_WIDTH, top], [HALF_WIDTH, top], [-HALF_WIDTH, bottom], [HALF_WIDTH, bottom]])
    corners = np.c_[corners, np.full(4, canonical[14, 2])]
    quad = place.project(0, corners)[:, :2]
    margin = 0.05 * place.scale[0] + 2
    low, high = np.floor(quad.min(0) - margin).astype(int), np.ceil(quad.max(0) + margin).astype(int)
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)
    if window.empty:
        return Thumbnail(np.zeros((THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3), np.uint8), float("nan"))
    crop = pixels(window)
    shrink = place.scale[0] * 2 * HALF_WIDTH / THUMBNAIL_SIZE[0]
    if shrink > 1.5:
        crop = cv2.GaussianBlur(crop, (0, 0), shrink * 0.45)
    w, h = THUMBNAIL_SIZE
    matrix = cv2.getAffineTransform(
        (quad[:3] - [window.left + 0.5, window.top + 0.5]).astype(np.float32),  # OpenCV counts from pixel centres
        np.array([[-0.5, -0.5], [w - 0.5, -0.5], [-0.5, h - 0.5]], np.float32),
    )
    picture = cv2.warpAffine(crop, matrix, THUMBNAIL_SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    free = place.unproject(0, landmarks.astype(np.float64))
    where = np.c_[(free[:, 0] + HALF_WIDTH) / (2 * HALF_WIDTH) * w - 0.5, (free[:, 1] - top) / (bottom - top) * h - 0.5]
    return Thumbnail(np.ascontiguousarray(picture), _redness(picture, where))


def _redness(picture: np.ndarray, where: np.ndarray) -> float:
    redness = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)

    def filled(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        outline = np.round(where[np.concatenate([upper, lower[::-1]])] * 16).astype(np.int32)
        return cv2.fillPoly(np.zeros(picture.shape[:2], np.uint8), [outline], (1.0,), cv2.LINE_8, 4)

    outer, inner = filled(OUTER_UPPER, OUTER_LOWER), filled(INNER_UPPER, INNER_LOWER)
    lips = (outer > 0) & (inner == 0)
    around = cv2.dilate(outer, np.ones((9, 9), np.uint8)) > cv2.dilate(outer, np.ones((3, 3), np.uint8))
    if lips.sum() <= 4 or not around.any():
        return float("nan")
    return float(redness[lips].mean() - redness[around].mean())
