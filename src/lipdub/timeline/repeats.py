"""Frames that repeat the picture before them: films of 25 frames in 30, pauses of a camera, still recordings.

A mouth that goes on moving there is seen at once. So it is held with the picture.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from lipdub.timeline.runs import true_runs

_AROUND = 12  # frames before and after that say how much a picture usually changes
_SHARE = 0.12  # of the usual change: coded repeats change by .00 to .10 of it, nearly all other frames by .15 or more
_STILL = 0.15  # grey levels (0..255): where pictures usually change by less, nothing can be said
_LONGEST = 6  # frames; where the picture stands still for longer, the dub's mouth must go on


def repeated_rows(changes: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """True for each row whose picture is that of the row before.

    ``changes``: mean difference (0..255) of the picture from that of the row before, NaN where it is unknown. A change
    is compared with those around it (75th percentile), so noise of the camera or of a codec does not matter. Where the
    picture repeats more than six times on end it stands still, and that is no repeat.
    """
    out = np.zeros(len(changes), bool)
    small = np.nan_to_num(np.asarray(changes, np.float64), nan=np.inf)
    for row in np.flatnonzero(np.isfinite(small)):
        near = changes[max(0, row - _AROUND) : row + _AROUND + 1]
        usual = float(np.nanpercentile(near, 75))
        out[row] = usual >= _STILL and small[row] < _SHARE * usual
    for first, stop in true_runs(out):
        if stop - first > _LONGEST:
            out[first:stop] = False
    if len(out):
        out[0] = False
    return out


def first_showing(repeats: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each row, the first row that shows the same picture: the row itself, unless it is one of ``repeats``."""
    rows = np.arange(len(repeats))
    return np.maximum.accumulate(np.where(repeats, 0, rows))
