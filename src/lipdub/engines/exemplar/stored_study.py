"""The files of a finished study.

``study.npz``: small arrays per frame, and the shape model. ``apart.npy``: differences between the pictures of every two
exemplars. ``faces.bin``: landmarks of every frame, pose removed. ``crops/``: the pixels of the exemplars. ``study.npz``
is written last, so a folder that holds it is complete.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lipdub.anatomy.pose import Poses
from lipdub.disk.atomic import written_beside
from lipdub.engines.exemplar.geometry import KEPT, FaceGeometry
from lipdub.engines.exemplar.library import ExemplarLibrary
from lipdub.engines.study_arrays import read_arrays
from lipdub.timeline.spool import Spool

VERSION = 1


@dataclass(frozen=True, eq=False)
class StoredStudy:
    """What is known of a track, one row per frame.

    ``first``: the clip's frame of row 0. ``basis``: the shape model. ``angles`` (degrees: yaw, pitch, roll) and
    ``light`` (0..255) of every row. ``library``: the exemplars.
    """

    first: int
    geometry: FaceGeometry
    basis: Float64[np.ndarray, "6 478 3"]
    angles: Float64[np.ndarray, "n 3"]
    light: Float64[np.ndarray, " n"]
    library: ExemplarLibrary

    def save(self, folder: Path) -> None:
        """Write all files but ``faces.bin``, which ``geometry.faces`` has written already."""
        g, lib = self.geometry, self.library
        np.save(folder / "apart.npy", lib.distances)
        with written_beside(folder / "study.npz") as partial:
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
                light=self.light,
                rows=lib.rows,
                boxes=lib.boxes,
                exemplar_speed=lib.speed,
            )


def faces_spool(folder: Path) -> Spool:
    """The file of landmarks with the pose removed."""
    return Spool(folder / "faces.bin", (len(KEPT), 3), np.float32)


def load_study(folder: Path) -> StoredStudy:
    """Read the study in ``folder``. Raises ``InputError`` if it is missing, damaged, or of another version."""
    d = read_arrays(folder / "study.npz", VERSION)
    geometry = FaceGeometry(
        d["ok"], Poses(d["scale"], d["rotation"], d["shift"]), d["shapes"], d["mean"], faces_spool(folder)
    )
    angles, rows = geometry.poses.angles, d["rows"]
    library = ExemplarLibrary(
        rows=rows,
        boxes=d["boxes"],
        shapes=d["shapes"][rows],
        angles=angles[rows],
        scale=d["scale"][rows],
        light=d["light"][rows],
        speed=d["exemplar_speed"],
        distances=np.load(folder / "apart.npy"),
    )
    return StoredStudy(int(d["first"]), geometry, d["basis"], angles, d["light"], library)
