"""Pool how faces move with the shape of the mouth over several people: ``pooled_shapes.npz`` of the exemplar engine.

    python -m lipdub.train.shapes OUT.npz CLIP...

Only sums over all people are written (normal equations, covariance, percentiles); no person's face is in them.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import FaceMotion
from lipdub.engines.exemplar.shape_model import Population, Sums, sums_of


def pooled(motions: Sequence[FaceMotion]) -> Population:
    """Statistics over one motion for each person; people count alike, however long they were filmed."""
    normal, cross, covariance, low, high = np.zeros((6, 6)), np.zeros((6, 1434)), np.zeros((6, 6)), [], []
    for motion in motions:
        rows = np.flatnonzero(motion.ok)
        own, shapes = sums_of(motion, rows), motion.shapes[rows]
        normal += own.normal
        cross += own.cross
        covariance += np.cov(shapes.T) / len(motions)
        ends = np.percentile(shapes, [5, 95], axis=0)
        low.append(ends[0])
        high.append(ends[1])
    sums = Sums(normal, cross)
    return Population(sums, covariance, np.mean(low, 0), np.mean(high, 0), len(motions))


def save(people: Population, path: Path) -> None:
    """Write ``people`` to ``path`` (.npz), complete or not at all."""
    partial = path.with_suffix(".part.npz")
    np.savez_compressed(
        partial,
        normal=people.sums.normal.astype(np.float32),
        cross=people.sums.cross.astype(np.float32),
        covariance=people.covariance.astype(np.float32),
        low=people.low.astype(np.float32),
        high=people.high.astype(np.float32),
        people=people.people,
    )
    os.replace(partial, path)
