"""How much the picture around a face changes, in whatever way its samples are coded."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from synthetic_faces import frame_of

from lipdub.faces.picture_change import PictureChange
from lipdub.timeline.picture import Frame, PixelLayout, Window

GREY = PixelLayout("gray", 8, (1, 1), "bt709", True)


def coded(plane: np.ndarray, layout: PixelLayout = GREY) -> Frame:
    return Frame(0, 0, (plane,), layout, lambda window: np.zeros((window.height, window.width, 3), np.uint8))


def test_the_first_picture_has_no_change():
    change = PictureChange()
    change.see(frame_of(np.zeros((90, 120, 3), np.uint8)))
    assert np.isnan(change.within(Window(0, 0, 10, 10)))


@pytest.mark.parametrize("size", [(90, 120), (1080, 1920)])
def test_only_what_is_inside_the_window_counts(size):
    before, after = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    after[: size[0] // 2, size[1] // 2 :] = 20
    change = PictureChange()
    for plane in (before, after):
        change.see(coded(plane))
    h, w = size
    assert change.within(Window(w // 2 + 9, 0, w, h // 2 - 9)) == 20
    assert change.within(Window(0, 0, w // 2 - 9, h)) == 0
    assert change.within(Window(0, 0, w, h)) == pytest.approx(5, abs=0.5)


def test_deep_turned_and_squeezed_pictures_are_measured_alike():
    before, after = np.zeros((60, 90), np.uint16), np.zeros((60, 90), np.uint16)
    after[:, 60:] = 40 << 2
    layout = replace(GREY, depth=10, rotation=1, pixel_aspect=Fraction(2))
    change = PictureChange()
    for plane in (before, after):
        change.see(coded(plane, layout))
    # as displayed: 180 columns of square pixels, then a quarter turn counter-clockwise: 60 wide and 180 high
    assert change.within(Window(0, 0, 60, 58)) == 40
    assert change.within(Window(0, 62, 60, 180)) == 0


def test_another_size_is_another_picture():
    change = PictureChange()
    for size in ((60, 90), (80, 90)):
        change.see(coded(np.zeros(size, np.uint8)))
    assert np.isnan(change.within(Window(0, 0, 10, 10)))
