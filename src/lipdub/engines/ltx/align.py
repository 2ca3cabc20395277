"""A model may put the head a pixel or two from where it was filmed; here it is put back.

The same eye looks at what was filmed and at what was made, in the same way, so that its own errors cancel: a model
that changes nothing is not moved at all. The similarity between the two is found on points that do not move in
speech, by least squares, and smoothed over time.
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

_FURTHEST = 0.15  # eye distances beyond which two faces are not taken for the same one moved
_TURNED = 0.1  # the same for turning (radians) and scaling
_CALM = 6.0  # frames
_STILL = 1.5  # pixels that are not worth resampling


def alignment_maps(filmed: Sequence[Landmarks | None], made: Sequence[Landmarks | None]) -> Maps:
    """For each frame the map of pixels of what was made to where they were filmed; from its neighbours, or none,
    where a face was not found in one of them."""
    found = [_similar(a, b) for a, b in zip(filmed, made, strict=True)]
    known = np.array([i for i, one in enumerate(found) if one is not None])
    out = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (len(found), 1, 1))
    if not len(known):
        return out
    values = np.stack([one for one in found if one is not None])
    at = np.arange(len(found))
    filled = np.stack([np.interp(at, known, values[:, i]) for i in range(values.shape[1])], 1)
    scale, turn, right, down, x, y = gaussian_filter1d(filled, _CALM, axis=0, mode="nearest").T
    out[:, 0, 0] = out[:, 1, 1] = scale
    out[:, 0, 1], out[:, 1, 0] = -turn, turn
    out[:, 0, 2] = x + right - scale * x + turn * y
    out[:, 1, 2] = y + down - turn * x - scale * y
    return out


def align_frames(frames: Frames, moves: Maps, box: Window) -> Frames:
    """``frames`` moved by ``moves``; the same array if nothing in ``box`` moves by more than an eye errs."""
    height, width = frames.shape[1:3]
    x, y = (box.left, box.right), (box.top, box.bottom)
    corners = np.array([[a, b, 1] for a in x for b in y], np.float64)
    if np.abs(np.einsum("nij,kj->nki", moves, corners) - corners[:, :2]).max() < _STILL:
        return frames
    return np.stack([warp_affine(frame, move, (width, height)) for frame, move in zip(frames, moves, strict=True)])


def _similar(filmed: Landmarks | None, made: Landmarks | None) -> np.ndarray | None:
    """Scale times cosine and sine of the turn, shift (x, y) of the middle, and the middle; None if it is no such."""
    if filmed is None or made is None:
        return None
    there, here = (points[RIGID, :2].astype(np.float64) @ [1, 1j] for points in (filmed, made))
    unit = abs(complex(*(filmed[EYE_LEFT] - filmed[EYE_RIGHT])[:2]))
    middle, shift = here.mean(), there.mean() - here.mean()
    turn = np.vdot(here - middle, there - there.mean()) / np.vdot(here - middle, here - middle)
    if abs(shift) > _FURTHEST * unit or abs(turn - 1) > _TURNED:
        return None
    return np.array([turn.real, turn.imag, shift.real, shift.imag, middle.real, middle.imag])
