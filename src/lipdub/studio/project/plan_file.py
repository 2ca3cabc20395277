"""Plans of a project as JSON files that people read and edit."""

import json
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import json_rows
from lipdub.errors import InputError
from lipdub.timeline.cue import PassthroughSpan
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.packed import packed, unpacked
from lipdub.timeline.project import InputFile, parse_versioned, read_bytes
from lipdub.timeline.time import Span, parse_instant, timecode

VERSION = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_HELP = (
    "Lines may be edited: text, start and end (h:mm:ss.mmm, from the start of the clip), person (an id or a name of"
    " 'lipdub people', empty for somebody off screen, null to find out), voice, offset (seconds, e.g. -0.04), engine,"
    " seed, leave (true: as filmed), take (a number of 'lipdub takes'). Then run 'lipdub dub --project' again."
)

_LINE_FIELDS = {
    "id", "start", "end", "text", "speaker", "person", "voice", "offset", "engine", "seed", "leave", "take",
}  # fmt: skip
_FIELDS = {
    "about",
    "language",
    "dub_track",
    "script",
    "voices",
    "lines",
    "originals",
    "source_language",
    "left_as_filmed",
    "notes",
}


def plan_text(plan: LanguagePlan, zero: Fraction) -> str:
    """The text of the file of ``plan``, whose times count from ``zero``."""
    told = {
        "lipdub": "plan",
        "version": VERSION,
        "about": _HELP,
        "language": plan.language,
        "dub_track": packed(plan.track),
        "script": packed(plan.script),
        "voices": list(plan.voices),
        "lines": [_line_told(planned, zero) for planned in plan.lines],
        "originals": dict(plan.originals),
        "source_language": plan.source_language,
        "left_as_filmed": [_left_told(left, zero) for left in plan.left],
        "notes": list(plan.notes),
    }
    return json_rows(told) + "\n"


def read_plan(path: Path, zero: Fraction) -> LanguagePlan:
    """Read a plan, whose times count from ``zero``. Raises ``InputError``, which names the line and the field that is
    wrong."""
    return _plan_in(read_bytes(path), path, zero)


@lru_cache(maxsize=8)
def _plan_in(data: bytes, path: Path, zero: Fraction) -> LanguagePlan:
    """The plan that the content of a file is. The last ones are kept: a file is read again far more often than it
    changes."""
    told = parse_versioned(data, path, "plan", VERSION, MIGRATIONS)
    reader = _Reader(path, zero)
    unknown = sorted(told.keys() - _FIELDS)
    if unknown:
        raise reader.wrong(f"there is no field '{unknown[0]}'; the fields are {', '.join(sorted(_FIELDS))}")
    language = reader.text(told, "language", "the plan")
    lines = told.get("lines")
    if not isinstance(lines, list):
        raise reader.wrong("lines: this must be a list")
    try:
        return LanguagePlan(
            language=language,
            lines=tuple(sorted((reader.line(n, given, language) for n, given in enumerate(lines, 1)), key=_in_time)),
            track=unpacked(InputFile | None, told.get("dub_track"), "dub_track"),
            script=unpacked(InputFile | None, told.get("script"), "script"),
            originals=unpacked(dict[str, str], told.get("originals", {}), "originals"),
            source_language=reader.text(told, "source_language", "the plan", ""),
            left=tuple(reader.left(given) for given in told.get("left_as_filmed", ())),
            voices=unpacked(tuple[str, ...], told.get("voices", []), "voices"),
            notes=unpacked(tuple[str, ...], told.get("notes", []), "notes"),
        )
    except (ValueError, TypeError) as wrong:
        raise reader.wrong(str(wrong)) from wrong


def _in_time(planned: PlannedLine) -> tuple[Span, str]:
    return planned.line.span, planned.line.id


def _line_told(planned: PlannedLine, zero: Fraction) -> dict[str, Any]:
    line = planned.line
    return {
        "id": line.id,
        "start": time_text(line.span.start - zero),
        "end": time_text(line.span.end - zero),
        "text": line.text,
        "speaker": line.speaker,
        "person": planned.person,
        "voice": planned.voice,
        "offset": time_text(planned.offset, plain=True),
        "engine": planned.engine,
        "seed": planned.seed,
        "leave": planned.leave,
        "take": planned.take,
    }


def _left_told(left: PassthroughSpan, zero: Fraction) -> dict[str, Any]:
    start, end = time_text(left.span.start - zero), time_text(left.span.end - zero)
    return {"start": start, "end": end, "why": left.reason, "face": left.face}


def time_text(seconds: Fraction, *, plain: bool = False) -> str:
    """An instant as ``h:mm:ss.mmm`` if it is whole milliseconds, else as an exact fraction of seconds. ``plain``: as
    decimal seconds."""
    if 1000 % seconds.denominator:
        return f"{seconds.numerator}/{seconds.denominator}"
    if not plain:
        return timecode(seconds)
    sign, thousandths = "-" if seconds < 0 else "", abs(seconds.numerator) * (1000 // seconds.denominator)
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}".rstrip("0").rstrip(".")


def parse_time(text: str) -> Fraction:
    """The inverse of ``time_text``. Raises ``ValueError``."""
    if "/" in text:
        try:
            return Fraction(text)
        except ZeroDivisionError as wrong:
            raise ValueError(f"'{text}' divides by zero") from wrong
    negative = text.strip().startswith("-")
    found = parse_instant(text.strip().removeprefix("-"))
    return -found if negative else found


_MOST_KNOWN = 20_000
_KNOWN: dict[tuple[object, ...], PlannedLine] = {}
"""Lines by what is written in a file, with the types of the values: 1 is not true there."""


class _Reader:
    """Reads the parts of one plan file; what is wrong is told with the line and the field."""

    def __init__(self, path: Path, zero: Fraction) -> None:
        self._path, self._zero = path, zero

    def wrong(self, what: str) -> InputError:
        """The error for ``what`` is wrong."""
        return InputError(what, file=self._path, remedy="Mend it in the file, or make the plan again: lipdub plan")

    def text(self, given: dict[str, Any], name: str, of: str, default: str | None = None) -> str:
        """The text of a field; ``default`` if it is absent."""
        value = given.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(f"{of}: {name}: {json.dumps(value)[:40]} is not a text")
        return value

    def time(self, given: dict[str, Any], name: str, of: str, default: str | None = None) -> Fraction:
        """The instant or duration of a field, in seconds."""
        value = given.get(name, default)
        try:
            return parse_time(str(value) if isinstance(value, int | float) else self.text(given, name, of, default))
        except ValueError as wrong:
            raise self.wrong(f"{of}: {name}: {wrong}") from wrong

    def whole(self, given: dict[str, Any], name: str, of: str, default: int | None) -> int | None:
        """A whole number, 0 or more, of a field."""
        value = given.get(name, default)
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self.wrong(f"{of}: {name}: {json.dumps(value)[:40]} is not a whole number of 0 or more")

    def line(self, number: int, given: Any, language: str) -> PlannedLine:
        """One line of the plan, the ``number``-th. Lines that were read before are known: an edit changes few."""
        if not isinstance(given, dict):
            raise self.wrong(f"the line at place {number}: this must be an object with id, start, end and text")
        told = (language, self._zero, *given, *given.values(), *map(type, given.values()))
        try:
            return _KNOWN[told]
        except (KeyError, TypeError):  # it is new, or holds lists, which are wrong
            made = self._new_line(number, given, language)
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[told] = made
        return made

    def _new_line(self, number: int, given: dict[str, Any], language: str) -> PlannedLine:
        name = self.text(given, "id", f"the line at place {number}", None)
        of = f"line {name}" if name else f"the line at place {number}"
        unknown = sorted(given.keys() - _LINE_FIELDS)
        if unknown:
            raise self.wrong(f"{of}: there is no field '{unknown[0]}'")
        start, end = self.time(given, "start", of), self.time(given, "end", of)
        if start < 0:
            raise self.wrong(f"{of}: start: {time_text(start)} lies before the clip")
        if end <= start:
            raise self.wrong(f"{of}: end: {time_text(end)} is not after its start, {time_text(start)}")
        person, leave = given.get("person"), given.get("leave", False)
        if person is not None:
            person = self.text(given, "person", of)
        if not isinstance(leave, bool):
            raise self.wrong(f"{of}: leave: {json.dumps(leave)[:40]} is neither true nor false")
        span = Span(start, end).shifted(self._zero)
        return PlannedLine(
            line=Line(self.text(given, "text", of), span, language, self.text(given, "speaker", of, ""), id=name),
            person=person,
            voice=self.text(given, "voice", of, ""),
            offset=self.time(given, "offset", of, "0"),
            engine=self.text(given, "engine", of, ""),
            seed=self.whole(given, "seed", of, None),
            leave=leave,
            take=self.whole(given, "take", of, 0) or 0,
        )

    def left(self, given: Any) -> PassthroughSpan:
        """One span that stays as filmed."""
        if not isinstance(given, dict):
            raise self.wrong("left_as_filmed: this must be a list of objects")
        of = "left_as_filmed"
        start, end = self.time(given, "start", of), self.time(given, "end", of)
        if end < start:
            raise self.wrong(f"{of}: end: {time_text(end)} is before its start")
        span = Span(start, end).shifted(self._zero)
        return PassthroughSpan(span, self.text(given, "why", of, ""), self.whole(given, "face", of, None))
