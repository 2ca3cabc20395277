"""Text broken into rows: where it may be broken, and where best. Text stays in logical order in any direction of
writing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lipdub.words_to_sound.script.orthography import ends_clause, ends_sentence, uses_spaces, width

# Articles, prepositions and conjunctions, after which a row should not end.
_NEVER_LAST_WORDS = frozenset(
    "a an the of to in on at by for with from and or but as is my your his her our their no not mr. mrs. dr. "
    "der die das den dem des ein eine einen einem einer von zu im am an auf mit und oder aber für bei aus nach "
    "le la les un une des du de à au aux en et ou mais dans sur pour par avec ne se ce "
    "el los las una unos y o e del al con por para sin su mi tu que il lo gli i uno di da nel sul per tra "
    "и в на с к по за из от до у о об не но а что как для i w z na do o że nie si la cu de în și "
    "os as um uma do dos na no nas nos com het een van op te voor met".split()
)
_NEVER_FIRST = frozenset("、。，．・：；？！」』）】》〉’”…ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.!?:;)]}%％")
_NEVER_LAST = frozenset("「『（【《〈‘“([{¿¡$£€¥￥")
_RUN = re.compile(r"[^\W\u0250-\U0010ffff]+(?:['’.,:-][^\W\u0250-\U0010ffff]+)*")


@dataclass(frozen=True, slots=True)
class TextUnit:
    """Text that cannot be broken, its ``width``, and the width of the ``space`` before it (0: none); see ``width``."""

    text: str
    width: float
    space: float = 0.0


def text_units(text: str, language: str, widest: float) -> list[TextUnit]:
    """``text`` in units between which rows may break: words, or characters where the language has no spaces.

    A unit that would be wider than ``widest`` is divided.
    """
    out: list[TextUnit] = []
    for word in text.split():
        pieces = [word] if uses_spaces(language) else _characters(word)
        pieces = [part for piece in pieces for part in _narrow(piece, language, widest)]
        space = width(" ", language) if out else 0.0
        out += [TextUnit(piece, width(piece, language), 0.0 if k else space) for k, piece in enumerate(pieces)]
    return out


def _characters(word: str) -> list[str]:
    """The characters of ``word`` with their combining marks. Latin words stay whole, and punctuation stays with the
    character before or after it."""
    out: list[str] = []
    at = 0
    while at < len(word):
        run = _RUN.match(word, at)
        piece = run.group() if run else word[at]
        at += len(piece)
        before = out[-1][-1] if out else ""
        if out and (piece[0] in _NEVER_FIRST or before in _NEVER_LAST or _inseparable(piece[0], before)):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _inseparable(character: str, before: str) -> bool:
    """True if no row may end between ``before`` and ``character``: combining marks, Thai and Lao vowels, joiners."""
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")
        or character in "ะาำๅະາຳ"
        or before in "เแโใไເແໂໃໄ\u200d"
    )


def _narrow(piece: str, language: str, widest: float) -> list[str]:
    """``piece`` in parts of at most ``widest``."""
    out = [""]
    for character in piece:
        combining = unicodedata.category(character) in ("Mn", "Me", "Cf")
        if out[-1] and not combining and width(out[-1] + character, language) > widest:
            out.append("")
        out[-1] += character
    return out


def joined_units(parts: Sequence[TextUnit]) -> str:
    """The units as text; a space before the first is left out."""
    return "".join((" " if k and part.space else "") + part.text for k, part in enumerate(parts))


def break_rows(parts: Sequence[TextUnit], language: str, widest: float, rows: int) -> tuple[str, ...] | None:
    """``parts`` in one row of at most ``widest``, or in two, broken where it is best; None if they need more than
    ``rows`` rows."""
    whole = row_width(parts)
    if whole <= widest:
        return (joined_units(parts),)
    if rows < 2 or whole > 2 * widest + 1:
        return None
    best, least, above = 0, float("inf"), parts[0].width
    for k in range(1, len(parts)):
        below = whole - above - parts[k].space
        if max(above, below) <= widest:
            cost = abs(above - below) / widest + 0.05 * (above > below) + break_cost(parts[k - 1], parts[k], language)
            if cost < least:
                best, least = k, cost
        above += parts[k].space + parts[k].width
    return (joined_units(parts[:best]), joined_units(parts[best:])) if best else None


def row_width(parts: Sequence[TextUnit]) -> float:
    """The width of the units in one row."""
    return sum(part.width + part.space for part in parts) - parts[0].space


@lru_cache(4096)
def break_cost(before: TextUnit, after: TextUnit, language: str) -> float:
    """The cost of a break between two units: from -0.8 after a sentence to 0.4 after an article."""
    if ends_sentence(before.text, after.text, language):
        return -0.8
    if ends_clause(before.text):
        return -0.5
    return 0.4 if before.text.lower() in _NEVER_LAST_WORDS else 0.0
