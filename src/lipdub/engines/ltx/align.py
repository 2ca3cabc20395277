"""Aligns generated frames with the filmed ones: a model may place the head a pixel or two beside where it was.

Landmarks are detected in both frames in the same way, so that the detector's errors cancel: frames that the model did
not change are not moved. A similarity transform is fitted by least squares to points that do not move in speech, and
smoothed over time.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from scipy.ndimage import gaussian_filter1d

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, RIGID
from lipdub.engines.ltx.head_crop import warp_affine
from lipdub.timeline.picture import Window

Landmarks = Float32[np.ndarray, "478 3"]
Frames = UInt8[np.ndarray, "_frames _height _width 3"]
Maps = Float64[np.ndarray, "_frames 2 3"]

_MAX_SHIFT = 0.15  # eye distances: a larger shift is taken for a wrong detection
_MAX_TURN = 0.1  # the same for rotation (radians) and scale
_SMOOTHING = 6.0  # frames
_NEGLIGIBLE = 1.5  # pixels: frames that move less are not resampled


def alignment_maps(filmed: Sequence[Landmarks | None], generated: Sequence[Landmarks | None]) -> Maps:
    """For each frame the map from generated pixels to filmed ones, given the landmarks of both.

    Where a face was not found (None), the map is interpolated; it is the identity if no face was found at all.
    """
    found = [_similarity(a, b) for a, b in zip(filmed, generated, strict=True)]
    known = np.array([i for i, one in enumerate(found) if one is not None])
    out = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (len(found), 1, 1))
    if not len(known):
        return out
    values = np.stack([one for one in found if one is not None])
    at = np.arange(len(found))
    filled = np.stack([np.interp(at, known, values[:, i]) for i in range(values.shape[1])], 1)
    scale, turn, right, down, x, y = gaussian_filter1d(filled, _SMOOTHING, axis=0, mode="nearest").T
    out[:, 0, 0] = out[:, 1, 1] = scale
    out[:, 0, 1], out[:, 1, 0] = -turn, turn
    out[:, 0, 2] = x + right - scale * x + turn * y
    out[:, 1, 2] = y + down - turn * x - scale * y
    return out


def align_frames(frames: Frames, alignment_maps: Maps, box: Window) -> Frames:
    """``frames`` mapped by ``alignment_maps``; the same array if no corner of ``box`` moves by more than 1.5 pixels."""
    height, width = frames.shape[1:3]
    x, y = (box.left, box.right), (box.top, box.bottom)
    corners = np.array([[a, b, 1] for a in x for b in y], np.float64)
    if np.abs(np.einsum("nij,kj->nki", alignment_maps, corners) - corners[:, :2]).max() < _NEGLIGIBLE:
        return frames
    return np.stack(
        [warp_affine(frame, one, (width, height)) for frame, one in zip(frames, alignment_maps, strict=True)]
    )


def _similarity(filmed: Landmarks | None, generated: Landmarks | None) -> np.ndarray | None:
    """(scale x cosine, scale x sine, shift x, shift y, middle x, middle y) of the map; None if it is implausible."""
    if filmed is None or generated is None:
        return None
    there, here = (points[RIGID, :2].astype(np.float64) @ [1, 1j] for points in (filmed, generated))
    unit = abs(complex(*(filmed[EYE_LEFT] - filmed[EYE_RIGHT])[:2]))
    middle, shift = here.mean(), there.mean() - here.mean()
    turn = np.vdot(here - middle, there - there.mean()) / np.vdot(here - middle, here - middle)
    if abs(shift) > _MAX_SHIFT * unit or abs(turn - 1) > _MAX_TURN:
        return None
    return np.array([turn.real, turn.imag, shift.real, shift.imag, middle.real, middle.imag])
