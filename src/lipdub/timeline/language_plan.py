"""The plan of a dub in one language: what is said, by whom and when. A value that a person can edit as a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lipdub.timeline.cue import PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile
from lipdub.timeline.take import LineRecipe
from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A ``line`` and what was decided for it.

    ``person`` is the id of who says it: "" for somebody off screen, None if it is found out from voice and mouth.
    ``voice`` is as after ``--voice`` ("": that of the plan). ``offset`` moves the speech, in seconds, later if
    positive. ``engine`` ("": that of the project) and ``seed`` (None: that of the project) render the mouth. ``leave``:
    the line is left as filmed. ``take`` is the number of the take that is used (0: none yet).
    """

    line: Line
    person: str | None = None
    voice: str = ""
    offset: Fraction = Fraction(0)
    engine: str = ""
    seed: int | None = None
    leave: bool = False
    take: int = 0

    def recipe(self, slot: Span, sound: str, engine: str, seed: int) -> LineRecipe:
        """What a take of the line is made from, given its ``slot``, the digest of its part of a finished dub track (""
        without one), and the project's ``engine`` and ``seed``."""
        return LineRecipe(
            text=self.line.text,
            slot=slot,
            person=self.person or "",
            voice=self.voice,
            sound=sound,
            offset=self.offset,
            engine=self.engine or engine,
            seed=seed if self.seed is None else self.seed,
        )


@dataclass(frozen=True, slots=True)
class LanguagePlan:
    """The plan of a dub into ``language`` ("" if the words of a finished dub track are not known).

    ``lines`` are in order of time. ``track`` is the finished dub track (None: voices speak the lines), ``script`` the
    file from which the lines were read. ``originals`` are the texts that the lines render, by line id, in the
    ``source_language`` ("": not known). ``left`` are the spans that stay as filmed, with reasons: for people to read.
    ``voices`` are as after ``--voice``.
    """

    language: str
    lines: tuple[PlannedLine, ...]
    track: InputFile | None = None
    script: InputFile | None = None
    originals: Mapping[str, str] = field(default_factory=dict)
    source_language: str = ""
    left: tuple[PassthroughSpan, ...] = ()
    voices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse lines without an id and two lines of one id, with ``ValueError``."""
        seen: set[str] = set()
        for planned in self.lines:
            if not planned.line.id:
                raise ValueError(f"the line '{planned.line.text:.40}' has no id")
            if planned.line.id in seen:
                raise ValueError(f"two lines have the id '{planned.line.id}'")
            seen.add(planned.line.id)

    def planned(self, line: str) -> PlannedLine | None:
        """The line with this id; None if there is none."""
        return next((planned for planned in self.lines if planned.line.id == line), None)

    def with_line(self, changed: PlannedLine) -> "LanguagePlan":
        """The plan with ``changed`` in place of the line of the same id."""
        return replace(self, lines=tuple(changed if p.line.id == changed.line.id else p for p in self.lines))
