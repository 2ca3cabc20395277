"""A still portrait that speaks: its own lips, warped to every shape of speech, over its own teeth.

The exemplar engine's renderer moves jaw and lips of the one picture. The inside of an open mouth is not in the picture.
But upper teeth are fixed to the skull, so those that the picture shows stay in place, and the lips cover or uncover
them. Below them a dark interior is painted; if the picture shows no teeth, they are painted faintly.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8
from scipy.interpolate import PchipInterpolator

from lipdub.anatomy.landmarks import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.anatomy.thumbnail import thumbnail
from lipdub.demo.idle_motion import IdleMotionOptions, add_idle_motion
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.engines.exemplar import stored_study as records
from lipdub.engines.exemplar.crop_file import CropReader
from lipdub.engines.exemplar.engine import ExemplarEngine
from lipdub.engines.exemplar.frame_renderer import FrameRenderer, FrameTarget, WeightedExemplar
from lipdub.engines.exemplar.shape_model import complete_shapes, pooled_shapes
from lipdub.errors import NothingToDub
from lipdub.faces.landmarker import FaceLandmarker
from lipdub.process.blas_threads import one_blas_thread
from lipdub.sound_to_mouth.mouth_trajectory import calibrate, predict_mouth
from lipdub.sound_to_mouth.prior import Prior
from lipdub.sound_to_mouth.speaker_model import SourceSpeech, learn_speaker
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import AP, WD
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Frame, PixelLayout, Rgb, Window
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spool import Spool

_PARTED = 0.04  # eye distances: lips of a portrait that are further apart are closed at rest
_CALM_WIDTH = 0.56  # width of a mouth that does not smile, eye distances: the canonical face's and a little
_CALM = 0.55  # part of a smile's extra width that is removed at rest
_WIDEST = 0.20  # aperture beyond which one picture's lips look stretched
_SKIN = np.array([164, 165, 167, 391, 393, 205, 425, 50, 280])  # landmarks around the mouth, for the colour of skin
_BITE = 0.03  # how far lips that must be shut are moved over teeth that show
_SEALED, _PARTING = 0.012, 0.028  # apertures: no teeth show up to the first, they may from the second on
_SEAM = 0.009  # thickness of the shadow where lips meet (eye distances, standard deviation)


def talking_portrait(
    picture: Rgb,
    landmarks: Float32[np.ndarray, "478 3"],
    prior: Prior,
    features: SpeechFeatures,
    idle: IdleMotionOptions,
) -> Iterator[Rgb]:
    """``picture`` with idle motion, saying the speech of ``features``: ``idle.frames`` pictures of its size.

    ``landmarks`` are those of its face (see ``portrait_landmarks``). The result is deterministic.
    """
    with temporary_folder("still") as folder:
        mouth = PortraitMouth(picture, landmarks, folder)
        seconds = np.arange(idle.frames) / float(idle.rate) + float(features.start)
        yield from add_idle_motion(mouth.pictures(mouth.speech_shapes(prior, features, seconds)), landmarks, idle)


def portrait_landmarks(picture: Rgb, finder: FaceLandmarker, file: Path | None = None) -> Float32[np.ndarray, "478 3"]:
    """Landmarks of the most certain face in ``picture``. Raises ``NothingToDub`` (with ``file``) if there is none."""

    def pixels(window: Window) -> UInt8[np.ndarray, "rows columns 3"]:
        return picture[window.top : window.bottom, window.left : window.right]

    red, green, blue = np.moveaxis(picture, -1, 0)
    layout = PixelLayout("gbrp", 8, (1, 1), "rgb", True)
    found = finder.detect(Frame(0, 0, (red, green, blue), layout, pixels))
    mesh = finder.refined_mesh(pixels, (picture.shape[1], picture.shape[0]), found[0].roi) if found else None
    if mesh is None or mesh.presence < 0.5:
        raise NothingToDub(
            "no face was found in the picture", file=file, remedy="Give a picture of a face from the front"
        )
    return mesh.landmarks


class PortraitMouth:
    """Renders the face of one picture with any mouth shape.

    ``rest`` (6,) is the shape of its mouth in silence: as in the picture, or closed if the picture's is open.
    """

    def __init__(self, picture: Rgb, landmarks: Float32[np.ndarray, "478 3"], folder: Path) -> None:
        """``landmarks`` are those of the face in ``picture``, in its pixels; ``folder`` is an empty folder for working
        files."""
        self._picture, self._landmarks = picture, landmarks
        motion = self._study(folder)
        record = records.load_study(folder / "study")
        mouth = record.library.mouth(0, CropReader(), record.geometry.unit(0))
        self._geometry, self._basis = record.geometry, record.basis
        self._own = motion.shapes[0]
        self._renderer, self._exemplar = FrameRenderer(record.geometry, record.basis), WeightedExemplar(mouth, 1.0)
        self._inside = _MouthInterior(picture, self._points(self._own), float(motion.poses.scale[0]), self._own)
        self.rest = _resting_shape(self._own)

    def _study(self, folder: Path) -> FaceMotion:
        landmarks = Spool(folder / "landmarks", (478, 3), np.float32)
        thumbs = Spool(folder / "thumbs", (32, 40, 3), np.uint8)
        thumb = thumbnail(self._landmarks, self._view.size, self._view.pixels)
        landmarks.append(self._landmarks)
        thumbs.append(thumb.picture)
        one = np.ones(1, np.float32)
        motion = measure_motion(FaceTrack(0, Shot(0, 1), 0, landmarks, thumbs, one * np.float32(thumb.redness), one))
        study = ExemplarEngine().study(folder / "study")
        study.see(self._view)
        study.finish(motion, np.ones(1, bool))
        landmarks.close()
        thumbs.close()
        return motion

    @property
    def _view(self) -> FaceView:
        def pixels(window: Window) -> Rgb:
            return self._picture[window.top : window.bottom, window.left : window.right]

        return FaceView(0, (self._picture.shape[1], self._picture.shape[0]), self._landmarks, pixels)

    def _points(self, shape: np.ndarray) -> np.ndarray:
        """Positions of the landmarks (478, 2) in the picture when the mouth has ``shape``."""
        face = self._geometry.face(0) + np.tensordot(shape - self._own, self._basis, 1)
        return self._geometry.pixels(0, face)

    def picture(self, shape: Float[np.ndarray, " 6"]) -> Rgb:
        """The picture with its mouth in ``shape`` (see ``timeline.mouth.SHAPE``)."""
        wanted = np.asarray(shape, np.float64).copy()
        wanted[AP] = np.clip(wanted[AP], 0, _WIDEST)
        bite = _BITE * float(np.clip(1 - wanted[AP] / 0.02, 0, 1)) if self._own[AP] > _PARTED else 0.0
        with one_blas_thread():
            made = self._renderer.render(FrameTarget(0, wanted, 1.0, (self._exemplar,), bite), self._view)
        out = self._picture.copy()
        if made is not None:
            window = made.window
            out[window.top : window.bottom, window.left : window.right] = made.pixels
            self._inside.paint(out, self._points(wanted), float(wanted[AP]))
            self._inside.seal(out, self._points(wanted), float(wanted[AP]))
        return out

    def pictures(self, shapes: Float[np.ndarray, "n 6"]) -> Iterator[Rgb]:
        """One picture for each of ``shapes``."""
        for shape in shapes:
            yield self.picture(shape)

    def speech_shapes(
        self, prior: Prior, features: SpeechFeatures, seconds: Float64[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 6"]:
        """The shapes of this mouth at ``seconds`` for the speech of ``features``."""
        still = np.tile(self.rest, (len(seconds), 1))
        everywhere = np.ones(len(seconds), bool)
        source = SourceSpeech(None, None, still, everywhere, everywhere, seconds)
        model = learn_speaker(prior, [source], prior.kind(features))
        calibration = calibrate(prior, model, features, [seconds])
        return predict_mouth(prior, model, features, seconds, calibration).trajectory.shapes


def _resting_shape(own: Float64[np.ndarray, " 6"]) -> Float64[np.ndarray, " 6"]:
    """The resting shape of a face whose picture shows ``own``."""
    if own[AP] <= _PARTED:
        return own.copy()
    wanted = np.full(6, np.nan)
    wanted[AP] = 0.0
    wanted[WD] = own[WD] - _CALM * max(0.0, float(own[WD]) - _CALM_WIDTH)
    return complete_shapes(wanted[None], own[None], pooled_shapes().covariance)[0]


class _LipGap(NamedTuple):
    """The gap between the lips over a range of columns that starts at ``left``: heights of its ``upper`` and ``lower``
    edge in pixels."""

    left: int
    upper: np.ndarray
    lower: np.ndarray


class _MouthInterior:
    """The inside of a mouth: the upper teeth that ``picture`` shows, in their places, and a dark interior."""

    def __init__(self, picture: Rgb, points: np.ndarray, unit: float, own: np.ndarray) -> None:
        self._picture, self._unit, self._open = picture, unit, bool(own[AP] > _PARTED)
        self._known = _lip_gap(points)
        lips = points[np.concatenate([OUTER_UPPER, OUTER_LOWER])].round().astype(int)
        x, y = np.clip(lips, 0, [picture.shape[1] - 1, picture.shape[0] - 1]).T
        flesh = np.median(picture[y, x], 0)
        x, y = np.clip(points[_SKIN].round().astype(int), 0, [picture.shape[1] - 1, picture.shape[0] - 1]).T
        skin = np.median(picture[y, x], 0)
        self._enamel = (float(skin.max()) * 0.95 * (skin / max(float(skin.max()), 1.0)) ** 0.75).astype(np.float32)
        self._dark = (flesh * [0.20, 0.12, 0.12]).astype(np.float32)
        self._tongue = (flesh * [0.72, 0.46, 0.47]).astype(np.float32)
        self._shadow = (flesh * [0.62, 0.46, 0.46]).astype(np.float32)

    def paint(self, picture: Rgb, points: np.ndarray, aperture: float) -> None:
        """Paint the interior into ``picture``, between the lips at ``points`` with this ``aperture``."""
        strength = float(np.clip((aperture - 0.012) / 0.02, 0, 1))
        if strength <= 0:
            return
        goal = _lip_gap(points)
        top, bottom = int(goal.upper.min()) - 2, int(goal.lower.max()) + 3
        here = (slice(max(top, 0), bottom), slice(max(goal.left, 0), goal.left + len(goal.upper)))
        patch = picture[here].astype(np.float32)
        if patch.size == 0:
            return
        rows = np.arange(here[0].start, here[0].start + patch.shape[0], dtype=np.float32)[:, None]
        columns = slice(here[1].start - goal.left, here[1].start - goal.left + patch.shape[1])
        upper, lower = goal.upper[columns][None], goal.lower[columns][None]
        cover = np.clip(rows - upper, 0, 1) * np.clip(lower - rows, 0, 1) * strength
        inner = self._depth(rows - upper, lower - rows, aperture)
        inner = self._with_teeth(inner, rows, here[1].start, rows - upper)
        picture[here] = np.clip(patch + (inner - patch) * cover[..., None] + 0.5, 0, 255).astype(np.uint8)

    def seal(self, picture: Rgb, points: np.ndarray, aperture: float) -> None:
        """Draw the shadow where closed lips meet into ``picture``, if its own lips were open: teeth would show in the
        warped seam."""
        strength = float(np.clip((_PARTING - aperture) / (_PARTING - _SEALED), 0, 1)) * self._open
        if strength <= 0:
            return
        goal, reach = _lip_gap(points), int(np.ceil(0.05 * self._unit))
        top, left = max(int(goal.upper.min()) - reach, 0), max(goal.left, 0)
        here = slice(top, int(goal.lower.max()) + reach + 1), slice(left, goal.left + len(goal.upper))
        patch = picture[here].astype(np.float32)
        if patch.size == 0:
            return
        rows = np.arange(top, top + patch.shape[0], dtype=np.float32)[:, None]
        line = ((goal.upper + goal.lower) / 2)[left - goal.left :][None, : patch.shape[1]]
        share = strength * np.exp(-0.5 * ((rows - line) / max(0.8, _SEAM * self._unit)) ** 2)
        shaded = patch + (np.minimum(patch, self._shadow) - patch) * share[..., None]
        picture[here] = np.clip(shaded + 0.5, 0, 255).astype(np.uint8)

    def _depth(self, below: np.ndarray, above: np.ndarray, aperture: float) -> np.ndarray:
        """The dark interior, with a tongue on the lower lip of a wide mouth."""
        share = np.clip(1 - above / (0.11 * self._unit), 0, 1) * np.clip(above / (0.02 * self._unit), 0, 1)
        across = np.abs(np.linspace(-1, 1, below.shape[1], dtype=np.float32))[None]
        share = share * np.clip(1.8 * (1 - across), 0, 1) * (0.8 * float(np.clip((aperture - 0.03) / 0.10, 0, 1)))
        return self._dark + (self._tongue - self._dark) * share[..., None]

    def _with_teeth(self, inner: np.ndarray, rows: np.ndarray, left: int, below: np.ndarray) -> np.ndarray:
        columns = np.arange(left, left + inner.shape[1])
        index = columns - self._known.left
        known = (index >= 0) & (index < len(self._known.upper))
        index = np.clip(index, 0, len(self._known.upper) - 1)
        upper, lower = self._known.upper[index][None], self._known.lower[index][None]
        if not self._open:
            return self._with_drawn_teeth(inner, rows, upper, below)
        soft = max(1.0, 0.016 * self._unit)
        share = np.clip((lower - 0.5 * soft - rows) / soft, 0, 1) * known * (lower - upper > 2 * soft)
        height = np.clip(rows, upper + 2, np.maximum(lower - 1, upper + 2))
        x = np.broadcast_to(columns[None].astype(np.float32), height.shape)
        teeth = cv2.remap(self._picture, np.ascontiguousarray(x), height.astype(np.float32), cv2.INTER_LINEAR)
        shade = 0.7 + 0.3 * np.clip(below / (0.045 * self._unit), 0, 1)
        return inner + (teeth * shade[..., None] - inner) * share[..., None]

    def _with_drawn_teeth(self, inner: np.ndarray, rows: np.ndarray, lips: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Faint teeth for a picture that shows none: a pale edge a little below where its ``lips`` meet."""
        across = np.linspace(-1, 1, inner.shape[1], dtype=np.float32)[None]
        edge = lips + (0.03 - 0.015 * across**2) * self._unit
        share = np.clip((edge - rows) / (0.02 * self._unit) + 0.5, 0, 1) * np.clip(2.5 * (1 - np.abs(across)), 0, 1)
        shade = 0.6 + 0.4 * np.clip(below / (0.04 * self._unit), 0, 1)
        return inner + (self._enamel * shade[..., None] - inner) * (0.6 * share)[..., None]


def _lip_gap(points: np.ndarray) -> _LipGap:
    """The gap between the inner lips at ``points`` (display pixels), column by column."""
    upper, lower = points[INNER_UPPER], points[INNER_LOWER]
    left, right = float(max(upper[0, 0], lower[0, 0])), float(min(upper[-1, 0], lower[-1, 0]))
    first = int(np.ceil(left))
    columns = np.arange(first, max(int(np.floor(right)) + 1, first + 1), dtype=np.float64)

    def curve(line: np.ndarray) -> np.ndarray:
        along = np.maximum.accumulate(line[:, 0] + 1e-4 * np.arange(len(line)))
        return PchipInterpolator(along, line[:, 1])(np.clip(columns, along[0], along[-1])).astype(np.float32)

    top = curve(upper)
    return _LipGap(first, top, np.maximum(curve(lower), top))
