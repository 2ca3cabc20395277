"""How languages are written: whether they use spaces, how wide text is, where sentences and clauses end."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from lipdub.timeline.language import primary

_NO_SPACES = frozenset({"ja", "zh", "yue", "th", "lo", "km", "my", "bo"})
_CJK = frozenset({"ja", "zh", "yue", "ko"})
_CLOSING = "\"'”’»›)]}」』）】》〉"
_FULL_STOPS = ".!?…。！？｡؟۔।॥።"
_WIDE_STOPS = "!?…。！？｡"
_CLAUSE_MARKS = ",;:—–،؛、，；：・"
# Words that end in a full stop without ending a sentence.
_TITLES = frozenset(
    "mr mrs ms dr prof st sr jr gen col capt lt sgt rev hon vs no nr fig vol approx dept est "
    "hr fr frl z.b d.h bzw ca evtl usw m mme mlle sra dra srta ud uds dott sig avv ing ил г т.е т.к".split()
)
# Languages in which "3." means "third".
_ORDINAL_DOTS = frozenset("de da nb nn no fi cs sk sl hr sr bs hu et lv is pl tr".split())


def uses_spaces(language: str) -> bool:
    """True if ``language`` is written with spaces between words."""
    return primary(language) not in _NO_SPACES


def is_cjk(language: str) -> bool:
    """True for Chinese, Japanese and Korean, whose rows are counted in full-width characters."""
    return primary(language) in _CJK


def join_words(words: Sequence[str], language: str) -> str:
    """``words`` as text, with spaces between them. If the language has no spaces, only between Latin words and
    numbers."""
    if uses_spaces(language):
        return " ".join(words)
    out = ""
    for word in words:
        apart = bool(out) and bool(word) and _latin(out[-1]) and _latin(word[0])
        out += f" {word}" if apart else word
    return out


def _latin(character: str) -> bool:
    return character.isalnum() and ord(character) < 0x250


def width(text: str, language: str) -> float:
    """The number of characters in ``text`` without combining marks. For CJK a half-width character counts 0.5."""
    seen = [c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf")]
    if not is_cjk(language):
        return float(len(seen))
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.5 for c in seen)


def sentences(text: str, language: str) -> tuple[str, ...]:
    """``text`` divided after each sentence, without the spaces between them; () if there is nothing in it."""
    if not uses_spaces(language):
        found = re.findall(rf"[^{_WIDE_STOPS}]*[{_WIDE_STOPS}]*[{re.escape(_CLOSING)}]*", text)
        return tuple(stripped for piece in found if (stripped := piece.strip()))
    words, out = text.split(), []
    start = 0
    for number, (word, following) in enumerate(zip_longest(words, words[1:], fillvalue=""), 1):
        if number == len(words) or ends_sentence(word, following, language):
            out.append(" ".join(words[start:number]))
            start = number
    return tuple(out)


def ends_clause(word: str) -> bool:
    """True if a comma, a dash or the like closes ``word``."""
    bare = word.rstrip(_CLOSING)
    return bool(bare) and bare[-1] in _CLAUSE_MARKS


def ends_sentence(word: str, following: str, language: str, pause: bool = False) -> bool:
    """True if a sentence ends with ``word``. ``following`` is the word after it ("": none); ``pause`` says whether
    there is a pause between them.

    A full stop after a title, an initial, an abbreviation such as U.S. or an ordinal number does not end a sentence,
    nor does one before a lower-case letter.
    """
    bare = word.rstrip(_CLOSING)
    if not bare or bare[-1] not in _FULL_STOPS:
        return False
    if not following:
        return True
    opening = following.lstrip("\"'“‘«‹([{¿¡„-–—")
    if opening[:1].islower():
        return bare[-1] in "!?" and pause
    if bare[-1] != "." or bare.endswith(".."):
        return True
    stem = bare[:-1].lstrip("\"'“‘«‹([{¿¡„-–—").lower()
    if stem in _TITLES:
        return False
    if re.fullmatch(r"\w(\.\w)*", stem) and not stem.isdigit():
        return pause and "." in stem
    if stem.isdigit() and primary(language) in _ORDINAL_DOTS:
        return pause
    return True
