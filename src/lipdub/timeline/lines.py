"""Lines of dialogue and their words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word: its ``text``, when it is said, and the recogniser's ``confidence`` (0..1)."""

    text: str
    span: Span
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of dialogue: ``text`` in ``language`` (BCP 47, e.g. ``es``), said by ``speaker`` in ``span``.

    ``span`` is the wanted time, on the clip's clock. ``words`` are its words with their own times, if known. ``id`` is
    unique in a script and stays when the text is edited, translated or moved ("": none was given yet).
    """

    text: str
    span: Span
    language: str = ""
    speaker: str = ""
    words: tuple[Word, ...] = ()
    id: str = ""


def numbered(lines: Iterable[Line]) -> tuple[Line, ...]:
    """``lines`` in the same order, each with an id.

    A line without an id gets the next number ("1", "2", ...) that no line has. Asserts that the given ids are unique.
    """
    every = tuple(lines)
    given = [line.id for line in every if line.id]
    assert len(set(given)) == len(given), f"line ids are not unique: {sorted(i for i in given if given.count(i) > 1)}"
    taken = frozenset(given)
    free = (str(number) for number in count(1) if str(number) not in taken)
    return tuple(line if line.id else replace(line, id=next(free)) for line in every)
