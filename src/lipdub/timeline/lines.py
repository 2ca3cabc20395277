"""Words to be said."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Word:
    """One word as heard: when, and how sure (0..1)."""

    text: str
    span: Span
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """Words to be said: ``text`` in ``language`` (BCP 47, e.g. ``es``), by ``speaker``, wished in ``span``.

    ``id`` is stable within a script; "" where none was given.
    """

    text: str
    span: Span
    language: str = ""
    speaker: str = ""
    words: tuple[Word, ...] = ()
    id: str = ""


def numbered(lines: Iterable[Line]) -> tuple[Line, ...]:
    """``lines`` in the same order; those without an id get the next free number, counted from "1"."""
    given = tuple(lines)
    taken = {line.id for line in given}
    free = (str(number) for number in count(1) if str(number) not in taken)
    return tuple(line if line.id else replace(line, id=next(free)) for line in given)
