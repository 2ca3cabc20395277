"""Text in rows: where it may be broken, and where best. Text stays in logical order, whatever its direction."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lipdub.words_to_sound.script.orthography import ends_clause, ends_sentence, uses_spaces, width

# Articles, prepositions and conjunctions, which belong to the word after them.
_CLINGING = frozenset(
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
    """Text that is not broken, how wide it is, and how wide the space before it (0: none)."""

    text: str
    width: float
    space: float = 0.0


def text_units(text: str, language: str, widest: float) -> list[TextUnit]:
    """``text`` in pieces between which rows may break: words, or characters where the language has no spaces.

    None is wider than ``widest``: what is gets broken inside.
    """
    out: list[TextUnit] = []
    for word in text.split():
        pieces = [word] if uses_spaces(language) else _characters(word)
        pieces = [part for piece in pieces for part in _narrow(piece, language, widest)]
        space = width(" ", language) if out else 0.0
        out += [TextUnit(piece, width(piece, language), 0.0 if k else space) for k, piece in enumerate(pieces)]
    return out


def _characters(word: str) -> list[str]:
    """The characters of ``word`` with the marks upon them; Latin words, and marks with what they belong to, whole."""
    out: list[str] = []
    at = 0
    while at < len(word):
        run = _RUN.match(word, at)
        piece = run.group() if run else word[at]
        at += len(piece)
        held = bool(out) and (piece[0] in _NEVER_FIRST or out[-1][-1] in _NEVER_LAST or _rides(piece[0], out[-1][-1]))
        if held:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _rides(character: str, before: str) -> bool:
    """True if ``character`` cannot stand apart from ``before``: combining marks, Thai and Lao vowels, joiners."""
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")
        or character in "ะาำๅະາຳ"
        or before in "เแโใไເແໂໃໄ\u200d"
    )


def _narrow(piece: str, language: str, widest: float) -> list[str]:
    out = [""]
    for character in piece:
        rides = unicodedata.category(character) in ("Mn", "Me", "Cf")
        if out[-1] and not rides and width(out[-1] + character, language) > widest:
            out.append("")
        out[-1] += character
    return out


def joined_units(parts: Sequence[TextUnit]) -> str:
    """The atoms as text; a space before the first is left out."""
    return "".join((" " if k and part.space else "") + part.text for k, part in enumerate(parts))


def break_rows(parts: Sequence[TextUnit], language: str, widest: float, rows: int) -> tuple[str, ...] | None:
    """``parts`` in one row or, where best, in two of at most ``widest``; None if they do not fit into ``rows``."""
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
    """How wide the atoms are in one row."""
    return sum(part.width + part.space for part in parts) - parts[0].space


@lru_cache(4096)
def break_cost(before: TextUnit, after: TextUnit, language: str) -> float:
    """What it costs the reader to be stopped between two atoms: from -0.8 after a sentence to 0.4 after an article."""
    if ends_sentence(before.text, after.text, language):
        return -0.8
    if ends_clause(before.text):
        return -0.5
    return 0.4 if before.text.lower() in _CLINGING else 0.0
