"""A label in a corner of the picture: white text on a dark, translucent box, drawn into the planes of decoded frames.

The fonts are those that OpenCV 5 contains (Rubik and WenQuanYi Micro Hei), so that it looks the same on every system.
"""

import unicodedata
from typing import Literal

import cv2
import numpy as np

from lipdub.compose.patching import apply_patches
from lipdub.errors import OptionError
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame, Window

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]

DRAWING = 1
"""Raise when the same label looks otherwise."""

_HEIGHT = 0.045
"""Height of the text against the shorter side of the picture."""

_LEAST = 14
"""Pixels below which text cannot be read."""

_MARGIN = 0.05
"""Distance from the edges against the picture's size: what is nearer may be cut off by a screen (EBU R 95)."""

_WIDEST = 0.9
"""Width of the box against that of the picture."""

_OPACITY = 0.7
"""How dark the box is: on white it leaves a contrast of 8 : 1 to the text."""

_WEIGHT = 500
"""Thickness of the letters (400: regular, 700: bold)."""

_GRID = 4
"""The box begins and ends at multiples of this, so that no chroma sample belongs to it in part."""


class Label:
    """The label of one picture size."""

    def __init__(self, text: str, corner: Corner, size: tuple[int, int], white: float = 1.0) -> None:
        """``size`` (width, height) is that of the upright picture; ``white`` (0..1) the level of the letters.

        Raises ``OptionError`` for a text that cannot be drawn: with characters that the fonts lack, written from right
        to left, or too long.
        """
        self.text = readable_text(text)
        height = max(_LEAST, round(_HEIGHT * min(size)))
        coverage = _drawn(self.text, height)
        pad = round(0.4 * height)
        rows, columns = (side + 2 * pad + -(side + 2 * pad) % _GRID for side in coverage.shape)
        self.window = _placed((columns, rows), corner, size)
        if columns > _WIDEST * size[0] or rows > size[1] / 2 or not Window(0, 0, *size).contains(self.window):
            what = f"the label '{self.text}' is too long for a picture of {size[0]}x{size[1]} pixels"
            raise OptionError(what, remedy="Give a shorter text with --label")
        letters = np.zeros((rows, columns), np.float32)
        top, left = (rows - coverage.shape[0]) // 2, (columns - coverage.shape[1]) // 2
        letters[top : top + coverage.shape[0], left : left + coverage.shape[1]] = coverage
        self._letters = letters[..., None]
        self._white = np.float32(255 * white)
        self._mask = np.ones((rows, columns), np.float32)

    def draw(self, frame: Frame) -> Frame:
        """Draw the label into ``frame``, whose planes are changed in place, and return it. No sample changes outside
        the window."""
        base = frame.rgb(self.window)
        box = base * np.float32(1 - _OPACITY)
        pixels = np.rint(box + self._letters * (self._white - box)).astype(np.uint8)
        return apply_patches(frame, [Patch(frame.index, self.window, base, pixels, self._mask)])


def readable_text(text: str) -> str:
    """``text`` on one line, as it can be drawn. Raises ``OptionError`` if it cannot."""
    if not hasattr(cv2, "FontFace"):
        what = f"a label needs the fonts of OpenCV 5, and {cv2.__version__} is installed"
        raise OptionError(what, remedy="Install it with: pip install 'opencv-python-headless>=5'")
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    if not plain:
        raise OptionError("the label has no text", remedy="Write one after --label, or leave it out for AI-dubbed")
    missing = [one for one in dict.fromkeys(plain) if not _known(one)]
    if missing:
        shown = " ".join(missing[:8])
        remedy = "Latin, Greek, Cyrillic, Chinese, Japanese and Korean can be drawn; draw other labels in an editor"
        raise OptionError(f"the label has characters that cannot be drawn: {shown}", remedy=remedy)
    return plain


def _known(one: str) -> bool:
    """Whether a character can be drawn by itself: the fonts have it, and it needs no others around it."""
    if one in " ?":
        return True
    if unicodedata.bidirectional(one) in ("R", "AL", "AN") or unicodedata.combining(one):
        return False
    if unicodedata.category(one).startswith("C"):
        return False
    drawn, unknown = _drawn(one, 32), _drawn("?", 32)
    return bool(drawn.any()) and not (drawn.shape == unknown.shape and np.array_equal(drawn, unknown))


def _drawn(text: str, height: int) -> np.ndarray:
    """How much each pixel belongs to the letters of ``text`` (0..1), float32 (rows, columns), cropped to them."""
    font = cv2.FontFace("sans")
    canvas = np.zeros((3 * height, (len(text) + 2) * 2 * height, 3), np.uint8)
    cv2.putText(canvas, text, (height, 2 * height), (255, 255, 255), font, height, _WEIGHT)
    drawn = canvas[..., 0]
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not len(rows):
        return np.zeros((0, 0), np.float32)
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255


def _placed(box: tuple[int, int], corner: Corner, size: tuple[int, int]) -> Window:
    """Where a box of (columns, rows) lies in a picture of ``size``."""
    margin = [round(_MARGIN * side) // _GRID * _GRID for side in size]
    far = [(side - edge - own) // _GRID * _GRID for side, edge, own in zip(size, margin, box, strict=True)]
    left = far[0] if corner.endswith("right") else margin[0]
    top = far[1] if corner.startswith("bottom") else margin[1]
    return Window(left, top, left + box[0], top + box[1])
