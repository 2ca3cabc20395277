"""Find cuts, one frame after the other.

Each frame is compared with the one before on a grid of 64 x 36 cells. First, how much of the picture's structure stays:
the correlation of luma with its local mean removed, which ignores flashes and fades, also tried with a shift for pans.
Second, how much the samples change, also compared with the usual change in this shot, so that fast motion is no cut
(the idea of PySceneDetect's adaptive detector). Black bars at the edges are left out, since their edges stay the same
at a cut. Blank frames (black, white, a full flash) are skipped: the next frame with a picture is compared with the last
one.

What is remembered of the frames before is little, so that the cuts of a part of a clip can be found without reading all
that is before it: see ``CutDetector.settled``.
"""

from collections import deque

import cv2
import numpy as np

from lipdub.faces.preview import shown_size, small_planes
from lipdub.timeline.picture import Frame

_LONG, _SHORT = 64, 36  # grid cells along the picture's sides
_REACH = 6.0  # grid cells; coarser detail is lighting, not structure
_BLANK = 2.0  # code values of structure below which a frame is blank
_NEW_PICTURE = 0.3  # correlation below which the structure is new
_DOUBTFUL = 0.6  # the same, if the colours changed too
_CHANGE = 8.0  # smallest mean change of a cut in code values, luma + twice chroma
_RECOLOURED = 4.0  # mean change of chroma that motion alone does not cause
_UNUSUAL = 2.5  # times the usual change of this shot
_PAN = 0.15  # part of the picture that a pan may cover between two frames
_MOVED = 0.7  # correlation of a part found elsewhere
_DARK = 28.0  # code values of luma up to which a row or column at the edge is a black bar (black is 16, or 0)
_LEAST = 0.3  # part of both sides that the picture between bars must have
_MEMORY = 12  # frames from which the usual change is taken


class CutDetector:
    """Tells for each frame at once whether a new shot begins with it.

    ``settled`` is True if every answer from now on is that of a detector that has seen the clip from its first frame.
    """

    def __init__(self, *, at_start: bool = True) -> None:
        """``at_start``: the first frame that will be shown is the clip's first. Else the detector is not settled until
        it has seen some frames: usually about thirteen, more where fast motion might be a cut or pictures are blank."""
        self.settled = at_start
        self._sure = 0  # comparisons since the last one whose outcome depends on frames that were not seen
        self._planes: np.ndarray | None = None
        self._structure: np.ndarray | None = None
        self._usual: deque[float] = deque(maxlen=_MEMORY)
        self._was_blank = False

    def starts_shot(self, frame: Frame) -> bool:
        """True if ``frame``, which follows the last one, is the first of a new shot; False for the very first frame."""
        width, height = shown_size(frame)
        planes = small_planes(frame, (_LONG, _SHORT) if width >= height else (_SHORT, _LONG))
        structure = _structure(planes[0])
        if float(structure.std()) < _BLANK:
            self._was_blank = True
            return False
        cut = self._planes is not None and self._is_cut(planes, structure)
        if cut:
            self._usual.clear()
        self._planes, self._structure, self._was_blank = planes, structure, False
        return cut

    def _is_cut(self, planes: np.ndarray, structure: np.ndarray) -> bool:
        assert self._planes is not None
        assert self._structure is not None
        before, was = self._planes, self._structure
        area = _between_bars(np.maximum(planes[0], before[0]))
        if area is not None:
            planes, before = planes[:, *area], before[:, *area]
            structure, was = _structure(planes[0]), _structure(before[0])
        same = _correlation(structure, was)
        if self._was_blank:
            cut = same < _NEW_PICTURE
            self.settled = self.settled or cut
            return cut
        change = np.abs(planes - before).mean((1, 2))
        luma, chroma = float(change[0]), float(change[1:].mean()) if len(change) > 1 else 0.0
        moved = luma + 2 * chroma
        usual = sum(self._usual) / len(self._usual) if self._usual else 0.0
        self._usual.append(moved)
        if moved < _CHANGE or (self.settled and moved < _UNUSUAL * usual):
            self._count(sure=True)
            return False
        other = same < _NEW_PICTURE or (same < _DOUBTFUL and chroma > _RECOLOURED)
        cut = other and not _is_pan(structure, was)
        self._count(sure=not cut)
        return cut and moved >= _UNUSUAL * usual

    def _count(self, *, sure: bool) -> None:
        """Note whether the answer to this frame is the same whatever the usual change was before. ``sure`` answers as
        many as the usual change is taken from make all that follow sure."""
        self._sure = self._sure + 1 if sure else 0
        self.settled = self.settled or self._sure >= _MEMORY


def _between_bars(luma: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns between black bars; None if there are no bars, or hardly any picture."""
    bright = luma > _DARK
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if not len(rows):
        return None
    area = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    sizes = [side.stop - side.start for side in area]
    if sizes == list(luma.shape) or any(size < _LEAST * whole for size, whole in zip(sizes, luma.shape, strict=True)):
        return None
    return area


def _structure(luma: np.ndarray) -> np.ndarray:
    return luma - cv2.GaussianBlur(luma, (0, 0), _REACH)


def _is_pan(structure: np.ndarray, before: np.ndarray) -> bool:
    """True if the middle of the picture was elsewhere in the former picture: a fast pan."""
    high, wide = (max(1, round(_PAN * n)) for n in structure.shape)
    middle = np.ascontiguousarray(structure[high:-high, wide:-wide])
    return float(cv2.matchTemplate(before, middle, cv2.TM_CCOEFF_NORMED).max()) > _MOVED


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """-1..1; near 0 also for little more than noise."""
    noise = a.size * 4.0
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + noise))
