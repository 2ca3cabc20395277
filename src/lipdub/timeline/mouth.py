"""Mouth shapes of six numbers, and mouth trajectories: one shape per frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from lipdub.timeline.repeats import first_showing

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

    def held(self, repeats: Bool[np.ndarray, " frames"]) -> "MouthTrajectory":
        """The same, but in frames that repeat a picture the mouth stays as it was when the picture was first shown;
        or as it is where its lips must be closed most, if that is while the picture repeats."""
        first = first_showing(repeats)
        row = first.copy()
        for k in np.flatnonzero(repeats):
            if self.closed[k] > self.closed[row[first[k]]]:
                row[first[k]] = k
        row = row[first]
        return MouthTrajectory(self.shapes[row], self.weight[row], self.closed[row])
