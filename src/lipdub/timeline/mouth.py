"""Mouths: the six numbers of a shape, and what a mouth shall do frame by frame."""

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
    """What a mouth shall do: one row per frame of a face track.

    ``shapes`` (frames, 6) in the order of ``SHAPE``, in that person's own units; ``weight`` (frames,) 0..1,
    0 = leave the frame as filmed; ``closed`` (frames,) 0..1, how much a closure (p b m) is asked for.
    """

    shapes: Float32[np.ndarray, "frames 6"]
    weight: Float32[np.ndarray, " frames"]
    closed: Float32[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.weight)
