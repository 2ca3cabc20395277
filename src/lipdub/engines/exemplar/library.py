"""The exemplars of a face: filmed mouths, with everything that is needed to choose and to show them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, UInt8

from lipdub.anatomy.pose import Poses
from lipdub.anatomy.thumbnail import HALF_WIDTH, THUMBNAIL_SIZE, thumbnail_rows
from lipdub.engines.exemplar.crop_file import CropPlace, CropReader
from lipdub.engines.exemplar.geometry import KEPT
from lipdub.timeline.picture import Rgb, Window

APART = 10_000_000_000
"""More than the number of frames of any clip, and a multiple of ten: the rows of two shots in one library differ by
more."""

_FINER = 1.15
"""An exemplar of another shot whose detail is this many times finer than it will be shown is blurred first."""


class Crop(NamedTuple):
    """The RGB ``pixels`` of ``window`` (display pixels) of an exemplar's frame."""

    pixels: Rgb
    window: Window


class FilmedMouth(NamedTuple):
    """One exemplar: mouth ``shape`` (6,) and landmarks (478, 3; those not in ``KEPT`` are zero) as measured in its own
    track, its pose (number ``at`` of ``poses``) and its ``crop``."""

    shape: Float64[np.ndarray, " 6"]
    face: Float32[np.ndarray, "478 3"]
    poses: Poses
    at: int
    crop: Crop

    def pixels(self, points: Float[np.ndarray, "k 3"]) -> Float64[np.ndarray, "k 2"]:
        """The pixels in the exemplar's frame of points whose pose was removed."""
        return self.poses.project(self.at, points)[:, :2]


@dataclass(frozen=True, eq=False)
class ExemplarLibrary:
    """Exemplars, in order of time; all arrays are indexed by exemplar.

    ``rows``: the row of the track in which an exemplar was filmed. ``boxes`` (left, top, right, bottom) of the crops,
    and their ``places`` (offset, size) in the file of crops. ``shapes`` of the mouths; ``poses`` and ``angles``
    (degrees) of the head; ``faces``: the landmarks ``KEPT``, pose removed. ``light`` of the skin around the mouth
    (0..255); ``speed``: change of the aperture per frame; ``detail``: see ``fine_detail``. ``thumbs``: small pictures.

    In a pooled library (``pool_library``), exemplars of other shots of the person follow those of the own shot.
    ``study`` is 0 for the own shot and the number of another one otherwise; ``rows`` of other shots are moved by a
    multiple of ``APART``, so that no two shots follow each other. ``shapes``, ``light`` and ``thumbs`` are as they
    would be measured in the own shot, ``filmed`` are the shapes as measured in their own track; ``gains`` (red, green,
    blue) bring colours to those of the own shot. ``away`` is what it costs to take an exemplar from another shot, and
    ``blur`` how much less fine detail that shot has than the own one (natural logarithm). ``files`` hold the pictures
    of each study. ``known`` are the ``distances`` of the last exemplars, if they were computed before.
    """

    rows: Int64[np.ndarray, " n"]
    boxes: Int64[np.ndarray, "n 4"]
    places: Int64[np.ndarray, "n 2"]
    shapes: Float64[np.ndarray, "n 6"]
    poses: Poses
    angles: Float64[np.ndarray, "n 3"]
    faces: Float32[np.ndarray, "n kept 3"]
    light: Float64[np.ndarray, " n"]
    speed: Float64[np.ndarray, " n"]
    detail: Float64[np.ndarray, " n"]
    thumbs: UInt8[np.ndarray, "n 32 40 3"]
    study: Int64[np.ndarray, " n"]
    filmed: Float64[np.ndarray, "n 6"]
    gains: Float64[np.ndarray, "n 3"]
    away: Float64[np.ndarray, " n"]
    blur: Float64[np.ndarray, " n"]
    files: tuple[Path, ...]
    known: Float32[np.ndarray, "k k"] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def scale(self) -> Float64[np.ndarray, " n"]:
        """Pixels per eye distance."""
        return self.poses.scale

    @cached_property
    def distances(self) -> Float32[np.ndarray, "n n"]:
        """The RMS difference (0..1) of every two thumbnails."""
        if self.known is None:
            return thumbnail_distances(self.thumbs)
        n, mine = len(self), len(self) - len(self.known)
        out = np.empty((n, n), np.float32)
        out[:mine] = thumbnail_distances(self.thumbs[:mine], self.thumbs)
        out[mine:, :mine] = out[:mine, mine:].T
        out[mine:, mine:] = self.known
        return out

    def mouth(self, which: int, crops: CropReader, unit: float) -> FilmedMouth:
        """Exemplar ``which``, to be shown at ``unit`` pixels per eye distance. An exemplar of another shot gets the
        colours of the own one.

        Raises ``InputError`` if its picture is damaged.
        """
        left, top, right, bottom = (int(x) for x in self.boxes[which])
        offset, size = (int(x) for x in self.places[which])
        file = self.files[int(self.study[which])]
        pixels = crops.read(file, CropPlace(offset, size), (right - left, bottom - top))
        if self.study[which] > 0:
            finer = float(self.poses.scale[which]) / unit * float(np.exp(-self.blur[which]))
            pixels = _as_in_own_shot(pixels, self.gains[which], finer)
        face = np.zeros((478, 3), np.float32)
        face[KEPT] = self.faces[which]
        return FilmedMouth(self.filmed[which], face, self.poses, which, Crop(pixels, Window(left, top, right, bottom)))


def _as_in_own_shot(picture: Rgb, gains: Float64[np.ndarray, " 3"], finer: float) -> Rgb:
    """``picture`` with its colours multiplied by ``gains``; blurred if its detail is this many times ``finer`` than it
    will be shown, so that sampling does not make false detail."""
    out = picture.astype(np.float32) * gains.astype(np.float32)
    if finer > _FINER:
        out = cv2.GaussianBlur(out, (0, 0), 0.45 * float(np.sqrt(finer**2 - 1)))
    return np.clip(out + 0.5, 0, 255).astype(np.uint8)


def skin_tone(
    thumbs: UInt8[np.ndarray, "n 32 40 3"], mouth: tuple[float, float, float]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, "n 3"]]:
    """The mean brightness (0..255) and colour of each thumbnail outside the box ``mouth`` (half width, top, bottom;
    pose removed)."""
    half, top, bottom = mouth
    first, last = thumbnail_rows()
    w, h = THUMBNAIL_SIZE
    x = (np.arange(w) + 0.5) / w * 2 * HALF_WIDTH - HALF_WIDTH
    y = first + (np.arange(h) + 0.5) / h * (last - first)
    skin = ~((np.abs(x)[None] < half) & (y > top)[:, None] & (y < bottom)[:, None])
    if not skin.any():
        skin[:] = True
    pixels = thumbs[:, skin]
    return pixels.mean((1, 2), dtype=np.float64), pixels.mean(1, dtype=np.float64)


def thumbnail_distances(
    thumbs: UInt8[np.ndarray, "m 32 40 3"], others: UInt8[np.ndarray, "n 32 40 3"] | None = None
) -> Float32[np.ndarray, "m n"]:
    """The RMS difference (0..1) of each of ``thumbs`` to each of ``others`` (None: of every two of ``thumbs``)."""
    flat = _flat(thumbs)
    middle = flat.mean(0) if len(flat) else 0.0
    flat -= middle
    second = flat if others is None else _flat(others) - middle
    out = flat @ second.T
    out *= -2
    out += (flat * flat).sum(1)[:, None]
    out += (second * second).sum(1)[None]
    np.maximum(out, 0, out=out)
    out /= flat.shape[1]
    return np.sqrt(out, out=out)


def _flat(thumbs: UInt8[np.ndarray, "n 32 40 3"]) -> Float32[np.ndarray, "n samples"]:
    return thumbs.reshape(len(thumbs), THUMBNAIL_SIZE[0] * THUMBNAIL_SIZE[1] * 3).astype(np.float32) / 255
