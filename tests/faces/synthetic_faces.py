"""Frames from arrays, drawn thumbnails, and a face finder that follows a script: faces without footage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lipdub.anatomy.landmarks import LANDMARK_COUNT, LOWER_LIP, canonical_face
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.faces.landmarker import FaceDetection, FaceLandmarker, FaceMesh, FaceRoi
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.picture import Frame, PixelLayout, Rgb, Window
from lipdub.timeline.spool import Spool

RATE = 25


def frame_of(rgb: np.ndarray, index: int = 0) -> Frame:
    """A planar RGB frame that shows ``rgb`` (height, width, 3) uint8."""

    def pixels(window: Window) -> Rgb:
        return np.ascontiguousarray(rgb[window.top : window.bottom, window.left : window.right])

    layout = PixelLayout("gbrp", 8, (1, 1), "rgb", True)
    return Frame(index, index, tuple(np.ascontiguousarray(rgb[..., c]) for c in range(3)), layout, pixels)


def face(opening: float = 0.0) -> np.ndarray:
    """Pose-free landmarks (478, 3) with the lower lip ``opening`` down and the chin half of that."""
    mesh = np.concatenate([canonical_face(), canonical_face()[:10]])
    mesh[LOWER_LIP, 1] += opening
    mesh[[152, 148, 377, 175], 1] += opening / 2
    return mesh


def placed(x: float, y: float, scale: float, opening: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """Landmarks (478, 3) float32 of a face in a picture: ``scale`` pixels between the outer eye corners."""
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    return (face(opening) @ turn.T * scale + [x, y, 0]).astype(np.float32)


class ScriptedFinder(FaceLandmarker):
    """Finds the faces that ``script(frame index)`` lists, exactly; no networks."""

    def __init__(self, script: Callable[[int], list[np.ndarray]]) -> None:
        self.script, self.index, self.detections, self.blind = script, 0, 0, False

    def detect(self, frame: Frame, threshold: float = 0.5) -> list[FaceDetection]:
        self.detections += 1
        out = []
        for landmarks in [] if self.blind else self.script(self.index):
            (left, top), (right, bottom) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
            box = (float(left), float(top), float(right), float(bottom))
            out.append(FaceDetection(0.9, box, FaceRoi.around(landmarks)))
        return out

    def refined_mesh(self, pixels: Callable[[Window], Rgb], size: tuple[int, int], roi: FaceRoi) -> FaceMesh | None:
        def far(landmarks: np.ndarray) -> float:
            return float(np.hypot(*(landmarks[:, :2].mean(0) - [roi.x, roi.y])))

        nearest = min(self.script(self.index), key=far, default=None)
        if nearest is None or far(nearest) > 0.4 * roi.side:
            return FaceMesh(placed(roi.x, roi.y, roi.side / 4), 0.1)
        return FaceMesh(nearest, 0.99)


def track_of(
    landmarks: np.ndarray, folder: Path, first: int = 0, name: int = 0, shot: Shot | None = None, **more: np.ndarray
) -> FaceTrack:
    """A track of ``landmarks`` (n, 478, 3); ``thumbs``, ``redness`` and ``presence`` may be given."""
    n = len(landmarks)
    lost = np.isnan(landmarks[:, 0, 0])
    spools = (
        Spool(folder / f"{name}.l", (LANDMARK_COUNT, 3), np.float32),
        Spool(folder / f"{name}.t", (32, 40, 3), np.uint8),
    )
    thumbs = more.get("thumbs", np.full((n, 32, 40, 3), 128, np.uint8))
    for row, thumb in zip(landmarks, thumbs, strict=True):
        spools[0].append(row)
        spools[1].append(thumb)
    for spool in spools:
        spool.close()
    redness = more.get("redness", np.full(n, 10, np.float32))
    presence = more.get("presence", np.where(lost, 0, 1).astype(np.float32))
    return FaceTrack(name, shot or Shot(first, first + n), first, *spools, redness, presence)


def talking(n: int, start: int = 0, stop: int | None = None, **where: float) -> np.ndarray:
    """Landmarks (n, 478, 3) of a face that talks in rows ``[start, stop)`` and rests else, with a little jitter."""
    noise = np.random.default_rng(n + start)
    t = np.arange(n)
    active = (t >= start) & (t < (n if stop is None else stop))
    opening = 0.06 * (1 - np.cos(t * 2 * np.pi / 6.3)) * active
    place = {"x": 300.0, "y": 200.0, "scale": 80.0, **where}
    rows = np.stack([placed(place["x"], place["y"], place["scale"], float(o), place.get("yaw", 0.0)) for o in opening])
    return rows + noise.normal(0, 0.05, rows.shape).astype(np.float32)


def motion_of(landmarks: np.ndarray, folder: Path, name: int = 0, first: int = 0, **more: object) -> FaceMotion:
    """The measured motion of a track of ``landmarks``."""
    return measure_motion(track_of(landmarks, folder, first, name, **more))
