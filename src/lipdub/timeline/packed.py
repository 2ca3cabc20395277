"""Values of this package as JSON, and back. Fractions are written exactly (``"1001/30000"``), never as decimals."""

import types
import typing
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
    if kind in _PLAIN and type(given) is kind:
        return given
    if is_dataclass(kind):
        return _record(kind, given, where)
    origin, inner = _parts(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(inner, given, where)
    if origin is tuple and isinstance(given, list):
        return tuple(unpacked(inner[0], value, f"{where}[{number}]") for number, value in enumerate(given))
    if origin is dict and isinstance(given, dict):
        return {key: unpacked(inner[1], value, f"{where}[{key}]") for key, value in given.items()}
    if kind is Fraction and isinstance(given, str):
        return _fraction(given, where)
    if kind is Path and isinstance(given, str):
        return Path(given)
    if kind is float and type(given) is int:
        return float(given)
    if origin is None and kind not in (Fraction, Path) and type(given) is kind:
        return given
    raise ValueError(f"{_at(where)}{given!r:.60} is not a {getattr(kind, '__name__', kind)}")


_PLAIN = (str, int, float, bool)


@lru_cache(maxsize=1024)
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """``tuple`` and ``(int, ...)`` of ``tuple[int, ...]``."""
    return typing.get_origin(kind), typing.get_args(kind)


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _fraction(given: str, where: str) -> Fraction:
    try:
        return Fraction(given)
    except (ValueError, ZeroDivisionError) as wrong:
        raise ValueError(f"{_at(where)}{given!r:.60} is not a fraction") from wrong


@lru_cache
def _field_types(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The types of the fields of a dataclass, and the names of those without a default."""
    needed = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return typing.get_type_hints(kind), frozenset(needed)


def _record(kind: Any, given: Any, where: str) -> Any:
    hints, needed = _field_types(kind)
    if not isinstance(given, dict) or not needed <= given.keys() <= hints.keys():
        raise ValueError(f"{_at(where)}a {kind.__name__.lower()} has the fields {', '.join(hints)}")
    values = {name: unpacked(hints[name], value, f"{where}.{name}".lstrip(".")) for name, value in given.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError, AssertionError) as wrong:
        raise ValueError(f"{_at(where)}{wrong}") from wrong


def _union(kinds: tuple[Any, ...], given: Any, where: str) -> Any:
    if given is None and types.NoneType in kinds:
        return None
    many = next((k for k in kinds if typing.get_origin(k) is tuple), None)
    if many is not None and isinstance(given, list):
        return unpacked(many, given, where)
    plain = [k for k in kinds if type(given) is k]
    records = [k for k in kinds if is_dataclass(k) or k is Fraction or k is Path]
    if not plain and not records:
        raise ValueError(f"{_at(where)}{given!r:.60} fits nothing that may stand here")
    return unpacked((plain or records)[0], given, where)
