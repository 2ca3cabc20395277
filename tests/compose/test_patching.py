"""What is put back arrives, and nothing else changes: any layout, any turn, any pixel shape, odd sizes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.compose.patching import apply_patches
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame, PixelLayout, Window

LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}

yuv = st.builds(
    PixelLayout,
    name=st.just("made"),
    depth=st.sampled_from([8, 10, 12, 16]),
    subsampling=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (1, 2), (4, 4)]),
    matrix=st.sampled_from(list(LUMA)),
    full_range=st.booleans(),
    rotation=st.integers(0, 3),
    pixel_aspect=st.sampled_from([Fraction(1), Fraction(1), Fraction(12, 11), Fraction(8, 9), Fraction(2)]),
)
rgb = st.builds(
    PixelLayout,
    name=st.just("made"),
    depth=st.sampled_from([8, 10]),
    subsampling=st.just((1, 1)),
    matrix=st.just("rgb"),
    full_range=st.just(True),
    rotation=st.integers(0, 3),
)
square_yuv = yuv.map(lambda la: PixelLayout(la.name, la.depth, la.subsampling, la.matrix, la.full_range, la.rotation))


def made(layout: PixelLayout, size: tuple[int, int], seed: int, planes: int = 3) -> Frame:
    """A frame of coded ``size`` (width, height) with random legal samples; ``planes`` 1 is grey, 4 has alpha."""
    rng, (width, height) = np.random.default_rng(seed), size
    dtype, step = (np.uint8, 1) if layout.depth == 8 else (np.uint16, 1 << (layout.depth - 8))
    sx, sy = layout.subsampling
    shapes = [
        (height, width),
        (-(-height // sy), -(-width // sx)),
        (-(-height // sy), -(-width // sx)),
        (height, width),
    ]
    arrays = tuple(rng.integers(90 * step, 160 * step, shape).astype(dtype) for shape in shapes[:planes])
    return Frame(7, 0, arrays, layout, lambda window: pytest.fail("not needed"))


def shown_size(frame: Frame) -> tuple[int, int]:
    height, width = frame.planes[0].shape
    width = max(1, int(width * frame.layout.pixel_aspect + Fraction(1, 2)))
    return (height, width) if frame.layout.rotation % 2 else (width, height)


def seen(frame: Frame) -> np.ndarray:
    """Exact RGB of the display picture (square pixels only), float; chroma repeated over its footprint."""
    layout, (rows, columns) = frame.layout, frame.planes[0].shape
    planes = [p.astype(np.float64) for p in frame.planes[:3]]
    top = (1 << layout.depth) - 1
    if not layout.chroma_planes:
        out = np.stack(planes, -1) / top * 255
    else:
        sx, sy = layout.subsampling
        y, cb, cr = planes[0], *(np.repeat(np.repeat(p, sy, 0), sx, 1)[:rows, :columns] for p in planes[1:])
        step = 1 << (layout.depth - 8)
        y = y / top if layout.full_range else (y - 16 * step) / (219 * step)
        cb, cr = ((c - 128 * step) / (top if layout.full_range else 224 * step) for c in (cb, cr))
        kr, kb = LUMA[layout.matrix]
        red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
        out = np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], -1) * 255
    return np.rot90(out, layout.rotation)


@st.composite
def windows(draw: st.DrawFn, size: tuple[int, int]) -> Window:
    if draw(st.booleans()):
        return Window(0, 0, *size)
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return Window(left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1])))


def patch_of(window: Window, mask: np.ndarray, seed: int) -> Patch:
    base, pixels = np.random.default_rng(seed).integers(0, 256, (2, window.height, window.width, 3), dtype=np.uint8)
    return Patch(7, window, base, pixels, mask.astype(np.float32))


def coded_mask(frame: Frame, window: Window, mask: np.ndarray) -> np.ndarray:
    """Where the coded picture may change: (rows, columns) bool."""
    width, height = shown_size(frame)
    whole = np.zeros((height, width), bool)
    whole[window.top : window.bottom, window.left : window.right] = mask > 0
    whole = np.rot90(whole, -frame.layout.rotation)
    columns = frame.planes[0].shape[1]
    if whole.shape[1] == columns and frame.layout.pixel_aspect == 1:
        return whole
    centres = (np.arange(columns) + 0.5) * whole.shape[1] / columns - 0.5
    near = [np.clip(f(centres).astype(int), 0, whole.shape[1] - 1) for f in (np.floor, np.ceil)]
    return whole[:, near[0]] | whole[:, near[1]]


def footprints(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """True for the samples of a plane whose footprint touches ``mask``."""
    sx, sy = grid
    padded = np.pad(mask, ((0, -mask.shape[0] % sy), (0, -mask.shape[1] % sx)))
    return padded.reshape(padded.shape[0] // sy, sy, padded.shape[1] // sx, sx).any((1, 3))


def grid_of(frame: Frame, plane: int) -> tuple[int, int]:
    return frame.layout.subsampling if plane in (1, 2) and frame.layout.chroma_planes else (1, 1)


@settings(max_examples=150)
@given(
    layout=yuv | rgb,
    size=st.tuples(st.integers(1, 33), st.integers(1, 33)),
    planes=st.sampled_from([3, 3, 4]),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_outside_the_mask_every_plane_keeps_its_bytes(
    layout: PixelLayout, size: tuple[int, int], planes: int, seed: int, data: st.DataObject
) -> None:
    frame, rng = made(layout, size, seed, planes), np.random.default_rng(seed)
    before = [p.copy() for p in frame.planes]
    window = data.draw(windows(shown_size(frame)))
    mask = rng.random((window.height, window.width)) * (rng.random((window.height, window.width)) < 0.2)
    apply_patches(frame, [patch_of(window, mask, seed)])
    allowed = coded_mask(frame, window, mask)
    for number, (old, new) in enumerate(zip(before, frame.planes, strict=True)):
        same = old == new
        assert same[~footprints(allowed, grid_of(frame, number))].all()
        if number == 3:
            assert same.all()


@given(layout=yuv | rgb, size=st.tuples(st.integers(1, 30), st.integers(1, 30)), seed=st.integers(0, 99))
def test_no_difference_changes_nothing(layout: PixelLayout, size: tuple[int, int], seed: int) -> None:
    frame = made(layout, size, seed)
    before = [p.copy() for p in frame.planes]
    width, height = shown_size(frame)
    base = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = np.ones((height, width), np.float32)
    out = apply_patches(frame, [Patch(7, Window(0, 0, width, height), base, base.copy(), mask)])
    assert out is frame
    assert all(np.array_equal(a, b) for a, b in zip(before, frame.planes, strict=True))


def test_a_mask_between_two_wide_pixels_changes_nothing() -> None:
    frame = made(PixelLayout("made", 8, (2, 1), "bt601", False, 0, Fraction(2)), (1, 1), 0)
    before = [p.copy() for p in frame.planes]
    apply_patches(frame, [patch_of(Window(0, 0, 1, 1), np.ones((1, 1)), 0)])
    assert all(np.array_equal(a, b) for a, b in zip(before, frame.planes, strict=True))


def rounding(layout: PixelLayout) -> float:
    """The most that rounding Y, Cb and Cr to whole steps can move a channel of RGB, in 8-bit levels."""
    if not layout.chroma_planes:
        return 0.51 * 255 / ((1 << layout.depth) - 1)
    return 1.75 / (1 << (layout.depth - 8))


@given(
    layout=square_yuv | rgb,
    size=st.tuples(st.integers(9, 30), st.integers(9, 30)),
    colour=st.tuples(*[st.integers(-35, 35)] * 3),
    weight=st.sampled_from([0.25, 0.5, 1.0]),
    data=st.data(),
)
def test_a_constant_difference_arrives_within_rounding(
    layout: PixelLayout, size: tuple[int, int], colour: tuple, weight: float, data: st.DataObject
) -> None:
    frame = made(layout, size, 3)
    before, window = seen(frame), data.draw(windows(shown_size(frame)))
    base = np.full((window.height, window.width, 3), 100, np.uint8)
    mask = np.full((window.height, window.width), weight, np.float32)
    apply_patches(frame, [Patch(7, window, base, (base + np.array(colour)).astype(np.uint8), mask)])
    inside = coded_mask(frame, window, mask)
    for number in range(3):  # only pixels all of whose samples lie wholly inside
        sx, sy = grid_of(frame, number)
        partly = footprints(~inside, (sx, sy))
        inside = inside & ~np.repeat(np.repeat(partly, sy, 0), sx, 1)[: inside.shape[0], : inside.shape[1]]
    moved = (seen(frame) - before)[np.rot90(inside, layout.rotation)]
    assert np.all(np.abs(moved - np.array(colour) * weight) <= rounding(layout))


@given(layout=square_yuv | rgb, size=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 99))
def test_a_full_mask_gives_the_pixels(layout: PixelLayout, size: tuple[int, int], seed: int) -> None:
    frame, rng = made(layout, size, seed), np.random.default_rng(seed)
    if layout.chroma_planes:
        for plane in frame.planes[1:]:
            plane[:] = plane[0, 0]
    width, height = shown_size(frame)
    base = np.clip(np.rint(seen(frame)), 0, 255).astype(np.uint8)
    pixels = np.clip(base + rng.integers(-20, 20, (height, width, 1)) + [7, -3, 5], 0, 255).astype(np.uint8)
    clipped = np.rot90(((base <= 30) | (base >= 225)).any(-1), -layout.rotation)
    sx, sy = grid_of(frame, 1)  # chroma is the mean of a footprint: one clipped pixel in it concerns all
    clipped = np.repeat(np.repeat(footprints(clipped, (sx, sy)), sy, 0), sx, 1)[: size[1], : size[0]]
    apply_patches(frame, [Patch(7, Window(0, 0, width, height), base, pixels, np.ones((height, width), np.float32))])
    away = np.abs(seen(frame) - pixels)[~np.rot90(clipped, layout.rotation)]
    assert np.all(away <= 0.5 + rounding(layout))


@pytest.mark.parametrize("full_range", [True, False])
def test_grey_takes_the_luma(full_range: bool) -> None:
    frame = made(PixelLayout("gray", 8, (1, 1), "rgb", full_range), (20, 10), 0, planes=1)
    before = frame.planes[0].copy()
    base = np.full((4, 6, 3), 100, np.uint8)
    apply_patches(frame, [Patch(7, Window(3, 2, 9, 6), base, base + 20, np.ones((4, 6), np.float32))])
    moved = frame.planes[0].astype(int) - before
    assert (moved[2:6, 3:9] == 20).all()
    assert np.count_nonzero(moved) == 24


@pytest.mark.parametrize("aspect", [Fraction(12, 11), Fraction(8, 9), Fraction(2), Fraction(1, 2)])
@pytest.mark.parametrize("rotation", [0, 1])
def test_a_constant_difference_arrives_in_pixels_that_are_not_square(aspect: Fraction, rotation: int) -> None:
    frame = made(PixelLayout("made", 8, (2, 2), "bt709", False, rotation, aspect), (40, 30), 0)
    before = [p.astype(int) for p in frame.planes]
    width, height = shown_size(frame)
    base = np.full((height, width, 3), 90, np.uint8)
    apply_patches(frame, [Patch(7, Window(0, 0, width, height), base, base + 40, np.ones((height, width), np.float32))])
    assert set(np.unique(frame.planes[0] - before[0])) <= {34, 35}
    assert all(np.array_equal(frame.planes[n], before[n]) for n in (1, 2))


def test_where_the_mask_lies_in_pixels_that_are_not_square() -> None:
    frame = made(PixelLayout("made", 8, (1, 1), "bt601", True, 0, Fraction(2)), (20, 6), 0)
    before = frame.planes[0].copy()
    mask = np.zeros((6, 40), np.float32)
    mask[:, 10:20] = 1
    base = np.full((6, 40, 3), 90, np.uint8)
    apply_patches(frame, [Patch(7, Window(0, 0, 40, 6), base, base + 30, mask)])
    moved = frame.planes[0].astype(int) - before
    assert (moved[:, 5:10] == 30).all()
    assert np.count_nonzero(moved) == 30


@pytest.mark.parametrize(("change", "became"), [(0, 250), (30, 250), (-10, 241), (-200, 78)])
def test_a_value_outside_the_legal_range_goes_no_further(change: int, became: int) -> None:
    frame = made(PixelLayout("made", 8, (1, 1), "bt709", False), (4, 4), 0)
    frame.planes[0][:] = 250
    base = np.full((4, 4, 3), 220 if change < 0 else 100, np.uint8)
    pixels = (base.astype(int) + change).astype(np.uint8)
    apply_patches(frame, [Patch(7, Window(0, 0, 4, 4), base, pixels, np.ones((4, 4), np.float32))])
    assert (frame.planes[0] == became).all()


@pytest.mark.parametrize(("depth", "top"), [(8, 235), (10, 940), (12, 3760), (16, 60160)])
def test_new_values_are_legal(depth: int, top: int) -> None:
    frame = made(PixelLayout("made", depth, (2, 2), "bt709", False), (8, 8), 0)
    base, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    mask, window = np.ones((8, 8), np.float32), Window(0, 0, 8, 8)
    apply_patches(frame, [Patch(7, window, base, white, mask)])
    assert (frame.planes[0] == top).all()
    apply_patches(frame, [Patch(7, window, white, base, mask), Patch(7, window, white, base, mask)])
    assert (frame.planes[0] == top * 16 // 235).all()


def test_several_patches_add_up_and_an_empty_mask_changes_nothing() -> None:
    frame = made(PixelLayout("made", 8, (1, 1), "rgb", True), (30, 20), 0)
    before = [p.astype(int) for p in frame.planes]
    base, mask = np.full((5, 5, 3), 50, np.uint8), np.ones((5, 5), np.float32)
    some = [Patch(7, Window(x, 3, x + 5, 8), base, base + 9, mask) for x in (2, 5)]
    apply_patches(frame, [*some, Patch(7, Window(0, 0, 5, 5), base, base + 99, 0 * mask)])
    moved = frame.planes[1] - before[1]
    assert moved[4].tolist() == [0, 0, 9, 9, 9, 18, 18, 9, 9, 9, *[0] * 20]
    assert np.count_nonzero(moved) == 40


def test_a_patch_of_another_frame_is_our_mistake() -> None:
    frame = made(PixelLayout("made", 8, (1, 1), "rgb", True), (5, 5), 0)
    base, mask = np.zeros((5, 5, 3), np.uint8), np.ones((5, 5), np.float32)
    with pytest.raises(AssertionError, match="one frame"):
        apply_patches(frame, [Patch(8, Window(0, 0, 5, 5), base, base, mask)])
