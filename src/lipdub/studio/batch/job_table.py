r"""Reads a jobs file: a table (CSV, with commas, semicolons or tabs, as Excel writes it) or JSON Lines.

Tables follow RFC 4180; besides, Excel's first line ``sep=;`` is understood, a byte order mark, UTF-16, and ``\r``.
"""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipdub.disk.regular_file import check_regular_file
from lipdub.errors import InputError
from lipdub.studio.batch.columns import column_named, is_given, unknown_column
from lipdub.studio.batch.rows import Cell, Problem, Row, Rows
from lipdub.studio.inputs import unreadable

TABLES, JSON_LINES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
_LARGEST = 256 * 1024 * 1024
_DELIMITERS = (",", ";", "\t")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_jobs_file(path: Path) -> Rows:
    """The rows of the jobs file ``path``, and what is wrong with the others. Raises ``InputError`` for a file that is
    no jobs file at all."""
    kind = path.suffix.lower()
    if kind not in TABLES + JSON_LINES:
        raise InputError(
            f"'{kind}' is no kind of jobs file", file=path, remedy="Give a table (.csv, .tsv) or JSON Lines (.jsonl)"
        )
    if check_regular_file(path) > _LARGEST:
        raise InputError("it is too large for a jobs file", file=path, remedy="Divide it")
    try:
        text = decoded(path.read_bytes())
    except OSError as refused:
        raise unreadable(path, refused) from refused
    except ValueError as wrong:
        raise InputError(str(wrong), file=path, remedy="Save it as UTF-8 (in Excel: 'CSV UTF-8')") from wrong
    rows = parse_json_lines(text) if kind in JSON_LINES else parse_table(text)
    if not rows.rows and not rows.problems:
        raise InputError("there is no job in it", file=path, remedy="Write one line for each job")
    return rows


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. Raises ``ValueError`` with a clause."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise ValueError(f"line {line}: a character in it is not {encoding.removesuffix('-sig').upper()}") from wrong


def parse_table(text: str) -> Rows:
    """The rows of a table whose first row names the columns. Rows without any text are left out."""
    delimiter, text, before = _delimiter_line(text)
    if delimiter is None:
        delimiter = _delimiter(text)
    table, problems = _Table(), []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    end = before
    try:
        for cells in reader:
            line, end = end + 1, before + reader.line_num
            if any(cell.strip() for cell in cells):
                problems += table.take(line, cells)
    except csv.Error as wrong:
        problems.append(Problem(end + 1, "", f"it cannot be read as a table: {wrong}"))
    return Rows(tuple(table.rows), tuple(problems), split=True, decimal="," if delimiter == ";" else ".")


@dataclass(eq=False)
class _Table:
    """A table that is read row by row: the first one names the columns (None: unknown, and told)."""

    names: list[str | None] | None = None
    rows: list[Row] = field(default_factory=list)

    def take(self, line: int, cells: Sequence[str]) -> list[Problem]:
        """Add a row; returns what is wrong with it."""
        if self.names is None:
            return self._head(line, cells)
        problems, row = [], {}
        for number, cell in enumerate(cells):
            name = self.names[number] if number < len(self.names) else ""
            if name == "" and cell.strip():
                problems.append(Problem(line, f"{number + 1}", f"'{cell.strip()}' stands in a column without a name"))
            elif name:
                row[name] = cell
        if not problems:
            self.rows.append(Row(line, row))
        return problems

    def _head(self, line: int, cells: Sequence[str]) -> list[Problem]:
        self.names, problems = [], []
        for cell in cells:
            name = column_named(cell) if cell.strip() else ""
            if name is None:
                problems.append(Problem(line, cell.strip(), unknown_column(cell)))
            elif name and name in self.names:
                problems.append(Problem(line, name, "there are two columns of this name"))
            self.names.append(name)
        return problems


def _delimiter_line(text: str) -> tuple[str | None, str, int]:
    """The delimiter that a first line ``sep=;`` names (None: there is none), the text after it, and its lines."""
    first, _, rest = text.partition("\n")
    first = first.rstrip("\r")
    if len(first) == len("sep=;") and first.lower().startswith("sep="):
        return first[-1], rest, 1
    return None, text, 0


def _delimiter(text: str) -> str:
    """The delimiter with which the first row with text names the most columns; a comma if none of them does."""
    head = next((line for line in text.splitlines() if line.strip(' \t,;"')), "")

    def known(delimiter: str) -> int:
        try:
            return sum(column_named(name) is not None for name in next(csv.reader([head], delimiter=delimiter)))
        except csv.Error:
            return 0

    return max(_DELIMITERS, key=known)


def parse_json_lines(text: str) -> Rows:
    """The rows of JSON Lines: one object for each job. Empty lines are left out."""
    rows, problems = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            cells, wrong = _json_cells(number, line)
            problems += wrong
            if not wrong:
                rows.append(Row(number, cells))
    return Rows(tuple(rows), tuple(problems), split=False)


def _json_cells(number: int, line: str) -> tuple[dict[str, Cell], list[Problem]]:
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as wrong:
        return {}, [Problem(number, "", f"it is not JSON: {wrong}")]
    if not isinstance(pairs, _Pairs):
        return {}, [Problem(number, "", 'it is no JSON object: write {"source": ..., ...}')]
    cells: dict[str, Cell] = {}
    problems = list(_wrong_pairs(number, pairs))
    for key, value in pairs:
        if (name := column_named(key)) is not None and is_given(value):
            cells[name] = value
    return cells, problems


def _wrong_pairs(number: int, pairs: "_Pairs") -> Iterator[Problem]:
    seen: set[str] = set()
    for key, value in pairs:
        name = column_named(key)
        if name is None:
            yield Problem(number, key, unknown_column(key))
        elif name in seen:
            yield Problem(number, name, "it is given twice")
        elif isinstance(value, _Pairs) or (isinstance(value, list) and not all(isinstance(v, str) for v in value)):
            yield Problem(number, name, "it must be a text, a number, true, false, or a list of texts")
        seen.add(name or "")


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, also those whose names are equal."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
