"""Spelling to phones by rules that are tried in order at each letter, from left to right."""

import re
from collections.abc import Sequence


class SpellingRules:
    """Rules of an orthography."""

    def __init__(self, rules: Sequence[tuple[str, str]]) -> None:
        """``rules``: (regular expression, phones). An expression is matched at a letter; it may look back and ahead. In
        the phones, a space divides what becomes several entries of the result."""
        self._rules = tuple((re.compile(pattern), tuple(phones.split())) for pattern, phones in rules)

    def __call__(self, word: str) -> list[str]:
        """The phones of ``word``, by the first rule that matches at each letter; a letter without one is left out."""
        out: list[str] = []
        at = 0
        while at < len(word):
            for pattern, phones in self._rules:
                match = pattern.match(word, at)
                if match and match.end() > at:
                    out += phones
                    at = match.end()
                    break
            else:
                at += 1
        return out
