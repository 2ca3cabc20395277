"""Source and result next to each other, with captions: for people who want to see the difference at once."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from lipdub.timeline.picture import Rgb

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def side_by_side(
    left: Iterable[np.ndarray],
    right: Iterable[np.ndarray],
    captions: tuple[str, str] = ("source", "dubbed"),
    width: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield RGB pictures of ``left`` and ``right`` in one, with a caption in the upper left corner of each half.

    Ends with the shorter one. A right picture of another height is scaled to the left one's. The picture is scaled
    to ``width`` pixels if given (made even); sides are cut to even numbers, as encoders want them.
    """
    for one, other in zip(left, right, strict=False):
        if other.shape[0] != one.shape[0]:
            other = _scaled(other, one.shape[0] / other.shape[0])
        halves = [one, other]
        if width is not None:
            factor = width / (one.shape[1] + other.shape[1])
            halves = [_scaled(half, factor) for half in halves]
        rows = min(half.shape[0] for half in halves) // 2 * 2
        even = [half[:rows, : half.shape[1] // 2 * 2] for half in halves]
        yield np.hstack([captioned(half, text) for half, text in zip(even, captions, strict=True)])


def captioned(picture: Rgb, text: str) -> Rgb:
    """A copy of ``picture`` with small white ``text`` (ASCII) on a dark rim in its upper left corner."""
    size = max(picture.shape[0] / 900, 0.5)
    out = picture.copy()
    corner = out[: round(56 * size), : round(32 * size * (len(text) + 1))]
    ink = np.zeros(corner.shape[:2], np.uint8)
    place, stroke = (round(16 * size), round(34 * size)), max(1, round(1.6 * size))
    cv2.putText(ink, text, place, _FONT, size, (255,), stroke, cv2.LINE_AA)
    reach = 2 * max(1, round(2 * size)) + 1
    rim = cv2.GaussianBlur(cv2.dilate(ink, np.ones((reach, reach), np.uint8)), (0, 0), 1)
    dark = corner * (1 - rim[..., None] / np.float32(255))
    corner[:] = np.round(dark + (255 - dark) * (ink[..., None] / np.float32(255)))
    return out


def _scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    size = (max(2, round(picture.shape[1] * factor)), max(2, round(picture.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=how)
