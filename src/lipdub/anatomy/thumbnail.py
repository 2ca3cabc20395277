"""Small pictures of the lower face without pose and scale, which can be compared between frames of one person."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

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
from lipdub.anatomy.pose import Poses
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


class LowerFacePicture(NamedTuple):
    """``picture`` of the lower face without pose, and the affine map ``matrix`` from pixels of the display picture to
    its cells, both counted from centres. ``place`` is the head's pose."""

    picture: UInt8[np.ndarray, "rows columns 3"]
    matrix: Float64[np.ndarray, "2 3"]
    place: Poses


def lower_face(
    landmarks: Float32[np.ndarray, "478 3"],
    size: tuple[int, int],
    pixels: Callable[[Window], Rgb],
    margin: tuple[int, int] = (0, 0),
) -> LowerFacePicture | None:
    """The area that a thumbnail shows, and ``margin`` (across, down) more cells on its left, on its right and below.

    ``size`` (width, height) is the picture's; ``pixels`` returns RGB of a window. None if all of it is outside the
    picture.
    """
    quad, place = _corners(landmarks)
    w, h = THUMBNAIL_SIZE
    more_x, more_y = margin
    right, down = (quad[1] - quad[0]) * (more_x / w), (quad[2] - quad[0]) * (more_y / h)
    reach = quad if margin == (0, 0) else np.concatenate([quad - right, quad + right, quad - right + down, quad + down])
    edge = 0.05 * place.scale[0] + 2
    low, high = np.floor(reach.min(0) - edge).astype(int), np.ceil(reach.max(0) + edge).astype(int)
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(size)
    if window.empty:
        return None
    crop = pixels(window)
    shrink = place.scale[0] * 2 * HALF_WIDTH / w
    if shrink > 1.5:
        crop = cv2.GaussianBlur(crop, (0, 0), shrink * 0.45)
    matrix = _cells_of(quad - [window.left, window.top])
    matrix[0, 2] += more_x
    shown = (w + 2 * more_x, h + more_y)
    picture = cv2.warpAffine(crop, matrix, shown, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    matrix[:, 2] -= matrix[:, :2] @ [window.left, window.top]
    return LowerFacePicture(picture, matrix, place)


def thumbnail(
    landmarks: Float32[np.ndarray, "478 3"], size: tuple[int, int], pixels: Callable[[Window], Rgb]
) -> Thumbnail:
    """Thumbnail of the face at ``landmarks`` in a picture of ``size`` (width, height); ``pixels`` returns RGB of a
    window."""
    seen = lower_face(landmarks, size, pixels)
    if seen is None:
        return Thumbnail(np.zeros((THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3), np.uint8), float("nan"))
    return Thumbnail(np.ascontiguousarray(seen.picture), redness_of(seen, landmarks))


def thumbnail_place(landmarks: Float32[np.ndarray, "478 3"], picture: UInt8[np.ndarray, "32 40 3"]) -> LowerFacePicture:
    """Where the thumbnail ``picture`` of the face at ``landmarks`` lies in the display picture."""
    quad, place = _corners(landmarks)
    return LowerFacePicture(picture, _cells_of(quad), place)


def redness_of(
    thumb: LowerFacePicture,
    landmarks: Float32[np.ndarray, "478 3"],
    seen: Bool[np.ndarray, "32 40"] | None = None,
    least: float = 0.0,
) -> float:
    """CIE a* of the lips in a thumbnail minus that of the ring of skin around them, in the cells that are ``seen``
    (None: all). NaN if not more than four cells of the lips are, or not more than the part ``least`` of them."""
    top, bottom = thumbnail_rows()
    w, h = THUMBNAIL_SIZE
    picture, free = thumb.picture, thumb.place.unproject(0, landmarks.astype(np.float64))
    where = np.c_[(free[:, 0] + HALF_WIDTH) / (2 * HALF_WIDTH) * w - 0.5, (free[:, 1] - top) / (bottom - top) * h - 0.5]
    redness = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)

    def filled(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        outline = np.round(where[np.concatenate([upper, lower[::-1]])] * 16).astype(np.int32)
        return cv2.fillPoly(np.zeros(picture.shape[:2], np.uint8), [outline], (1.0,), cv2.LINE_8, 4)

    outer, inner = filled(OUTER_UPPER, OUTER_LOWER), filled(INNER_UPPER, INNER_LOWER)
    lips = (outer > 0) & (inner == 0)
    around = cv2.dilate(outer, np.ones((9, 9), np.uint8)) > cv2.dilate(outer, np.ones((3, 3), np.uint8))
    whole = int(lips.sum())
    if seen is not None:
        lips, around = lips & seen, around & seen
    if lips.sum() <= max(4, least * whole) or not around.any():
        return float("nan")
    return float(redness[lips].mean() - redness[around].mean())


def _corners(landmarks: Float32[np.ndarray, "478 3"]) -> tuple[np.ndarray, Poses]:
    """The corners (4, 2) of a thumbnail in the display picture (upper left, upper right, lower left, lower right), and
    the head's pose."""
    canonical = canonical_face()
    top, bottom = thumbnail_rows()
    place = pose.fit_pose(landmarks[None, RIGID], canonical[RIGID])
    corners = np.array([[-HALF_WIDTH, top], [HALF_WIDTH, top], [-HALF_WIDTH, bottom], [HALF_WIDTH, bottom]])
    return place.project(0, np.c_[corners, np.full(4, canonical[14, 2])])[:, :2], place


def _cells_of(quad: np.ndarray) -> Float64[np.ndarray, "2 3"]:
    """The affine map from pixels to the cells of a thumbnail with the corners ``quad`` in the same picture."""
    w, h = THUMBNAIL_SIZE
    return cv2.getAffineTransform(
        (quad[:3] - 0.5).astype(np.float32),  # OpenCV counts from pixel centres
        np.array([[-0.5, -0.5], [w - 0.5, -0.5], [-0.5, h - 0.5]], np.float32),
    )
