"""Renders one frame: the filmed skin is warped so that the jaw follows, and an exemplar's lips are blended over it.

Lips, the skin close to them and the inside of the mouth come from another filmed frame (the exemplar); jaw, chin,
cheeks and neck come from the frame itself.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lipdub.anatomy.landmarks import INNER_LOWER, INNER_UPPER, LIP_CORNERS, LIPS
from lipdub.engines.exemplar import blend, mouth_masks
from lipdub.engines.exemplar.geometry import LOWER_LINE, NEARBY, RING, STILL, UPPER_LINE, FaceGeometry
from lipdub.engines.exemplar.library import FilmedMouth
from lipdub.engines.exemplar.skin_field import SkinField
from lipdub.engines.exemplar.warp import ThinPlateSpline, WarpGrid, sample_picture, smoothstep
from lipdub.timeline.mouth import AP
from lipdub.timeline.patch import FaceView, Patch
from lipdub.timeline.picture import Window

_TEETH = 0.28  # the part of the opening next to each lip that keeps its height
_NOSTRILS = 0.03
_FREE = 1.5  # largest displacements from something before the face at which skin moves freely
_SKIN_STEP, _LIPS_STEP = 1 / 12, 1 / 24  # grid of the warps, in eye distances

_NEAR = np.concatenate([RING, NEARBY])
_UPPER_NODES = np.unique(np.concatenate([UPPER_LINE, LIP_CORNERS[:4], _NEAR]))
_LOWER_NODES = np.unique(np.concatenate([LOWER_LINE, LIP_CORNERS[:4], _NEAR]))


class WeightedExemplar(NamedTuple):
    """A filmed ``mouth`` that is used for a frame, and its ``share`` (the shares add up to 1)."""

    mouth: FilmedMouth
    share: float


class FrameTarget(NamedTuple):
    """What one frame must show: mouth ``shape`` (6,) by ``weight`` (0..1), made from ``exemplars``.

    ``lip_overlap`` (eye distances): the lips are moved together by this much more than the landmarks say; measured in a
    first rendering. ``cavity``: paint the inside of the mouth where the exemplars are not open far enough.
    ``calm``: the mouth hardly moves, and the fine detail of the exemplars is mixed, too.
    """

    row: int
    shape: Float64[np.ndarray, " 6"]
    weight: float
    exemplars: tuple[WeightedExemplar, ...]
    lip_overlap: float = 0.0
    cavity: bool = False
    calm: bool = False


class LandmarkTargets(NamedTuple):
    """Landmarks in pixels: where they are (``now``) and must be (``goal``); ``shape`` is the mouth shape of
    ``goal``."""

    now: Float64[np.ndarray, "478 2"]
    goal: Float64[np.ndarray, "478 2"]
    shape: Float64[np.ndarray, " 6"]


@dataclass(frozen=True, eq=False)
class FrameRenderer:
    """Renders frames of one study, given the ``geometry`` of its track and the ``basis`` (6, 478, 3) of its shape
    model."""

    geometry: FaceGeometry
    basis: Float64[np.ndarray, "6 478 3"]

    def render(self, target: FrameTarget, view: FaceView, landmarks: LandmarkTargets | None = None) -> Patch | None:
        """The patch that shows ``target`` in ``view``, or None if the mouth is outside the picture. What is before the
        face in ``view`` stays as filmed.

        ``landmarks``: what ``landmark_targets`` says of ``target``, if it is known already.
        """
        geometry, row = self.geometry, target.row
        unit, whole = geometry.unit(row), geometry.ellipse(row).box.clipped(view.size)
        landmarks = self.landmark_targets(target) if landmarks is None else landmarks
        mouth_window = mouth_masks.window_around(landmarks.goal, unit)
        if view.occluder is not None:
            mouth_window = _union(mouth_window, mouth_masks.window_around(landmarks.now, unit))
        mouth_window = mouth_window.intersection(whole)
        if mouth_window.empty:
            return None
        grid = WarpGrid.over(whole, unit * _SKIN_STEP)
        field = SkinField.between((geometry, row), landmarks.now, landmarks.goal, grid)
        window = _union(mouth_window, field.window(mouth_window))
        base = view.pixels(window)
        before = None if view.occluder is None else view.occluder(window)
        pixels = _moved(base, field, window, view.size, before)
        here = mouth_window.slices_in(window)
        skin, clear = pixels[here].astype(np.float32), None if before is None else before[here] == 0
        pixels[here] = np.clip(self._lips(target, landmarks, skin, mouth_window, clear) + 0.5, 0, 255).astype(np.uint8)
        if before is not None:
            pixels = blend.keep_filmed(base, pixels, before)
        return Patch(view.index, window, base, pixels, _changed(pixels, base))

    def landmark_targets(self, target: FrameTarget) -> LandmarkTargets:
        """Where the face's landmarks are, and where ``target`` wants them; ``lip_overlap`` has no part in it."""
        geometry, row, weight = self.geometry, target.row, target.weight
        face, now = geometry.face(row), geometry.shapes[row]
        step = (target.shape - now) * weight
        shape = now + step
        goal = face + np.tensordot(step, self.basis, 1)
        lips_goal = np.zeros((len(LIPS), 3))
        for one in target.exemplars:
            moved = one.mouth.face[LIPS] + np.tensordot(shape - one.mouth.shape, self.basis[:, LIPS], 1)
            lips_goal += one.share * moved
        goal[LIPS] = lips_goal * weight + goal[LIPS] * (1 - weight)
        _close_lips(goal, float(shape[AP]), weight)
        pixels_now, pixels_goal = geometry.pixels(row, face), geometry.pixels(row, goal)
        pixels_goal[STILL] = pixels_now[STILL]
        return LandmarkTargets(pixels_now, pixels_goal, shape)

    def _lips(
        self,
        target: FrameTarget,
        landmarks: LandmarkTargets,
        skin: np.ndarray,
        window: Window,
        clear: np.ndarray | None,
    ) -> Float32[np.ndarray, "height width 3"]:
        """``skin`` of ``window`` with the exemplars' lips blended over it by the target's weight. Colours are matched
        where the skin is ``clear`` (None: everywhere). Where something is before the face, skin next to it stays where
        it was, so the filmed lips are covered, too."""
        geometry, unit = self.geometry, self.geometry.unit(target.row)
        mouth = mouth_masks.MouthMasks.at(landmarks.goal, unit, window)
        if clear is not None:
            mouth = mouth.and_lips(landmarks.now)
        between = mouth_masks.between_lips(landmarks.goal, mouth.axes, window)
        layer = self._exemplar_layer(target, target.exemplars[0], landmarks, between, window)
        for other in target.exemplars[1:]:
            mixed = blend.cross_fade if target.calm else blend.mix_layers
            layer = mixed(layer, self._exemplar_layer(target, other, landmarks, between, window), other.share, unit)
        if target.cavity:
            opening = sum(one.share * float(one.mouth.shape[AP]) for one in target.exemplars)
            beyond = (float(landmarks.shape[AP]) - (1.25 * max(opening, 0) + 0.005)) / 0.02
            strength = float(smoothstep(np.array([beyond], np.float32))[0])
            if strength > 0:
                layer = blend.paint_cavity(layer, mouth, between, strength)
        band = mouth.band() if clear is None else mouth.band() * clear
        layer = blend.match_colour(layer, skin, mouth, band)
        nostril = geometry.pixels(target.row, np.array([[0, geometry.nose + _NOSTRILS, geometry.mean[2, 2]]]))
        mask = mouth.mask(float(mouth.axes.of_points(nostril)[0, 1]))
        if target.weight < 1:
            layer = blend.cross_fade(skin, layer, target.weight, unit)
        layer -= skin
        layer *= mask[..., None]
        layer += skin
        return layer

    def _exemplar_layer(
        self,
        target: FrameTarget,
        one: WeightedExemplar,
        landmarks: LandmarkTargets,
        between: np.ndarray,
        window: Window,
    ) -> Float32[np.ndarray, "height width 3"]:
        """The mouth of one exemplar, warped to the goal's lips and to the pose of this frame."""
        geometry, unit = self.geometry, self.geometry.unit(target.row)
        face, shape = one.mouth.face, one.mouth.shape
        source_face = face.astype(np.float64)
        if target.lip_overlap > 0:
            source_face[INNER_UPPER[1:-1], 1] -= target.lip_overlap / 2
            source_face[INNER_LOWER[1:-1], 1] += target.lip_overlap / 2
        source = one.mouth.pixels(source_face)
        own = float(shape[AP])
        goal = geometry.pixels(target.row, face + np.tensordot(landmarks.shape - shape, self.basis, 1))
        goal[LIPS] = landmarks.goal[LIPS]
        grid = WarpGrid.over(window, unit * _LIPS_STEP)
        centres = grid.centres()
        fields = (
            grid.planes(ThinPlateSpline(goal[part], source[part] - goal[part], unit).at(centres))
            for part in (_UPPER_NODES, _LOWER_NODES)
        )
        lower_share = _keep_teeth(between, float(landmarks.shape[AP]), own)
        x, y = (upper + (lower - upper) * lower_share for upper, lower in zip(*fields, strict=True))
        crop = one.mouth.crop
        offset = window.left - crop.window.left, window.top - crop.window.top
        return sample_picture(crop.pixels, x, y, offset, cv2.INTER_LANCZOS4).astype(np.float32)


def _close_lips(goal: np.ndarray, aperture: float, weight: float) -> None:
    """Change ``goal`` so that its lips never cross, and touch along their whole length as ``aperture`` goes to zero."""
    upper, lower = INNER_UPPER[1:-1], INNER_LOWER[1:-1]
    gap = goal[lower, 1] - goal[upper, 1]
    closed = float(smoothstep(np.array([1 - aperture / 0.03], np.float32))[0]) * weight
    part = np.where(gap < 0, -gap / 2, -gap / 2 * closed)
    goal[upper, 1] -= part
    goal[lower, 1] += part


def _keep_teeth(between: np.ndarray, aperture: float, own: float) -> np.ndarray:
    """``between`` with plateaus at both ends, so that teeth next to the lips keep their height and the middle
    stretches."""
    stretch = max(aperture, 0.01) / max(own, 0.01)
    plateau = _TEETH * min(max(1 - (stretch - 1) / 0.6, 0), 1)
    if plateau <= 0.01:
        return between
    return np.clip((between - plateau) * (1 / (1 - 2 * plateau)), 0, 1)


def _moved(
    base: np.ndarray, field: SkinField, window: Window, size: tuple[int, int], before: np.ndarray | None
) -> UInt8[np.ndarray, "height width 3"]:
    """The filmed skin ``base`` of ``window``, warped; unchanged if it hardly moves. Nothing is taken from pixels of
    something ``before`` it, and the less is moved the nearer it is to that."""
    if field.still:
        return base.copy()
    x, y = field.moves(window, size)
    if before is not None:
        away = cv2.distanceTransform((before <= 0).astype(np.uint8), cv2.DIST_L2, 3)
        near = np.minimum(away / (_FREE * max(float(np.abs(x).max()), float(np.abs(y).max()), 1.0)), 1)
        x, y = x * near, y * near
    return sample_picture(base, x, y, (0, 0), cv2.INTER_CUBIC)


def _changed(pixels: np.ndarray, base: np.ndarray) -> Float32[np.ndarray, "height width"]:
    """1 where ``pixels`` differ from ``base``, else 0."""
    red, green, blue = cv2.split(cv2.compare(pixels, base, cv2.CMP_NE))
    return (cv2.bitwise_or(cv2.bitwise_or(red, green), blue) > 0).astype(np.float32)


def _union(a: Window, b: Window) -> Window:
    return Window(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))
