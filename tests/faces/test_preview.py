"""Small pictures of whole frames, from every kind of plane."""

import numpy as np
import pytest
from synthetic_faces import frame_of

from lipdub.faces.preview import shown_size, small_planes, small_rgb
from lipdub.timeline.picture import Frame, PixelLayout

WEIGHTS = {"bt709": (0.2126, 0.7152, 0.0722), "bt601": (0.299, 0.587, 0.114), "bt2020": (0.2627, 0.678, 0.0593)}


def coded(rgb: tuple[int, int, int], layout: PixelLayout, size: tuple[int, int] = (96, 64)) -> Frame:
    """A frame of one colour, coded by the standard's own formulas."""
    kr, kg, kb = WEIGHTS[layout.matrix]
    r, g, b = (v / 255 for v in rgb)
    y = kr * r + kg * g + kb * b
    u, v = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    unit = 2 ** (layout.depth - 8)
    peak = 2**layout.depth - 1
    values = (
        [y * peak, u * peak + 128 * unit, v * peak + 128 * unit]
        if layout.full_range
        else [(16 + 219 * y) * unit, (128 + 224 * u) * unit, (128 + 224 * v) * unit]
    )
    kind = np.uint8 if layout.depth == 8 else np.uint16
    w, h = size
    sizes = [(h, w)] + [(h // layout.subsampling[1], w // layout.subsampling[0])] * 2
    planes = tuple(np.full(s, round(x), kind) for s, x in zip(sizes, values, strict=True))
    return Frame(0, 0, planes, layout, lambda window: np.zeros((window.height, window.width, 3), np.uint8))


@pytest.mark.parametrize("matrix", list(WEIGHTS))
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("depth", [8, 10])
def test_colours_come_out_right(matrix: str, full: bool, depth: int) -> None:
    for colour in [(200, 120, 40), (10, 250, 130), (255, 255, 255), (0, 0, 0)]:
        picture = small_rgb(coded(colour, PixelLayout("x", depth, (2, 2), matrix, full)), 48)
        assert picture.shape == (32, 48, 3)
        assert np.abs(picture.astype(int) - colour).max() <= 3


def test_grey_and_rgb_frames() -> None:
    grey = Frame(
        0, 0, (np.full((40, 60), 126, np.uint8),), PixelLayout("gray", 8, (1, 1), "bt709", False), lambda w: None
    )
    assert np.abs(small_rgb(grey, 30).astype(int) - 128).max() <= 1
    assert small_planes(grey, (6, 4)).shape == (1, 4, 6)
    colour = np.zeros((40, 60, 3), np.uint8) + np.array([1, 2, 3], np.uint8)
    assert (small_rgb(frame_of(colour), 30) == [1, 2, 3]).all()


@pytest.mark.parametrize("turns", range(4))
def test_the_picture_stands_upright(turns: int) -> None:
    upright = np.zeros((60, 100), np.uint8)
    upright[:20, :30] = 200
    layout = PixelLayout("gray", 8, (1, 1), "bt709", True, rotation=turns)
    frame = Frame(0, 0, (np.ascontiguousarray(np.rot90(upright, -turns)),), layout, lambda w: None)
    assert shown_size(frame) == (100, 60)
    small = small_rgb(frame, 50)
    assert small.shape == (30, 50, 3)
    assert small[2, 2, 0] == 200
    assert small[2, -2, 0] == small[-2, 2, 0] == 0


def test_pixels_need_not_be_square_and_small_pictures_stay() -> None:
    from fractions import Fraction

    layout = PixelLayout("gray", 8, (1, 1), "bt709", True, pixel_aspect=Fraction(4, 3))
    frame = Frame(0, 0, (np.zeros((108, 144), np.uint8),), layout, lambda w: None)
    assert shown_size(frame) == (192, 108)
    assert small_rgb(frame, 1000).shape == (108, 192, 3)
