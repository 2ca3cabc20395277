"""Frames that repeat the picture before them: films of 25 frames in 30, pauses of a camera, still recordings.

A mouth that goes on moving there is seen at once. So it is held with the picture.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from lipdub.timeline.runs import true_runs

_AROUND = 12  # frames before and after that say how much a picture usually changes
_SHARE = 0.12  # of the usual change: coded repeats change by .00 to .10 of it, nearly all other frames by .15 or more
_BEAT_SHARE = 0.35  # the same, where a repeat is due because the film repeats a picture every so many frames
_BEATS, _TURNS, _ENOUGH = range(2, 13), (-3, -2, -1, 1, 2, 3), 3  # 2 to 12 frames; three repeats at that distance
_STILL = 0.15  # grey levels (0..255): where pictures usually change by less, nothing can be said
_LONGEST = 6  # frames; where the picture stands still for longer, the dub's mouth must go on


def repeated_rows(changes: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """True for each row whose picture is that of the row before.

    ``changes``: mean difference (0..255) of the picture from that of the row before, NaN where it is unknown. A change
    is compared with those around it (75th percentile), so noise of the camera or of a codec does not matter; in a film
    that repeats a picture every so many frames, a larger change is allowed where a repeat is due. Where the picture
    repeats more than six times on end it stands still, and that is no repeat.
    """
    share = np.full(len(changes), np.inf)
    for row in np.flatnonzero(np.isfinite(changes)):
        usual = float(np.nanpercentile(changes[max(0, row - _AROUND) : row + _AROUND + 1], 75))
        share[row] = float(changes[row]) / usual if usual >= _STILL else np.inf
    sure = share < _SHARE
    beside = np.pad(share, 1, constant_values=np.inf)
    least = share < np.minimum(beside[:-2], beside[2:])
    out = sure | ((share < _BEAT_SHARE) & least & _due(sure))
    for first, stop in true_runs(out):
        if stop - first > _LONGEST:
            out[first:stop] = False
    if len(out):
        out[0] = False
    return out


def _due(sure: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """True where, at one distance between two and twelve frames, three rows before or after are ``sure``."""
    out = np.zeros(len(sure), bool)
    for beat in _BEATS:
        found = np.zeros(len(sure), np.int64)
        for turn in _TURNS:
            away = turn * beat
            if abs(away) < len(sure):
                found[max(0, -away) : len(sure) - max(0, away)] += sure[max(0, away) : len(sure) + min(0, away)]
        out |= found >= _ENOUGH
    return out


def first_showing(repeats: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each row, the first row that shows the same picture: the row itself, unless it is one of ``repeats``."""
    rows = np.arange(len(repeats))
    return np.maximum.accumulate(np.where(repeats, 0, rows))
