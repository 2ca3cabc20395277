"""A dub as a cut: which frames of the timeline show the source and which the dub, and the lines as markers.

Everything counts in frames of the timeline; frame 0 is the first of the picture. Plain values: no editing library is
needed to make or to compare them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lipdub.edit.timecode import NO_TIMECODE, Timecode

REST = ""
"""The line of frames that belong to none: mouths that rest while nobody speaks."""


@dataclass(frozen=True, slots=True)
class EditMedia:
    """A file that the timeline shows: its ``frames``, and the ``start`` timecode that is embedded in it."""

    path: Path
    frames: int
    start: Timecode = NO_TIMECODE
    has_sound: bool = True


@dataclass(frozen=True, slots=True)
class EditTake:
    """Take ``number`` of a line: what it says, its ``folder`` in the project, whether the film shows it, and the
    ``film`` that does, which may be an earlier one (None: there is none)."""

    number: int
    text: str = ""
    folder: Path | None = None
    shown: bool = False
    film: EditMedia | None = None


@dataclass(frozen=True, slots=True)
class EditLine:
    """A line of the dub: the ``frames`` in which it is said, ``person`` who says it ("" unknown), the ``verdict`` on it
    (see ``VERDICTS``), the number of the ``take`` that the film shows (0: none) and all ``takes``. ``review`` is what a
    reviewer decided ("accepted", "rejected", "": nothing yet), with a ``note``."""

    id: str
    frames: range
    text: str
    person: str = ""
    verdict: str = "made"
    take: int = 0
    takes: tuple[EditTake, ...] = ()
    review: str = ""
    note: str = ""


VERDICTS = ("made", "voice only", "closures missed", "end cut", "changed", "not made", "left as filmed")
"""What can be said of a line. made: the film shows it. voice only: it is heard, and no mouth is changed. closures
missed: lips that should close stay open. end cut: its end did not fit its time. changed: the plan asks for something
else than the film shows. not made: the film does not have it. left as filmed: so the plan wants it."""


@dataclass(frozen=True, slots=True)
class CutClip:
    """Frames ``[first, stop)`` of the timeline. ``lines`` are the ids of the lines whose mouths are changed there
    (``REST`` for mouths at rest); if there is none, the source is shown, untouched."""

    first: int
    stop: int
    lines: tuple[str, ...] = ()

    @property
    def dubbed(self) -> bool:
        """True if the dub is shown."""
        return bool(self.lines)


@dataclass(frozen=True)
class CutList:
    """The cut of one ``language``. ``film`` is the dub: it has the ``source``'s frames at the same times, and maybe
    more at its end. ``variable``: the source's frames do not follow each other evenly, and frames of the timeline are
    the nearest ones. ``stems`` are further sounds by name, from the beginning of the film; ``sound_offset`` is how many
    seconds after their beginning the first frame appears. ``size`` is (width, height) of the picture in pixels, and
    ``facts`` are further texts for the metadata of the timeline.
    """

    title: str
    language: str
    rate: Fraction
    source: EditMedia
    film: EditMedia
    clips: tuple[CutClip, ...]
    lines: tuple[EditLine, ...] = ()
    variable: bool = False
    stems: tuple[tuple[str, Path], ...] = ()
    sound_offset: Fraction = Fraction(0)
    size: tuple[int, int] | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Frames of the timeline."""
        return self.film.frames


def cut(frames: int, dubbed: Iterable[tuple[str, int, int]]) -> tuple[CutClip, ...]:
    """Clips that cover the ``frames`` of a timeline without gap or overlap. ``dubbed`` are (line id, first, stop).

    Where lines overlap, the frames that they share are a clip with both. Frames outside the timeline are left out.
    """
    edges: dict[int, list[tuple[bool, str]]] = {}
    for line, first, stop in dubbed:
        first, stop = max(first, 0), min(stop, frames)
        if first < stop:
            edges.setdefault(first, []).append((True, line))
            edges.setdefault(stop, []).append((False, line))
    out: list[CutClip] = []
    active: dict[str, int] = {}
    at = 0
    for edge in sorted({*edges, frames}):
        if edge > at:
            lines = tuple(active)
            if out and out[-1].lines == lines:
                out[-1] = CutClip(out[-1].first, edge, lines)
            else:
                out.append(CutClip(at, edge, lines))
            at = edge
        for begins, line in edges.get(edge, ()):
            active[line] = active.get(line, 0) + (1 if begins else -1)
            if not active[line]:
                del active[line]
    return tuple(out)


def joined_spans(spans: Iterable[tuple[int, int]], gap: int) -> Sequence[tuple[int, int]]:
    """Half-open ranges of frames, sorted; those that are at most ``gap`` frames apart become one."""
    out: list[tuple[int, int]] = []
    for first, stop in sorted(spans):
        if out and first - out[-1][1] <= gap:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        else:
            out.append((first, stop))
    return out
