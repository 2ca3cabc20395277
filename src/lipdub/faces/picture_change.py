"""How much the picture around a face changes from one frame to the next, measured in the decoded samples."""

import numpy as np
from jaxtyping import Num

from lipdub.timeline.picture import Frame, Window, square_width

_FINE = 360  # samples across the shorter side of the picture that are looked at


class PictureChange:
    """Compares each frame with the one before it. Memory: one thinned luma plane."""

    def __init__(self) -> None:
        """No frame was seen yet."""
        self._before: Num[np.ndarray, "rows columns"] | None = None
        self._now: Num[np.ndarray, "rows columns"] | None = None
        self._step = 1
        self._frame: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Take the next frame."""
        plane = frame.planes[0]
        step = max(1, min(plane.shape) // _FINE)
        thinned = np.array(plane[::step, ::step])  # a copy: the frame's memory may be the decoder's
        same = self._now is not None and thinned.shape == self._now.shape and step == self._step
        self._before, self._now, self._step, self._frame = self._now if same else None, thinned, step, frame

    def within(self, window: Window) -> float:
        """The mean difference (0..255) inside ``window`` (display pixels) from the frame before; NaN if there was
        none."""
        if self._before is None or self._now is None or self._frame is None:
            return float("nan")
        layout, (rows, columns) = self._frame.layout, self._frame.planes[0].shape
        width = square_width(columns, layout.pixel_aspect)
        coded = window.rotated_back((width, rows), layout.rotation) if layout.rotation % 4 else window
        left, right = coded.left * columns // width, -(-coded.right * columns // width)
        part = np.s_[
            max(coded.top, 0) // self._step : -(-coded.bottom // self._step),
            max(left, 0) // self._step : -(-right // self._step),
        ]
        now, before = self._now[part], self._before[part]
        if not now.size:
            return float("nan")
        change = np.abs(now.astype(np.int32) - before)
        return float(change.mean(dtype=np.float64)) / (1 << (layout.depth - 8))
