"""The columns of a jobs file: the options of a dub by their own names, and how a cell becomes the value of one."""

import dataclasses
import difflib
import math
import os
import re
import types
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lipdub.studio.batch.rows import SEPARATOR, Cell
from lipdub.studio.options import DubOptions, SpeechOptions

FILES = {"source": Path, "audio": Path, "output": Path, "project": Path}
"""The columns that are no options, and their types."""

_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_NO_COLUMNS = {
    "clip": "the clip is called source here",
    "workers": "it is the same for all jobs: --workers",
    "jobs": "it is the same for all jobs: --jobs",
    "shared_store": "it is the same for all jobs: --shared-store",
}
"""Names that people may try -> what to do instead."""


@dataclasses.dataclass(frozen=True, slots=True)
class CellReading:
    """How cells are read: paths are relative to ``folder``; ``split`` and ``decimal`` as for ``Rows``."""

    folder: Path
    split: bool = True
    decimal: str = "."


@cache
def columns() -> dict[str, Any]:
    """All columns by name, in order, with the types of their values."""
    known: dict[str, Any] = dict(FILES)
    for options in (SpeechOptions, DubOptions):
        hints = get_type_hints(options)
        known |= {f.name.rstrip("_"): hints[f.name] for f in dataclasses.fields(options)}
    return {name: kind for name, kind in known.items() if name not in _NO_COLUMNS}


def column_named(text: str) -> str | None:
    """The column that a heading names, as ``if_longer``, ``--if-longer`` or ``If longer``; None if there is none."""
    name = re.sub(r"[\s_-]+", "_", text.strip().lower().lstrip("-")).strip("_")
    return name if name in columns() else None


def unknown_column(text: str) -> str:
    """What to say of a heading that names no column."""
    name = re.sub(r"[\s_-]+", "_", text.strip().lower().lstrip("-")).strip("_")
    if name in _NO_COLUMNS:
        return f"there is no such column: {_NO_COLUMNS[name]}"
    near = difflib.get_close_matches(name, columns(), 1)
    usual = "known are source, audio, script, line, to, output, project and the options of lipdub dub"
    meant = f"did you mean {near[0]}?" if near else usual
    return f"there is no such column; {meant}"


def is_given(cell: Cell) -> bool:
    """Whether a cell says anything: an empty one leaves the option at its default."""
    return cell is not None and cell != [] and not (isinstance(cell, str) and not cell.strip())


def value_of(column: str, cell: Cell, reading: CellReading) -> Any:
    """The value of the option ``column`` that ``cell`` gives. Raises ``ValueError`` with a sentence."""
    kind = columns()[column]
    if get_origin(kind) is tuple:
        return tuple(_one(str, part, reading) for part in _several(cell, reading))
    if isinstance(cell, list):
        raise ValueError("one value is wanted, and a list is given")
    return _one(kind, cell, reading)


def _several(cell: Cell, reading: CellReading) -> Iterable[Cell]:
    if isinstance(cell, list):
        return cell
    if isinstance(cell, str) and reading.split:
        parts = [part.strip() for part in cell.split(SEPARATOR)]
        if not all(parts):
            raise ValueError(f"there is nothing on one side of a '{SEPARATOR}'")
        return parts
    return [cell]


def _one(kind: Any, cell: Cell, reading: CellReading) -> Any:
    """One value of the type ``kind``."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [one for one in get_args(kind) if one is not type(None)]
        said = isinstance(cell, bool) or str(cell).strip().lower() in _WORDS
        kind = bool if bool in kinds and said else kinds[0]  # --label with or without its text
    if get_origin(kind) is Literal:
        return _choice(get_args(kind), cell)
    if kind is bool:
        return _truth(cell)
    if kind in (int, float):
        return _number(kind, cell, reading)
    if isinstance(cell, bool) or (kind is Path and not isinstance(cell, str)):
        raise ValueError(f"{cell} is no text")
    text = str(cell).strip()
    return _path(text, reading.folder) if kind is Path else text


def _choice(allowed: tuple[Any, ...], cell: Cell) -> Any:
    found = next((one for one in allowed if isinstance(cell, str) and cell.strip().lower() == one), None)
    if found is None:
        raise ValueError(f"'{cell}' is none of {', '.join(allowed)}")
    return found


def _truth(cell: Cell) -> bool:
    found = cell if isinstance(cell, bool) else _WORDS.get(str(cell).strip().lower())
    if found is None:
        raise ValueError(f"'{cell}' is neither yes nor no")
    return found


def _number(kind: type, cell: Cell, reading: CellReading) -> int | float:
    what = "a whole number" if kind is int else "a number"
    text = str(cell).strip().replace(reading.decimal, ".") if isinstance(cell, str) else cell
    try:
        if isinstance(text, bool) or text is None or isinstance(text, list):
            raise ValueError
        number = kind(text)
        if number != float(text) or not math.isfinite(number) or (isinstance(text, str) and "_" in text):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"'{cell}' is not {what}") from None
    return number


def _path(text: str, folder: Path) -> Path:
    if _URL.match(text):
        raise ValueError(f"'{text}' is an address on a network; lipdub reads and writes files only")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError("it holds a character that no name can have") from None
    if "\0" in text:
        raise ValueError("it holds a character that no name can have")
    return folder / text
