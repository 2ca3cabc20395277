"""What reviewers decided about the lines of a dub: accepted or rejected, with notes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from lipdub.timeline.language_plan import LanguagePlan, PlannedLine

Verdict = Literal["unchecked", "accepted", "rejected"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class LineMark:
    """What a reviewer decided about a line. A ``rejected`` line stays as filmed. ``note`` is for people to read.

    ``seen`` tells how an accepted line was when it was accepted (``seen_as``): if the line is another one now, it is
    unchecked again.
    """

    verdict: Verdict = "unchecked"
    note: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class ReviewMarks:
    """The marks of the ``lines`` of one language, by line id; lines without one are unchecked. ``retired`` are the ids
    of lines that are not there any more: no new line gets one of them."""

    lines: Mapping[str, LineMark] = field(default_factory=dict)
    retired: tuple[str, ...] = ()

    def of(self, line: str) -> LineMark:
        """The mark of a line (by id)."""
        return self.lines.get(line, _UNMARKED)

    def with_mark(self, line: str, mark: LineMark) -> "ReviewMarks":
        """These marks, with another one for a line."""
        others = {name: other for name, other in self.lines.items() if name != line}
        return replace(self, lines=others if mark == _UNMARKED else {**others, line: mark})

    def settled(self, plan: LanguagePlan) -> "ReviewMarks":
        """The marks that hold for ``plan`` as it is now: an accepted line that changed since, and a rejected one that
        is not left as filmed any more, are unchecked. Notes stay."""
        lines = dict(self.lines)
        for planned in plan.lines:
            mark = lines.get(planned.line.id)
            if mark is not None and not _holds(mark, planned):
                lines[planned.line.id] = LineMark(note=mark.note)
        return replace(self, lines={name: mark for name, mark in lines.items() if mark != _UNMARKED})


_UNMARKED = LineMark()


def seen_as(planned: PlannedLine) -> str:
    """A digest of a line as a reviewer sees it: changes with its text, times, person, voice, engine, take and so on."""
    return hashlib.sha256(repr(seen_values(planned)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def seen_values(planned: PlannedLine) -> tuple[object, ...]:
    """What ``seen_as`` is made from; the number of the take is the last one."""
    line, offset = planned.line, planned.offset
    start, end = line.span.start, line.span.end
    times = (start.numerator, start.denominator, end.numerator, end.denominator, offset.numerator, offset.denominator)
    choices = (planned.person, planned.voice, planned.engine, planned.seed, planned.leave)
    return (line.text, line.speaker, *times, *choices, planned.take)


def _holds(mark: LineMark, planned: PlannedLine) -> bool:
    if mark.verdict == "rejected":
        return planned.leave
    return mark.verdict != "accepted" or mark.seen == seen_as(planned)
