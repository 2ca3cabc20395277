"""How long a text takes to say, and how much text fits into a span: from syllables, speech rates and pauses.

Syllables a second differ between languages: Pellegrino, Coupé and Marsico, "A cross-language perspective on speech
information rate", Language 87 (2011), table 1, whose rates are without pauses. Pauses are those that the offline voices
make at commas and full stops.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.language import primary
from lipdub.timeline.time import Span

_RATES = {"en": 6.19, "fr": 7.18, "de": 5.97, "it": 6.99, "ja": 7.84, "zh": 5.18, "es": 7.82, "vi": 5.22}
"""Syllables a second (Japanese: morae) while people speak, after Pellegrino et al."""

_VOICE_PACE = {"en": 0.73, "es": 0.73, "fr": 0.62, "de": 0.73, "it": 0.70}
"""The rate of the offline voices divided by ``_RATES``, measured on ten sentences a language; 0.73 for others."""

_USUAL_RATE = sum(_RATES.values()) / len(_RATES)
_CHARACTERS = {"en": 3.9, "es": 2.8, "fr": 3.8, "de": 3.6, "it": 2.7, "ja": 0.62, "zh": 0.9, "ko": 1.2}
"""Characters per syllable, with spaces and punctuation; the first five counted on ten sentences each; 2.9 for
others."""

_CLAUSE, _SENTENCE = 0.25, 0.5  # seconds of a pause
_SHORTEST = 0.15  # seconds of the shortest text
_USUAL_PACE = 0.73
_DIGIT = 1.8  # syllables of a digit in a number

_VOWELS = {
    "": "aeiouyæœøαεηιουωаеёиоуыэюяіїє",
    "es": "aeiou",
    "it": "aeiou",
    "de": "aeiouy",
}


@dataclass(frozen=True, slots=True)
class LengthBudget:
    """How much text fits: ``characters`` (with spaces) and ``syllables``."""

    characters: int
    syllables: int


def length_budget(span: Span, language: str, pace: float = 1.0) -> LengthBudget:
    """How much text can be said in ``span``, at ``pace`` times the natural speed; at least 4 characters, 1 syllable."""
    seconds = max(float(span.duration), 0.3) * pace
    return LengthBudget(
        max(4, int(seconds * characters_per_second(language))), max(1, int(seconds * _rate(language) * 0.93))
    )


def characters_per_second(language: str) -> float:
    """The characters of ordinary text (with spaces) that are spoken in a second, short pauses included."""
    return _rate(language) * _CHARACTERS.get(primary(language), 2.9)


def duration_of(text: str, language: str) -> float:
    """The seconds that it takes to say ``text`` at a natural speed; 0 if there is nothing to say."""
    count = syllables(text, language)
    if count == 0:
        return 0.0
    inner = text.strip().rstrip(".,;:!?…。、！？\"'»”’)]")
    pauses = _CLAUSE * len(re.findall(r"[,;:](?=\s)|\s[–—-]\s|—|[、，；]", inner))
    pauses += _SENTENCE * len(re.findall(r"[.!?…]+[\"'»”’)\]]*(?=\s)|[。！？]", inner))
    return max(count / _rate(language) + pauses, _SHORTEST)


def excess_ratio(text: str, span: Span, language: str, pace: float = 1.0) -> float:
    """By how much ``text`` takes longer than ``span``, as a share of it: 0.2 is a fifth longer; 0 if it fits."""
    return max(0.0, duration_of(text, language) / pace / max(float(span.duration), 0.3) - 1)


def syllables(text: str, language: str) -> float:
    """About how many syllables ``text`` has: one for each group of vowels, 1.8 for each digit."""
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
    """``letters`` without accents. In Spanish and Italian, a hyphen is put between vowels that an accent separates."""
    if code in ("es", "it"):
        letters = re.sub(r"([aeo])([íúìù])", r"\1-\2", re.sub(r"([íúìù])([aeo])", r"\1-\2", letters))
        letters = re.sub(r"([gq])u(?=[eéií])", r"\1", letters)
    return "".join(c for c in unicodedata.normalize("NFD", letters) if not unicodedata.combining(c))


def _alone(char: str) -> float:
    """1 for a character that is a syllable by itself (Han, kana except small ones, Hangul), else 0."""
    name = unicodedata.name(char, "")
    if name.startswith(("CJK UNIFIED", "HANGUL SYLLABLE")):
        return 1.0
    return float(name.startswith(("HIRAGANA LETTER", "KATAKANA LETTER")) and "SMALL" not in name)


def _rate(language: str) -> float:
    """Syllables a second of the offline voices."""
    code = primary(language)
    return _RATES.get(code, _USUAL_RATE) * _VOICE_PACE.get(code, _USUAL_PACE)


def natural_duration(text: str, language: str) -> Fraction:
    """``duration_of`` in whole milliseconds, for the timeline."""
    return Fraction(round(duration_of(text, language) * 1000), 1000)
