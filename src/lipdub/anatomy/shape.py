"""The shape of a mouth as six numbers, all linear in the landmarks of a pose-free face.

Order and meaning: ``timeline.mouth.SHAPE``. Because the numbers are linear, an engine can move a face by
``(target - now) @ B``, which changes nothing if target equals now.
"""

import numpy as np
from jaxtyping import Float

from lipdub.anatomy.landmarks import LIP_CORNERS


def mouth_shape(face: Float[np.ndarray, "*frames 478 3"]) -> Float[np.ndarray, "*frames 6"]:
    """Mouth shapes of pose-free faces (x right, y down, z away; unit: outer eye corner distance)."""

    def height(*index: int) -> np.ndarray:
        return np.asarray(face[..., list(index), 1].mean(-1))

    upper = (2 * height(13) + height(82) + height(312)) / 4
    lower = (2 * height(14) + height(87) + height(317)) / 4
    width = face[..., [291, 308], 0].mean(-1) - face[..., [61, 78], 0].mean(-1)
    jaw = height(152, 148, 377, 175)
    protrusion = face[..., [0, 37, 267, 17, 84, 314], 2].mean(-1) - face[..., list(LIP_CORNERS[:2]), 2].mean(-1)
    thickness = (upper - height(0, 37, 267)) + (height(17, 84, 314) - lower)
    return np.stack([lower - upper, upper, width, jaw, protrusion, thickness], -1)
