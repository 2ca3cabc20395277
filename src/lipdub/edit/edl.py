"""A cut as an edit decision list (CMX 3600): one event for each clip of the picture, and the lines as locators.

Written here: OpenTimelineIO's adapter counts dropped frames at 29.97 whatever the source does, and takes most of a
second for a thousand lines. What it reads from these files is compared with the cut in the tests.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from lipdub.edit.cut_list import CutList
from lipdub.edit.marks import Mark, clip_names, line_marks
from lipdub.edit.timecode import day_frames, timecode_text
from lipdub.errors import OptionError

_REEL = 8
"""Characters of a reel name."""


def write_edl(cut: CutList, path: Path) -> None:
    """Write the picture of ``cut``, with record timecodes equal to those of the source.

    Clips are named after their files, by which programs find them. Raises ``OptionError`` if a timecode would be that
    of another day.
    """
    if cut.source.start.frames + cut.frames >= day_frames(cut.rate, cut.source.start.drop):
        what = "its timecodes would reach midnight, where an EDL counts from 0 again"
        raise OptionError(what, file=path, remedy="Write .otio instead")
    mode = "DROP FRAME" if cut.source.start.drop else "NON-DROP FRAME"
    rows = [f"TITLE: {_one_row(cut.title)}", f"FCM: {mode}", "", *_events(cut), ""]
    path.write_text("\n".join(rows), "utf-8")


def _events(cut: CutList) -> Iterator[str]:
    """The rows of the events."""
    reels, marks = _reels(cut), _marks_by_clip(cut)
    names, drop = clip_names(cut), cut.source.start.drop
    for number, clip in enumerate(cut.clips):
        media = cut.film if clip.dubbed else cut.source
        inside = [timecode_text(media.start.frames + frame, cut.rate, drop) for frame in (clip.first, clip.stop)]
        record = [timecode_text(cut.source.start.frames + frame, cut.rate, drop) for frame in (clip.first, clip.stop)]
        yield f"{number + 1:03d}  {reels[clip.dubbed]:8} V     C        {' '.join((*inside, *record))}"
        yield f"* FROM CLIP NAME:  {_one_row(media.path.name)}"
        yield f"* FROM CLIP: {media.path.absolute().as_uri()}"
        for mark in marks.get(number, ()):
            at = timecode_text(media.start.frames + mark.first, cut.rate, drop)
            yield f"* LOC: {at} {mark.colour:7} {' '.join(mark.name.split()).upper()} ({mark.line.verdict.upper()})"
        if any(clip.lines):
            yield f"* LINE {_one_row(names[number])}"


def _marks_by_clip(cut: CutList) -> dict[int, list[Mark]]:
    found: dict[int, list[Mark]] = {}
    for mark in line_marks(cut):
        found.setdefault(mark.clip, []).append(mark)
    return found


def _one_row(text: str) -> str:
    return " ".join(text.splitlines())


def _reels(cut: CutList) -> dict[bool, str]:
    """Reel names of source (False) and dub (True): up to eight letters and digits, never the same."""
    source, film = (re.sub("[^A-Z0-9]", "", media.path.stem.upper())[:_REEL] for media in (cut.source, cut.film))
    source = source or "SOURCE"
    return {False: source, True: film if film and film != source else f"{source[: _REEL - 3]}DUB"}
