"""The time that belongs to a line."""

from dataclasses import dataclass

from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span


@dataclass(frozen=True, eq=False)
class LineSlot:
    """A ``line``, and the time that belongs to it: ``span`` reaches to the slots of the lines before and after it."""

    line: Line
    span: Span
