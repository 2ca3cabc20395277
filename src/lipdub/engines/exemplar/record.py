"""What a finished study keeps in its folder, written once and read back.

``study.npz`` small arrays per frame and the shape model · ``apart.npy`` how different every two exemplars look ·
``faces.bin`` pose-free landmarks of every frame · ``crops/`` the exemplars' pixels. ``study.npz`` is written last:
a folder that holds it is finished.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lipdub.anatomy.pose import Poses
from lipdub.disk.atomic import written_beside
from lipdub.engines.exemplar.geometry import KEPT, Geometry
from lipdub.engines.exemplar.library import Library
from lipdub.engines.stored import arrays
from lipdub.timeline.spool import Spool

VERSION = 1


@dataclass(frozen=True, eq=False)
class Record:
    """A studied track: ``first`` frame of the clip, ``geometry`` of all rows, the shape model's ``basis``,
    ``angles`` (degrees) and ``light`` of every row, and the ``library`` of exemplars."""

    first: int
    geometry: Geometry
    basis: Float64[np.ndarray, "6 478 3"]
    angles: Float64[np.ndarray, "n 3"]
    light: Float64[np.ndarray, " n"]
    library: Library

    def save(self, folder: Path) -> None:
        """Write everything but ``faces.bin``, which ``geometry.faces`` has written already."""
        g, lib = self.geometry, self.library
        np.save(folder / "apart.npy", lib.apart)
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


def finished(folder: Path) -> bool:
    """True if a finished study lies in ``folder``."""
    return (folder / "study.npz").exists()


def faces_spool(folder: Path) -> Spool:
    """The file of pose-free landmarks."""
    return Spool(folder / "faces.bin", (len(KEPT), 3), np.float32)


def load(folder: Path) -> Record:
    """Read a finished study. Raises ``InputError`` if it is of another version, damaged, or not there."""
    d = arrays(folder / "study.npz", VERSION)
    geometry = Geometry(
        d["ok"], Poses(d["scale"], d["rotation"], d["shift"]), d["shapes"], d["mean"], faces_spool(folder)
    )
    angles, rows = geometry.poses.angles, d["rows"]
    library = Library(
        rows=rows,
        boxes=d["boxes"],
        shapes=d["shapes"][rows],
        angles=angles[rows],
        scale=d["scale"][rows],
        light=d["light"][rows],
        speed=d["exemplar_speed"],
        apart=np.load(folder / "apart.npy"),
    )
    return Record(int(d["first"]), geometry, d["basis"], angles, d["light"], library)
