"""Pictures: decoded frames, windows in them, and how their samples are to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
from jaxtyping import Float32, UInt8

Rgb = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, slots=True)
class Window:
    """A box in display pixels (upright, square pixels): columns ``[left, right)``, rows ``[top, bottom)``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def empty(self) -> bool:
        """True if it contains no pixel."""
        return self.width <= 0 or self.height <= 0

    def clipped(self, size: tuple[int, int]) -> "Window":
        """The part inside a picture of ``size`` (width, height); may be empty."""
        w, h = size
        left, top = min(max(self.left, 0), w), min(max(self.top, 0), h)
        return Window(left, top, max(left, min(self.right, w)), max(top, min(self.bottom, h)))

    def rotated_back(self, size: tuple[int, int], turns: int) -> "Window":
        """The window in a picture of ``size`` (width, height) that becomes this one by ``turns`` quarter turns
        counter-clockwise."""
        width, height = size
        match turns % 4:
            case 1:
                return Window(width - self.bottom, self.left, width - self.top, self.right)
            case 2:
                return Window(width - self.right, height - self.bottom, width - self.left, height - self.top)
            case 3:
                return Window(self.top, height - self.right, self.bottom, height - self.left)
        return self

    def contains(self, other: "Window") -> bool:
        """True if ``other`` lies completely inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def intersection(self, other: "Window") -> "Window":
        """What both contain; ``empty`` if that is nothing."""
        return Window(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def slices_in(self, outer: "Window") -> tuple[slice, slice]:
        """Rows and columns of this window in an array of the pixels of ``outer``, which contains it."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


def square_width(width: int, pixel_aspect: Fraction) -> int:
    """Columns of a coded picture with square pixels; its height stays. Rounded half up, at least 1."""
    return max(1, floor(width * pixel_aspect + Fraction(1, 2)))


def display_size(width: int, height: int, pixel_aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Width and height of a coded picture as displayed: square pixels, then ``rotation`` quarter turns."""
    square = square_width(width, pixel_aspect)
    return (height, square) if rotation % 2 else (square, height)


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the samples of a decoded frame are to be read.

    ``depth`` bits per sample; ``subsampling`` (horizontal, vertical) of the chroma planes, as powers of two
    already applied: 4:2:0 is (2, 2), 4:4:4 and RGB are (1, 1). ``matrix`` is ``"bt709"``, ``"bt601"``,
    ``"bt2020"`` or ``"rgb"``. ``rotation`` is how many quarter turns counter-clockwise (numpy's ``rot90``)
    bring the coded picture upright; ``pixel_aspect`` is the shown width of a coded pixel over its height.
    """

    name: str
    depth: int
    subsampling: tuple[int, int]
    matrix: str
    full_range: bool
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)

    @property
    def chroma_planes(self) -> bool:
        """True for luma + two chroma planes; False for R, G, B planes or grey."""
        return self.matrix != "rgb"


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame: its place in the clip and its samples.

    ``planes`` are writable arrays (rows, columns) of uint8 or uint16 in coded orientation: Y, U, V, then
    alpha if there is one; or R, G, B for RGB formats; or Y alone for grey. ``rgb`` converts a window of
    the *display* picture to 8-bit RGB. ``memory`` is the reader's own picture in which the planes lie, for those who
    can take it instead of the planes; None if they lie elsewhere.
    """

    index: int
    pts: int
    planes: tuple[np.ndarray, ...]
    layout: PixelLayout
    rgb: Callable[[Window], Rgb]
    memory: object = None


def window_around(landmarks: Float32[np.ndarray, "478 3"], size: tuple[int, int], margin: float = 0.35) -> Window:
    """The box of a face inside a picture of ``size``, with ``margin`` times its larger side added on every side."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    reach = margin * float((high - low).max())
    left, top = np.floor(low - reach).astype(int)
    right, bottom = np.ceil(high + reach).astype(int) + 1
    return Window(int(left), int(top), int(right), int(bottom)).clipped(size)
