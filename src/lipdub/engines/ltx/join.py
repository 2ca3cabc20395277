"""Joins windows of frames: where two overlap, they cross-fade over a few frames, where they differ least.

A fade near the middle of the overlap is preferred, because frames at the ends of a window have least context. The
weights of the two windows always add up to 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from lipdub.timeline.sound import Sound

FADE = 6
"""Frames over which one window fades into the next."""

_ROUNDING = 1e-9

Frames = UInt8[np.ndarray, "frames height width 3"]


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """``frames`` at the instants of a grid from number ``start`` on, and the ``reach`` of the outline in each."""

    start: int
    frames: Frames
    reach: Float32[np.ndarray, " frames"]

    @property
    def stop(self) -> int:
        """The number after the last one."""
        return self.start + len(self.frames)


@dataclass(frozen=True, slots=True)
class CrossFade:
    """The later window fades in from number ``first`` of the grid up to ``stop``; before that only the earlier
    shows."""

    first: int
    stop: int

    def share(self, at: Float[np.ndarray, " numbers"]) -> Float64[np.ndarray, " numbers"]:
        """The weight 0..1 of the later window at numbers ``at`` of the grid (raised cosine)."""
        t = (at - self.first + 1) / (self.stop - self.first + 1)
        return 0.5 - 0.5 * np.cos(np.pi * np.clip(t, 0, 1))


class WindowJoiner:
    """Takes blocks in order, each overlapping the one before, and yields single frames. ``fades`` are those applied."""

    def __init__(self) -> None:
        """A joiner without a block yet."""
        self._tail: FrameBlock | None = None
        self.fades: list[CrossFade] = []

    def add(self, new: FrameBlock, until: int) -> Iterator[tuple[np.ndarray, float]]:
        """Frames (height, width, 3) and reaches up to number ``until`` of the grid, where the next block begins.

        The frames from ``until`` on are held, to be faded into the next block.
        """
        tail, fade = self._tail, None
        if tail is not None and tail.stop > new.start:
            fade = _best_fade(tail, new)
        if tail is not None:
            self.fades.append(fade or CrossFade(new.start, new.start))
        for number in range(new.start, until):
            here = number - new.start
            share = 1.0 if fade is None else float(fade.share(np.array([float(number)]))[0])
            if tail is None or share >= 1 or number >= tail.stop:
                yield new.frames[here], float(new.reach[here])
            else:
                there = number - tail.start
                yield (
                    _blend(tail.frames[there], new.frames[here], share),
                    max(float(tail.reach[there]), float(new.reach[here])),
                )
        self._tail = FrameBlock(until, new.frames[until - new.start :].copy(), new.reach[until - new.start :])


def _blend(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    if share <= 0:
        return a
    return (a * np.float32(1 - share) + b * np.float32(share) + np.float32(0.5)).astype(np.uint8)


def _best_fade(tail: FrameBlock, new: FrameBlock) -> CrossFade:
    """The fade of ``FADE`` frames, in the middle half of the overlap, where the two blocks differ least."""
    shared = tail.stop - new.start
    length = min(FADE, shared)
    slack = (shared - length) // 4
    first = tail.stop - shared - tail.start
    difference = np.array(
        [float(np.abs(tail.frames[first + i].astype(np.int16) - new.frames[i]).mean()) for i in range(shared)]
    )
    middle = (shared - length) // 2
    starts = sorted(range(middle - slack, middle + slack + 1), key=lambda s: (abs(s - middle), s))
    best = min(starts, key=lambda s: float(difference[s : s + length].sum()))
    return CrossFade(new.start + best, new.start + best + length)


def join_voices(voices: list[tuple[int, Sound]], fades: list[CrossFade], rate: Fraction, count: int) -> Sound:
    """One sound from ``voices``: (number of the grid at which it begins, sound), faded as the pictures were.

    The grid has ``count`` instants at ``rate``; its start is time zero of the result. All voices have one sample rate;
    the result has as many channels as the first. A fade that begins before its voice does, because two windows share
    few frames or none, leaves the earlier voice as loud as it is.
    """
    hertz = voices[0][1].rate
    out = np.zeros((voices[0][1].samples.shape[0], round(count / rate * hertz)), np.float32)
    weight = np.zeros(out.shape[1])
    for i, (start, voice) in enumerate(voices):
        begin = round(start / rate * hertz)
        samples = voice.samples[:, : max(0, out.shape[1] - begin)]
        number = start + np.arange(samples.shape[1]) * float(rate / hertz)
        gain = np.ones(samples.shape[1])
        if i > 0:
            gain *= fades[i - 1].share(number)
        if i < len(fades):
            gain *= 1 - fades[i].share(number)
        out[:, begin : begin + samples.shape[1]] += (samples * gain).astype(np.float32)
        weight[begin : begin + samples.shape[1]] += gain
    short = (weight > 0) & (weight < 1 - _ROUNDING)
    out[:, short] = (out[:, short] / weight[short]).astype(np.float32)
    return Sound(out, hertz)
