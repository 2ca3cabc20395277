"""Pool how faces move with the shape of the mouth over several people: ``pooled_shapes.npz`` of the exemplar engine.

    python -m lipdub.train.shapes OUT.npz CLIP...

Only sums over all people are written (normal equations, covariance, percentiles); no person's face is in them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lipdub import weights
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.disk.publish import atomic_output, check_output_path
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.engines.exemplar.shape_model import Population, Sums, sums_of
from lipdub.errors import NothingToDub
from lipdub.faces.cuts import CutDetector
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.faces.tracker import FaceTracker
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.process.exit_codes import run_program


def pooled(people: Sequence[Population]) -> Population:
    """Statistics over ``people``, who count alike, however long each was filmed."""
    assert people, "nobody to pool"
    sums = Sums(np.sum([p.sums.normal for p in people], 0), np.sum([p.sums.cross for p in people], 0))
    covariance, low, high = (
        np.mean([getattr(p, name) for p in people], axis=0) for name in ("covariance", "low", "high")
    )
    return Population(sums, covariance, low, high, sum(p.people for p in people))


def person(motion: FaceMotion) -> Population:
    """Statistics of one person."""
    rows = np.flatnonzero(motion.ok)
    shapes = motion.shapes[rows]
    low, high = np.percentile(shapes, [5, 95], axis=0)
    return Population(sums_of(motion, rows), np.cov(shapes.T), low, high, 1)


def filmed(path: Path, finder: FaceLandmarker) -> Population:
    """Statistics of the face seen longest in the clip at ``path``. Raises ``NothingToDub`` if there is none."""
    clip, cuts = open_clip(path), CutDetector()
    with temporary_folder("shapes") as folder:
        tracker = FaceTracker(folder, clip.size, finder, rate=clip.rate)
        for frame in read_frames(clip):
            tracker.track(frame, cuts.starts_shot(frame))
        tracks = tracker.finish()
        if not tracks:
            raise NothingToDub("no face to learn from", file=path)
        return person(measure_motion(max(tracks, key=len)))


def save(people: Population, path: Path, *, overwrite: bool = False) -> None:
    """Write ``people`` to ``path`` (.npz), complete or not at all. Raises ``OutputError``."""
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
    """Measure the clips named on the command line, and write what they have in common. Raises ``LipdubError``."""
    parser = argparse.ArgumentParser(prog="python -m lipdub.train.shapes", description="Pool mouth shapes.")
    parser.add_argument("out", type=Path, help="the .npz file to write")
    parser.add_argument("clips", type=Path, nargs="+", help="clips of one speaking person each")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    given = parser.parse_args(arguments)
    check_output_path(given.out, given.clips, overwrite=given.overwrite)
    finder = FaceLandmarker(weights.resolve("face-landmarks"), weights.resolve("face-detector"))
    save(pooled([filmed(path, finder) for path in given.clips]), given.out, overwrite=given.overwrite)


if __name__ == "__main__":
    run_program(main)
