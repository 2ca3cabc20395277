"""Words to be said, and where they are said."""

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
    """Words to be said: ``text`` in ``language`` (BCP 47, e.g. ``es``), by ``speaker``, wished in ``span``."""

    text: str
    span: Span
    language: str = ""
    speaker: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """A line on a face: in ``span``, the face track ``face`` follows the dub (``line`` None: whatever is heard)."""

    span: Span
    face: int
    line: Line | None = None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A span that stays as filmed though somebody might expect otherwise, and why; ``face`` if it is one's."""

    span: Span
    reason: str
    face: int | None = None
