"""One face through one shot."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32

from lipdub.timeline.clip import Shot
from lipdub.timeline.repeats import repeated_rows
from lipdub.timeline.spool import Spool


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face through one shot: frames ``[first, stop)`` of the clip, one row of ``landmarks`` per frame.

    ``landmarks`` rows are (478, 3) float32 in display pixels, NaN where the face was lost. ``thumbs`` rows are (32, 40,
    3) uint8 RGB thumbnails of the lower face without pose (``anatomy.thumbnail``), zero where lost. ``redness``
    (frames,) is how much redder the lips are than the skin around them (CIE a*, 8-bit scale), NaN where lost.
    ``presence`` (frames,) is the landmark network's confidence, 0..1. ``changes`` (frames,) is how much the picture
    around the face differs from the frame before (mean, 0..255), NaN where that is unknown; None: it was not measured.
    ``id`` is unique in the clip.
    """

    id: int
    shot: Shot
    first: int
    landmarks: Spool
    thumbs: Spool
    redness: Float32[np.ndarray, " frames"]
    presence: Float32[np.ndarray, " frames"]
    changes: Float32[np.ndarray, " frames"] | None = None

    def __len__(self) -> int:
        return len(self.presence)

    @property
    def stop(self) -> int:
        """Index after the last frame."""
        return self.first + len(self)

    @cached_property
    def repeats(self) -> Bool[np.ndarray, " frames"]:
        """True for each frame that repeats the picture of the frame before (see ``repeated_rows``)."""
        return np.zeros(len(self), bool) if self.changes is None else repeated_rows(self.changes)

    def __contains__(self, index: int) -> bool:
        return self.first <= index < self.stop
