"""How long a text takes to say, and how much text fits a span: syllables at each language's own rate, and pauses.

Languages differ in syllables a second: Pellegrino, Coupé and Marsico, "A cross-language perspective on speech
information rate", Language 87 (2011), table 1, whose rates leave pauses out. Here pauses are those that the offline
voices make at commas and full stops.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.language import primary
from lipdub.timeline.time import Span

_RATES = {"en": 6.19, "fr": 7.18, "de": 5.97, "it": 6.99, "ja": 7.84, "zh": 5.18, "es": 7.82, "vi": 5.22}
"""Syllables a second (Japanese: morae) while people speak, after Pellegrino et al."""

_EASE = {"en": 0.73, "es": 0.73, "fr": 0.62, "de": 0.73, "it": 0.70}
"""How much slower the offline voices are than these readers, measured on ten sentences a language; 0.73 elsewhere."""

_USUAL = sum(_RATES.values()) / len(_RATES)
_CHARACTERS = {"en": 3.9, "es": 2.8, "fr": 3.8, "de": 3.6, "it": 2.7, "ja": 0.62, "zh": 0.9, "ko": 1.2}
"""Characters for a syllable, spaces and signs with them: counted on ten sentences for the first five, 2.9 elsewhere."""

_CLAUSE, _SENTENCE = 0.25, 0.5  # seconds
_SHORTEST = 0.15
_SLOWER = 0.73
_DIGIT = 1.8  # syllables of a digit in a number

_VOWELS = {
    "": "aeiouyæœøαεηιουωаеёиоуыэюяіїє",
    "es": "aeiou",
    "it": "aeiou",
    "de": "aeiouy",
}


@dataclass(frozen=True, slots=True)
class LengthBudget:
    """What fits: ``characters`` (spaces with them) and ``syllables``."""

    characters: int
    syllables: int


def length_budget(span: Span, language: str, pace: float = 1.0) -> LengthBudget:
    """What can be said in ``span`` at a natural speed, ``pace`` times as fast; at least one word."""
    seconds = max(float(span.duration), 0.3) * pace
    return LengthBudget(
        max(4, int(seconds * characters_per_second(language))), max(1, int(seconds * _rate(language) * 0.93))
    )


def characters_per_second(language: str) -> float:
    """How many characters of ordinary text, spaces with them, are spoken in a second, short pauses included."""
    return _rate(language) * _CHARACTERS.get(primary(language), 2.9)


def duration_of(text: str, language: str) -> float:
    """Seconds that ``text`` takes at a natural speed; 0 if there is nothing to say."""
    count = syllables(text, language)
    if count == 0:
        return 0.0
    inner = text.strip().rstrip(".,;:!?…。、！？\"'»”’)]")
    pauses = _CLAUSE * len(re.findall(r"[,;:](?=\s)|\s[–—-]\s|—|[、，；]", inner))
    pauses += _SENTENCE * len(re.findall(r"[.!?…]+[\"'»”’)\]]*(?=\s)|[。！？]", inner))
    return max(count / _rate(language) + pauses, _SHORTEST)


def excess_ratio(text: str, span: Span, language: str, pace: float = 1.0) -> float:
    """By how much ``text`` is longer than ``span``: 0.2 is a fifth; 0 if it fits."""
    return max(0.0, duration_of(text, language) / pace / max(float(span.duration), 0.3) - 1)


def syllables(text: str, language: str) -> float:
    """About how many syllables ``text`` has: vowels that sound together are one, digits a little under two."""
    code = primary(language)
    total = 0.0
    for word in re.findall(r"[^\W_]+(?:['’][^\W_]+)*", unicodedata.normalize("NFC", text.lower())):
        total += _in_word(word, code)
    return total


def _in_word(word: str, code: str) -> float:
    digits = sum(c.isdigit() for c in word)
    whole = sum(_alone(c) for c in word)
    letters = "".join(c for c in word if c.isalpha() and not _alone(c))
    if not letters:
        return digits * _DIGIT + whole
    bare = _bare(letters, code)
    vowels = _VOWELS.get(code, _VOWELS[""])
    groups = len(re.findall(f"[{vowels}]+", bare))
    if code in ("es", "it"):
        groups += len(re.findall(r"(?=[aeo][aeo])", bare))
    elif code == "en":
        groups -= bool(re.search(r"[^aeiouyl]e$|[^aeiouydt]ed$|[^aeiouyscxzhg]es$", bare)) and groups > 1
    elif code == "fr":
        groups -= bool(re.search(r"[^aeiouy]e(?:s|nt)?$", bare)) and groups > 1
    elif bare and not groups and not any(c in _VOWELS[""] for c in bare):
        groups = max(1, round(len(bare) / 2.2)) if not bare.isascii() else 1
    return max(groups, 1 if not whole and not digits else 0) + digits * _DIGIT + whole


def _bare(letters: str, code: str) -> str:
    """``letters`` without accents; accents that part two vowels in Spanish and Italian leave a mark between them."""
    if code in ("es", "it"):
        letters = re.sub(r"([aeo])([íúìù])", r"\1-\2", re.sub(r"([íúìù])([aeo])", r"\1-\2", letters))
        letters = re.sub(r"([gq])u(?=[eéií])", r"\1", letters)
    return "".join(c for c in unicodedata.normalize("NFD", letters) if not unicodedata.combining(c))


def _alone(char: str) -> float:
    """Syllables of a sign that is one by itself: Han, kana (small ones not), Hangul."""
    name = unicodedata.name(char, "")
    if name.startswith(("CJK UNIFIED", "HANGUL SYLLABLE")):
        return 1.0
    return float(name.startswith(("HIRAGANA LETTER", "KATAKANA LETTER")) and "SMALL" not in name)


def _rate(language: str) -> float:
    """Syllables a second as the voices speak."""
    code = primary(language)
    return _RATES.get(code, _USUAL) * _EASE.get(code, _SLOWER)


def natural_duration(text: str, language: str) -> Fraction:
    """``duration_of`` in exact milliseconds, for the timeline."""
    return Fraction(round(duration_of(text, language) * 1000), 1000)
