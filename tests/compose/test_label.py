"""A label can be read on every background, is where it shall be, and changes nothing else, in any kind of picture."""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.compose.label import Corner, Label, readable_text
from lipdub.errors import OptionError
from lipdub.timeline.picture import Frame, PixelLayout, Window, display_size

pytestmark = pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="labels need the fonts of OpenCV 5")

CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")


@dataclass(frozen=True)
class Grey:
    """A picture of one grey ``level`` (0..255) in 4:2:0, 4:2:2 or 4:4:4."""

    level: int = 128
    size: tuple[int, int] = (640, 360)
    depth: int = 8
    subsampling: tuple[int, int] = (2, 2)
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)

    @property
    def shown(self) -> tuple[int, int]:
        return display_size(*self.size, self.pixel_aspect, self.rotation)

    def frame(self) -> Frame:
        layout = PixelLayout("made", self.depth, self.subsampling, "bt709", False, self.rotation, self.pixel_aspect)
        step, (width, height), (sx, sy) = 1 << (self.depth - 8), self.size, self.subsampling
        kind = np.uint8 if self.depth == 8 else np.uint16
        luma = np.full((height, width), round((16 + self.level * 219 / 255) * step), kind)
        chroma = [np.full((-(-height // sy), -(-width // sx)), 128 * step, kind) for _ in range(2)]

        def rgb(window: Window) -> np.ndarray:
            return np.full((window.height, window.width, 3), self.level, np.uint8)

        return Frame(0, 0, (luma, *chroma), layout, rgb)


def shown_luma(picture: Grey, frame: Frame) -> np.ndarray:
    """The upright picture's luma, 0 (black) to 1 (white); square pixels only."""
    step = 1 << (picture.depth - 8)
    return np.rot90((frame.planes[0] / step - 16) / 219, picture.rotation)


def relative_luminance(level: float) -> float:
    """After WCAG 2.2."""
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("level", [0, 90, 128, 255])
@pytest.mark.parametrize("depth", [8, 10])
def test_letters_have_contrast_on_every_background(level: int, depth: int) -> None:
    picture = Grey(level, depth=depth)
    label = Label("AI-dubbed", "top-left", picture.shown)
    inside = shown_luma(picture, label.draw(picture.frame()))[
        label.window.top : label.window.bottom, label.window.left : label.window.right
    ]
    letters, box = (relative_luminance(float(np.percentile(inside, at))) for at in (99, 30))
    assert (letters + 0.05) / (box + 0.05) > 4.5, "WCAG 2.2, level AA"
    assert (inside > inside.max() - 0.1).mean() > 0.08, "there are letters"


@settings(max_examples=40)
@given(
    depth=st.sampled_from([8, 10, 12]),
    subsampling=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1)]),
    rotation=st.integers(0, 3),
    pixel_aspect=st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(12, 11)]),
    size=st.sampled_from([(640, 360), (361, 241), (720, 576), (1920, 1080)]),
    corner=st.sampled_from(CORNERS),
)
def test_nothing_changes_outside_its_corner(
    depth: int,
    subsampling: tuple[int, int],
    rotation: int,
    pixel_aspect: Fraction,
    size: tuple[int, int],
    corner: Corner,
) -> None:
    picture = Grey(140, size, depth, subsampling, rotation, pixel_aspect)
    frame, (width, height) = picture.frame(), picture.shown
    before = [plane.copy() for plane in frame.planes]
    label = Label("AI-dubbed", corner, picture.shown)
    window = label.window
    assert Window(0, 0, width, height).contains(window)
    assert (window.left > width / 2) == corner.endswith("right") or window.width > width / 2
    assert (window.top > height / 2) == corner.startswith("bottom")
    label.draw(frame)
    seen = np.zeros((height, width), np.uint8)
    seen[window.top : window.bottom, window.left : window.right] = 1
    coded = np.rot90(seen, -rotation)
    changed = frame.planes[0] != before[0]
    allowed = cv2.resize(coded.copy(), changed.shape[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    around = cv2.dilate(allowed, np.ones((3, 3), np.uint8)) > 0
    assert changed.any()
    assert not (changed & ~around).any()
    for old, new in zip(before[1:], frame.planes[1:], strict=True):
        assert np.abs(old.astype(int) - new).max() <= 1 << (depth - 8), "grey stays grey"


def test_it_grows_with_the_picture() -> None:
    small, large = (Label("AI", "top-left", size).window for size in ((640, 360), (1920, 1080)))
    assert large.height / small.height == pytest.approx(3, rel=0.15)
    upright = Label("AI", "top-left", (1080, 1920)).window
    assert upright.height == large.height


SCRIPTS = ("Doblado con IA: ¡qué!", "ŁęŠčß", "Озвучено ИИ", "Ελληνικά", "AIによる吹き替え", "人工智能", "한국어")


@pytest.mark.parametrize("text", SCRIPTS)
def test_many_scripts_can_be_drawn(text: str) -> None:
    assert readable_text(f" {text}\n") == text
    letters = Label(text, "bottom-right", (1920, 1080))._letters
    assert letters.max() > 0.9
    assert not np.array_equal(letters, np.zeros_like(letters))


@pytest.mark.parametrize("text", ["مدبلج", "עברית", "हिन्दी", "ไทย", "AI \U0001f916", "a\u0301\u0316", "one\x07"])
def test_what_cannot_be_drawn_is_refused_and_named(text: str) -> None:
    with pytest.raises(OptionError, match="characters that cannot be drawn"):
        readable_text(text)


def test_texts_without_words_and_long_ones_are_refused() -> None:
    with pytest.raises(OptionError, match="no text"):
        readable_text(" \n ")
    with pytest.raises(OptionError, match="too long for a picture of 640x360"):
        Label("dubbed by AI, " * 8, "top-left", (640, 360))
    with pytest.raises(OptionError, match="too long"):
        Label("AI-dubbed", "top-left", (32, 24))


def test_another_text_looks_otherwise_and_a_darker_white_is_darker() -> None:
    size = (640, 360)
    one, other = (Label(text, "top-left", size)._letters for text in ("AI-dubbed", "AI-dabbed"))
    assert not np.array_equal(one, other)
    picture = Grey(0)
    bright, dim = (
        shown_luma(picture, Label("AI", "top-left", size, white).draw(picture.frame())).max() for white in (1.0, 0.58)
    )
    assert bright == pytest.approx(1, abs=0.02)
    assert dim == pytest.approx(0.58, abs=0.02)
