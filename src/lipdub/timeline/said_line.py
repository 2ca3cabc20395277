"""A line as the finished dub says it, for the report."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A line of the finished dub.

    ``span`` is when the dub says it, ``source_span`` when the source does. ``text`` translates ``original`` ("": it is
    not a translation). ``voice`` is the name of the voice. ``rate`` is the time-stretch (1.1: a tenth faster than the
    voice spoke), ``missing`` how many seconds were cut because they did not fit. ``id`` is that of the script's line.
    """

    span: Span
    source_span: Span
    text: str
    original: str = ""
    speaker: str = ""
    voice: str = ""
    rate: float = 1.0
    missing: Fraction = Fraction(0)
    id: str = ""
