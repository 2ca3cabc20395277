"""A drawn face with exact landmarks: a clip for tests without filmed people."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from lipdub.anatomy.landmarks import (
    INNER_LOWER,
    INNER_UPPER,
    LOWER_LIP,
    MIDDLE_LOWER,
    MIDDLE_UPPER,
    OUTER_LOWER,
    OUTER_UPPER,
    RIM_LOWER,
    RIM_UPPER,
    canonical_face,
)
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.anatomy.thumbnail import thumbnail
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Window
from lipdub.timeline.spool import Spool

FIRST = 100
"""The clip's frame at which drawn tracks start: not 0, so that rows and frames are not confused."""

_CHIN = np.array([152, 148, 176, 149, 150, 377, 400, 378, 379, 175, 199, 200, 208, 428, 171, 396, 18, 83, 313])


def face(opening: float, width: float = 0.0) -> np.ndarray:
    """Pose-free landmarks (478, 3) of a face whose mouth opens by ``opening`` and widens by ``width``."""
    mesh = np.concatenate([canonical_face(), np.zeros((10, 3))])
    mesh[468:] = canonical_face()[[33, 263]].repeat(5, 0)
    for upper, lower in (
        (INNER_UPPER, INNER_LOWER),
        (MIDDLE_UPPER, MIDDLE_LOWER),
        (RIM_UPPER, RIM_LOWER),
        (OUTER_UPPER, OUTER_LOWER),
    ):
        middle = (mesh[upper, 1] + mesh[lower, 1]) / 2
        if upper is INNER_UPPER:
            mesh[upper, 1] = mesh[lower, 1] = middle
    bulge = 1 - np.minimum(1, np.abs(mesh[:, 0]) / 0.28) ** 2
    mesh[LOWER_LIP, 1] += opening * np.maximum(bulge[LOWER_LIP], 0)
    chin = np.setdiff1d(_CHIN, LOWER_LIP)
    mesh[chin, 1] += 0.7 * opening * np.maximum(bulge[chin], 0)
    lips = np.unique(np.concatenate([INNER_UPPER, INNER_LOWER, OUTER_UPPER, OUTER_LOWER]))
    mesh[lips, 0] *= 1 + width
    return mesh


@dataclass(frozen=True)
class Drawn:
    """A drawn clip of ``frames`` pictures of ``side`` pixels square; the face is ``lost`` in some rows."""

    folder: Path
    frames: int = 40
    side: int = 160
    lost: frozenset[int] = frozenset()
    widest: float = 0.14
    first: int = FIRST

    def landmarks(self, row: int) -> np.ndarray:
        """Display pixels (478, 3) float32: the head sways while the mouth opens and shuts."""
        opening = self.widest * max(0.0, float(np.sin(row * 0.55)))
        points = face(opening, 0.06 * float(np.sin(row * 0.31)))
        turn = 0.06 * float(np.sin(row * 0.13))
        rotation = cv2.Rodrigues(np.array([0.02, turn, turn / 2]))[0]
        centre = [self.side * (0.5 + 0.02 * np.sin(row * 0.2)), self.side * 0.38, 0]
        return (points @ rotation.T * self.side * 0.33 + centre).astype(np.float32)

    def picture(self, row: int) -> np.ndarray:
        """RGB (side, side, 3)."""
        points = self.landmarks(row)[:, :2]
        picture = _background(self.side).copy()
        middle = tuple(round(float(x)) for x in points[[10, 152]].mean(0))
        cv2.ellipse(picture, middle, (round(self.side * 0.3), round(self.side * 0.42)), 0, 0, 360, (205, 160, 140), -1)

        def fill(index: np.ndarray, colour: tuple[int, int, int]) -> None:
            cv2.fillPoly(picture, [np.round(points[index] * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)

        fill(np.concatenate([OUTER_UPPER, OUTER_LOWER[::-1]]), (190, 90, 95))
        fill(np.concatenate([INNER_UPPER, INNER_LOWER[::-1]]), (50, 20, 25))
        for eye in (33, 133, 362, 263, 1):
            at = tuple(round(float(x)) for x in points[eye])
            cv2.circle(picture, at, 2, (60, 40, 40), -1)
        noise = np.random.default_rng(row).integers(-3, 4, picture.shape)
        return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)

    def views(self, first: int = 0, stop: int | None = None) -> Iterator[FaceView]:
        """The views of rows ``[first, stop)``, made one by one."""
        for row in range(first, self.frames if stop is None else stop):
            yield self.see(row)

    def see(self, row: int) -> FaceView:
        """One row as an engine sees it."""
        picture = self.picture(row)

        def pixels(window: Window) -> np.ndarray:
            assert window.clipped((self.side, self.side)) == window, "an engine asked for pixels outside the picture"
            return picture[window.top : window.bottom, window.left : window.right].copy()

        landmarks = None if row in self.lost else self.landmarks(row)
        return FaceView(self.first + row, (self.side, self.side), landmarks, pixels)

    @cached_property
    def track(self) -> FaceTrack:
        """The face track, spooled in ``folder``."""
        landmarks = Spool(self.folder / "landmarks.bin", (478, 3), np.float32)
        thumbs = Spool(self.folder / "thumbs.bin", (32, 40, 3), np.uint8)
        for view in self.views():
            if view.landmarks is None:
                landmarks.append(np.full((478, 3), np.nan, np.float32))
                thumbs.append(np.zeros((32, 40, 3), np.uint8))
            else:
                landmarks.append(view.landmarks)
                thumbs.append(thumbnail(view.landmarks, view.size, view.pixels).picture)
        n = self.frames
        shot = Shot(self.first, self.first + n)
        return FaceTrack(1, shot, self.first, landmarks, thumbs, np.full(n, 9, np.float32), np.ones(n, np.float32))

    @cached_property
    def motion(self) -> FaceMotion:
        """Pose and shape of the track."""
        return measure_motion(self.track)

    def own_trajectory(self, weight: float = 1.0) -> MouthTrajectory:
        """The trajectory that was drawn: following it changes nothing."""
        n = self.frames
        shapes = np.nan_to_num(self.motion.shapes).astype(np.float32)
        return MouthTrajectory(shapes, np.full(n, weight, np.float32), np.zeros(n, np.float32))

    def other_trajectory(self, weight: float = 1.0) -> MouthTrajectory:
        """The drawn trajectory, a few frames late: following it changes nearly every frame."""
        own = self.own_trajectory(weight)
        return MouthTrajectory(np.roll(own.shapes, 5, axis=0), own.weight, own.closed)


@cache
def _background(side: int) -> np.ndarray:
    noise = np.random.default_rng(7).integers(0, 255, (side // 8 + 1, side // 8 + 1, 3)).astype(np.uint8)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
