"""Lines as markers of a timeline, and the names of its clips: what every kind of file says of them."""

from bisect import bisect_right
from dataclasses import dataclass

from lipdub.edit.cut_list import CutClip, CutList, EditLine
from lipdub.timeline.notes import short

COLOURS = {
    "made": "GREEN",
    "voice only": "CYAN",
    "closures missed": "YELLOW",
    "end cut": "RED",
    "changed": "ORANGE",
    "not made": "MAGENTA",
    "left as filmed": "WHITE",
}
"""Verdict -> colour of its marker, by OpenTimelineIO's names."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The marker of a ``line``: it lies on clip number ``clip``, in which the line begins, at frames
    ``[first, first + length)`` of the timeline."""

    line: EditLine
    clip: int
    first: int
    length: int

    @property
    def name(self) -> str:
        """The line's id, who says it, and the beginning of what is said."""
        return f"{self.line.id} {self.line.person}".strip() + f": {short(self.line.text, 60)}"

    @property
    def colour(self) -> str:
        """One of ``COLOURS``."""
        return COLOURS[self.line.verdict]


def line_marks(cut: CutList) -> tuple[Mark, ...]:
    """A marker for every line, clip by clip. A line outside of the timeline is marked at its nearest frame."""
    firsts = [clip.first for clip in cut.clips]
    marks = []
    for line in cut.lines:
        at = bisect_right(firsts, min(max(line.frames.start, 0), cut.frames - 1)) - 1
        clip = cut.clips[at]
        first = min(max(line.frames.start, clip.first), clip.stop - 1)
        marks.append(Mark(line, at, first, max(1, min(line.frames.stop, clip.stop) - first)))
    return tuple(sorted(marks, key=lambda mark: mark.clip))


def clip_names(cut: CutList) -> list[str]:
    """The name of every clip: its lines with who says them, or the file if it is not changed."""
    lines = {line.id: line for line in cut.lines}
    return [_clip_name(cut, clip, lines) for clip in cut.clips]


def _clip_name(cut: CutList, clip: CutClip, lines: dict[str, EditLine]) -> str:
    if not clip.dubbed:
        return cut.source.path.stem
    named = [" ".join(filter(None, (id_, lines[id_].person))) for id_ in clip.lines if id_ in lines]
    if named:
        return " + ".join(named)
    return "mouth at rest" if clip.first < cut.source.frames else "added frames"
