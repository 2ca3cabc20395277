"""Windows into pictures."""

from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.picture import PixelLayout, Window

edge = st.integers(-40, 40)
windows = st.builds(Window, edge, edge, edge, edge)
sizes = st.tuples(st.integers(0, 30), st.integers(0, 30))


def cells(window: Window) -> set[tuple[int, int]]:
    return {(x, y) for x in range(window.left, window.right) for y in range(window.top, window.bottom)}


@given(windows, sizes)
def test_clipping_keeps_exactly_the_pixels_of_the_picture(window: Window, size: tuple[int, int]) -> None:
    inside = window.clipped(size)
    picture = Window(0, 0, *size)
    assert cells(inside) == cells(window) & cells(picture)
    assert inside.empty == (not cells(inside))
    assert inside.width >= 0
    assert inside.height >= 0
    assert picture.contains(inside)
    assert inside.clipped(size) == inside


@given(windows, windows)
def test_a_window_that_holds_another_has_all_its_pixels(a: Window, b: Window) -> None:
    if a.contains(b):
        assert cells(b) <= cells(a)
    elif not b.empty:
        assert not cells(b) <= cells(a)


def test_only_rgb_lacks_chroma_planes() -> None:
    assert PixelLayout("yuv420p", 8, (2, 2), "bt709", False).chroma_planes
    assert not PixelLayout("gbrp", 8, (1, 1), "rgb", True).chroma_planes
