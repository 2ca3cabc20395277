"""Pools statistics of mouth shapes over several people: ``pooled_shapes.npz`` of the exemplar engine.

    lipdub train shapes CLIP... -o OUT.npz

Only sums over all people are written (normal equations, covariance, percentiles); they contain no single face.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lipdub import weights
from lipdub.anatomy.motion import FaceMotion
from lipdub.disk.publish import atomic_output, check_output_path
from lipdub.engines.exemplar.shape_model import LandmarkNormalEquations, PooledShapes, normal_equations
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.process.exit_codes import run_program
from lipdub.train.longest_face import longest_face


def pool_people(people: Sequence[PooledShapes]) -> PooledShapes:
    """The statistics of all ``people``; each has the same weight, however long the clip was."""
    assert people, "nobody to pool"
    sums = LandmarkNormalEquations(
        np.sum([p.sums.normal for p in people], 0), np.sum([p.sums.cross for p in people], 0)
    )
    covariance, low, high = (
        np.mean([getattr(p, name) for p in people], axis=0) for name in ("covariance", "low", "high")
    )
    return PooledShapes(sums, covariance, low, high, sum(p.people for p in people))


def measure_person(motion: FaceMotion) -> PooledShapes:
    """The statistics of one person."""
    rows = np.flatnonzero(motion.ok)
    shapes = motion.shapes[rows]
    low, high = np.percentile(shapes, [5, 95], axis=0)
    return PooledShapes(normal_equations(motion, rows), np.cov(shapes.T), low, high, 1)


def measure_longest_face(path: Path, landmarker: FaceLandmarker) -> PooledShapes:
    """The statistics of the face that is longest in the clip at ``path``. Raises ``NothingToDub`` without a face."""
    with longest_face(path, landmarker) as (_, motion):
        return measure_person(motion)


def pool_clips(clips: Sequence[Path], output: Path, *, overwrite: bool = False) -> PooledShapes:
    """Measure the longest face of each clip and write the pooled statistics to ``output`` (.npz).

    Raises ``NothingToDub`` for a clip without a face, and before any work ``OutputError`` if ``output`` is an input, or
    exists and may not be replaced.
    """
    check_output_path(output, clips, overwrite=overwrite)
    landmarker = FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
    pooled = pool_people([measure_longest_face(path, landmarker) for path in clips])
    save(pooled, output, overwrite=overwrite)
    return pooled


def save(people: PooledShapes, path: Path, *, overwrite: bool = False) -> None:
    """Write ``people`` to ``path`` (.npz); the file appears when it is complete. Raises ``OutputError``."""
    with atomic_output(path, overwrite=overwrite) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            normal=people.sums.normal.astype(np.float32),
            cross=people.sums.cross.astype(np.float32),
            covariance=people.covariance.astype(np.float32),
            low=people.low.astype(np.float32),
            high=people.high.astype(np.float32),
            people=people.people,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the clips named on the command line and write their pooled statistics. Raises ``LipdubError``."""
    parser = argparse.ArgumentParser(prog="python -m lipdub.train.shapes", description="Pool mouth shapes.")
    parser.add_argument("out", type=Path, help="the .npz file to write")
    parser.add_argument("clips", type=Path, nargs="+", help="clips of one speaking person each")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    given = parser.parse_args(arguments)
    pool_clips(given.clips, given.out, overwrite=given.overwrite)


if __name__ == "__main__":
    run_program(main)
