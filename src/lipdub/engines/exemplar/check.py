"""Looking at closed lips again: what was asked to be shut must be seen shut."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import RIGID
from lipdub.anatomy.shape import shape_of
from lipdub.engines.exemplar.geometry import Geometry
from lipdub.engines.exemplar.render import Order
from lipdub.engines.seam import Eye
from lipdub.timeline.face import AP
from lipdub.timeline.picture import Look, Performance, Rgb, Window

_SHUT = 0.012  # apertures asked for below this are closures
_SEEN_SHUT = 0.014
_MOST = 0.05
_AROUND = 0.35  # of the face's size, what the eye needs to see around it


@dataclass(frozen=True, eq=False)
class Check:
    """Measures performed closures by an ``eye``."""

    geometry: Geometry
    eye: Eye

    def corrected(self, order: Order, look: Look, made: Performance) -> Order | None:
        """A stronger order, if the lips of ``made`` were to be shut and are seen open."""
        if order.shape[AP] >= _SHUT or order.weight < 1 or look.landmarks is None:
            return None
        seen = self._aperture(look, made, look.landmarks.astype(np.float64))
        if seen is None or seen <= _SEEN_SHUT:
            return None
        return replace_bite(order, min(seen - max(float(order.shape[AP]), 0.0), _MOST))

    def _aperture(self, look: Look, made: Performance, landmarks: Float64[np.ndarray, "478 3"]) -> float | None:
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        reach = _AROUND * float((high - low).max())
        left, top = np.floor(low - reach).astype(int)
        right, bottom = np.ceil(high + reach).astype(int) + 1
        window = Window(int(left), int(top), int(right), int(bottom)).clipped(look.size)
        again = self.eye(_with(look, made, window), (landmarks - [window.left, window.top, 0]).astype(np.float32))
        if again is None:
            return None
        place = pose.fit(np.asarray(again, np.float64)[None, RIGID], self.geometry.mean[RIGID])
        return float(shape_of(place.unproject(0, np.asarray(again, np.float64)))[AP])


def replace_bite(order: Order, bite: float) -> Order:
    """``order`` with the lips pressed together by ``bite``."""
    return order._replace(bite=bite)


def _with(look: Look, made: Performance, window: Window) -> Rgb:
    """The picture of ``window`` with ``made`` in its place."""
    picture = np.array(look.pixels(window))
    left, top = max(window.left, made.window.left), max(window.top, made.window.top)
    right, bottom = min(window.right, made.window.right), min(window.bottom, made.window.bottom)
    if left < right and top < bottom:
        picture[top - window.top : bottom - window.top, left - window.left : right - window.left] = made.pixels[
            top - made.window.top : bottom - made.window.top, left - made.window.left : right - made.window.left
        ]
    return picture
