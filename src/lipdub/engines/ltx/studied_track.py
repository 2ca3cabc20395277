"""What a study of the ltx engine stores about a face track: pose of the head and shape of the mouth in every frame."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.pose import Poses
from lipdub.disk.atomic import written_beside
from lipdub.engines.study_arrays import read_arrays

VERSION = 1
_FILE = "study.npz"


@dataclass(frozen=True, eq=False)
class StudiedTrack:
    """A face track with ``n`` rows, one per frame.

    ``first``: the clip's frame of row 0. ``size``: (width, height) of the clip's pictures. ``ok``: a face was found.
    ``usable``: found, and the mouth can be seen. ``poses`` and ``shapes``: pose and mouth shape, NaN where not ``ok``.
    ``mean``: the person's mean face, pose removed.
    """

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
    def of(cls, motion: FaceMotion, usable: np.ndarray, size: tuple[int, int]) -> "StudiedTrack":
        """From a face's ``motion`` in pictures of ``size`` (width, height); ``usable`` (n,) bool."""
        ok = motion.ok
        return cls(
            motion.track.first, size, ok, np.asarray(usable, bool) & ok, motion.poses, motion.shapes, motion.mean
        )

    def save(self, folder: Path) -> None:
        """Write it to ``folder``; the file appears under its name when it is complete."""
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


def load_track(folder: Path) -> StudiedTrack:
    """The track stored in ``folder``. Raises ``InputError`` if it is missing, damaged, or of another version."""
    d = read_arrays(folder / _FILE, VERSION)
    size = int(d["size"][0]), int(d["size"][1])
    poses = Poses(d["scale"], d["rotation"], d["shift"])
    return StudiedTrack(int(d["first"]), size, d["ok"], d["usable"], poses, d["shapes"], d["mean"])
