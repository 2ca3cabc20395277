"""Write patches into decoded frames, and change no sample outside their masks.

Only the *difference* between a patch and what the engine saw is written: it is weighted by the mouth mask, turned to
the frame's own orientation and pixel shape, multiplied by the RGB to Y'CbCr matrix (ITU-T H.273, section 8.3), averaged
over every chroma sample's footprint, rounded, and added to the frame's own samples. The source is never converted there
and back, so samples stay as they are where the difference is zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

from lipdub.timeline.colour_matrix import rgb_to_ycbcr
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame, PixelLayout, Window, square_width

_DEPTHS = {np.dtype(np.uint8): cv2.CV_8U, np.dtype(np.uint16): cv2.CV_16U}


def apply_patches(frame: Frame, patches: Sequence[Patch]) -> Frame:
    """Write the mouths of ``patches``, one after the other, into the planes of ``frame`` and return it.

    The planes are changed in place, and so is what ``frame.rgb`` shows. A sample changes only if a pixel of its
    footprint has a mask above 0; alpha never changes. New values stay in the legal range of the format, or between it
    and the source's own value if that lay outside.
    """
    for patch in patches:
        assert patch.index == frame.index, "a patch belongs to one frame"
        box = _mask_bounds(patch.mask)
        if not box.empty:
            _write(frame, _coded_difference(patch, box, frame))
    return frame


@dataclass(frozen=True, eq=False)
class _CodedDifference:
    """What is added to each coded plane before chroma is averaged, float32 (rows, columns), and its top left
    position."""

    left: int
    top: int
    samples: tuple[np.ndarray, ...]


def _mask_bounds(mask: np.ndarray) -> Window:
    """The smallest window of ``mask`` outside of which it is 0."""
    inside = mask > 0
    columns = np.flatnonzero(inside.any(0))
    if not len(columns):
        return Window(0, 0, 0, 0)
    rows = np.flatnonzero(inside.any(1))
    return Window(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _coded_difference(patch: Patch, box: Window, frame: Frame) -> _CodedDifference:
    """The masked difference of the patch inside ``box``, in coded orientation and pixels."""
    layout, (rows, columns) = frame.layout, frame.planes[0].shape
    part = np.s_[box.top : box.bottom, box.left : box.right]
    mask = patch.mask[part]
    difference = cv2.subtract(patch.pixels[part], patch.base[part], dtype=cv2.CV_32F)
    place = Window(
        patch.window.left + box.left,
        patch.window.top + box.top,
        patch.window.left + box.right,
        patch.window.top + box.bottom,
    )
    if layout.rotation % 4:
        width = square_width(columns, layout.pixel_aspect)
        place = place.rotated_back((width, rows), layout.rotation)
        difference = np.ascontiguousarray(np.rot90(difference, -layout.rotation))
        mask = np.ascontiguousarray(np.rot90(mask, -layout.rotation))
    samples = tuple(_weighted(difference, row, mask) for row in _matrix(layout, len(frame.planes)))
    if layout.pixel_aspect != 1:
        scale = square_width(columns, layout.pixel_aspect) / columns
        return _resampled_columns(_CodedDifference(place.left, place.top, samples), scale)
    return _CodedDifference(place.left, place.top, samples)


def _weighted(difference: np.ndarray, row: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``mask`` times the sum of the channels of ``difference``, weighted by one ``row`` of the matrix."""
    one = cv2.transform(difference, row[None]).reshape(mask.shape)
    return np.multiply(one, mask, out=one)


def _resampled_columns(change: _CodedDifference, scale: float) -> _CodedDifference:
    """From displayed columns to coded ones, which are ``scale`` displayed columns wide: linear between pixel centres.

    Only coded columns whose centre lies inside the difference are kept.
    """
    rows, width = change.samples[0].shape
    first = ceil(change.left / scale - 0.5)
    stop = max(first, ceil((change.left + width) / scale - 0.5))
    if first == stop:
        return _CodedDifference(first, change.top, tuple(np.zeros((rows, 0), np.float32) for _ in change.samples))
    where = (np.arange(first, stop, dtype=np.float64) + 0.5) * scale - 0.5 - change.left
    columns = np.tile(where.astype(np.float32), (rows, 1))
    lines = np.repeat(np.arange(rows, dtype=np.float32)[:, None], stop - first, 1)
    samples = tuple(
        cv2.remap(one, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in change.samples
    )
    return _CodedDifference(first, change.top, samples)


def _matrix(layout: PixelLayout, planes: int) -> np.ndarray:
    """(planes, 3) float32: from a difference of 8-bit RGB to a difference of the layout's samples."""
    luma, chroma = _steps_per_level(layout)
    if planes >= 3 and not layout.chroma_planes:
        return np.eye(3, dtype=np.float32) * np.float32(luma)
    matrix = rgb_to_ycbcr(layout.matrix)
    if planes < 3:
        # FFmpeg reads grey as full range whatever its tag.
        return (matrix[:1] * ((1 << layout.depth) - 1) / 255).astype(np.float32)
    return (matrix * [[luma], [chroma], [chroma]]).astype(np.float32)


def _steps_per_level(layout: PixelLayout) -> tuple[float, float]:
    """Steps of luma and of chroma per step of 8-bit RGB (ITU-T H.273, 8.3)."""
    if layout.full_range:
        return ((1 << layout.depth) - 1) / 255, ((1 << layout.depth) - 1) / 255
    step = 1 << (layout.depth - 8)
    return 219 * step / 255, 224 * step / 255


def _legal_range(layout: PixelLayout, plane: int, planes: int) -> tuple[int, int]:
    """Lowest and highest legal value of a sample of ``plane``."""
    if layout.full_range or planes < 3:
        return 0, (1 << layout.depth) - 1
    step = 1 << (layout.depth - 8)
    top = 240 if plane and layout.chroma_planes else 235
    return 16 * step, top * step


def _write(frame: Frame, change: _CodedDifference) -> None:
    """Add ``change`` to the planes of ``frame``; one without columns changes nothing."""
    layout, size = frame.layout, frame.planes[0].shape
    if not change.samples[0].size:
        return
    for number, one in enumerate(change.samples):
        grid = layout.subsampling if number and layout.chroma_planes else (1, 1)
        added = one if grid == (1, 1) else _chroma_means(one, (change.left, change.top), grid, size)
        top, left = change.top // grid[1], change.left // grid[0]
        view = frame.planes[number][top : top + added.shape[0], left : left + added.shape[1]]
        assert view.shape == added.shape, "a patch lies inside the picture"
        if view.size:
            _add(view, added, _legal_range(layout, number, len(frame.planes)))


def _chroma_means(one: np.ndarray, place: tuple[int, int], grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Means of ``one``, which starts at ``place`` (left, top), over chroma footprints of ``grid`` (across, down).

    Outside the difference 0 is added; beyond the picture's edge (``size`` rows, columns) the edge is repeated.
    """
    (left, top), (across, down) = place, grid
    right, bottom = left + one.shape[1], top + one.shape[0]
    more_right, more_down = -right % across, -bottom % down
    edge_right = more_right if right == size[1] else 0
    edge_down = more_down if bottom == size[0] else 0
    nothing = (top % down, more_down - edge_down, left % across, more_right - edge_right)
    if any(nothing):
        one = cv2.copyMakeBorder(one, *nothing, cv2.BORDER_CONSTANT, value=0)
    if edge_right or edge_down:
        one = cv2.copyMakeBorder(one, 0, edge_down, 0, edge_right, cv2.BORDER_REPLICATE)
    return cv2.resize(one, (one.shape[1] // across, one.shape[0] // down), interpolation=cv2.INTER_AREA)


def _add(view: np.ndarray, added: np.ndarray, legal: tuple[int, int]) -> None:
    """Add rounded ``added`` to ``view`` in place; no value leaves the legal range further than it was."""
    lowest, highest = (view.dtype.type(v) for v in legal)
    changed = cv2.add(view, added, dtype=_DEPTHS[view.dtype])
    if changed.min() < lowest:
        np.maximum(changed, np.minimum(view, lowest), out=changed)
    if changed.max() > highest:
        np.minimum(changed, np.maximum(view, highest), out=changed)
    view[:] = changed
