"""The review marks of a language as a JSON file with a version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import json_rows
from lipdub.timeline.packed import unpacked
from lipdub.timeline.project import damaged, read_versioned
from lipdub.timeline.review_marks import VERDICTS, LineMark, ReviewMarks

VERSION = 1
"""The version this program writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""For every older version, how its JSON object becomes that of the next version."""


def marks_text(marks: ReviewMarks) -> str:
    """The text of the file of ``marks``."""
    lines = {
        line: {"verdict": mark.verdict, "note": mark.note, "seen": mark.seen} for line, mark in marks.lines.items()
    }
    told = {"lipdub": "marks", "version": VERSION, "lines": lines, "retired": list(marks.retired)}
    return json_rows(told) + "\n"


def read_marks(path: Path) -> ReviewMarks:
    """The marks in a file. Raises ``InputError`` if it is absent, damaged, or newer than this program."""
    told = read_versioned(path, "marks", VERSION, MIGRATIONS)
    try:
        given = unpacked(dict[str, dict[str, str]], told.pop("lines", {}), "lines")
        retired = unpacked(tuple[str, ...], told.pop("retired", []), "retired")
        odd = next((mark for mark in given.values() if mark.get("verdict", VERDICTS[0]) not in VERDICTS), None)
        if odd is not None or told:
            raise ValueError(f"'{next(iter(told)) if odd is None else odd['verdict']:.40}' is not known")
        lines = {line: LineMark(**mark) for line, mark in given.items()}  # type: ignore[arg-type]
    except (ValueError, TypeError) as wrong:
        raise damaged(path, "marks", str(wrong)) from wrong
    return ReviewMarks(lines, retired)
