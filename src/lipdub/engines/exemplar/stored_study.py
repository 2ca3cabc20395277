"""The files of a finished study.

``study.npz``: small arrays per frame, the shape model, and what is known of the exemplars. ``faces.bin``: landmarks of
every frame, pose removed. ``crops.bin``: the pictures of the exemplars. ``study.npz`` is written last, so a folder that
holds it is complete.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from lipdub.anatomy.pose import Poses
from lipdub.disk.atomic import written_beside
from lipdub.engines.exemplar.crop_collector import CROPS
from lipdub.engines.exemplar.geometry import KEPT, FaceGeometry
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.engines.exemplar.shape_model import LandmarkNormalEquations
from lipdub.engines.study_arrays import read_arrays
from lipdub.timeline.spool import Spool

VERSION = 3
STUDY = "study.npz"


@dataclass(frozen=True, eq=False)
class StoredStudy:
    """What is known of a track, one row per frame.

    ``first``: the clip's frame of row 0. ``basis``: the shape model, and ``sums`` over the ``learnt`` rows from which
    it was made. ``angles`` (degrees: yaw, pitch, roll) and ``light`` (0..255) of every row. ``tone``: the median colour
    of the skin (RGB, 0..255; 0 if the face was never found). ``library``: the exemplars. ``repeats``: rows that show
    the picture of the row before.
    """

    first: int
    geometry: FaceGeometry
    basis: Float64[np.ndarray, "6 478 3"]
    sums: LandmarkNormalEquations
    learnt: int
    angles: Float64[np.ndarray, "n 3"]
    light: Float64[np.ndarray, " n"]
    tone: Float64[np.ndarray, " 3"]
    library: ExemplarLibrary
    repeats: Bool[np.ndarray, " n"]

    def save(self, folder: Path) -> None:
        """Write ``study.npz``; ``geometry.faces`` and the pictures are in ``folder`` already. Raises ``OSError``."""
        g, lib = self.geometry, self.library
        with written_beside(folder / STUDY) as partial:
            np.savez(
                partial,
                version=VERSION,
                first=self.first,
                ok=g.ok,
                scale=g.poses.scale,
                rotation=g.poses.rotation,
                shift=g.poses.shift,
                shapes=g.shapes,
                mean=g.mean,
                basis=self.basis,
                normal=self.sums.normal,
                cross=self.sums.cross.astype(np.float32),
                learnt=self.learnt,
                light=self.light,
                tone=self.tone,
                repeats=self.repeats,
                rows=lib.rows,
                boxes=lib.boxes,
                places=lib.places,
                faces=lib.faces,
                thumbs=lib.thumbs,
                speed=lib.speed,
                detail=lib.detail,
            )


def faces_spool(folder: Path) -> Spool:
    """The file of landmarks with the pose removed."""
    return Spool(folder / "faces.bin", (len(KEPT), 3), np.float32)


def load_study(folder: Path) -> StoredStudy:
    """Read the study in ``folder``. Raises ``InputError`` if it is missing, damaged, or of another version."""
    d = read_arrays(folder / STUDY, VERSION)
    poses = Poses(d["scale"], d["rotation"], d["shift"])
    geometry = FaceGeometry(d["ok"], poses, d["shapes"], d["mean"], faces_spool(folder))
    angles, rows = poses.angles, d["rows"]
    n = len(rows)
    library = ExemplarLibrary(
        rows=rows,
        boxes=d["boxes"],
        places=d["places"],
        shapes=d["shapes"][rows],
        poses=Poses(poses.scale[rows], poses.rotation[rows], poses.shift[rows]),
        angles=angles[rows],
        faces=d["faces"],
        light=d["light"][rows],
        speed=d["speed"],
        detail=d["detail"],
        thumbs=d["thumbs"],
        study=np.zeros(n, np.int64),
        filmed=d["shapes"][rows],
        gains=np.ones((n, 3)),
        away=np.zeros(n),
        blur=np.zeros(n),
        files=(folder / CROPS,),
    )
    sums = LandmarkNormalEquations(d["normal"], d["cross"].astype(np.float64))
    return StoredStudy(
        first=int(d["first"]),
        geometry=geometry,
        basis=d["basis"],
        sums=sums,
        learnt=int(d["learnt"]),
        angles=angles,
        light=d["light"],
        tone=d["tone"],
        library=library,
        repeats=d["repeats"],
    )
