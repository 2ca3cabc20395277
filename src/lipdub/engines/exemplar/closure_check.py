"""Checks rendered closures: lips that should be closed are measured in the result, and corrected if they are open.

To measure costs more than half of what it costs to render. Lips that were clearly closed are closed in the next frame
as well (measured apertures of closed lips change by .001 eye distances from frame to frame in the median, and by .005
in one of a hundred), so that frame is not measured. Only odd frames are left out: the even ones are measured for the
report as well, and a picture is measured once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import LIPS, RIGID
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.exemplar.frame_renderer import FrameTarget
from lipdub.engines.exemplar.geometry import FaceGeometry
from lipdub.engines.seam import Redetect
from lipdub.timeline.mouth import AP
from lipdub.timeline.patch import FaceView, Patch, patched
from lipdub.timeline.picture import Window, window_around

_CLOSURE = 0.012  # wanted apertures below this are closures
_MEASURED_CLOSED = 0.014  # measured apertures up to this count as closed
_CLEARLY_CLOSED = 0.009  # after a measured aperture up to this, the next frame of the closure is not measured
_MAX_OVERLAP = 0.05


@dataclass(eq=False)
class ClosureCheck:
    """Measures rendered closures with ``redetect``. Takes the frames of a track in order."""

    geometry: FaceGeometry
    redetect: Redetect
    _clearly_closed: int = -2
    """The row that was measured last, if its lips were clearly closed."""

    def corrected(
        self, target: FrameTarget, view: FaceView, patch: Patch, moves: Float64[np.ndarray, "478 2"]
    ) -> FrameTarget | None:
        """A target with more overlap of the lips, if ``patch`` should show closed lips and shows open ones; or None.

        ``moves``: by how many display pixels each landmark should have moved in ``patch``.
        """
        if target.shape[AP] >= _CLOSURE or target.weight < 1 or view.landmarks is None:
            return None
        if _lips_hidden(view, view.landmarks):
            return None
        if target.row % 2 and self._clearly_closed == target.row - 1:
            return None
        near = view.landmarks + np.pad(moves, ((0, 0), (0, 1))).astype(np.float32)
        measured = self._aperture(view, patch, near)
        if measured is not None and measured <= _CLEARLY_CLOSED:
            self._clearly_closed = target.row
        if measured is None or measured <= _MEASURED_CLOSED:
            return None
        overlap = min(measured - max(float(target.shape[AP]), 0.0), _MAX_OVERLAP)
        return target._replace(lip_overlap=overlap)

    def _aperture(self, view: FaceView, patch: Patch, near: np.ndarray) -> float | None:
        """The aperture of the mouth in ``patch`` (eye distances), or None if no face is found near the landmarks
        ``near``."""
        assert view.landmarks is not None
        window = window_around(view.landmarks, view.size)
        corner = np.array([window.left, window.top, 0], np.float32)
        again = self.redetect(patched(view, patch, window), near - corner)
        if again is None:
            return None
        fitted = pose.fit_pose(np.asarray(again, np.float64)[None, RIGID], self.geometry.mean[RIGID])
        return float(mouth_shape(fitted.unproject(0, np.asarray(again, np.float64)))[AP])


def _lips_hidden(view: FaceView, landmarks: Float32[np.ndarray, "478 3"]) -> bool:
    """True if something is before the lips: then they cannot be measured."""
    if view.occluder is None:
        return False
    lips = landmarks[LIPS, :2]
    low, high = np.floor(lips.min(0)).astype(int), np.ceil(lips.max(0)).astype(int) + 1
    before = view.occluder(Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(view.size))
    return before is not None and bool(before.any())
