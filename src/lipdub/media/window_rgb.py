"""8-bit RGB of a window of the display picture, from its planes; nothing outside the window is converted."""

import threading
from fractions import Fraction
from math import ceil, floor

import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from lipdub.media.formats import frame_from_planes, planar_format
from lipdub.timeline.picture import PixelLayout, Rgb, Window, display_size, square_width

# Numbers of colour matrices in swscale.
_SWS = {"bt709": 1, "bt601": 5, "bt2020": 9}
_LIMITED, _FULL = 1, 2
_FILTER = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT
_MARGIN = 4
"""Chroma samples around the window that are converted too, so that its border is filtered as in the whole picture."""

_thread = threading.local()


def window_rgb(planes: tuple[np.ndarray, ...], layout: PixelLayout, window: Window) -> Rgb:
    """8-bit RGB (height, width, 3) of ``window``, which must lie inside the display picture.

    Pixels that are not square are interpolated linearly between pixel centres, so the result does not depend on the
    window's place and size.
    """
    rows, columns = planes[0].shape
    square = square_width(columns, layout.pixel_aspect), rows
    shown = display_size(columns, rows, layout.pixel_aspect, layout.rotation)
    assert Window(0, 0, *shown).contains(window), f"{window} leaves the picture {shown}"
    if window.empty:
        return np.zeros((window.height, window.width, 3), np.uint8)
    upright = window.rotated_back(square, layout.rotation)
    if square == (columns, rows):
        rgb = _rgb_coded_pixels(planes, layout, upright)
    else:
        rgb = _rgb_square_pixels(planes, layout, upright, Fraction(square[0], columns))
    return np.ascontiguousarray(np.rot90(rgb, layout.rotation))


def _rgb_square_pixels(
    planes: tuple[np.ndarray, ...], layout: PixelLayout, window: Window, scale: Fraction
) -> np.ndarray:
    """RGB of a window of the picture whose columns are stretched by ``scale``."""
    columns = planes[0].shape[1]
    left = max(0, floor(window.left / scale) - 2)
    right = min(columns, ceil(window.right / scale) + 2)
    source = _rgb_coded_pixels(planes, layout, Window(left, window.top, right, window.bottom))
    step = float(1 / scale)
    offset = (window.left + 0.5) * step - 0.5 - left
    matrix = np.array([[step, 0, offset], [0, 1, 0]], np.float64)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, (window.width, window.height), flags=how, borderMode=cv2.BORDER_REPLICATE)


def _rgb_coded_pixels(planes: tuple[np.ndarray, ...], layout: PixelLayout, window: Window) -> np.ndarray:
    """RGB of a window of the coded picture; only the samples around it are converted."""
    kind = planar_format(layout.name)
    rows, columns = planes[0].shape
    sx, sy = layout.subsampling
    left, right = _aligned(window.left, window.right, sx, columns)
    top, bottom = _aligned(window.top, window.bottom, sy, rows)
    cut = []
    for number, plane in enumerate(planes):
        px, py = kind.pixels_per_sample(number)
        part = plane[top // py : ceil(bottom / py), left // px : ceil(right / px)]
        cut.append(part if (px, py) != (1, 1) else _padded_to_chroma(part, sx, sy))
    if kind.colour == "grey":
        whole = _from_grey(cut[0], layout)
        return whole[window.top - top : window.bottom - top, window.left - left : window.right - left]
    matrix = _SWS.get(layout.matrix, 1)
    image = _reformatter().reformat(
        frame_from_planes(tuple(cut), kind), format="rgb24", interpolation=_FILTER, threads=1,
        src_colorspace=matrix, dst_colorspace=matrix,
        src_color_range=_FULL if layout.full_range else _LIMITED, dst_color_range=_FULL,
    )  # fmt: skip
    plane = image.planes[0]
    rgb = np.frombuffer(memoryview(plane), np.uint8).reshape(image.height, plane.line_size)
    rgb = rgb[:, : 3 * image.width].reshape(image.height, image.width, 3)
    return rgb[window.top - top : window.bottom - top, window.left - left : window.right - left].copy()


def _padded_to_chroma(plane: np.ndarray, sx: int, sy: int) -> np.ndarray:
    """``plane`` with its edge repeated up to whole chroma samples; needed at the border of odd pictures."""
    right, below = -plane.shape[1] % sx, -plane.shape[0] % sy
    return np.pad(plane, ((0, below), (0, right)), mode="edge") if right or below else plane


def _from_grey(plane: np.ndarray, layout: PixelLayout) -> np.ndarray:
    """RGB of grey samples."""
    unit = 2.0 ** (layout.depth - 8)
    low, high = (0.0, 256 * unit - 1) if layout.full_range else (16 * unit, 235 * unit)
    grey = (plane.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.repeat(np.rint(grey).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _aligned(start: int, end: int, step: int, limit: int) -> tuple[int, int]:
    """``[start, end)`` with a margin, extended to whole chroma samples (at least 2 pixels), inside ``[0, limit)``."""
    grid = max(step, 2)
    margin = _MARGIN * step if step > 1 else 0
    return max(0, (start - margin) // grid * grid), min(limit, -(-(end + margin) // grid) * grid)


def _reformatter() -> VideoReformatter:
    """This thread's converter, which keeps its tables while sizes stay the same."""
    if not hasattr(_thread, "reformatter"):
        _thread.reformatter = VideoReformatter()
    return _thread.reformatter
