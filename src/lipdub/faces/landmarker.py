"""Two networks: a face detector for whole pictures, and a face mesh of 478 landmarks.

Both are MediaPipe's (full-range sparse BlazeFace detector; Face Landmarker) and run with LiteRT on the CPU. Pre- and
post-processing follow their model cards and graphs. The detector takes 192 x 192 pixels, letter-boxed, in -1..1, and
has one anchor per cell of a 48 x 48 grid. The mesh takes an upright square crop, 1.5 times the face, 256 x 256 pixels
in 0..1.
"""

import os
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from jaxtyping import Float32, Float64

from lipdub.anatomy.landmarks import EYE_LEFT, EYE_RIGHT, LANDMARK_COUNT
from lipdub.errors import WeightsError
from lipdub.faces.preview import shown_size, small_rgb
from lipdub.timeline.picture import Frame, Rgb, Window

_DETECTOR_SIDE = 192
_CELLS = 48
_MESH_SIDE = 256
_CROP_FACTOR = 1.5  # side of the mesh's crop over the size of the face
_SAME_CROP = 0.010  # a crop that moved by less than this part of its side counts as the same (see `refined_mesh`)

_REMEMBERED = 2  # crops whose answers are kept: a picture that was just measured may be measured again

Landmarks = Float32[np.ndarray, "478 3"]


class _MeshAnswer(NamedTuple):
    """Landmarks (478, 3) in pixels of the mesh's crop, and the network's confidence (0..1)."""

    points: Float64[np.ndarray, "478 3"]
    presence: float


@dataclass(frozen=True, slots=True)
class FaceRoi:
    """A square around a face in display pixels: centre, ``side``, and its rotation clockwise (radians)."""

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def around(cls, landmarks: Landmarks) -> "FaceRoi":
        """The square, upright in the face, for the mesh, from known landmarks."""
        angle = _angle_of(landmarks[EYE_RIGHT, :2] - landmarks[EYE_LEFT, :2])
        turn = _rotation_matrix(angle)
        level = landmarks[:, :2] @ turn.T
        low, high = level.min(0), level.max(0)
        x, y = turn.T @ ((low + high) / 2)
        return cls(float(x), float(y), _CROP_FACTOR * float((high - low).max()), angle)

    def window(self, size: tuple[int, int]) -> Window:
        """Axis-aligned box that contains the square, clipped to a picture of ``size`` (width, height)."""
        reach = self.side / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle))) + 2
        left, top, right, bottom = self.x - reach, self.y - reach, self.x + reach, self.y + reach
        return Window(int(left), int(top), int(right) + 1, int(bottom) + 1).clipped(size)

    def is_close(self, other: "FaceRoi") -> bool:
        """True if both squares give the mesh nearly the same picture."""
        moved = max(abs(self.x - other.x), abs(self.y - other.y), abs(self.side - other.side))
        return moved < _SAME_CROP * self.side and abs(self.angle - other.angle) < _SAME_CROP


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """A detected face: ``score`` 0..1, ``box`` (left, top, right, bottom) in display pixels, and the ``roi`` for its
    mesh."""

    score: float
    box: tuple[float, float, float, float]
    roi: FaceRoi


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """Landmarks (478, 3) in display pixels, depth in the same scale, and the network's confidence ``presence``
    (0..1)."""

    landmarks: Landmarks
    presence: float


class FaceLandmarker:
    """Detects faces and their landmarks. Holds the networks; not to be shared between threads."""

    def __init__(self, landmarks: Path, detector: Path, threads: int = 1) -> None:
        """``landmarks`` is the file ``face_landmarker.task``, ``detector`` the full-range sparse ``.tflite`` file.

        Raises ``WeightsError`` if a file cannot be read or is not such a model.
        """
        try:
            with zipfile.ZipFile(landmarks) as bundle:
                mesh = bundle.read("face_landmarks_detector.tflite")
            self._mesh, self._detector = _LiteRtModel(mesh, threads), _LiteRtModel(Path(detector).read_bytes(), threads)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as broken:
            raise WeightsError(
                f"the face models cannot be read ({broken})", file=landmarks, remedy="Fetch them again."
            ) from broken
        self._recent: deque[tuple[Rgb, _MeshAnswer]] = deque(maxlen=_REMEMBERED)
        y, x = np.mgrid[:_CELLS, :_CELLS].reshape(2, -1)
        self._anchors = ((np.stack([x, y], -1) + 0.5) / _CELLS).astype(np.float32)

    def detect(self, frame: Frame, threshold: float = 0.5) -> list[FaceDetection]:
        """Faces in the whole frame with a score above ``threshold``, best first, without overlaps."""
        return self._detect(small_rgb(frame, _DETECTOR_SIDE), shown_size(frame), threshold)

    def _detect(self, rgb: Rgb, size: tuple[int, int], threshold: float) -> list[FaceDetection]:
        height, width = rgb.shape[:2]
        x0, y0 = (_DETECTOR_SIDE - width) // 2, (_DETECTOR_SIDE - height) // 2
        picture = np.full((1, _DETECTOR_SIDE, _DETECTOR_SIDE, 3), -1, np.float32)
        picture[0, y0 : y0 + height, x0 : x0 + width] = rgb * np.float32(1 / 127.5) - 1
        answers = self._detector(picture)
        raw = next(a for a in answers if a.shape[-1] == 16)[0]
        scores = _sigmoid(next(a for a in answers if a.shape[-1] == 1).ravel())
        found = np.flatnonzero(scores > threshold)
        if len(found) == 0:
            return []
        scale = size[0] / width
        raw, anchors = raw[found] / _DETECTOR_SIDE, self._anchors[found]

        def shown(points: np.ndarray) -> np.ndarray:
            return (points * _DETECTOR_SIDE - [x0, y0]) * scale

        centre, extent = shown(raw[:, :2] + anchors), raw[:, 2:4] * _DETECTOR_SIDE * scale
        points = shown(raw[:, 4:].reshape(-1, 6, 2) + anchors[:, None])
        boxes = np.concatenate([centre - extent / 2, extent], 1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores[found].astype(float).tolist(), threshold, 0.3)
        return [_detection(float(scores[found[i]]), boxes[i], points[i]) for i in np.asarray(kept, int).ravel()]

    def mesh(self, pixels: Callable[[Window], Rgb], size: tuple[int, int], roi: FaceRoi) -> FaceMesh | None:
        """The face inside ``roi`` of a picture of ``size`` (width, height); ``pixels`` returns RGB of a window.

        None if ``roi`` lies outside the picture.
        """
        window = roi.window(size)
        if min(window.width, window.height) < 4:
            return None
        return self._mesh_in(pixels(window), window, roi)

    def refined_mesh(self, pixels: Callable[[Window], Rgb], size: tuple[int, int], roi: FaceRoi) -> FaceMesh | None:
        """As ``mesh``, but run a second time around its own result if that moved, which removes the error of
        the crop."""
        first = self.mesh(pixels, size, roi)
        if first is None or first.presence < 0.5:
            return first
        better = FaceRoi.around(first.landmarks)
        return first if better.is_close(roi) else self.mesh(pixels, size, better)

    def _mesh_in(self, rgb: Rgb, window: Window, roi: FaceRoi) -> FaceMesh:
        scale = _MESH_SIDE / roi.side
        turn = _rotation_matrix(roi.angle) * scale
        to_crop = np.c_[turn, _MESH_SIDE / 2 - turn @ [roi.x, roi.y]]
        to_crop[:, 2] += turn @ [window.left, window.top]
        source, fine = _downsampled(rgb, scale)
        crop = cv2.warpAffine(source, to_crop @ fine, (_MESH_SIDE, _MESH_SIDE), flags=cv2.INTER_LINEAR)
        points, presence = self._mesh_of(crop)
        back = cv2.invertAffineTransform(to_crop)
        flat = points[:, :2] @ back[:, :2].T + back[:, 2] + [window.left, window.top]
        return FaceMesh(np.c_[flat, points[:, 2] / scale].astype(np.float32), presence)

    def _mesh_of(self, crop: Rgb) -> "_MeshAnswer":
        """The network's answer to a crop; it is not run again for one of the last crops."""
        for known, answer in self._recent:
            if np.array_equal(known, crop):
                return answer
        answers = self._mesh(crop[None] * np.float32(1 / 255))
        points = next(a for a in answers if a.size == 3 * LANDMARK_COUNT).reshape(LANDMARK_COUNT, 3).astype(np.float64)
        presence = next(a for a in answers if a.shape == (1, 1, 1, 1))
        answer = _MeshAnswer(points, float(_sigmoid(presence).item()))
        self._recent.append((crop, answer))
        return answer


@contextmanager
def _stderr_discarded() -> Iterator[None]:
    """Discard the run time's log lines, which it writes directly to file descriptor 2."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _LiteRtModel:
    """A LiteRT model with one input; returns all outputs."""

    def __init__(self, content: bytes, threads: int) -> None:
        with _stderr_discarded():
            self._run = Interpreter(model_content=content, num_threads=threads)
            self._run.allocate_tensors()
        self._input = self._run.get_input_details()[0]["index"]
        self._outputs = [d["index"] for d in self._run.get_output_details()]

    def __call__(self, x: np.ndarray) -> list[np.ndarray]:
        self._run.set_tensor(self._input, x)
        self._run.invoke()
        return [self._run.get_tensor(index) for index in self._outputs]


def _detection(score: float, box: np.ndarray, points: np.ndarray) -> FaceDetection:
    left, top, width, height = (float(v) for v in box)
    angle = _angle_of(points[1] - points[0])
    roi = FaceRoi(left + width / 2, top + height / 2, _CROP_FACTOR * max(width, height), angle)
    return FaceDetection(score, (left, top, left + width, top + height), roi)


def _downsampled(rgb: Rgb, scale: float) -> tuple[Rgb, np.ndarray]:
    """``rgb`` averaged by a whole factor if ``scale`` (crop over picture) would skip pixels, and the (3, 3) matrix from
    its pixels to those of ``rgb``."""
    by = int(1 / scale)
    if by < 2 or min(rgb.shape[:2]) < 2 * by:
        return rgb, np.eye(3)
    height, width = rgb.shape[0] // by * by, rgb.shape[1] // by * by
    thin = cv2.resize(rgb[:height, :width], (width // by, height // by), interpolation=cv2.INTER_AREA)
    return thin, np.array([[by, 0, (by - 1) / 2], [0, by, (by - 1) / 2], [0, 0, 1.0]])


def _angle_of(vector: np.ndarray) -> float:
    return float(np.arctan2(vector[1], vector[0]))


def _rotation_matrix(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -80, 80)))
