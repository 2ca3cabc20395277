"""Words to be said."""

from dataclasses import dataclass

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
