"""The rate of a timeline: that of the source where its frames follow each other evenly."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lipdub.timeline.clip import FrameTimes

_USUAL = (
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)),
)
"""Rates that files are made at; files whose clock is coarse (milliseconds) state others."""

_ROUNDED = Fraction(1, 50_000)
"""Relative difference below which a rate is a usual one that was rounded: 29.97 differs by 1 / 1,000,000."""


@dataclass(frozen=True, slots=True)
class EditRate:
    """Frames per second of a timeline. ``constant``: frame k of the picture is frame k of the timeline; else frames
    are shown for different times, and an instant belongs to the nearest frame of the timeline."""

    rate: Fraction
    constant: bool


def edit_rate(times: FrameTimes, stated: Fraction) -> EditRate:
    """The rate of a timeline for a picture whose frames appear at ``times`` and which is ``stated`` to have so many
    frames per second.

    Constant is a rate that tells every time stamp to within one unit of the time base, or half a frame if the time base
    is coarser. Of the rates that do, a usual one comes before the stated one, which files with a coarse clock round; a
    rounded one that does (29.97, 23.976) means the usual one.

    Otherwise the rate is that of the usual step from frame to frame: cameras of varying rate mostly leave out frames of
    an even one.
    """
    near = sorted(_USUAL, key=lambda rate: abs(rate - stated))
    for rate in (*near[:2], stated):
        if _tells(times, rate):
            return EditRate(near[0] if abs(near[0] / rate - 1) < _ROUNDED else rate, True)
    mostly = 1 / (Fraction(float(np.median(np.diff(times.pts)))) * times.time_base) if len(times) > 1 else stated
    usual = min(_USUAL, key=lambda rate: abs(rate - mostly))
    return EditRate(usual if abs(usual - mostly) < mostly / 20 else Fraction(max(1, round(mostly))), False)


def _tells(times: FrameTimes, rate: Fraction) -> bool:
    step = 1 / (rate * times.time_base)
    if not len(times) or step < 1:
        return False
    since = (times.pts - times.pts[0]).astype(np.int64)
    off = np.abs(since - np.arange(len(times)) * float(step))
    return bool(off.max() <= min(1.0 + 1e-6, float(step) / 2))


def usual_rate(text: str) -> Fraction:
    """Frames per second from ``25``, ``24000/1001``, or a rounded ``23.976`` or ``29.97``, which mean the exact rates
    of those names. Raises ``ValueError`` for what is no rate."""
    try:
        given = Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as wrong:
        raise ValueError("this is not a number") from wrong
    if given <= 0:
        raise ValueError("a rate is above 0")
    exact = (rate for rate in _USUAL if rate.denominator > 1 and abs(rate - given) < Fraction(6, 1000))
    return next(exact, given) if "." in text else given
