"""Scores of the mouth's trajectory in a dub, and those of its pictures from ``lipdub.review.picture_scores``.

Trajectories are apertures per frame, in eye distances, NaN where the face was lost.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lipdub.review.picture_scores import CROP, flicker, lip_zone, mouth_crop, seam, sharpness

__all__ = [
    "CROP",
    "Stillness",
    "correlation",
    "flicker",
    "lag",
    "lip_zone",
    "mouth_crop",
    "seam",
    "sharpness",
    "stillness",
]


def correlation(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> float:
    """Pearson correlation over the rows where both are known; NaN if one of them does not move there."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3:
        return float("nan")
    a, b = one[known] - one[known].mean(), other[known] - other[known].mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / size) if size > 1e-9 else float("nan")


def lag(path: Float[np.ndarray, " n"], reference: Float[np.ndarray, " n"], step: float, reach: float = 0.3) -> float:
    """Seconds by which ``path`` is later than ``reference``, both sampled every ``step`` seconds; NaN if unknown.

    The best correlation within ``reach`` seconds either way, refined below one step by a parabola.
    """
    most = min(int(np.ceil(reach / step)), len(path) // 2)
    shifts = np.arange(-most, most + 1)
    scores = np.array([_shifted_correlation(path, reference, int(k)) for k in shifts])
    if not np.isfinite(scores).any():
        return float("nan")
    best = int(np.nanargmax(scores))
    part = 0.0
    if 0 < best < len(scores) - 1 and np.isfinite(scores[best - 1 : best + 2]).all():
        before, here, after = (float(s) for s in scores[best - 1 : best + 2])
        bend = before - 2 * here + after
        part = 0.5 * (before - after) / bend if bend < -1e-12 else 0.0
    return (float(shifts[best]) + part) * step


@dataclass(frozen=True, slots=True)
class Stillness:
    """A mouth in silence: its median ``aperture``, and how fast it moves (``stir``: 95th percentile of speeds, per
    second), in ``frames`` frames. NaN without silence."""

    aperture: float
    stir: float
    frames: int


def stillness(aperture: Float[np.ndarray, " n"], silent: Bool[np.ndarray, " n"], step: float) -> Stillness:
    """How still a mouth is in the frames that are ``silent``; frames are ``step`` seconds apart."""
    rows = silent & np.isfinite(aperture)
    moves = np.abs(np.diff(aperture))[rows[1:] & rows[:-1]] / step
    if not len(moves):
        return Stillness(float("nan"), float("nan"), int(rows.sum()))
    return Stillness(float(np.median(aperture[rows])), float(np.percentile(moves, 95)), int(rows.sum()))


def _shifted_correlation(path: np.ndarray, reference: np.ndarray, by: int) -> float:
    """Correlation of ``path`` with ``reference`` delayed by ``by`` rows."""
    n = len(path)
    return correlation(path[max(0, by) : n + min(0, by)], reference[max(0, -by) : n - max(0, by)])
