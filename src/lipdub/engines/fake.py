"""The fake engine: it paints an ellipse over the mouth, as high as the wanted aperture.

It is for tests and for demonstrations without models, and is the shortest example of how an engine is written. It is
deterministic and cheap, needs no weights, and stores nothing but the mouth shape of each frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion
from lipdub.disk.atomic import written_beside
from lipdub.engines.seam import EngineLimits, Guide, Redetect, StudyFacts
from lipdub.engines.study_arrays import read_arrays
from lipdub.timeline.mouth import AP, WD
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Window

_SAME = 0.004  # eye distances: a smaller difference of shapes is no change
_VERSION = 1


class FakeEngine:
    """Paints an ellipse over the lips: its height is the trajectory's aperture, its colour comes from the seed."""

    name = "fake"
    limits = EngineLimits(smallest_face=1.0, largest_yaw=90.0, needs=frozenset({"trajectory"}))

    def fingerprint(self) -> tuple[object, ...]:
        """Its version, which is raised when it paints or stores something else."""
        return (_VERSION,)

    def study(self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()) -> "FakeStudy":
        """A study in ``folder``; ``redetect`` and ``same_person`` are not used."""
        return FakeStudy(Path(folder))


class FakeStudy:
    """Stores the mouth shapes of one face in one shot, in ``folder/fake.npz``."""

    def __init__(self, folder: Path) -> None:
        """Store files in ``folder``, which need not exist."""
        self._file = folder / "fake.npz"

    def see(self, view: FaceView) -> None:
        """Do nothing: pixels are not needed."""

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        """Write the shape of each frame. ``coverage`` is 1: an ellipse can have any height."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(self._file) as partial:
            np.savez(partial, version=_VERSION, first=motion.track.first, shapes=motion.shapes)
        return StudyFacts(1.0, ("drawn by the fake engine",), {"usable": float(np.sum(usable))})

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        """Paint every view whose weight is not zero and whose wanted shape differs from the filmed one."""
        trajectory = guide.trajectory
        assert trajectory is not None, "the fake engine needs a mouth trajectory"
        data = read_arrays(self._file, _VERSION)
        first, own = int(data["first"]), data["shapes"]
        for view in views:
            row = view.index - first
            weight, shape = float(trajectory.weight[row]), trajectory.shapes[row]
            if view.landmarks is None:
                yield Passthrough(view.index, "the face was lost")
            elif weight <= 0 or float(np.abs(shape - own[row]).max()) < _SAME:
                yield Passthrough(view.index)
            else:
                yield paint_mouth(view, shape, weight, guide.seed)


def paint_mouth(view: FaceView, shape: np.ndarray, weight: float, seed: int) -> Patch | Passthrough:
    """A patch with an ellipse over the mouth of ``view``, ``shape[AP]`` high and ``shape[WD]`` wide (eye distances).

    The colour is ``colour(seed)``, mixed in by ``weight`` (0..1); the window is the bounding box of the lips and some
    skin around it. A ``Passthrough`` if that box is outside the picture.
    """
    assert view.landmarks is not None
    points = view.landmarks[:, :2].astype(np.float64)
    unit = float(np.linalg.norm(view.landmarks[EYE_LEFT] - view.landmarks[EYE_RIGHT]))
    box = points[np.concatenate([OUTER_UPPER, OUTER_LOWER, INNER_UPPER, INNER_LOWER])]
    low, high = np.floor(box.min(0) - 0.1 * unit).astype(int), np.ceil(box.max(0) + 0.2 * unit).astype(int)
    window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clipped(view.size)
    if window.empty:
        return Passthrough(view.index, "the mouth is outside the picture")
    centre = points[[61, 291]].mean(0) - [window.left, window.top]
    axes = max(1, round(float(shape[WD]) * unit / 2)), max(1, round(float(shape[AP]) * unit / 2))
    base = view.pixels(window)
    inside = np.zeros(base.shape[:2], np.uint8)
    cv2.ellipse(inside, (round(float(centre[0])), round(float(centre[1]))), axes, 0, 0, 360, (1.0,), -1)
    mixed = base + (np.array(colour(seed)) - base.astype(np.float64)) * weight * inside[..., None]
    pixels = np.round(mixed).astype(np.uint8)
    changed = (pixels != base).any(-1).astype(np.float32)
    return Patch(view.index, window, base, pixels, changed)


def colour(seed: int) -> tuple[int, int, int]:
    """The RGB colour (0..255) of the ellipse for a ``seed``."""
    return (seed * 97 + 200) % 256, (seed * 61 + 20) % 256, (seed * 31 + 90) % 256
