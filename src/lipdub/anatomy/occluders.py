"""Something before a face: where a hand, a microphone or a collar hides part of it, as a matte at full resolution.

The matte is found on a small picture without pose, by the colours of the face and of what was seen before it, and
refined by the same colours in the picture itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from lipdub.anatomy.face_colours import Cells, FaceColours
from lipdub.anatomy.landmarks import LOWER_OUTLINE, OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.thumbnail import LowerFacePicture, lower_face
from lipdub.timeline.picture import Rgb, Window

MARGIN = (12, 14)
"""Cells of a thumbnail that are looked at on each side of it and below it."""

_FROM_FACE = 8  # cells beyond the outline of the face up to which what covers the face is followed
_COARSE = 1.7  # pixels in one cell up to which the small picture says all
_UNSURE = 1  # cells on both sides of an edge that are decided in the picture itself
_BESIDE, _SOFT = 0.012, 0.02  # eye distances around an occluder that stay as filmed, and over which the matte falls


@dataclass(frozen=True, eq=False)
class Occluders:
    """What is before a face in the ``rows`` of its track, known by its ``colours``."""

    colours: FaceColours
    rows: Bool[np.ndarray, " frames"]

    def matte(
        self,
        landmarks: Float32[np.ndarray, "478 3"],
        size: tuple[int, int],
        pixels: Callable[[Window], Rgb],
        window: Window,
    ) -> Float32[np.ndarray, "height width"] | None:
        """How much each pixel of ``window`` belongs to something before the face (0..1), or None if none does.

        ``landmarks`` (display pixels) and ``pixels`` are those of the frame, whose picture has ``size``.
        """
        seen = lower_face(landmarks, size, pixels, MARGIN)
        if seen is None or window.empty:
            return None
        cells = before_face(self.colours.other_things(seen.picture), seen, landmarks)
        if not cells.any():
            return None
        hidden = self._in_picture(cells, seen, pixels, window)
        if not hidden.any():
            return None
        unit = float(seen.place.scale[0])
        away = cv2.distanceTransform((~hidden).astype(np.uint8), cv2.DIST_L2, 3)
        fall = np.clip((away - (1 + _BESIDE * unit)) / (1 + _SOFT * unit), 0, 1)
        return (1 - fall * fall * (3 - 2 * fall)).astype(np.float32)

    def _in_picture(
        self, cells: Cells, seen: LowerFacePicture, pixels: Callable[[Window], Rgb], window: Window
    ) -> Bool[np.ndarray, "height width"]:
        """The pixels of ``window`` that ``cells`` of a small picture cover."""
        matrix = seen.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ [window.left, window.top]

        def enlarged(some: Cells) -> np.ndarray:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(some.astype(np.float32), matrix, (window.width, window.height), flags=flags) > 0.5

        cell = 1 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if cell <= _COARSE:
            return enlarged(cells)
        around = np.ones((2 * _UNSURE + 1, 2 * _UNSURE + 1), np.uint8)
        sure = enlarged(cv2.erode(cells.astype(np.uint8), around, borderValue=1) > 0)
        possible = enlarged(cv2.dilate(cells.astype(np.uint8), around) > 0)
        odds = cv2.GaussianBlur(self.colours.at(pixels(window)), (0, 0), max(0.8, 0.35 * cell))
        return sure | (possible & (odds > 0))


def before_face(cells: Cells, seen: LowerFacePicture, landmarks: Float32[np.ndarray, "478 3"]) -> Cells:
    """The part of ``cells`` (of the small picture ``seen``) that lies before the face, and what goes on beyond its
    outline next to that; what is only beside the face is left out."""
    inside = cv2.erode(face_cells(seen, landmarks).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    begun = cells & inside
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _FROM_FACE + 1, 2 * _FROM_FACE + 1))
    return cells & (cv2.dilate(begun.astype(np.uint8), reach) > 0)


def face_cells(seen: LowerFacePicture, landmarks: Float32[np.ndarray, "478 3"]) -> Cells:
    """The cells of the small picture ``seen`` inside the outline of the face."""
    return _inside(landmarks[LOWER_OUTLINE], seen)


def lip_cells(seen: LowerFacePicture, landmarks: Float32[np.ndarray, "478 3"], around: int) -> Cells:
    """The cells of the small picture ``seen`` that are on the mouth, or up to ``around`` cells beside it."""
    mouth = _inside(landmarks[np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]])], seen)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * around + 1, 2 * around + 1))
    return cv2.dilate(mouth.astype(np.uint8), disc) > 0


def _inside(points: Float32[np.ndarray, "k 3"], seen: LowerFacePicture) -> Cells:
    """The cells of ``seen`` inside a polygon of display pixels."""
    outline = np.c_[points[:, :2] - 0.5, np.ones(len(points))] @ seen.matrix.T
    fixed = np.round(outline * 16).astype(np.int32)
    return cv2.fillPoly(np.zeros(seen.picture.shape[:2], np.uint8), [fixed], (1.0,), cv2.LINE_8, 4) > 0
