"""SMPTE ST 12-1 timecodes: labels of frames, counted at a whole rate; at 29.97 and 59.94 some labels may be left
out."""

import re
from dataclasses import dataclass
from fractions import Fraction

_SHAPE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")


@dataclass(frozen=True, slots=True)
class Timecode:
    """The timecode of a file's first frame, at a rate: ``frames`` since 00:00:00:00. ``drop``: labels are left out so
    that they keep to the clock (drop-frame)."""

    frames: int = 0
    drop: bool = False


NO_TIMECODE = Timecode()
"""That of a file without one: its frames count from 0."""


def counted_rate(rate: Fraction) -> int:
    """Frames in a second of timecode at ``rate`` frames per second: 24 for 24000/1001."""
    return max(1, round(rate))


def day_frames(rate: Fraction, drop: bool) -> int:
    """Frames from 00:00:00:00 until timecodes begin again, after 24 hours."""
    base = counted_rate(rate)
    return base * 86400 - (base // 15 * 9 * 144 if drop else 0)


def may_drop(rate: Fraction) -> bool:
    """True for the rates at which timecodes may be drop-frame: 30000/1001 and its multiples."""
    return rate.denominator == 1001 and counted_rate(rate) % 30 == 0


def parse_timecode(text: str, rate: Fraction) -> Timecode:
    """The frame that ``text`` (``hh:mm:ss:ff``, or ``hh:mm:ss;ff`` if frames are dropped) labels at ``rate``.

    The rule of ST 12-1: two labels for every 30 frames in a second are left out at each minute that 10 does not
    divide. Raises ``ValueError`` for what is no timecode, for one that the rate does not have, and for dropped frames
    at a rate that drops none.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a timecode")
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    base, drop = counted_rate(rate), found[4] in ";,."
    if minutes > 59 or seconds > 59 or frames >= base:
        raise ValueError(f"'{text}' is not a timecode at {base} frames a second")
    count = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if not drop:
        return Timecode(count)
    if not may_drop(rate):
        raise ValueError(f"'{text}' drops frames, which a rate of {rate} does not")
    left_out, whole = base // 15, hours * 60 + minutes
    if minutes % 10 and not seconds and frames < left_out:
        raise ValueError(f"'{text}' is one of the timecodes that are left out")
    return Timecode(count - left_out * (whole - whole // 10), drop=True)


def timecode_text(frames: int, rate: Fraction, drop: bool) -> str:
    """The timecode of frame number ``frames`` (0 or more): the inverse of ``parse_timecode``. After 24 hours it goes
    on counting hours."""
    assert frames >= 0, "timecodes begin at 0"
    base = counted_rate(rate)
    if drop:
        assert may_drop(rate), "this rate drops no frames"
        left_out = base // 15
        ten, rest = divmod(frames, base * 600 - 9 * left_out)
        frames += 9 * left_out * ten
        if rest >= left_out:
            frames += left_out * ((rest - left_out) // (base * 60 - left_out))
    seconds, frame = divmod(frames, base)
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{';' if drop else ':'}{frame:02d}"
