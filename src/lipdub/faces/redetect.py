"""Find a face again in a picture, near known landmarks. Engines use it on pictures that they made."""

import numpy as np
from jaxtyping import Float

from lipdub.faces.landmarker import FaceLandmarker, FaceRoi, Landmarks
from lipdub.timeline.picture import Rgb, Window


class LandmarkRedetector:
    """Detects the landmarks of a face near known ones, with the network that tracked it."""

    def __init__(
        self, finder: FaceLandmarker, thorough: bool = True, before: "LandmarkRedetector | None" = None
    ) -> None:
        """``finder`` must not be in use by another thread. ``thorough``: run the network a second time if the face is
        not where it was expected. ``before``: a picture that this one measured last is not measured again."""
        self._mesh = finder.refined_mesh if thorough else finder.mesh
        self._before = before
        self._last: tuple[Rgb, Landmarks | None] | None = None

    def __call__(self, rgb: Rgb, near: Float[np.ndarray, "478 3"]) -> Landmarks | None:
        """Landmarks (478, 3) of the face in ``rgb`` near the landmarks ``near``, in pixels of that picture; None if
        there is none. ``rgb`` must not be changed afterwards."""
        known = None if self._before is None else self._before._last
        if known is not None and np.array_equal(known[0], rgb):
            return known[1]
        height, width = rgb.shape[:2]

        def pixels(window: Window) -> Rgb:
            return rgb[window.top : window.bottom, window.left : window.right]

        mesh = self._mesh(pixels, (width, height), FaceRoi.around(near.astype(np.float32)))
        found = None if mesh is None or mesh.presence < 0.5 else mesh.landmarks
        self._last = rgb, found
        return found
