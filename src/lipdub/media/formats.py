"""Pixel formats: which planes a decoded picture has, and copying planes out of and into FFmpeg's frames."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from lipdub.timeline.picture import PixelLayout

# ITU-T H.273 matrix coefficients, as FFmpeg numbers them.
_MATRIX = {0: "rgb", 1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020"}
_SUBSAMPLING = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411", (4, 4): "410", (1, 2): "440"}
_DEPTHS = (8, 9, 10, 12, 14, 16)


@dataclass(frozen=True, slots=True)
class PlanarFormat:
    """A planar pixel format: ``order[i]`` is FFmpeg's plane number of our plane i (R, G, B are stored as G, B, R)."""

    name: str
    depth: int
    subsampling: tuple[int, int]
    order: tuple[int, ...]
    colour: str

    @property
    def dtype(self) -> np.dtype:
        """Type of the samples."""
        return np.dtype(np.uint8 if self.depth <= 8 else np.uint16)

    def pixels_per_sample(self, plane: int) -> tuple[int, int]:
        """(Horizontal, vertical) pixels per sample in our plane ``plane``."""
        return self.subsampling if self.colour == "yuv" and plane in (1, 2) else (1, 1)


def _colour_model(form: av.VideoFormat) -> str:
    names = [c for c in form.components if not c.is_alpha]
    if form.is_rgb or form.has_palette or form.is_bayer or form.name.startswith("xyz"):
        return "rgb"
    return "yuv" if len(names) >= 3 else "grey"


def _subsampling(form: av.VideoFormat) -> tuple[int, int]:
    return 1024 // form.chroma_width(1024), 1024 // form.chroma_height(1024)


def _is_planar(form: av.VideoFormat) -> bool:
    parts = form.components
    own = sorted(c.plane for c in parts) == list(range(len(parts)))
    odd = form.has_palette or form.is_bit_stream or form.is_bayer or form.is_big_endian
    plain = not any(word in form.name for word in ("f16", "f32", "msb", "xyz"))
    return own and plain and not odd and all(8 <= c.bits <= 16 for c in parts) and (form.is_planar or len(parts) == 1)


@lru_cache
def planar_format(name: str) -> PlanarFormat:
    """The planar format in which pictures of pixel format ``name`` are handed out.

    It is ``name`` itself if that is planar and little-endian, else the nearest planar format with the same subsampling
    and at least the same depth (``nv12`` -> ``yuv420p``, ``rgb24`` -> ``gbrp``, ``pal8`` -> ``gbrp``). Grey loses an
    alpha channel.
    """
    form = av.VideoFormat(name)
    if not _is_planar(form):
        form = av.VideoFormat(_nearest_planar(form))
    colour = _colour_model(form)
    count = len(form.components)
    order = tuple(range(count)) if colour != "rgb" else (2, 0, 1, 3)[:count]
    subsampling = _subsampling(form) if colour == "yuv" else (1, 1)
    return PlanarFormat(form.name, form.components[0].bits, subsampling, order, colour)


def _nearest_planar(form: av.VideoFormat) -> str:
    colour = _colour_model(form)
    alpha = any(c.is_alpha for c in form.components) and not form.has_palette
    bits = 8 if form.has_palette else max(c.bits for c in form.components)
    depth = next((d for d in _DEPTHS if d >= bits), 16)
    for candidate in (depth, *(d for d in _DEPTHS if d > depth)):
        suffix = "" if candidate == 8 else f"{candidate}le"
        if colour == "rgb":
            name = f"gbr{'a' if alpha else ''}p{suffix}"
        elif colour == "grey":
            name = f"gray{suffix}"
        else:
            grid = _SUBSAMPLING.get(_subsampling(form), "444")
            name = f"yuv{'a' if alpha else ''}{grid}p{suffix}"
        if _is_known_format(name):
            return name
    return "yuv444p16le"


def _is_known_format(name: str) -> bool:
    try:
        av.VideoFormat(name)
    except ValueError:
        return False
    return True


def pixel_layout(frame: av.VideoFrame, rotation: int, pixel_aspect: Fraction) -> PixelLayout:
    """How the planes of a decoded frame are to be read.

    An untagged picture is read as players do: BT.709 from 720 coded lines up, BT.601 below; limited range unless it is
    RGB, grey, a ``yuvj`` format or tagged as full range.
    """
    kind = planar_format(frame.format.name)
    guess = "bt709" if frame.height >= 720 else "bt601"
    matrix = _MATRIX.get(int(frame.colorspace), guess) if kind.colour == "yuv" else "rgb"
    if kind.colour == "yuv" and matrix == "rgb":
        matrix = guess
    full = is_full_range(kind.name, int(frame.color_range))
    return PixelLayout(kind.name, kind.depth, kind.subsampling, matrix, full, rotation, pixel_aspect)


def is_full_range(pixel_format: str, tag: int) -> bool:
    """True if samples use the full range. ``tag`` is FFmpeg's: 0 unspecified, 1 limited, 2 full."""
    colour = planar_format(pixel_format).colour
    return tag == 2 or colour == "rgb" or pixel_format.startswith("yuvj") or (colour == "grey" and tag != 1)


class PlaneReader:
    """Copies planes out of decoded frames. Use one per stream and thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def as_planar(self, frame: av.VideoFrame, name: str, width: int, height: int) -> av.VideoFrame:
        """``frame`` in the planar format ``name`` and size (width, height); ``frame`` itself if it is so already."""
        if frame.format.name == name and (frame.width, frame.height) == (width, height):
            return frame
        # With the same colour space and range on both sides, samples are rearranged, not converted.
        return self._reformatter.reformat(
            frame, width=width, height=height, format=name,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT, threads=1,
        )  # fmt: skip

    def planes(self, frame: av.VideoFrame, name: str, width: int, height: int) -> tuple[np.ndarray, ...]:
        """The planes of ``frame`` in planar format ``name``, in our order, as views of its memory that may not be
        written."""
        kind = planar_format(name)
        shown = self.as_planar(frame, name, width, height)
        views = tuple(plane_view(shown.planes[number], kind.dtype) for number in kind.order)
        for view in views:
            view.flags.writeable = False
        return views

    def copied(
        self, frame: av.VideoFrame, name: str, width: int, height: int
    ) -> tuple[av.VideoFrame, tuple[np.ndarray, ...]]:
        """A copy of ``frame`` in planar format ``name``, and its planes, in our order, as writable views of its memory.

        The copy has none of the marks of the decoded frame: no time stamp, no type of picture, no colour tags.
        """
        kind = planar_format(name)
        copy = frame_from_planes(self.planes(frame, name, width, height), kind)
        return copy, tuple(plane_view(copy.planes[number], kind.dtype) for number in kind.order)


def plane_view(plane: VideoPlane, dtype: np.dtype) -> np.ndarray:
    """View (rows, columns) of FFmpeg's memory without the padding at the end of rows."""
    stride = abs(plane.line_size) // dtype.itemsize
    rows = np.frombuffer(memoryview(plane), dtype)[: plane.height * stride].reshape(plane.height, stride)
    # A negative stride means that the last row comes first in memory.
    return rows[:: -1 if plane.line_size < 0 else 1, : plane.width]


def frame_from_planes(planes: tuple[np.ndarray, ...], kind: PlanarFormat) -> av.VideoFrame:
    """A new FFmpeg frame with copies of ``planes`` (in our order), in memory that FFmpeg allocates and pads."""
    rows, columns = planes[0].shape
    frame = av.VideoFrame(columns, rows, kind.name)
    for plane, number in zip(planes, kind.order, strict=True):
        plane_view(frame.planes[number], kind.dtype)[:] = plane
    return frame
