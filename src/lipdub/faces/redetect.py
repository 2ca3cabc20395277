"""An eye for engines: finds a face again in a picture, given roughly where it is."""

import numpy as np
from jaxtyping import Float

from lipdub.faces.landmarker import FaceLandmarker, FaceRoi, Landmarks
from lipdub.timeline.picture import Rgb, Window


class LandmarkRedetector:
    """Looks for a face near known landmarks, with the same network that tracked it."""

    def __init__(self, finder: FaceLandmarker, thorough: bool = True) -> None:
        """``finder`` must not be in use by another thread. ``thorough``: look a second time where the first look
        shows that the face is not quite where it was said to be."""
        self._look = finder.refined_mesh if thorough else finder.mesh

    def __call__(self, rgb: Rgb, near: Float[np.ndarray, "478 3"]) -> Landmarks | None:
        """Landmarks (478, 3) of the face in ``rgb`` near the landmarks ``near``, in that picture's pixels."""
        height, width = rgb.shape[:2]

        def pixels(window: Window) -> Rgb:
            return rgb[window.top : window.bottom, window.left : window.right]

        mesh = self._look(pixels, (width, height), FaceRoi.around(near.astype(np.float32)))
        return None if mesh is None or mesh.presence < 0.5 else mesh.landmarks
