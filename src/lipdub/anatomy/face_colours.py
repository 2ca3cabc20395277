"""The colours of one face, and those of things that were seen before it.

Two histograms of CIE Lab colours tell how much likelier a colour is on something else than on this face. That of the
face is made from the upper part of its thumbnails. That of other things begins with colours that are far from all usual
colours of the face and reach the edge of a thumbnail, as a hand or a microphone does, and is made once more
from all that was found with it. Colour histograms of an object and its surroundings: M. J. Swain and D. H. Ballard,
"Color indexing", IJCV 7(1), 1991; M. J. Jones and J. M. Rehg, "Statistical color models with application to skin
detection", IJCV 46(1), 2002.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8

from lipdub.anatomy.thumbnail import THUMBNAIL_SIZE

Cells = Bool[np.ndarray, "rows columns"]

_BINS = 32
_SHADES = 8.0  # 8-bit lightness in one bin
_TINTS, _FIRST_TINT = 4.0, 64.0  # 8-bit a* or b* in one bin; where the first bin begins
_LIGHTNESS = 0.5  # how much a difference of lightness counts, against one of a* or b*
_USUAL = 0.95  # part of a face's pixels whose colours are the usual ones
_UNLIKE, _FAR = 2.5, 5.0  # distances from usual colours: of what may be another thing, and of what is
_MOSTLY = 0.4  # part of another thing that must be far
_ROUNDS = 3
_OFTEN = 0.6  # part of the rows in which a cell that can be covered looks like something else at most
_FLOOR = 1e-5  # probability of a colour that was never seen on a face
_UNSEEN = 3.0  # how much likelier such a colour is on another thing
_STEPS = 16.0  # steps of stored log odds from one power of e to the next
_LIMIT = 4.0  # log odds of one pixel are limited to this
_SOFT = 0.8  # cells: the standard deviation by which log odds are smoothed
_CORE_HALF, _CORE_BOTTOM = 11, 19  # cells of the part of a thumbnail that shows the face itself
_DIFFERENT = 45  # 8-bit levels of change from which a cell does not tell what is usual
_CHANGED, _WIDE = 22.0, 1.5  # 8-bit levels of change where something is, on average over that many cells
_SMALLEST = 12  # cells of another thing at least
_HOLE = 30  # cells; smaller holes in another thing belong to it
_OPEN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_NEXT_TO = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))  # cells whose colours are not taken for the face's


@dataclass(frozen=True, eq=False)
class FaceColours:
    """``odds`` (lightness, a*, b*) of colours: the logarithm, in sixteenths, of how much likelier they are on another
    thing than on this face. ``usual``: the RGB thumbnail as it is where the face is seen, and ``place``: cells that
    often show it; in others, which show what is beside it or are always in shadow, nothing can be told.
    """

    odds: Int8[np.ndarray, "32 32 32"]
    usual: UInt8[np.ndarray, "32 40 3"]
    place: Bool[np.ndarray, "32 40"]

    @classmethod
    def learn(cls, thumbs: UInt8[np.ndarray, "n 32 40 3"], clear: Bool[np.ndarray, " n"]) -> "FaceColours | None":
        """From thumbnails of a face; in most of the ``clear`` ones nothing is before its upper part.

        None if nothing is seen that has other colours than the face.
        """
        bins = _bins_of(thumbs)
        core = face_core()
        own = np.zeros((len(thumbs), *core.shape), bool)
        own[clear] = core
        if not own.any():
            return None
        far = _distance_from_usual(_histogram(bins, own & _like_usual(thumbs, clear)))[tuple(np.moveaxis(bins, -1, 0))]
        found = np.stack([_far_things(one) for one in far])
        colours = None
        for _ in range(_ROUNDS):
            if colours is not None:
                found = np.stack([colours.other_things(one) for one in thumbs])
            place = found[clear].mean(0) < _OFTEN
            found &= place
            if not found.any():
                return None
            beside = np.stack([cv2.dilate(one.astype(np.uint8), _NEXT_TO) for one in found]) > 0
            face, other = _histogram(bins, own & ~beside), _histogram(bins, found)
            odds = np.log((other + _UNSEEN * _FLOOR) / (face + _FLOOR))
            usual = _median_where(thumbs, ~found & clear[:, None, None])
            colours = cls(np.clip(np.round(odds * _STEPS), -127, 127).astype(np.int8), usual, place)
        return colours

    def at(self, picture: UInt8[np.ndarray, "rows columns 3"]) -> Float32[np.ndarray, "rows columns"]:
        """The log odds of each pixel of an RGB ``picture``."""
        light, green_red, blue_yellow = np.moveaxis(_bins_of(picture), -1, 0)
        return np.clip(self.odds[light, green_red, blue_yellow] / np.float32(_STEPS), -_LIMIT, _LIMIT)

    def other_things(self, picture: UInt8[np.ndarray, "rows columns 3"]) -> Cells:
        """Where ``picture``, a thumbnail or one with a margin on three sides (``lower_face``), shows something else
        than the face: what reaches the left, right or lower edge of the thumbnail, and is unlike the usual one."""
        odds = cv2.GaussianBlur(self.at(picture), (0, 0), _SOFT)
        out = _from_edges(cv2.morphologyEx((odds > 0).astype(np.uint8), cv2.MORPH_OPEN, _OPEN))
        if not out.any():
            return out
        out = _filled(out)
        width, height = THUMBNAIL_SIZE
        left = (out.shape[1] - width) // 2
        centre = slice(0, height), slice(left, left + width)
        away = cv2.absdiff(picture[centre], self.usual).max(-1).astype(np.float32)
        out[centre] &= self.place & (cv2.GaussianBlur(away, (0, 0), _WIDE) > _CHANGED)
        return out


def face_core() -> Bool[np.ndarray, "32 40"]:
    """The part of a thumbnail that shows the face itself: upper lip, mouth, and what is beside them."""
    width, height = THUMBNAIL_SIZE
    y, x = np.mgrid[:height, :width]
    middle = (width - 1) / 2
    inside = ((x - middle) / (middle + 1)) ** 2 + ((y - 12) / 20) ** 2 < 1
    return inside & (np.abs(x - middle) < _CORE_HALF) & (y < _CORE_BOTTOM)


def _median_where(thumbs: np.ndarray, where: np.ndarray) -> UInt8[np.ndarray, "32 40 3"]:
    """The median of the thumbnails in the cells ``where`` (n, 32, 40); of all of them in a cell where none is."""
    where = where | ~where.any(0)
    shown = np.where(where[..., None], thumbs.astype(np.float32), np.nan)
    return np.nanmedian(shown, 0).astype(np.uint8)


def _like_usual(thumbs: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """The cells (n, 32, 40) that look about as they do in most ``clear`` thumbnails."""
    usual = np.median(thumbs[clear], 0).astype(np.int16)
    return np.stack([np.abs(one - usual).max(-1) for one in thumbs.astype(np.int16)]) < _DIFFERENT


def _bins_of(pictures: UInt8[np.ndarray, "*n 3"]) -> np.ndarray:
    """The bins of the colours of RGB pictures."""
    lab = cv2.cvtColor(np.ascontiguousarray(pictures.reshape(-1, 1, 3)), cv2.COLOR_RGB2LAB).reshape(pictures.shape)
    steps = np.array([_SHADES, _TINTS, _TINTS], np.float32)
    bins = (lab - np.array([0, _FIRST_TINT, _FIRST_TINT], np.float32)) / steps
    return np.clip(bins, 0, _BINS - 1).astype(np.intp)


def _histogram(bins: np.ndarray, where: np.ndarray) -> Float32[np.ndarray, "32 32 32"]:
    """The smoothed histogram of the pixels ``where``; its sum is 1."""
    chosen = bins[where]
    flat = (chosen[:, 0] * _BINS + chosen[:, 1]) * _BINS + chosen[:, 2]
    counts = np.bincount(flat, minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(np.float32)
    for axis in range(3):
        lines = np.moveaxis(counts, axis, 0).reshape(_BINS, -1)
        smooth = cv2.GaussianBlur(lines, (1, 5), sigmaX=0.01, sigmaY=0.7, borderType=cv2.BORDER_REPLICATE)
        counts = np.moveaxis(smooth.reshape(_BINS, _BINS, _BINS), 0, axis)
    return counts / max(float(counts.sum()), 1.0)


def _distance_from_usual(histogram: Float32[np.ndarray, "32 32 32"]) -> Float32[np.ndarray, "32 32 32"]:
    """How far each colour is from the most usual ones, in 8-bit steps of a* and b*."""
    from scipy.ndimage import distance_transform_edt

    ordered = np.sort(histogram.ravel())[::-1]
    enough = min(int(np.searchsorted(np.cumsum(ordered), _USUAL)), len(ordered) - 1)
    rare = histogram < max(float(ordered[enough]), 1e-12)
    out = distance_transform_edt(rare, sampling=(_SHADES * _LIGHTNESS, _TINTS, _TINTS))
    return np.asarray(out, np.float32)


def _far_things(distance: Float32[np.ndarray, "32 40"]) -> Bool[np.ndarray, "32 40"]:
    """Parts of a thumbnail that reach its edge, whose ``distance`` from usual colours is mostly large."""
    unlike = cv2.morphologyEx((distance > _UNLIKE).astype(np.uint8), cv2.MORPH_OPEN, _OPEN)
    count, parts = cv2.connectedComponents(unlike, connectivity=4)
    out = np.zeros(distance.shape, bool)
    for part in range(1, count):
        inside = parts == part
        if (inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()) and (
            (distance[inside] > _FAR).mean() > _MOSTLY
        ):
            out |= inside
    return out


def _from_edges(cells: UInt8[np.ndarray, "rows columns"]) -> Cells:
    """The parts of ``cells`` that are not tiny and reach the left, right or lower edge of the thumbnail."""
    width, height = THUMBNAIL_SIZE
    columns = cells.shape[1]
    margin = (columns - width) // 2
    _, parts, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=4)
    left, top, wide, high = stats[:, 0], stats[:, 1], stats[:, 2], stats[:, 3]
    reach = (top + high >= height) | (left <= margin) | (left + wide >= columns - margin)
    keep = reach & (stats[:, cv2.CC_STAT_AREA] >= _SMALLEST)
    keep[0] = False
    return keep[np.asarray(parts, np.intp)]


def _filled(cells: Cells) -> Cells:
    """``cells`` and the small holes in them."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~cells).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < _HOLE
    small[0] = True
    return small[np.asarray(parts, np.intp)] if count > 1 else np.ones_like(cells)
