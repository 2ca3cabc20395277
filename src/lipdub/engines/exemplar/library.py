"""The mouths a study keeps: small pictures of the lower face on disk, few enough for any length of film.

While frames stream by, ``Shelf`` keeps their crops; when there are too many it merges and reduces: stretches of
ten consecutive frames are taken greedily, each time the one that holds the frame farthest (in shape, pose and
light) from all that are kept, so that variety stays and joins stay contiguous. ``Crops`` reads them back.
"""

import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER, RIGID, canonical_face
from lipdub.anatomy.shape import mouth_shape
from lipdub.anatomy.thumbnail import HALF_WIDTH, THUMBNAIL_SIZE, thumbnail_rows
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Rgb, Window

RUN = 10
"""Frames that are kept or dropped together."""

_MARGIN = 0.30  # around the lips, in eye distances: mask and colour band (0.17), warp and filter
_INSIDE = 0.05  # lips nearer than this to the picture's edge make no exemplar
_SCALES = np.array([0.03, 0.042, 0.036, 0.087, 0.067, 0.036, 7.0, 7.0, 14.0, 22.0, 0.17])
"""What counts as one step apart: six shape numbers, yaw, pitch, roll (degrees), luminance, log scale."""


class Kept(NamedTuple):
    """One crop on the shelf: where it was in the picture, and what it looks like."""

    window: Window
    features: Float64[np.ndarray, " 11"]


class Crop(NamedTuple):
    """Pixels of ``window`` of an exemplar's frame."""

    pixels: Rgb
    window: Window


class Shelf:
    """Keeps at most about ``most`` crops of a stream of looks in ``folder``."""

    def __init__(self, folder: Path, most: int) -> None:
        """Start an empty shelf; what an interrupted study left in ``folder`` is removed."""
        self._folder, self._most = folder, most
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.kept: dict[int, Kept] = {}

    def add(self, view: FaceView) -> None:
        """Keep the mouth of ``look``, unless its face is lost or cut off by the picture's edge."""
        if view.landmarks is None or not np.isfinite(view.landmarks).all():
            return
        place = pose.fit_pose(view.landmarks[None, RIGID], canonical_face()[RIGID])
        unit = float(place.scale[0])
        lips = view.landmarks[np.concatenate([OUTER_UPPER, OUTER_LOWER]), :2]
        low, high = lips.min(0), lips.max(0)
        if (low < _INSIDE * unit).any() or (high > np.array(view.size) - _INSIDE * unit).any():
            return
        first, last = np.floor(low - _MARGIN * unit).astype(int), np.ceil(high + _MARGIN * unit).astype(int)
        window = Window(int(first[0]), int(first[1]), int(last[0]) + 1, int(last[1]) + 1).clipped(view.size)
        pixels = np.ascontiguousarray(view.pixels(window))
        np.save(path_of(self._folder, view.index), pixels)
        free = place.unproject(0, view.landmarks.astype(np.float64))
        light = float(pixels[::4, ::4].mean())
        features = np.concatenate([mouth_shape(free), place.angles[0], [light, np.log(unit)]]) / _SCALES
        self.kept[view.index] = Kept(window, features)
        if len(self.kept) > self._most + self._most // 4 + RUN:
            self.reduce(self._most)

    def reduce(self, most: int) -> None:
        """Keep about ``most`` crops (whole stretches, so up to nine more); delete the others' files."""
        if len(self.kept) <= most:
            return
        index = np.array(sorted(self.kept), np.int64)
        chosen = spread(index, np.stack([self.kept[int(i)].features for i in index]), most)
        for i in index[~np.isin(index, index[chosen])]:
            self.drop(int(i))

    def drop(self, index: int) -> None:
        """Forget one crop and delete its file."""
        del self.kept[index]
        path_of(self._folder, index).unlink()


def path_of(folder: Path, index: int) -> Path:
    """Where the crop of the clip's frame ``index`` lies."""
    return folder / f"{index:08d}.npy"


def spread(index: Int64[np.ndarray, " n"], features: Float64[np.ndarray, "n k"], most: int) -> np.ndarray:
    """Positions of at least ``most`` well-spread frames (or all), in whole stretches of ``RUN`` frames.

    Greedy farthest point (T. F. Gonzalez, Theoretical Computer Science 38, 1985), starting from the frame
    nearest to the mean; ties go to the earliest.
    """
    stretch = index // RUN
    apart = np.full(len(index), np.inf)
    taken = np.zeros(len(index), bool)
    following = int(((features - features.mean(0)) ** 2).sum(1).argmin())
    while taken.sum() < min(most, len(index)):
        together = np.flatnonzero((stretch == stretch[following]) & ~taken)
        taken[together] = True
        for one in together:
            np.minimum(apart, ((features - features[one]) ** 2).sum(1), out=apart)
        apart[taken] = -1.0
        following = int(apart.argmax())
    return np.flatnonzero(taken)


class Crops:
    """Reads crops back; the last ``memory`` stay in memory."""

    def __init__(self, folder: Path, memory: int = 24) -> None:
        """Crops that lie in ``folder``."""
        self._folder, self._memory = folder, memory
        self._recent: OrderedDict[int, Rgb] = OrderedDict()

    def read(self, index: int) -> Rgb:
        """Pixels of the crop of the clip's frame ``index``."""
        if index in self._recent:
            self._recent.move_to_end(index)
            return self._recent[index]
        pixels = np.load(path_of(self._folder, index))
        self._recent[index] = pixels
        if len(self._recent) > self._memory:
            self._recent.popitem(last=False)
        return pixels


@dataclass(frozen=True, eq=False)
class Library:
    """The exemplars of a finished study, in order of time; all arrays are indexed by exemplar.

    ``rows`` of the track, ``boxes`` (left, top, right, bottom) of the crops, ``shapes``, ``angles`` in degrees,
    ``scale`` in pixels per eye distance, ``light`` of the skin around the mouth (0..255), ``speed`` of the
    aperture per frame, ``apart`` the RMS difference (0..1) of every two thumbnails.
    """

    rows: Int64[np.ndarray, " n"]
    boxes: Int64[np.ndarray, "n 4"]
    shapes: Float64[np.ndarray, "n 6"]
    angles: Float64[np.ndarray, "n 3"]
    scale: Float64[np.ndarray, " n"]
    light: Float64[np.ndarray, " n"]
    speed: Float64[np.ndarray, " n"]
    apart: Float32[np.ndarray, "n n"]

    def __len__(self) -> int:
        return len(self.rows)


def skin_light(thumbs: UInt8[np.ndarray, "n 32 40 3"], mouth: tuple[float, float, float]) -> Float64[np.ndarray, " n"]:
    """Mean brightness of each thumbnail outside the ``mouth`` box (half width, top, bottom; pose-free)."""
    half, top, bottom = mouth
    first, last = thumbnail_rows()
    w, h = THUMBNAIL_SIZE
    x = (np.arange(w) + 0.5) / w * 2 * HALF_WIDTH - HALF_WIDTH
    y = first + (np.arange(h) + 0.5) / h * (last - first)
    skin = ~((np.abs(x)[None] < half) & (y > top)[:, None] & (y < bottom)[:, None])
    if not skin.any():
        skin[:] = True
    return thumbs[:, skin].mean((1, 2), dtype=np.float64)


def apart(thumbs: UInt8[np.ndarray, "n 32 40 3"]) -> Float32[np.ndarray, "n n"]:
    """RMS difference (0..1) of every two thumbnails."""
    flat = thumbs.reshape(len(thumbs), THUMBNAIL_SIZE[0] * THUMBNAIL_SIZE[1] * 3).astype(np.float32) / 255
    if len(flat):
        flat -= flat.mean(0)
    square = (flat * flat).sum(1)
    out = flat @ flat.T
    out *= -2
    out += square[:, None]
    out += square[None]
    np.maximum(out, 0, out=out)
    out /= flat.shape[1]
    return np.sqrt(out, out=out)
