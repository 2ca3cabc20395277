"""What a study knows of a track: where the head is in every frame, and how the mouth stands."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.pose import Poses
from lipdub.disk.atomic import written_beside
from lipdub.engines.stored import arrays

VERSION = 1
_FILE = "study.npz"


@dataclass(frozen=True, eq=False)
class Record:
    """A studied track: ``first`` frame of the clip, ``size`` (width, height) of its pictures; for every row where a
    face was found (``ok``) and its mouth can be seen (``usable``), poses, mouth shapes; the person's ``mean`` face."""

    first: int
    size: tuple[int, int]
    ok: Bool[np.ndarray, " n"]
    usable: Bool[np.ndarray, " n"]
    poses: Poses
    shapes: Float64[np.ndarray, "n 6"]
    mean: Float64[np.ndarray, "478 3"]

    def __len__(self) -> int:
        return len(self.ok)

    @classmethod
    def of(cls, motion: FaceMotion, usable: np.ndarray, size: tuple[int, int]) -> "Record":
        """The record of a track in pictures of ``size``."""
        ok = motion.ok
        return cls(
            motion.track.first, size, ok, np.asarray(usable, bool) & ok, motion.poses, motion.shapes, motion.mean
        )

    def save(self, folder: Path) -> None:
        """Write it to ``folder``; its file appears when complete."""
        folder.mkdir(parents=True, exist_ok=True)
        with written_beside(folder / _FILE) as partial:
            np.savez(
                partial,
                version=VERSION,
                first=self.first,
                size=self.size,
                ok=self.ok,
                usable=self.usable,
                scale=self.poses.scale,
                rotation=self.poses.rotation,
                shift=self.poses.shift,
                shapes=self.shapes,
                mean=self.mean,
            )


def load(folder: Path) -> Record:
    """The finished record in ``folder``. Raises ``InputError`` if it is of another version, damaged, or not there."""
    d = arrays(folder / _FILE, VERSION)
    size = int(d["size"][0]), int(d["size"][1])
    poses = Poses(d["scale"], d["rotation"], d["shift"])
    return Record(int(d["first"]), size, d["ok"], d["usable"], poses, d["shapes"], d["mean"])
