"""Stores the mouths of a face track while its frames come by, of a limited number and size on disk.

When there are too many, a selection is kept: groups of ten consecutive frames, chosen greedily, each time the group
with the frame that differs most (in shape, pose and light) from all chosen ones. So the variety stays and the chosen
frames are contiguous.
"""

import shutil
import weakref
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, Int64

from lipdub.anatomy import pose
from lipdub.anatomy.landmarks import OUTER_LOWER, OUTER_UPPER, RIGID, canonical_face
from lipdub.anatomy.shape import mouth_shape
from lipdub.engines.exemplar.crop_file import CropFile, CropPlace
from lipdub.timeline.patch import FaceView
from lipdub.timeline.picture import Rgb, Window

RUN = 10
"""Consecutive frames that are kept or dropped together."""

CROPS = "crops.bin"
"""The file of a study in which the crops lie."""

_MARGIN = 0.30  # around the lips, in eye distances: mask and colour band (0.17), warp and filter
_INSIDE = 0.05  # lips nearer than this (eye distances) to the picture's edge are not used
_SCALES = np.array([0.03, 0.042, 0.036, 0.087, 0.067, 0.036, 7.0, 7.0, 14.0, 22.0, 0.17])
"""Differences that count as 1: six shape numbers, yaw, pitch, roll (degrees), luminance, log scale."""

_ROOM = 0.8  # the part of a disk budget to which it is reduced when it is used up
_SLACK = 1 << 16  # bytes of dropped crops, and a quarter of the others, from which a file is written anew


class CropInfo(NamedTuple):
    """A stored crop: its window in the picture, features by which crops are compared, how much fine ``detail`` it has
    (see ``fine_detail``), and its place in the file."""

    window: Window
    features: Float64[np.ndarray, " 11"]
    detail: float
    place: CropPlace


class DiskBudget:
    """A number of bytes that the crops of all tracks of a clip may take together."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes."""
        self._limit = limit
        self._open: weakref.WeakSet[CropCollector] = weakref.WeakSet()
        self._used = 0

    def join(self, collector: "CropCollector") -> None:
        """Let ``collector`` spend from this budget from now on."""
        self._open.add(collector)

    def spend(self, size: int) -> None:
        """Note ``size`` more bytes (negative: fewer). If the budget is used up, the largest collections are reduced."""
        self._used += size
        if size >= 0 and self._used > self._limit:
            self._reduce()

    def limit_to(self, limit: int) -> None:
        """Allow ``limit`` bytes from now on."""
        self._limit = limit
        self.spend(0)

    def _reduce(self) -> None:
        """Reduce all collections to a common size, the smaller ones not at all, until there is room again."""
        open_ones = sorted(self._open, key=lambda one: str(one.path))
        sizes = np.array([one.size for one in open_ones], np.float64)
        room = max(_ROOM * self._limit - (self._used - sizes.sum()), 0.0)
        most = _common_limit(sizes, room)
        for one, size in zip(open_ones, sizes, strict=True):
            if size > most:
                one.reduce(max(1, int(len(one.crops) * most / size) // RUN * RUN))


def _common_limit(sizes: Float64[np.ndarray, " n"], room: float) -> float:
    """The size to which the larger of ``sizes`` must be cut so that their sum is at most ``room``."""
    left, ordered = room, np.sort(sizes)
    for position, size in enumerate(ordered):
        share = left / (len(ordered) - position)
        if size > share:
            return share
        left -= size
    return float("inf")


class CropCollector:
    """Stores at most about ``most`` crops of a stream of views in ``folder``; ``crops`` are by frame of the clip."""

    def __init__(self, folder: Path, most: int, budget: DiskBudget | None = None) -> None:
        """Start without crops; files that an interrupted study left in ``folder`` are removed."""
        self._most, self._budget = most, budget
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._file = CropFile(folder / CROPS)
        self.path = self._file.path
        self.size = 0
        self.crops: dict[int, CropInfo] = {}
        if budget is not None:
            budget.join(self)

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
        free = fitted.unproject(0, view.landmarks.astype(np.float64))
        light = float(pixels[::4, ::4].mean())
        features = np.concatenate([mouth_shape(free), fitted.angles[0], [light, np.log(unit)]]) / _SCALES
        place = self._file.append(pixels)
        self.crops[view.index] = CropInfo(window, features, fine_detail(pixels), place)
        self._spend(place.size)
        if len(self.crops) > self._most + self._most // 4 + RUN:
            self.reduce(self._most)

    def reduce(self, most: int) -> None:
        """Keep about ``most`` crops (whole groups, so up to nine more); the others are removed from the file."""
        if len(self.crops) <= most:
            return
        index = np.array(sorted(self.crops), np.int64)
        chosen = farthest_points(index, np.stack([self.crops[int(i)].features for i in index]), most)
        self.drop(index[~np.isin(index, index[chosen])])

    def drop(self, indices: Int64[np.ndarray, " k"]) -> None:
        """Remove the crops of the clip's frames ``indices``."""
        for index in indices:
            self._spend(-self.crops.pop(int(index)).place.size)
        if len(self._file) > self.size + max(self.size // 4, _SLACK):
            self.tidy()

    def tidy(self) -> None:
        """Write the file anew without what was dropped."""
        if len(self._file) > self.size:
            places = self._file.keep_only([info.place for info in self.crops.values()])
            self.crops = {
                index: info._replace(place=place)
                for (index, info), place in zip(self.crops.items(), places, strict=True)
            }

    def _spend(self, size: int) -> None:
        self.size += size
        if self._budget is not None:
            self._budget.spend(size)


def fine_detail(picture: Rgb) -> float:
    """The fine detail of a picture over its brightness: lower for a blurred or an enlarged one.

    Detail is the standard deviation of the Laplacian (J. L. Pech-Pacheco et al., ICPR 2000).
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    detail = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S, ksize=3))[1]
    return float(detail[0, 0]) / max(float(grey.mean()), 1.0)


def picture_features(
    shapes: Float64[np.ndarray, "n 6"], angles: Float64[np.ndarray, "n 3"], light: np.ndarray, scale: np.ndarray
) -> Float64[np.ndarray, "n 11"]:
    """The features by which ``farthest_points`` compares mouths: ``shapes``, ``angles`` in degrees, ``light`` (n,) of
    the skin (0..255) and ``scale`` (n,) in pixels per eye distance."""
    return np.concatenate([shapes, angles, light[:, None], np.log(scale)[:, None]], axis=1) / _SCALES


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
