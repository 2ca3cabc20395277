"""One line is spoken, without a mouth: to hear it before it is made."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipdub.timeline.time import Span


@dataclass(frozen=True)
class HeardLine:
    """The speech of one line in ``file`` (.wav, 16 bits, which browsers play), in the folder of kept work.

    It is heard in ``span``, where the source says the line in ``source_span`` (s, on the plan's clock). ``rate`` is the
    time-stretch, and ``missing`` how many seconds of its end do not fit. ``text`` is what is said.
    """

    file: Path
    span: Span
    source_span: Span
    rate: float = 1.0
    missing: Fraction = Fraction(0)
    text: str = ""
