"""Lines as sound: as a voice spoke them, and placed on the clip's clock."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span


@dataclass(frozen=True, eq=False)
class SpokenLine:
    """A line and its ``sound``: mono, from the first syllable on. The start of the sound has no meaning yet."""

    line: Line
    sound: Sound


@dataclass(frozen=True, eq=False)
class PlacedLine:
    """A spoken line at its final time: ``sound`` starts at its own ``start`` on the clip's clock.

    ``rate`` is the time-stretch: 1.1 is a tenth faster than the voice spoke. ``source_span`` is when the source speaks
    this line, the wanted time. ``missing`` is how many seconds of its speech were cut because they did not fit (0:
    nothing is missing).
    """

    line: Line
    sound: Sound
    rate: float
    source_span: Span
    missing: Fraction = Fraction(0)

    @property
    def span(self) -> Span:
        """From the first to the last sample, in clip time."""
        return self.sound.span
