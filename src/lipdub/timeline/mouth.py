"""Mouth shapes of six numbers, and mouth trajectories: one shape per frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

SHAPE = ("ap", "ul", "wd", "jaw", "prot", "lth")
"""A mouth shape, in units of the distance between the person's outer eye corners, y down, pose removed:
inner aperture; height of the inner upper lip; width between the corners; height of the chin;
protrusion (depth of the lips against the corners); visible thickness of both lips together."""


AP, UL, WD, JAW, PROT, LTH = range(6)


@dataclass(frozen=True, eq=False)
class MouthTrajectory:
    """The wanted mouth shape in every frame of a face track.

    ``shapes`` (frames, 6) in the order and units of ``SHAPE``; ``weight`` (frames,) 0..1, where 0 leaves the frame as
    filmed; ``closed`` (frames,) 0..1, how strongly a lip closure (p, b, m) is wanted.
    """

    shapes: Float32[np.ndarray, "frames 6"]
    weight: Float32[np.ndarray, " frames"]
    closed: Float32[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.weight)
