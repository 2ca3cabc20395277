"""JSON that comes from outside, checked against dataclasses; answers as JSON."""

import json
import math
import re
from typing import Any, TypeVar

import msgspec

from lipdub.web.problems import BadRequest, WrongField

Told = TypeVar("Told")

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<where>[^`]*)`)?$", re.DOTALL)
_WORDS = (
    ("float", "a number"),
    ("int", "a whole number"),
    ("str", "a text"),
    ("bool", "true or false"),
    ("array", "a list"),
    ("object", "an object"),
)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Raises ``BadRequest`` if it is none (RFC 8259), holds a name twice, a number that is no
    finite one, half of a surrogate pair, or is nested too deeply."""
    try:
        text = body.decode("utf-8")
        told = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite)
        if "\\ud" in text.lower():
            json.dumps(told, ensure_ascii=False).encode()  # half a pair cannot be written as UTF-8
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None
    except UnicodeError as wrong:
        raise BadRequest("the JSON holds characters that are not UTF-8") from wrong
    except json.JSONDecodeError as wrong:
        raise BadRequest(f"this is not JSON: {wrong.msg} in line {wrong.lineno}, column {wrong.colno}") from wrong
    except ValueError as wrong:
        raise BadRequest(f"this is not JSON that is taken: {wrong}") from wrong
    return told


def typed(told: Any, kind: Any, *, texts: bool = False) -> Any:
    """``told`` as a value of the type ``kind``. ``texts``: numbers may be given as texts, as in forms and addresses.

    Raises ``WrongField``, which names the field.
    """
    try:
        return msgspec.convert(told, kind, strict=not texts)
    except msgspec.ValidationError as wrong:
        raise wrong_field(str(wrong)) from wrong
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None


def wrong_field(said: str) -> WrongField:
    """What msgspec says as an error that names the field, as in ``edits[0].fields.start``."""
    found = _WHERE.match(said)
    assert found is not None, "it matches every text"
    where, what = (found["where"] or "").removeprefix(".").replace("[...]", "[]"), found["what"]
    for pattern, sentence in ((_UNKNOWN, "there is no field '{}' here"), (_MISSING, "the field '{}' is missing")):
        named = pattern.match(what)
        if named is not None:
            where = f"{where}.{named['field']}" if where else named["field"]
            return WrongField(sentence.format(_short(where)), where)
    for code, word in _WORDS:
        what = what.replace(f"`{code}`", word)
    what = what.replace("`", "'")
    return WrongField(f"{_short(where)}: {what[:1].lower()}{what[1:]}" if where else what, where)


def as_json(value: object) -> bytes:
    """``value``, of the types of ``api.shapes``, lists and plain values, as JSON in UTF-8."""
    return msgspec.json.encode(value)


def schema_of(kinds: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The JSON schemas of types, and the schemas of the dataclasses that they refer to, by name."""
    found, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return list(found), components


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object holds the name '{_short(twice)}' twice")
    return out


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {_short(text)} is too large")
    return number


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
