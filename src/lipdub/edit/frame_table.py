"""The table of a picture's frames, with the rate and the first timecode that editing software gives them."""

from fractions import Fraction

from lipdub.edit.edit_rate import edit_rate
from lipdub.edit.timecode import NO_TIMECODE, parse_timecode, timecode_text
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.frame_table import FrameTable


def frame_table(times: FrameTimes, start: Fraction, stated: Fraction, timecode: str) -> FrameTable:
    """The table of a picture whose frames appear at ``times``, and which states so many frames per second (``stated``).

    ``start`` is where players begin (s on the file's clock), ``timecode`` that of the first frame as the file tells it
    (""; or one that its rate does not have: frames count from 0).
    """
    rate = edit_rate(times, stated)
    try:
        first = parse_timecode(timecode, rate.rate) if timecode else NO_TIMECODE
    except ValueError:
        first, timecode = NO_TIMECODE, ""
    text = timecode_text(first.frames, rate.rate, first.drop) if timecode else ""
    return FrameTable(times, start, rate.rate, rate.constant, text, first.drop)
