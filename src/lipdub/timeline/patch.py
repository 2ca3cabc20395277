"""One face in one frame, and the pixels that replace its mouth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.picture import Rgb, Window


@dataclass(frozen=True, eq=False)
class FaceView:
    """One face in one frame, as an engine gets it.

    ``landmarks`` (478, 3) are in display pixels (x right, y down, z away from the camera, same scale as x); None where
    the face is lost. ``pixels`` returns RGB of a window inside the picture. ``index`` is the frame's, ``size`` (width,
    height) the display picture's. ``occluder`` returns how much each pixel of a window belongs to something before the
    face that must stay as filmed (0..1), or None if none does; it is None itself where nothing is known to be there.
    """

    index: int
    size: tuple[int, int]
    landmarks: Float32[np.ndarray, "478 3"] | None
    pixels: Callable[[Window], Rgb]
    occluder: Callable[[Window], Float32[np.ndarray, "height width"] | None] | None = None


@dataclass(frozen=True, eq=False)
class Patch:
    """The result of an engine for one frame: ``pixels`` that replace ``base`` inside ``window`` where ``mask`` > 0.

    ``base`` is the source's RGB of the same window as the engine got it. The difference is composed, so equal pixels
    change nothing. ``mask`` is in 0..1, and 0 wherever the source must stay.
    """

    index: int
    window: Window
    base: Rgb
    pixels: Rgb
    mask: Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True)
class Passthrough:
    """The engine leaves the frame as filmed, for this ``reason`` ("": no change was asked for)."""

    index: int
    reason: str = ""


def patched(view: FaceView, patch: Patch, window: Window) -> Rgb:
    """RGB of ``window`` (inside the picture) with the pixels of ``patch`` in their place; the mask is not applied."""
    picture = np.array(view.pixels(window))
    both = patch.window.intersection(window)
    if not both.empty:
        picture[both.slices_in(window)] = patch.pixels[both.slices_in(patch.window)]
    return picture
