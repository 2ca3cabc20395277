"""Rows of a jobs file, and what can be wrong with them: values that the readers make and the checks use."""

from dataclasses import dataclass

Cell = str | int | float | bool | None | list[str]
"""What a row holds in one column: text, as in a table; or a value of JSON. "", None and [] are not given."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a jobs file: in which ``line`` (0: in the whole file) and ``column`` ("": none of them)."""

    line: int
    column: str
    what: str

    def told(self, unit: str = "line") -> str:
        """The problem as a sentence; ``unit`` is what a row is called."""
        where = [f"{unit} {self.line}"] if self.line else []
        where += [f"column {self.column}"] if self.column else []
        return f"{', '.join(where)}: {self.what}" if where else self.what


@dataclass(frozen=True, slots=True)
class Row:
    """One job as it is written: the ``line`` on which it begins (of a folder: its number), and its cells by column."""

    line: int
    cells: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a jobs file in order, and what is wrong with those that are left out.

    ``split``: a text in a cell may hold several values (with ``SEPARATOR``); ``decimal``: the decimal mark of numbers;
    ``unit``: what a row is called, "line" or "job"; ``notes``: what was left out and is no mistake.
    """

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    split: bool = True
    decimal: str = "."
    notes: tuple[str, ...] = ()
    unit: str = "line"


SEPARATOR = "|"
"""What stands between several values in one cell of a table."""
