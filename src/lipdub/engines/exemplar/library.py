"""The library of mouths that a study stores: small pictures of the lower face on disk, of a limited number.

``CropCollector`` stores a crop of every frame. When there are too many it keeps a selection: groups of ten consecutive
frames, chosen greedily, each time the group with the frame that differs most (in shape, pose and light) from all
chosen ones. So the variety stays and the chosen frames are contiguous. ``CropReader`` reads the crops back.
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
"""Consecutive frames that are kept or dropped together."""

_MARGIN = 0.30  # around the lips, in eye distances: mask and colour band (0.17), warp and filter
_INSIDE = 0.05  # lips nearer than this (eye distances) to the picture's edge are not used
_SCALES = np.array([0.03, 0.042, 0.036, 0.087, 0.067, 0.036, 7.0, 7.0, 14.0, 22.0, 0.17])
"""Differences that count as 1: six shape numbers, yaw, pitch, roll (degrees), luminance, log scale."""


class CropInfo(NamedTuple):
    """A stored crop: its window in the picture, and features by which crops are compared."""

    window: Window
    features: Float64[np.ndarray, " 11"]


class Crop(NamedTuple):
    """The RGB ``pixels`` of ``window`` (display pixels) of an exemplar's frame."""

    pixels: Rgb
    window: Window


class CropCollector:
    """Stores at most about ``most`` crops of a stream of views in ``folder``; ``crops`` are by frame of the clip."""

    def __init__(self, folder: Path, most: int) -> None:
        """Start without crops; files that an interrupted study left in ``folder`` are removed."""
        self._folder, self._most = folder, most
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.crops: dict[int, CropInfo] = {}

    def add(self, view: FaceView) -> None:
        """Store the mouth of ``view``, unless the face is lost or the lips touch the picture's edge."""
        if view.landmarks is None or not np.isfinite(view.landmarks).all():
            return
        fitted = pose.fit_pose(view.landmarks[None, RIGID], canonical_face()[RIGID])
        unit = float(fitted.scale[0])
        lips = view.landmarks[np.concatenate([OUTER_UPPER, OUTER_LOWER]), :2]
        low, high = lips.min(0), lips.max(0)
        if (low < _INSIDE * unit).any() or (high > np.array(view.size) - _INSIDE * unit).any():
            return
        first, last = np.floor(low - _MARGIN * unit).astype(int), np.ceil(high + _MARGIN * unit).astype(int)
        window = Window(int(first[0]), int(first[1]), int(last[0]) + 1, int(last[1]) + 1).clipped(view.size)
        pixels = np.ascontiguousarray(view.pixels(window))
        np.save(crop_path(self._folder, view.index), pixels)
        free = fitted.unproject(0, view.landmarks.astype(np.float64))
        light = float(pixels[::4, ::4].mean())
        features = np.concatenate([mouth_shape(free), fitted.angles[0], [light, np.log(unit)]]) / _SCALES
        self.crops[view.index] = CropInfo(window, features)
        if len(self.crops) > self._most + self._most // 4 + RUN:
            self.reduce(self._most)

    def reduce(self, most: int) -> None:
        """Keep about ``most`` crops (whole groups, so up to nine more) and delete the files of the others."""
        if len(self.crops) <= most:
            return
        index = np.array(sorted(self.crops), np.int64)
        chosen = farthest_points(index, np.stack([self.crops[int(i)].features for i in index]), most)
        for i in index[~np.isin(index, index[chosen])]:
            self.drop(int(i))

    def drop(self, index: int) -> None:
        """Delete one crop."""
        del self.crops[index]
        crop_path(self._folder, index).unlink()


def crop_path(folder: Path, index: int) -> Path:
    """The file of the crop of the clip's frame ``index``."""
    return folder / f"{index:08d}.npy"


def farthest_points(index: Int64[np.ndarray, " n"], features: Float64[np.ndarray, "n k"], most: int) -> np.ndarray:
    """Positions in ``index`` of at least ``most`` frames (or all) that differ much, in whole groups of ``RUN`` frames.

    Greedy farthest-point selection (T. F. Gonzalez, Theoretical Computer Science 38, 1985), starting from the frame
    nearest to the mean; of equal candidates the earliest is taken.
    """
    group = index // RUN
    distance = np.full(len(index), np.inf)
    taken = np.zeros(len(index), bool)
    following = int(((features - features.mean(0)) ** 2).sum(1).argmin())
    while taken.sum() < min(most, len(index)):
        together = np.flatnonzero((group == group[following]) & ~taken)
        taken[together] = True
        for one in together:
            np.minimum(distance, ((features - features[one]) ** 2).sum(1), out=distance)
        distance[taken] = -1.0
        following = int(distance.argmax())
    return np.flatnonzero(taken)


class CropReader:
    """Reads crops back; the last ``memory`` of them stay in memory."""

    def __init__(self, folder: Path, memory: int = 24) -> None:
        """Crops in ``folder``."""
        self._folder, self._memory = folder, memory
        self._recent: OrderedDict[int, Rgb] = OrderedDict()

    def read(self, index: int) -> Rgb:
        """The RGB pixels of the crop of the clip's frame ``index``."""
        if index in self._recent:
            self._recent.move_to_end(index)
            return self._recent[index]
        pixels = np.load(crop_path(self._folder, index))
        self._recent[index] = pixels
        if len(self._recent) > self._memory:
            self._recent.popitem(last=False)
        return pixels


@dataclass(frozen=True, eq=False)
class ExemplarLibrary:
    """The exemplars of a finished study, in order of time; all arrays are indexed by exemplar.

    ``rows`` of the track; ``boxes`` (left, top, right, bottom) of the crops; mouth ``shapes``; ``angles`` in degrees;
    ``scale`` in pixels per eye distance; ``light`` of the skin around the mouth (0..255); ``speed``: change of the
    aperture per frame; ``distances``: the RMS difference (0..1) of every two thumbnails.
    """

    rows: Int64[np.ndarray, " n"]
    boxes: Int64[np.ndarray, "n 4"]
    shapes: Float64[np.ndarray, "n 6"]
    angles: Float64[np.ndarray, "n 3"]
    scale: Float64[np.ndarray, " n"]
    light: Float64[np.ndarray, " n"]
    speed: Float64[np.ndarray, " n"]
    distances: Float32[np.ndarray, "n n"]

    def __len__(self) -> int:
        return len(self.rows)


def skin_light(thumbs: UInt8[np.ndarray, "n 32 40 3"], mouth: tuple[float, float, float]) -> Float64[np.ndarray, " n"]:
    """The mean brightness (0..255) of each thumbnail outside the box ``mouth`` (half width, top, bottom; pose
    removed)."""
    half, top, bottom = mouth
    first, last = thumbnail_rows()
    w, h = THUMBNAIL_SIZE
    x = (np.arange(w) + 0.5) / w * 2 * HALF_WIDTH - HALF_WIDTH
    y = first + (np.arange(h) + 0.5) / h * (last - first)
    skin = ~((np.abs(x)[None] < half) & (y > top)[:, None] & (y < bottom)[:, None])
    if not skin.any():
        skin[:] = True
    return thumbs[:, skin].mean((1, 2), dtype=np.float64)


def thumbnail_distances(thumbs: UInt8[np.ndarray, "n 32 40 3"]) -> Float32[np.ndarray, "n n"]:
    """The RMS difference (0..1) of every two thumbnails."""
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
