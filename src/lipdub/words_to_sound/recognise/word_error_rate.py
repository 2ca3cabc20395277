"""How far two texts differ: what was to be said, and what a recogniser heard of it."""

import unicodedata
from collections.abc import Hashable, Sequence

from lipdub.words_to_sound.script.orthography import uses_spaces


def word_error_rate(script: str, features: str, language: str = "") -> float:
    """Insertions, deletions and substitutions per word of ``script``; 0 is alike, it may exceed 1.

    Case, punctuation and accents that Unicode composes differently do not count; numbers stay as written. Languages
    without spaces are compared by character. A script without words gives 0 if nothing was heard, else 1.
    """
    wanted, found = tokens(script, language), tokens(features, language)
    if not wanted:
        return float(bool(found))
    return edit_distance(wanted, found) / len(wanted)


def tokens(text: str, language: str = "") -> list[str]:
    """What counts of ``text``: words of letters and digits in small letters, or single characters."""
    small = unicodedata.normalize("NFKC", text).casefold()
    for apostrophe in "'’‘`´":
        small = small.replace(apostrophe, "")
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in small)
    return kept.split() if uses_spaces(language) else list("".join(kept.split()))


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Levenshtein's distance of two sequences, a whole column at a time in the bits of one number.

    G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999, as simplified by H. Hyyrö, 2003:
    hours of words take a second.
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
