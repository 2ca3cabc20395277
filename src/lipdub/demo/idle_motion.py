"""Idle motion for a still portrait: the head sways, breathes and blinks, and the mouth is at rest.

The head turns like a solid body: landmarks give the depth of the face, a spline continues it over the hair, and every
point moves by its depth around a pivot in the neck. Towards the background and the shoulders the motion fades out
smoothly, so that nothing tears. Lids come down *over* the eye: the skin above it stretches, and the eye behind stays in
place. All motion is a sum of slow sines and a few blinks, a function of the seed and the time only: the same at any
frame rate.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import Float32
from scipy.interpolate import PchipInterpolator, RBFInterpolator

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import CHIN, RIGID, canonical_face
from lipdub.process.blas_threads import one_blas_thread
from lipdub.timeline.picture import Rgb

UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
"""Edges of the upper lids, each from the eye corner at the picture's left to the one at its right."""
LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
"""Edges of the lower lids, in the same order."""
BROWS = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300))

_ONE_MAP = np.empty(0, np.float32)  # cv2.remap takes both coordinates from its first map
_CELL = 16  # the field of motion is laid out on a grid this many pixels wide, and interpolated
_PIVOT = np.array([0.0, 1.15, 0.85])  # the point around which a head turns, in eye distances from between the eyes
_SWAY = np.array([2.6, 1.5, 1.1])  # yaw, pitch, roll: degrees (standard deviation of the slow part)
_TREMOR = np.array([0.10, 0.08, 0.05])  # the same for the quick part
_DRIFT = 0.010  # shift of the head, eye distances
_BREATH = 0.012  # rise of the chest, eye distances
_LID_SKIN = (0.06, 0.09, 0.12, 0.16, 0.2)  # where skin of the lid is looked for, above its margin, eye widths
_BROW = 0.018  # rise of the brows, eye distances


@dataclass(frozen=True, slots=True)
class IdleMotionOptions:
    """``frames`` of motion at ``rate``; ``sway`` scales the motion of the head (0: it only blinks)."""

    frames: int
    rate: Fraction = Fraction(25)
    seed: int = 0
    sway: float = 1.0


def add_idle_motion(
    pictures: Iterable[Rgb], landmarks: Float32[np.ndarray, "478 3"], options: IdleMotionOptions
) -> Iterator[Rgb]:
    """``pictures`` with idle motion, all of the same size; the first one is unchanged.

    The pictures may differ in the mouth (it may speak); head and eyes must be still. ``landmarks`` are those of the
    face, in pixels. The same seed gives the same pictures.
    """
    motion = _IdleMotion(options.seed, float(options.frames / options.rate), options.sway)
    eyelids: list[_Eyelid] = []
    head: _HeadWarp | None = None
    for index, picture in enumerate(pictures):
        if head is None:
            head = _HeadWarp(picture.shape[:2], landmarks)
            eyelids = [_Eyelid(picture, landmarks, side) for side in (0, 1)]
        pose_now = motion.at(float(index / options.rate))
        out = picture
        if pose_now.lids > 0:
            out = picture.copy()
            for eyelid in eyelids:
                eyelid.close(out, pose_now.lids)
        yield head.moved(out, pose_now)


@dataclass(frozen=True, eq=False)
class BodyPose:
    """The pose of the body at one time: ``turn`` (yaw, pitch, roll, degrees); ``shift`` (x, y), ``breath`` and ``brow``
    in eye distances; ``lids`` 0 open .. 1 closed."""

    turn: np.ndarray
    shift: np.ndarray
    breath: float
    brow: float
    lids: float


class _IdleMotion:
    """The idle motion of a body as a function of time."""

    def __init__(self, seed: int, duration: float, sway: float) -> None:
        random = np.random.default_rng(seed)
        self._sway = sway
        self._slow = _SmoothNoise(random, 6, (0.06, 0.40))
        self._quick = _SmoothNoise(random, 3, (0.7, 1.7))
        self._breath_phase = float(random.uniform(0, 2 * np.pi))
        self._blinks = _blinks(random, duration)

    def at(self, t: float) -> BodyPose:
        begun = _ease(t / 1.2) * self._sway
        slow, quick = self._slow(t), self._quick(t)
        turn = (_SWAY * slow[:3] + _TREMOR * quick) * begun
        breath = _BREATH * (np.sin(2 * np.pi * 0.26 * t + self._breath_phase) - np.sin(self._breath_phase))
        brow = _BROW * max(0.0, float(slow[5]) - 0.4) * begun
        return BodyPose(turn, _DRIFT * slow[3:5] * begun, float(breath) * begun, brow, self._lids(t))

    def _lids(self, t: float) -> float:
        """Lids close in a third of a blink, stay closed for a moment, and open more slowly, as real ones do."""
        closed = 0.0
        for start, length in self._blinks:
            u = (t - start) / length
            if 0 < u < 1:
                closed = max(closed, _ease(u / 0.33) if u < 0.42 else 1 - _ease((u - 0.42) / 0.58))
        return closed


class _SmoothNoise:
    """Several smooth random functions of time with unit variance: sums of sines within a frequency band."""

    def __init__(self, random: np.random.Generator, count: int, band: tuple[float, float]) -> None:
        waves = 7
        low, high = band
        edges = np.geomspace(low, high, waves + 1)
        self._frequency = 2 * np.pi * random.uniform(edges[:-1], edges[1:], (count, waves))
        self._phase = random.uniform(0, 2 * np.pi, (count, waves))
        strength = edges[:-1] ** -0.5
        self._strength = strength * np.sqrt(2 / (strength**2).sum())

    def __call__(self, t: float) -> np.ndarray:
        """(count,) values at ``t`` seconds."""
        return (self._strength * np.sin(self._frequency * t + self._phase)).sum(1)


def _blinks(random: np.random.Generator, duration: float) -> list[tuple[float, float]]:
    """(start, length) of each blink in seconds: 2 to 6 s apart, 0.22 to 0.30 s long."""
    out, t = [], float(random.uniform(0.9, 2.0))
    while t < duration:
        out.append((t, float(random.uniform(0.22, 0.30))))
        t += float(np.clip(random.gamma(4.0, 0.9), 2.0, 6.0))
    return out


class _HeadWarp:
    """The displacement of every point of a picture when the head moves: depth and share of the motion on a
    coarse grid."""

    def __init__(self, shape: tuple[int, int], landmarks: np.ndarray) -> None:
        place = pose.fit_pose(landmarks[None, RIGID], canonical_face()[RIGID])
        self._unit, self._rotation = float(place.scale[0]), place.rotation[0]
        self._pixels = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape[::-1])), -1)
        cells = (np.arange(-(-n // _CELL), dtype=np.float32) for n in shape[::-1])
        self._grid = np.stack(np.meshgrid(*cells), -1) * _CELL + (_CELL - 1) / 2
        flat = self._grid.reshape(-1, 2).astype(np.float64)
        level = (flat - place.shift[0, :2]) @ self._rotation[:2, :2] / self._unit
        self._points = self._solid(flat, landmarks, place)
        chin = float(place.unproject(0, landmarks[CHIN].astype(np.float64))[1])
        self._share = _head_share(level, chin)
        self._chest = _chest_share(level, chin)
        self._brow = _brow_share(flat, landmarks, self._unit)

    def _solid(self, flat: np.ndarray, landmarks: np.ndarray, place: pose.Poses) -> np.ndarray:
        """(k, 3) grid points with depth, in eye distances from the pivot, in the picture's axes."""
        pivot = place.project(0, _PIVOT)
        ring = np.radians(np.arange(0, 360, 20))
        around = np.stack([1.25 * np.cos(ring), 1.5 * np.sin(ring) - 0.1, np.full(len(ring), _PIVOT[2])], -1)
        around = np.concatenate([around, around * [1.8, 1.8, 1]])
        known = np.concatenate([landmarks[:468:2].astype(np.float64), place.project(0, around)])
        scaled = (known - pivot) / self._unit
        spline = RBFInterpolator(scaled[:, :2], scaled[:, 2], kernel="thin_plate_spline", smoothing=0.02)
        at = (flat - pivot[:2]) / self._unit
        with one_blas_thread():
            depth = spline(np.clip(at, [-3, -4], [3, 2]))
        return np.concatenate([at, np.clip(depth, -2, 0.5)[:, None]], -1)

    def moved(self, picture: Rgb, now: BodyPose) -> Rgb:
        """``picture`` warped to the pose ``now``."""
        field = self._field(now)
        if float(np.abs(field).max()) < 1e-3:
            return picture.copy()
        back = field
        for _ in range(2):  # the displacement is that of the point where a pixel comes from
            cells = (self._grid - back + 0.5) / _CELL - 0.5
            back = cv2.remap(field, cells, _ONE_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        rows, columns = (int(n) * _CELL for n in field.shape[:2])
        height, width = self._pixels.shape[:2]
        fine = cv2.resize(back, (columns, rows), interpolation=cv2.INTER_CUBIC)[:height, :width]
        return cv2.remap(picture, self._pixels - fine, _ONE_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)

    def _field(self, now: BodyPose) -> np.ndarray:
        """Displacement in pixels on the grid (rows, columns, 2), float32."""
        turned = self._points @ (_rotation(now.turn) - np.eye(3)).T
        move = (turned[:, :2] + now.shift + [0, -0.5 * now.breath]) * self._share[:, None]
        move[:, 1] -= now.breath * self._chest + now.brow * self._brow
        return (move * self._unit).reshape(self._grid.shape).astype(np.float32)


class _Eyelid:
    """An upper lid that can close: the skin above it stretches, the eye stays behind it."""

    def __init__(self, picture: Rgb, landmarks: np.ndarray, side: int) -> None:
        points = landmarks[:, :2].astype(np.float64)
        upper, lower, brow = points[[*UPPER_LIDS[side]]], points[[*LOWER_LIDS[side]]], points[[*BROWS[side]]]
        start, along = upper[0], upper[-1] - upper[0]
        self._width = max(float(np.linalg.norm(along)), 1e-6)
        along = along / self._width
        self._down = np.array([-along[1], along[0]])
        axes = np.stack([along, self._down], 1)
        reach = 0.75 * self._width
        low = np.maximum(np.floor(np.minimum(upper.min(0), brow.min(0)) - reach / 3), 0).astype(int)
        high = np.minimum(np.ceil(lower.max(0) + reach / 3) + 1, picture.shape[1::-1]).astype(int)
        high = np.maximum(low, high)
        self._box = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        x, y = np.meshgrid(np.arange(low[0], high[0], dtype=float), np.arange(low[1], high[1], dtype=float))
        u, self._v = np.moveaxis((np.stack([x, y], -1) - start) @ axes, -1, 0)
        self._top, self._open = self._curve(u, (upper - start) @ axes), self._curve(u, (lower - start) @ axes)
        self._open = np.maximum(self._open - self._top, 0)
        taper = 0.3 * self._width
        self._middle = _smooth(u / taper) * _smooth((self._width - u) / taper)
        self._crease = float(((brow - start) @ axes)[:, 1].max()) * 0.95
        self._skin = self._brightest(picture) * self._width
        self._xy = np.stack([x - low[0], y - low[1]], -1).astype(np.float32)

    def _brightest(self, picture: Rgb) -> float:
        """How far above the lid's edge its skin is taken from (eye widths): not from lashes, nor from the fold."""
        light = picture[self._box].mean(-1)
        found = []
        for above in _LID_SKIN:
            line = (np.abs(self._v - self._top + above * self._width) < 1) & (self._middle > 0.5)
            found.append(float(light[line].mean()) if line.any() else 0.0)
        return _LID_SKIN[int(np.argmax(found))]

    def _curve(self, u: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Height of a lid's edge at each ``u``; outside the eye 0, on the line through its corners."""
        along = np.maximum.accumulate(points[:, 0] + 1e-6 * np.arange(len(points)))
        curve = PchipInterpolator(along, points[:, 1], extrapolate=False)(u)
        return np.nan_to_num(curve, nan=0.0)

    def close(self, picture: Rgb, lids: float) -> None:
        """Draw the lid into ``picture``, closed by ``lids`` 0..1."""
        patch = picture[self._box].astype(np.float32)
        if patch.size == 0:
            return
        lash = 0.10 * self._width
        fall = 0.97 * lids * self._open
        margin = self._top + 0.2 * lash + fall
        rigid = self._moved(patch, fall)
        skin = self._moved(patch, self._stretched(fall + self._skin * lids * self._middle, margin - lash / 2))
        calm = cv2.GaussianBlur(skin, (0, 0), 0.06 * self._width, sigmaY=0.02 * self._width)
        skin += (calm - skin) * (0.85 * lids * self._middle[..., None])  # stretched skin would show streaks
        at_lash = _smooth((self._v - margin + 1.2 * lash) / lash)[..., None]
        lid = skin + (rigid - skin) * at_lash
        soft = max(1.0, 0.025 * self._width)
        cover = np.clip((margin - self._v) / soft + 0.5, 0, 1) * (fall > 0)
        mixed = patch + (lid - patch) * cover[..., None]
        picture[self._box] = np.clip(np.round(mixed), 0, 255).astype(np.uint8)

    def _stretched(self, pull: np.ndarray, margin: np.ndarray) -> np.ndarray:
        """``pull`` in full at the ``margin``, decreasing to 0 at the brow."""
        room = np.maximum(margin - self._crease, 1e-6)
        return np.minimum(pull, 0.92 * room) * np.clip((self._v - self._crease) / room, 0, 1)

    def _moved(self, patch: np.ndarray, pull: np.ndarray) -> np.ndarray:
        """``patch`` (float32) with every point taken from ``pull`` pixels above it."""
        source = self._xy - (pull[..., None] * self._down).astype(np.float32)
        border = cv2.BORDER_REFLECT_101
        return cv2.remap(patch, source, _ONE_MAP, cv2.INTER_CUBIC, borderMode=border)


def _head_share(level: np.ndarray, chin: float) -> np.ndarray:
    """Share of the head's motion for a point: 1 on face and hair, fading out beside them and down the neck."""
    across, up = level[:, 0] / 1.3, np.minimum(level[:, 1], 0) / 1.6
    beside = 1 - _smooth((np.hypot(across, up) - 1) / 0.9)
    return beside * (1 - _smooth((level[:, 1] - chin + 0.1) / 1.1))


def _chest_share(level: np.ndarray, chin: float) -> np.ndarray:
    """Share of the breathing motion for a point: the shoulders rise, the background beside them does not."""
    return _smooth((level[:, 1] - chin) / 1.2) * (1 - _smooth((np.abs(level[:, 0]) - 1.6) / 1.4))


def _brow_share(flat: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    """1 on both brows, falling smoothly around them."""
    share = np.zeros(len(flat))
    for brow in BROWS:
        away = (flat - landmarks[[*brow], :2].mean(0)) / (np.array([0.28, 0.16]) * unit)
        share = np.maximum(share, np.exp(-0.5 * (away**2).sum(1)))
    return share


def _rotation(degrees: np.ndarray) -> np.ndarray:
    """Rotation by yaw, pitch, roll in the convention of ``Poses.angles``."""
    yaw, pitch, roll = np.radians(degrees)
    turn = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    nod = cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0]
    yaw_turn = cv2.Rodrigues(np.array([0.0, -yaw, 0.0]))[0]
    return np.asarray(turn @ nod @ yaw_turn)


def _smooth(x: np.ndarray) -> np.ndarray:
    """Smoothstep of ``x``: 0 below 0, 1 above 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _ease(x: float) -> float:
    """Smoothstep of one number."""
    return float(_smooth(np.array([x]))[0])
