"""Stress marks: where the stress of a word goes in its phones."""

from collections.abc import Sequence

PRIMARY, SECONDARY = "ˈ", "ˌ"


def stressed(phones: Sequence[str], vowels: Sequence[int], primary: int, secondary: bool = True) -> str:
    """``phones`` joined, with a mark before the vowel of the stressed syllable.

    ``vowels`` are the indices of the syllables' vowels in ``phones``, ``primary`` is the number of the stressed one
    (-1: none). With ``secondary``, the first syllable gets the mark of the second stress if it is at least two before
    the stressed one.
    """
    out = list(phones)
    if primary >= 0 and vowels:
        if secondary and primary >= 2:
            out[vowels[0]] = SECONDARY + out[vowels[0]]
        out[vowels[primary]] = PRIMARY + out[vowels[primary]]
    return "".join(out)
