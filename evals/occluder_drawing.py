"""Drawn things that move before a face: a microphone, a hand and a cup, shaded, with grain and motion blur.

Their coverage (alpha) is known exactly, which no filmed clip can tell.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from lipdub.timeline.picture import Window

KINDS = ("microphone", "hand", "cup")

_BLUR = 3  # positions between two frames that are averaged
_PATHS = {
    # part of the clip, then where the thing is: eye distances to the right of the mouth and below it
    "microphone": (
        (0, 0.9, 1.8),
        (0.25, 0.9, 1.8),
        (0.33, 0.12, 0.46),
        (0.58, 0.04, 0.38),
        (0.63, 0.08, 0.12),
        (0.69, 0.06, 0.40),
        (0.78, 0.9, 1.8),
    ),
    "hand": (
        (0, -1.7, 1.5),
        (0.28, -1.7, 1.5),
        (0.36, -0.55, 0.55),
        (0.55, -0.45, 0.42),
        (0.62, -0.05, 0.12),
        (0.70, -0.5, 0.6),
        (0.78, -1.7, 1.5),
    ),
    "cup": ((0, 1.7, 1.7), (0.30, 1.7, 1.7), (0.40, 0.3, 0.55), (0.60, 0.2, 0.45), (0.70, 1.7, 1.7)),
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A thing in one frame: ``colour`` (0..255) and ``alpha`` (0..1) of each pixel of ``window``."""

    window: Window
    colour: Float32[np.ndarray, "height width 3"]
    alpha: Float32[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class MovingThing:
    """A thing of a ``kind`` that moves before a mouth at ``mouth`` (pixels) of a face with ``unit`` pixels between the
    eyes, through a clip of ``frames`` with pictures of ``size``. ``tone`` is the colour of the person's skin."""

    kind: str
    mouth: tuple[float, float]
    unit: float
    frames: int
    size: tuple[int, int]
    tone: tuple[float, float, float]

    def drawn(self, frame: int) -> Drawn | None:
        """The thing in a frame; None if it is outside the picture or far from the face."""
        x, y = self._place(frame)
        left, top = self.mouth[0] + (x - 1.3) * self.unit, self.mouth[1] + (y - 0.9) * self.unit
        window = Window(int(left), int(top), int(left + 2.6 * self.unit), int(top + 3.2 * self.unit)).clipped(self.size)
        if window.empty:
            return None
        colour, alpha = np.zeros((window.height, window.width, 3), np.float32), 0.0
        for k in range(_BLUR):
            one, cover = self._still(self._place(frame + (k / _BLUR - 0.5) * 0.6), window)
            colour += one * cover[..., None] / _BLUR
            alpha = alpha + cover / _BLUR
        alpha = np.asarray(alpha, np.float32)
        if not (alpha > 0.01).any():
            return None
        return Drawn(window, colour / np.maximum(alpha, 1e-3)[..., None], alpha)

    def _place(self, frame: float) -> tuple[float, float]:
        when, x, y = np.array(_PATHS[self.kind]).T
        part = frame / self.frames
        wobble = 0.012 * np.sin(frame * np.array([0.9, 0.61]) + [0, 1])
        return float(np.interp(part, when, x) + wobble[0]), float(np.interp(part, when, y) + wobble[1])

    def _still(self, place: tuple[float, float], window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Colour and coverage of the thing at ``place``."""
        x = (np.arange(window.left, window.right) + 0.5 - self.mouth[0]) / self.unit - place[0]
        y = (np.arange(window.top, window.bottom) + 0.5 - self.mouth[1]) / self.unit - place[1]
        x, y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        inside, colour = {"microphone": _microphone, "hand": _hand, "cup": _cup}[self.kind](x, y, self.tone)
        cover = np.clip(inside * self.unit + 0.5, 0, 1)
        colour = colour * _grain(x, y)[..., None]
        return np.clip(colour, 0, 255).astype(np.float32), cover.astype(np.float32)


def _capsule(x: np.ndarray, y: np.ndarray, ends: tuple[float, float, float, float], radius: float) -> np.ndarray:
    """How far inside a thick line each point is (negative: outside)."""
    ax, ay, bx, by = ends
    along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
    return radius - np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))


def _microphone(x: np.ndarray, y: np.ndarray, _: object) -> tuple[np.ndarray, np.ndarray]:
    ball, handle = 0.23 - np.hypot(x, y), _capsule(x, y, (0.04, 0.15, 0.35, 1.6), 0.11)
    grille = 0.75 + 0.25 * np.sin(60 * x + 20 * y) * np.sin(60 * y - 20 * x)
    light = np.clip(1 - np.hypot(x + 0.08, y + 0.08) / 0.3, 0, 1)
    head = np.array([46, 47, 54]) * (0.6 + 1.3 * light)[..., None] * grille[..., None]
    shaft = np.array([30, 30, 36]) * (0.6 + 4 * np.clip(handle, 0, 0.1))[..., None]
    return np.maximum(ball, handle), np.where((ball > 0)[..., None], head, shaft)


def _hand(x: np.ndarray, y: np.ndarray, tone: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    fingers = [(-0.45, 0.55, 0.05 + 0.1 * k, -0.15 + 0.2 * k) for k in range(4)]
    parts = [_capsule(x, y, ends, 0.085) for ends in fingers]
    parts += [_capsule(x, y, (-0.5, 0.6, -1.3, 1.7), 0.3), _capsule(x, y, (-0.45, 0.6, -0.15, 0.75), 0.32)]
    inside = np.max(parts, 0)
    crease = np.sort(parts, 0)[-2]
    shade = 0.72 + 3.2 * np.clip(inside, 0, 0.09) - 0.25 * np.exp(-(((inside - crease) / 0.02) ** 2)) * (crease > 0)
    return inside, np.array(tone) * np.array([1.02, 0.97, 0.95]) * shade[..., None]


def _cup(x: np.ndarray, y: np.ndarray, _: object) -> tuple[np.ndarray, np.ndarray]:
    inside = np.minimum(0.33 - np.abs(x + 0.03 * y), np.minimum(y + 0.2, 0.75 - y))
    shade = 1.1 - 0.7 * np.abs(x - 0.08)
    stripe = np.abs(y - 0.1) < 0.06
    return inside, np.where(stripe[..., None], (225, 225, 230), (60, 105, 170)) * shade[..., None]


def _grain(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fixed grain that moves with the thing (about 4 %)."""
    table = np.random.default_rng(5).normal(1, 0.08, (64, 64)).astype(np.float32)
    return cv2.remap(table, ((x * 30) % 63).astype(np.float32), ((y * 30) % 63).astype(np.float32), cv2.INTER_LINEAR)
