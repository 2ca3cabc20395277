"""Patch reels: a reel applied to the source gives the samples of the patches, whatever the pixel format."""

from pathlib import Path

import numpy as np
import pytest

from lipdub.compose.patch_reel import PatchReel, PatchReelWriter
from lipdub.compose.patching import apply_patches
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame, PixelLayout, Rgb, Window

LAYOUTS = [
    PixelLayout("yuv420p", 8, (2, 2), "bt709", False),
    PixelLayout("yuv422p10le", 10, (2, 1), "bt2020", False),
    PixelLayout("yuv420p", 8, (2, 2), "bt601", True, 1),
    PixelLayout("gbrp16le", 16, (1, 1), "rgb", True),
]


def frame(layout: PixelLayout, index: int, size: tuple[int, int] = (40, 32)) -> Frame:
    """A frame of noise: the same for the same layout and index."""
    rng, kind = np.random.default_rng(index), np.uint8 if layout.depth == 8 else np.uint16
    across, down = layout.subsampling
    shapes = [(size[1], size[0])] + [(size[1] // down, size[0] // across)] * 2
    planes = tuple(rng.integers(0, 1 << layout.depth, shape).astype(kind) for shape in shapes)

    def rgb(window: Window) -> Rgb:
        return np.zeros((window.height, window.width, 3), np.uint8)

    return Frame(index, index, planes, layout, rgb)


def patch(index: int, left: int, seed: int) -> Patch:
    rng, window = np.random.default_rng(seed), Window(left, 5, left + 13, 18)
    base, pixels = rng.integers(0, 256, (2, 13, 13, 3), dtype=np.uint8)
    return Patch(index, window, base, pixels, rng.random((13, 13), dtype=np.float32))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.name}-{layout.rotation}")
def test_a_reel_gives_the_samples_of_its_patches(tmp_path: Path, layout: PixelLayout) -> None:
    patched = [frame(layout, index) for index in range(4)]
    with PatchReelWriter(tmp_path / "one") as one, PatchReelWriter(tmp_path / "other") as other:
        for index in (0, 2, 3):
            one.apply(patched[index], [patch(index, 2, index)])
            other.apply(patched[index], [patch(index, 9, index + 50)])  # the two overlap
    reels = [PatchReel(tmp_path / name) for name in ("one", "other")]
    for index in range(4):
        again, direct = frame(layout, index), frame(layout, index)
        for reel in reels:
            reel.apply(again)
        if index != 1:
            apply_patches(direct, [patch(index, 2, index), patch(index, 9, index + 50)])
        for expected, found in zip(direct.planes, again.planes, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert [index in reels[0] for index in range(4)] == [True, False, True, True]
    for reel in reels:
        reel.close()
