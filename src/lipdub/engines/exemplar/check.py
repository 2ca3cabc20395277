"""Looking at closed lips again: what was asked to be shut must be seen shut."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import RIGID
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.exemplar.geometry import Geometry
from lipdub.engines.exemplar.render import Order
from lipdub.engines.seam import Redetect
from lipdub.timeline.mouth import AP
from lipdub.timeline.patch import FaceView, Patch, patched
from lipdub.timeline.picture import window_around

_SHUT = 0.012  # apertures asked for below this are closures
_SEEN_SHUT = 0.014
_MOST = 0.05


@dataclass(frozen=True, eq=False)
class Check:
    """Measures performed closures by an ``eye``."""

    geometry: Geometry
    eye: Redetect

    def corrected(self, order: Order, view: FaceView, made: Patch) -> Order | None:
        """A stronger order, if the lips of ``made`` were to be shut and are seen open."""
        if order.shape[AP] >= _SHUT or order.weight < 1 or view.landmarks is None:
            return None
        seen = self._aperture(view, made, view.landmarks)
        if seen is None or seen <= _SEEN_SHUT:
            return None
        return replace_bite(order, min(seen - max(float(order.shape[AP]), 0.0), _MOST))

    def _aperture(self, view: FaceView, made: Patch, landmarks: Float32[np.ndarray, "478 3"]) -> float | None:
        window = window_around(landmarks, view.size)
        corner = np.array([window.left, window.top, 0], np.float32)
        again = self.eye(patched(view, made, window), landmarks - corner)
        if again is None:
            return None
        place = pose.fit_pose(np.asarray(again, np.float64)[None, RIGID], self.geometry.mean[RIGID])
        return float(mouth_shape(place.unproject(0, np.asarray(again, np.float64)))[AP])


def replace_bite(order: Order, bite: float) -> Order:
    """``order`` with the lips pressed together by ``bite``."""
    return order._replace(bite=bite)
