"""Reading a file's frames in the order in which a clip shows them: forwards, backwards, or one of them again and
again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np

from lipdub.timeline.clip import Clip

_KEPT_BYTES = 192 * 1024 * 1024
"""Memory for the pictures that are decoded forwards and given out backwards."""

_FEWEST, _MOST = 8, 128
"""Pictures in such a block."""

_BYTES_PER_PIXEL = 3
"""Of most pixel formats with up to 10 bits."""


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A ``picture`` of the decoder, and its ``fault``: it stands for one that could not be decoded, or is damaged."""

    picture: av.VideoFrame
    fault: Literal["", "repeated", "corrupt"] = ""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """``count`` frames of a clip from ``first`` on that show the file's frames in ``wanted`` forwards (``step`` 1) or
    backwards (-1), or its only frame again and again (0)."""

    first: int
    count: int
    step: int
    wanted: range


def shown_runs(clip: Clip, first: int, stop: int) -> Iterator[ShownRun]:
    """Frames ``[first, stop)`` of ``clip``, which are not none, in runs that are as long as possible."""
    if clip.filmed is None:
        yield ShownRun(first, stop - first, 1, range(first, stop))
        return
    order = clip.filmed.order[first:stop]
    steps = np.diff(order)
    assert bool(np.all(np.abs(steps) <= 1)), "a clip shows frames of its file that follow each other"
    at = 0
    while at < len(order):
        step = int(steps[at]) if at < len(steps) else 0
        other = np.flatnonzero(steps[at:] != step)
        count = int(other[0]) + 1 if len(other) else len(order) - at
        low = int(min(order[at], order[at + count - 1]))
        yield ShownRun(first + at, count, step, range(low, low + (count if step else 1)))
        at += count


def pictures_backwards(
    decoded: Callable[[range], Iterator[DecodedPicture]], wanted: range, size: tuple[int, int]
) -> Iterator[DecodedPicture]:
    """The pictures of ``wanted`` from the last to the first. ``decoded`` gives those of a range in order; ``size`` is
    (width, height).

    They are decoded in blocks of 8 to 128 pictures, the last block first, so that about 200 MB are used, however long
    a GOP is. A GOP with several blocks is decoded as often from its key frame on.
    """
    length = min(_MOST, max(_FEWEST, _KEPT_BYTES // (size[0] * size[1] * _BYTES_PER_PIXEL)))
    for stop in range(wanted.stop, wanted.start, -length):
        block = list(decoded(range(max(wanted.start, stop - length), stop)))
        while block:
            yield block.pop()
