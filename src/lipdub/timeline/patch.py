"""One face in one frame, and the pixels that replace its mouth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from lipdub.timeline.picture import Rgb, Window


@dataclass(frozen=True, eq=False)
class FaceView:
    """One frame as an engine sees it: where one face is in it, and its pixels on demand.

    ``landmarks`` (478, 3) in display pixels (x right, y down, z away from the camera, same scale as x),
    or None where the face is lost. ``pixels`` returns RGB of a window inside the picture.
    """

    index: int
    size: tuple[int, int]
    landmarks: Float32[np.ndarray, "478 3"] | None
    pixels: Callable[[Window], Rgb]


@dataclass(frozen=True, eq=False)
class Patch:
    """What an engine made for one frame: ``pixels`` that replace ``base`` inside ``window`` where ``mask`` > 0.

    ``base`` is the source's RGB of the same window as the engine saw it; the difference is what is composed,
    so equal pixels change nothing. ``mask`` is in 0..1, and 0 wherever the source must stay.
    """

    index: int
    window: Window
    base: Rgb
    pixels: Rgb
    mask: Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True)
class Passthrough:
    """An engine's word that it leaves a frame as filmed, and why (an empty reason: nothing was asked)."""

    index: int
    reason: str = ""


def patched(view: FaceView, performance: Patch, window: Window) -> Rgb:
    """RGB of ``window`` (inside the picture) with ``performance`` in its place, as a viewer would see it."""
    picture = np.array(view.pixels(window))
    made = performance.window
    left, top = max(window.left, made.left), max(window.top, made.top)
    right, bottom = min(window.right, made.right), min(window.bottom, made.bottom)
    if left < right and top < bottom:
        picture[top - window.top : bottom - window.top, left - window.left : right - window.left] = performance.pixels[
            top - made.top : bottom - made.top, left - made.left : right - made.left
        ]
    return picture
