"""Word error rate: how far a recognised text differs from the reference."""

import unicodedata
from collections.abc import Hashable, Sequence

from lipdub.words_to_sound.script.orthography import uses_spaces


def word_error_rate(reference: str, hypothesis: str, language: str = "") -> float:
    """Insertions, deletions and substitutions per word of ``reference``: 0 if both are equal; it may exceed 1.

    Case, punctuation, and the Unicode composition of accents do not count; numbers are compared as written. In
    languages without spaces, characters are compared. A reference without words gives 0 for a hypothesis without words,
    else 1.
    """
    wanted, found = tokens(reference, language), tokens(hypothesis, language)
    if not wanted:
        return float(bool(found))
    return edit_distance(wanted, found) / len(wanted)


def tokens(text: str, language: str = "") -> list[str]:
    """The units of ``text`` that are compared: words of letters and digits in lower case, or single characters."""
    small = unicodedata.normalize("NFKC", text).casefold()
    for apostrophe in "'’‘`´":
        small = small.replace(apostrophe, "")
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in small)
    return kept.split() if uses_spaces(language) else list("".join(kept.split()))


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The Levenshtein distance of two sequences. The bits of an integer hold a whole column, so hours of words take 1
    s.

    G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999, as simplified by H. Hyyrö, 2003.
    """
    if not a:
        return len(b)
    where: dict[Hashable, int] = {}
    for k, token in enumerate(a):
        where[token] = where.get(token, 0) | 1 << k
    everything, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, score = everything, 0, len(a)
    for token in b:
        match = where.get(token, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        rise, fall = down | ~(diagonal | up) & everything, up & diagonal
        score += bool(rise & last) - bool(fall & last)
        rise = (rise << 1 | 1) & everything
        up, down = fall << 1 & everything | ~(diagonal | rise) & everything, rise & diagonal
    return score
