"""Text that cannot control a terminal: names, metadata and answers of servers may hold escape sequences."""

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""C0 and C1 control characters except tab and newline, direction marks, line separators, and halves of surrogate pairs,
with which Python represents the bytes of a name that is not UTF-8."""


def printable(text: str) -> str:
    r"""``text`` with each control character as ``\u001b``; in JSON text that means the same as before."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """``text`` made printable and put on one line: newlines and tabs become spaces."""
    return printable(" ".join(text.split("\n")).replace("\t", " "))
