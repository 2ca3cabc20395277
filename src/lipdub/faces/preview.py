"""A small upright picture of a whole frame, made directly from its planes: fast, for finding cuts and faces."""

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.timeline.colour_matrix import ycbcr_to_rgb
from lipdub.timeline.picture import Frame, Rgb, display_size


def shown_size(frame: Frame) -> tuple[int, int]:
    """Width and height of the display picture: upright, square pixels."""
    height, width = frame.planes[0].shape
    return display_size(width, height, frame.layout.pixel_aspect, frame.layout.rotation)


def small_planes(frame: Frame, size: tuple[int, int]) -> Float32[np.ndarray, "planes height width"]:
    """The frame's colour planes averaged over a grid of ``size`` (width, height), upright, in 8-bit code values.

    Three planes (Y U V or R G B), or one if the frame is grey. Only some rows of large pictures are read.
    """
    width, height = size[::-1] if frame.layout.rotation % 2 else size
    colours = frame.planes[:3] if len(frame.planes) >= 3 else frame.planes[:1]
    small = np.stack([_shrunk(plane, width, height) for plane in colours]).astype(np.float32)
    small *= 2.0 ** (8 - frame.layout.depth)
    return np.ascontiguousarray(np.rot90(small, frame.layout.rotation, axes=(1, 2)))


def _shrunk(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    step = max(1, plane.shape[0] // (height * 3))
    return cv2.resize(plane[::step], (width, height), interpolation=cv2.INTER_AREA)


def small_rgb(frame: Frame, longest: int) -> Rgb:
    """The whole display picture as RGB with its longer side ``longest`` pixels (never enlarged)."""
    width, height = shown_size(frame)
    scale = min(1.0, longest / max(width, height))
    planes = small_planes(frame, (max(1, round(width * scale)), max(1, round(height * scale))))
    if len(planes) == 3 and not frame.layout.chroma_planes:
        rgb = planes
    else:
        rgb = _from_yuv(planes, frame.layout.matrix, frame.layout.full_range)
    return np.ascontiguousarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _from_yuv(planes: np.ndarray, matrix: str, full_range: bool) -> np.ndarray:
    """8-bit Y, or Y U V, (1 or 3, height, width) to R G B (3, height, width), not clipped."""
    luma = planes[0] if full_range else (planes[0] - 16) * (255 / 219)
    if len(planes) == 1:
        return np.stack([luma] * 3)
    chroma = (planes[1:] - 128) * (1.0 if full_range else 255 / 224)
    return ycbcr_to_rgb(np.concatenate([luma[None], chroma]), matrix)
