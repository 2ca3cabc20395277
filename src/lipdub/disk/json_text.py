"""JSON from outside: whatever is wrong with it is a ``ValueError``."""

import json
from collections.abc import Callable
from typing import Any


def parse_json(text: str | bytes, number: Callable[[str], Any] | None = None) -> Any:
    """The value of the JSON ``text``. ``number`` converts numbers with a decimal point or an exponent; it may raise
    ``ValueError``.

    Raises ``ValueError`` if it is no JSON (RFC 8259), is not UTF-8, or is nested deeper than Python can follow.
    """
    try:
        return json.loads(text, parse_float=number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
