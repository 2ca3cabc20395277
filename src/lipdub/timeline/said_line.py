"""A line as it is finally said."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class SaidLine:
    """One line as it is finally said: when (``span``), when the source says it (``aim``), its ``text`` and the
    ``original`` it renders ("": none), by whom, how much faster than spoken (``rate``), and how many seconds of it were
    ``missing`` because they did not fit."""

    span: Span
    aim: Span
    text: str
    original: str = ""
    speaker: str = ""
    voice: str = ""
    rate: float = 1.0
    missing: Fraction = Fraction(0)
