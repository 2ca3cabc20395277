"""Times as numbers of seconds for pages and programs, and back to exact ones.

A number is rounded to a microsecond. Where the exact instant is another one (a phrase of a dub track begins at a
sample), it is remembered, so that a number that comes back means the instant that it came from.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from fractions import Fraction

_MICRO = 10**6
_MOST = 200_000


@dataclass(eq=False)
class ExactTimes:
    """The instants behind rounded numbers; the last 200,000 are remembered. Safe from several threads."""

    _known: "OrderedDict[tuple[str, int], Fraction]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def shown(self, instant: Fraction, of: str) -> float:
        """``instant`` (s) rounded to a microsecond. ``of`` names the project and language that it belongs to."""
        count = round(instant * _MICRO)
        if Fraction(count, _MICRO) != instant:
            with self._lock:
                self._known[of, count] = instant
                self._known.move_to_end((of, count))
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return count / _MICRO

    def exact(self, seconds: float, of: str) -> Fraction:
        """The instant that ``seconds`` stands for."""
        count = round(seconds * _MICRO)
        with self._lock:
            return self._known.get((of, count), Fraction(count, _MICRO))
