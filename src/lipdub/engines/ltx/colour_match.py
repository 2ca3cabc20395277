"""Matches the colour of generated frames to the filmed ones.

Around the mouth both show the same skin, so their difference there is an error of the model. A plane (an offset and two
slopes) is fitted to that difference for each channel, smoothed over time against flicker, and added to the frame.
"""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from scipy.ndimage import gaussian_filter1d

Frames = UInt8[np.ndarray, "frames height width 3"]
Planes = Float64[np.ndarray, "frames 3 3"]
"""For each frame and channel: offset, and slopes from the middle to the right and to the lower border."""

_MAX_PLANE = np.array([24.0, 12.0, 12.0])  # of 255
_SMOOTHING = 4.0  # frames
_COARSE = 48  # pixels across: the difference has no fine detail
_RIDGE = np.array([1e-4, 2e-2, 2e-2])


def colour_planes(filmed: Frames, generated: Frames, rings: list[np.ndarray]) -> Planes:
    """Planes fitted to ``filmed`` - ``generated`` where ``rings`` (height, width) are 1, smoothed over time.

    A frame without such skin takes the planes of its neighbours.
    """
    found = [_plane(a, b, ring) for a, b, ring in zip(filmed, generated, rings, strict=True)]
    known = np.array([i for i, plane in enumerate(found) if plane is not None])
    out = np.zeros((len(found), 3, 3))
    if not len(known):
        return out
    flat = np.stack([found[i] for i in known]).reshape(len(known), 9)  # type: ignore[arg-type]
    at = np.arange(len(found))
    filled = np.stack([np.interp(at, known, flat[:, i]) for i in range(9)], 1)
    return gaussian_filter1d(filled, _SMOOTHING, axis=0, mode="nearest").reshape(-1, 3, 3)


def add_plane(frame: np.ndarray, plane: Float64[np.ndarray, "3 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """``frame`` (height, width, 3) uint8 with ``plane`` added."""
    across, down = _axes(frame.shape[0], frame.shape[1])
    added = plane[:, 0] + across[None, :, None] * plane[:, 1] + down[:, None, None] * plane[:, 2]
    return np.clip(frame + added + 0.5, 0, 255).astype(np.uint8)


def _plane(filmed: np.ndarray, generated: np.ndarray, ring: np.ndarray) -> np.ndarray | None:
    height, width = ring.shape
    size = (min(width, _COARSE), max(2, round(height * min(width, _COARSE) / width)))
    weight = cv2.resize(ring.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    if float(weight.sum()) < 4:
        return None
    difference = cv2.subtract(filmed, generated, dtype=cv2.CV_32F) * ring[..., None]
    coarse = cv2.resize(difference.astype(np.float32), size, interpolation=cv2.INTER_AREA).astype(np.float64)
    across, down = _axes(size[1], size[0])
    seen = weight > 1e-3
    places = np.stack([np.ones(size[::-1]), np.broadcast_to(across, size[::-1]), np.repeat(down[:, None], size[0], 1)])
    a, w = places[:, seen].T, weight[seen].astype(np.float64)
    normal = (a.T * w) @ a / w.sum() + np.diag(_RIDGE)
    found = np.linalg.solve(normal, a.T @ coarse[seen] / w.sum())
    return np.clip(found.T, -_MAX_PLANE, _MAX_PLANE)


def _axes(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from -1 to 1 at pixel centres: (width,) across and (height,) down."""
    return (np.arange(width) + 0.5) / width * 2 - 1, (np.arange(height) + 0.5) / height * 2 - 1
