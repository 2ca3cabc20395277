"""Words to be said, and where they are said."""

from dataclasses import dataclass

from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Cue:
    """A line on a face: in ``span``, the face track ``face`` follows the dub (``line`` None: whatever the dub says).

    ``id`` is stable within a plan; "" where none was given. ``person`` is the id of the person whose face it is,
    "" if unknown. ``line_id`` is the id of the line that the cue belongs to; "" if the person says no line there: then
    the mouth rests where the source's mouth moves.
    """

    span: Span
    face: int
    line: Line | None = None
    id: str = ""
    person: str = ""
    line_id: str = ""


@dataclass(frozen=True, slots=True)
class PassthroughSpan:
    """A span that stays as filmed though somebody might expect otherwise, and why; ``face`` if it is one's."""

    span: Span
    reason: str
    face: int | None = None
