"""Lines as sound: spoken, and placed on the clip's clock."""

from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.lines import Line
from lipdub.timeline.sound import Sound
from lipdub.timeline.time import Span


@dataclass(frozen=True, eq=False)
class SpokenLine:
    """A line and the ``sound`` of it (mono, from its first syllable on; its start is not used yet)."""

    line: Line
    sound: Sound


@dataclass(frozen=True, eq=False)
class PlacedLine:
    """A spoken line where it is to be heard: ``sound`` starts at its own ``start`` on the clip's clock.

    ``rate`` is how much faster than spoken its speech is now (1: as spoken). ``aim`` is the span that was wished: the
    speech of the source. ``missing`` is how many seconds of it had to be cut or did not fit (0: all is heard).
    """

    line: Line
    sound: Sound
    rate: float
    aim: Span
    missing: Fraction = Fraction(0)

    @property
    def span(self) -> Span:
        """When it is heard."""
        return self.sound.span
