"""Values of this package as JSON, and back. Fractions are written exactly (``"1001/30000"``), never as decimals."""

import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any


def packed(value: Any) -> Any:
    """A value as JSON holds it: fractions and paths become text, dataclasses objects, tuples lists."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return value.as_posix()
    if is_dataclass(value):
        return {f.name: packed(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [packed(v) for v in value]
    if isinstance(value, dict):
        return {k: packed(v) for k, v in value.items()}
    return value


def unpacked(kind: Any, given: Any, where: str = "") -> Any:
    """The inverse of ``packed`` for a value of type ``kind``. A field that is absent gets its default, if it has one.

    Raises ``ValueError``, with the field's name, where ``given`` does not fit. ``where`` is the name of the value.
    """
    return _reader(kind)(given, where)


_Where = str | tuple[Any, str]
"""The name of a value: that of what holds it, and what follows. It is only put together for an error."""

_Reader = Callable[[Any, _Where], Any]
"""Makes a value of one type from what JSON holds."""


def _name(where: _Where) -> str:
    return where if isinstance(where, str) else (_name(where[0]) + where[1]).lstrip(".")


def _at(where: _Where) -> str:
    name = _name(where)
    return f"{name}: " if name else ""


def _misfit(kind: Any, given: Any, where: _Where) -> ValueError:
    return ValueError(f"{_at(where)}{given!r:.60} is not a {getattr(kind, '__name__', kind)}")


@lru_cache(maxsize=1024)
def _reader(kind: Any) -> _Reader:
    """What reads values of type ``kind``: looked up once for each type, since projects hold thousands of values."""
    if is_dataclass(kind):
        return _record_reader(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(inner)
    if origin is tuple:
        return _tuple_reader(kind, _reader(inner[0]))
    if origin is dict:
        return _dict_reader(kind, _reader(inner[1]))
    if kind is Fraction:
        return _fraction
    return _plain_reader(kind, origin)


def _plain_reader(kind: Any, origin: Any) -> _Reader:
    exact = origin is None and kind is not Path

    def read(given: Any, where: _Where) -> Any:
        if exact and type(given) is kind:
            return given
        if kind is Path and isinstance(given, str):
            return Path(given)
        if kind is float and type(given) is int:
            return float(given)
        raise _misfit(kind, given, where)

    return read


def _tuple_reader(kind: Any, item: _Reader) -> _Reader:
    def read(given: Any, where: _Where) -> Any:
        if not isinstance(given, list):
            raise _misfit(kind, given, where)
        return tuple([item(value, (where, f"[{number}]")) for number, value in enumerate(given)])

    return read


def _dict_reader(kind: Any, item: _Reader) -> _Reader:
    def read(given: Any, where: _Where) -> Any:
        if not isinstance(given, dict):
            raise _misfit(kind, given, where)
        return {key: item(value, (where, f"[{key}]")) for key, value in given.items()}

    return read


def _fraction(given: Any, where: _Where) -> Fraction:
    if not isinstance(given, str):
        raise _misfit(Fraction, given, where)
    try:
        return _parsed(given)
    except (ValueError, ZeroDivisionError) as wrong:
        raise ValueError(f"{_at(where)}{given!r:.60} is not a fraction") from wrong


@lru_cache(maxsize=4096)
def _parsed(given: str) -> Fraction:
    """Most instants of a project are written several times: as the end of one thing and the start of the next."""
    return Fraction(given)


def _record_reader(kind: Any) -> _Reader:
    hints = typing.get_type_hints(kind)
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    readers = {name: (_reader(hint), f".{name}") for name, hint in hints.items()}

    def read(given: Any, where: _Where) -> Any:
        if not isinstance(given, dict) or not needed <= given.keys() <= readers.keys():
            raise ValueError(f"{_at(where)}a {kind.__name__.lower()} has the fields {', '.join(hints)}")
        values = {}
        for name, value in given.items():
            field, ending = readers[name]
            values[name] = field(value, (where, ending))
        try:
            return kind(**values)
        except (TypeError, ValueError, AssertionError) as wrong:
            raise ValueError(f"{_at(where)}{wrong}") from wrong

    return read


def _union_reader(kinds: tuple[Any, ...]) -> _Reader:
    many = next((_reader(k) for k in kinds if typing.get_origin(k) is tuple), None)
    plain = {k: _reader(k) for k in kinds if isinstance(k, type)}
    records = [_reader(k) for k in kinds if is_dataclass(k) or k is Fraction or k is Path]

    def read(given: Any, where: _Where) -> Any:
        if given is None and types.NoneType in kinds:
            return None
        if many is not None and isinstance(given, list):
            return many(given, where)
        found = plain.get(type(given)) or (records[0] if records else None)
        if found is None:
            raise ValueError(f"{_at(where)}{given!r:.60} fits nothing that may stand here")
        return found(given, where)

    return read
