"""A text as phrases: words without marks between them, which are spoken in one go."""

import re
import unicodedata
from collections.abc import Callable, Sequence

PhrasePhones = Callable[[Sequence[str]], Sequence[str]]
"""Takes the words of a phrase in lower case (NFC), and gives the phones of each; "" for a word that the one before it
already holds."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?")
_TOKEN = re.compile(rf"{_WORD.pattern}|[;:,.!?—…\"()“”]")
_CLOSING = frozenset(";:,.!?…)”")


def phones_by_phrase(text: str, phrase: PhrasePhones, hyphens: bool = False) -> str:
    """The phones of ``text``: those of its words, which ``phrase`` gives, and its punctuation, which the voice speaks
    as pauses and melody. Everything else is left out. ``hyphens``: words with one are given whole."""
    out: list[str] = []
    words: list[str] = []
    text = unicodedata.normalize("NFC", text)
    for token in _TOKEN.findall(text):
        if _WORD.fullmatch(token):
            word = token.lower().replace("’", "'")
            words += [word] if hyphens else word.split("-")
            continue
        _say(words, phrase, out)
        if token in _CLOSING and out:
            out[-1] += token
        elif token != '"':
            out.append(token)
    _say(words, phrase, out)
    return _joined(out)


def _say(words: list[str], phrase: PhrasePhones, out: list[str]) -> None:
    if words:
        out.extend(filter(None, phrase(tuple(words))))
        words.clear()


def _joined(pieces: Sequence[str]) -> str:
    text = " ".join(pieces)
    return re.sub(r"\s+", " ", re.sub(r"([(“])\s+", r"\1", text)).strip()
