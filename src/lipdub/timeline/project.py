"""The manifest on disk: what is dubbed, how, with whose consent, and every take.

A JSON file with a version. Times are written as exact fractions (``"1001/30000"``), never as decimals. An older
file is brought up step by step through ``MIGRATIONS``; a newer one is refused with advice.
"""

import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lipdub.disk.json_text import parse_json
from lipdub.disk.publish import write_text
from lipdub.errors import InputError
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.people import Person
from lipdub.timeline.take import Option, Take

VERSION = 1
"""The version this program writes."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""For every older version, how its JSON object becomes that of the next version."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source file: where it was, the SHA-256 of its bytes in hex, and how many frames its picture has."""

    path: Path
    sha256: str
    frames: int


@dataclass(frozen=True, slots=True)
class Consent:
    """``who`` stated ``when`` (ISO 8601, with its time zone) that the people in the footage agreed."""

    who: str
    when: str
    statement: str


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that is known about the dub of one source: the people in it, the lines, the cues in which a person's
    face follows them, what stays as filmed, and every take.

    People, lines, cues and takes are known by their ids, which are stable: no two of a kind have the same one.
    ``chosen`` tells, by cue id, the id of the take that is used.
    """

    source: Source
    people: tuple[Person, ...] = ()
    lines: tuple[Line, ...] = ()
    cues: tuple[Cue, ...] = ()
    passthrough: tuple[PassthroughSpan, ...] = ()
    takes: tuple[Take, ...] = ()
    chosen: dict[str, str] = field(default_factory=dict)
    consent: Consent | None = None
    options: dict[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse two people, lines, cues or takes of one id, and choices of what is not there, with ``ValueError``."""
        for kind in ("people", "lines", "cues", "takes"):
            ids = [each.id for each in getattr(self, kind)]
            if len(ids) != len(set(ids)):
                raise ValueError(f"two {kind} have the same id")
        made = {(cue, take.id) for take in self.takes for cue in take.cues}
        if not set(self.chosen.items()) <= made:
            raise ValueError("a take is chosen that was not made for its cue")

    def with_chosen(self, take: str) -> "Project":
        """The project with the take of this id chosen for all its cues. Raises ``KeyError`` if there is none."""
        cues = next((each.cues for each in self.takes if each.id == take), None)
        if cues is None:
            raise KeyError(take)
        return replace(self, chosen={**self.chosen, **dict.fromkeys(cues, take)})

    def save(self, path: Path) -> None:
        """Write the manifest at once and whole. Raises ``OutputError``."""
        packed = {"lipdub": "project", "version": VERSION, **_packed(self)}
        write_text(path, json.dumps(packed, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Project":
        """Read a manifest. Raises ``InputError`` if it is absent, damaged, or newer than this program."""
        packed = _current(_read(path), path)
        try:
            return _unpacked(cls, packed)
        except (ValueError, TypeError, ZeroDivisionError) as wrong:
            raise _damaged(path, str(wrong)) from wrong


def _read(path: Path) -> dict[str, Any]:
    try:
        packed = parse_json(path.read_text(encoding="utf-8"))
    except OSError as refused:
        raise InputError(f"cannot be read ({refused.strerror or refused})", file=path) from refused
    except (ValueError, RecursionError) as wrong:
        raise _damaged(path, "it is not JSON") from wrong
    if not isinstance(packed, dict) or packed.pop("lipdub", None) != "project":
        raise InputError("this is not a lipdub project", file=path, remedy="Give a file that 'lipdub' wrote")
    return packed


def _current(packed: dict[str, Any], path: Path) -> dict[str, Any]:
    """The object as this version writes it."""
    version = packed.pop("version", None)
    if type(version) is not int or version < 1:
        raise _damaged(path, "it has no version")
    if version > VERSION:
        raise InputError(
            f"this project was written by a newer lipdub (version {version}; this one knows up to {VERSION})",
            file=path,
            remedy="Update with: pip install -U lipdub",
        )
    for step in range(version, VERSION):
        packed = MIGRATIONS[step](packed)
    return packed


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"this project file is damaged: {why}", file=path, remedy="Restore it from a copy, or start anew")


def _packed(value: Any) -> Any:
    """A language value as JSON: fractions and paths become text, dataclasses objects, tuples lists."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return value.as_posix()
    if is_dataclass(value):
        return {f.name: _packed(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_packed(v) for v in value]
    if isinstance(value, dict):
        return {k: _packed(v) for k, v in value.items()}
    return value


def _unpacked(kind: Any, packed: Any) -> Any:
    """The inverse of ``_packed`` for a value of type ``kind``. Raises ``ValueError`` where it does not fit."""
    if is_dataclass(kind):
        return _unpacked_record(kind, packed)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _unpacked_union(inner, packed)
    if origin is tuple and isinstance(packed, list):
        return tuple(_unpacked(inner[0], v) for v in packed)
    if origin is dict and isinstance(packed, dict):
        return {k: _unpacked(inner[1], v) for k, v in packed.items()}
    if kind is Fraction and isinstance(packed, str):
        return Fraction(packed)
    if kind is Path and isinstance(packed, str):
        return Path(packed)
    if kind is float and type(packed) is int:
        return float(packed)
    if origin is None and kind not in (Fraction, Path) and type(packed) is kind:
        return packed
    raise ValueError(f"{packed!r:.60} is not a {getattr(kind, '__name__', kind)}")


_ADDED = frozenset({"id", "person", "sample", "similarity"})
"""Fields that projects written by earlier versions do not have; they get their defaults."""


def _unpacked_record(kind: Any, packed: Any) -> Any:
    hints = typing.get_type_hints(kind)
    if not isinstance(packed, dict) or not hints.keys() - _ADDED <= packed.keys() <= hints.keys():
        raise ValueError(f"a {kind.__name__.lower()} has the fields {', '.join(hints)}")
    return kind(**{name: _unpacked(hints[name], value) for name, value in packed.items()})


def _unpacked_union(kinds: tuple[Any, ...], packed: Any) -> Any:
    if packed is None and types.NoneType in kinds:
        return None
    plain = [k for k in kinds if type(packed) is k]
    records = [k for k in kinds if is_dataclass(k) or k is Fraction or k is Path]
    if not plain and not records:
        raise ValueError(f"{packed!r:.60} fits nothing that may stand here")
    return _unpacked((plain or records)[0], packed)
