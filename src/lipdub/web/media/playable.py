"""Whether browsers play a file as it is and show each of its frames when they are asked for it.

What decides was measured with Chromium 150, by frames that carry their number (``tests/web/media``): right are H.264 of
8 bits in mp4, rotated and with other than square pixels too, if frames last equally long or are coded in the order in
which they are shown, and if the file's clock begins at 0. Chromium does not begin at 0 if the clock does not, and where
frames last differently and are coded out of order, no seek shows some of them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipdub.edit.edit_rate import edit_rate
from lipdub.media.container import open_input, sound_stream
from lipdub.media.probe import PictureFacts, picture_facts
from lipdub.media.read import listed_key_frames
from lipdub.timeline.clip import Clip

_PROFILES = ("Baseline", "Constrained Baseline", "Main", "High")
_SOUND = ("aac", "mp3")
_DYNAMIC = (16, 18)
"""Transfer functions of ITU-T H.273 for pictures of high dynamic range: PQ and HLG."""

MOST_SIDE = 1920
"""Pixels. A larger picture is too much for two players at once."""

MOST_RATE = 60.5
"""Frames per second that browsers show."""

_MOST_DECODED = 250e6
"""Pixels that may have to be decoded for one seek; 4 s of 1080p at 30 frames per second are as many. More takes a
processor about a second."""


@dataclass(frozen=True, slots=True)
class Playable:
    """``why`` browsers do not play a file well, as a clause that follows its name ("": they do). ``slow``: they do, but
    each seek has to decode many frames. ``copied``: they would if its picture were copied into another file."""

    why: str
    slow: bool = False
    copied: bool = False


def is_high_range(facts: PictureFacts) -> bool:
    """True for a picture of high dynamic range."""
    return facts.colours.transfer in _DYNAMIC


def playable(clip: Clip) -> Playable:
    """Whether browsers play the file of ``clip``. The file's header and first frames are read. Raises ``InputError`` or
    ``NotMedia``."""
    around = _container(clip.path) or _beginning(clip) or _sound(clip)
    why = _picture(clip, picture_facts(clip)) or _order(clip)
    slow = not why and _decoded_per_seek(clip) > _MOST_DECODED
    return Playable(why or around, slow and not around, bool(around) and not why and not slow)


def _container(file: Path) -> str:
    with open_input(file) as container:
        brand = container.metadata.get("major_brand", "").strip()
        if "mp4" not in container.format.name:
            return f"is a {container.format.name.split(',')[0]} file"
        return "is a QuickTime file" if brand in ("qt", "") else ""


def _picture(clip: Clip, facts: PictureFacts) -> str:
    if facts.codec != "h264" or facts.pixel_format not in ("yuv420p", "yuvj420p") or facts.profile not in _PROFILES:
        return f"has a picture in {facts.codec} ({facts.profile or 'no profile'}, {facts.pixel_format})"
    if is_high_range(facts):
        return "has a picture of high dynamic range"
    if facts.interlaced:
        return "is interlaced"
    if max(clip.size) > MOST_SIDE:
        return f"is {clip.size[0]} pixels wide and {clip.size[1]} high"
    return ""


def _beginning(clip: Clip) -> str:
    if clip.start != 0 or clip.times.instant(0) < 0:
        return f"begins at {float(clip.start):.3f} s of its own clock"
    return ""


def _order(clip: Clip) -> str:
    if clip.matched_by_order:
        return "has time stamps that had to be mended"
    if float(clip.rate) > MOST_RATE:
        return f"has {float(clip.rate):.0f} frames per second"
    if edit_rate(clip.times, clip.rate).constant:
        return ""
    with open_input(clip.path) as container:
        reordered = container.streams.video[clip.stream].codec_context.has_b_frames
    return "has frames that last differently and are coded out of order" if reordered else ""


def _sound(clip: Clip) -> str:
    if not clip.has_sound:
        return ""
    with open_input(clip.path) as container:
        codec = sound_stream(container, clip.path, clip.sound).codec_context.codec.canonical_name
    return "" if codec in _SOUND else f"has sound in {codec}"


def _decoded_per_seek(clip: Clip) -> float:
    """Pixels from one key frame to the next, at most."""
    keys = listed_key_frames(clip) or [0]
    longest = int(np.diff([*keys, len(clip)]).max(initial=1))
    return longest * float(clip.size[0] * clip.size[1])
