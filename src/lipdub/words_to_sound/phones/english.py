"""English text to phones by the lexica that Kokoro was trained with (files of the model ``kokoro``).

A word that they do not hold is read as a known word with an ending, as two known words, or by rules of spelling. Which
of two readings a word has (``record`` as a noun or a verb) is guessed from the word before it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from lipdub import weights
from lipdub.errors import WeightsError
from lipdub.words_to_sound.phones.english_spelling import spelled_out
from lipdub.words_to_sound.phones.phrases import phones_by_phrase

Entry = str | Mapping[str, str]

_BEFORE_NOUN = frozenset(
    "a an the this that these those my your his her its our their some any no every each another whose new old good".split()
)
_BEFORE_VERB = frozenset(
    "to i you we they who will would can could shall should may might must don't doesn't didn't won't can't couldn't"
    " wouldn't shouldn't let's please not never always".split()
)
_BEFORE_PARTICIPLE = frozenset(
    "have has had having be been being is are was were am i've you've we've they've he's she's".split()
)
_BEFORE_PAST = frozenset("he she it yesterday already".split())
_VOICELESS, _HISSING = frozenset("ptkfθ"), frozenset("szʃʒʧʤ")
_US_FLAP = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
_VOWELS = frozenset("AIOQWYaeiouæɐɑɒɔəɚɛɜɪʊʌᵻ")


class English:
    """The front end of en. ``british``: with the lexica of Britain."""

    languages = ("en",)

    def __init__(self, british: bool = False) -> None:
        self._british = british
        self._known: dict[str, str] = {}

    def phones(self, text: str) -> str:
        """The phones of ``text``. Raises ``WeightsError`` if the lexica are not here."""
        return phones_by_phrase(text, self._phrase)

    def _phrase(self, words: Sequence[str]) -> Sequence[str]:
        out = [""] * len(words)
        for i in range(len(words) - 1, -1, -1):
            before = words[i - 1] if i else ""
            after = out[i + 1] if i + 1 < len(words) else ""
            out[i] = self._word(words[i], before, after)
        return out

    def _word(self, word: str, before: str, after: str) -> str:
        vowel_follows = bool(after) and after.lstrip("ˈˌ")[:1] in _VOWELS
        if word in ("the", "a", "an", "to"):
            return _ARTICLES[word][vowel_follows if after else word == "to"]
        entry = self._entry(word)
        if entry is not None:
            return _reading(entry, before, last=not after)
        if word not in self._known:
            self._known[word] = self._built(word) or spelled_out(word)
        return self._known[word]

    def _entry(self, word: str) -> Entry | None:
        word = word.strip("'") if word not in ("'cause", "'em", "'til") else word
        for lexicon in _lexica(self._british):
            for form in (word, word.capitalize(), word.upper()):
                entry = lexicon.get(form)
                if entry is not None and _default(entry):
                    return entry
        return None

    def _built(self, word: str) -> str:
        """The phones of a word made of known ones; "" if it is not."""
        for ending, stems, attach in _ENDINGS:
            match = re.fullmatch(f"(.{{2,}}){ending}", word)
            for stem in stems if match else ():
                entry = self._entry(match[1] + stem) if match else None
                if entry is not None:
                    return attach(_default(entry), self._british)
        for prefix, phones in _PREFIXES.items():
            rest = word[len(prefix) :]
            if word.startswith(prefix) and len(rest) > 3:
                entry = self._entry(rest.lstrip("-"))
                if entry is not None:
                    return phones + _default(entry)
        return self._compound(word)

    def _compound(self, word: str) -> str:
        for cut in sorted(range(3, len(word) - 2), key=lambda c: abs(c - len(word) / 2)):
            first, second = self._entry(word[:cut]), self._entry(word[cut:])
            if first is not None and second is not None:
                return _default(first) + _default(second).replace("ˈ", "ˌ")
        return ""


_ARTICLES = {"the": ("ðə", "ði"), "a": ("ɐ", "ɐ"), "an": ("ɐn", "ɐn"), "to": ("tə", "tʊ")}
_PREFIXES = {
    "un": "ʌn",
    "re": "ɹi",
    "non": "nɑn",
    "pre": "pɹi",
    "over": "Ovəɹ",
    "anti": "ˌænti",
    "multi": "mˌʌlti",
    "inter": "ˌɪntəɹ",
}


def possessive(stem: str, british: bool) -> str:
    """``stem`` (phones) with the ending -s or -'s."""
    if stem[-1:] in _VOICELESS:
        return stem + "s"
    return stem + (("ɪz" if british else "ᵻz") if stem[-1:] in _HISSING else "z")


def _past(stem: str, british: bool) -> str:
    if stem[-1:] in "td":
        flap = not british and stem[-1] == "t" and stem[-2:-1] in _US_FLAP
        return (stem[:-1] + "ɾ" if flap else stem) + ("ɪd" if british else "ᵻd")
    return stem + ("t" if stem[-1:] in "pkfθsʃʧ" else "d")


def _gerund(stem: str, british: bool) -> str:
    flap = not british and stem[-1:] == "t" and stem[-2:-1] in _US_FLAP
    return (stem[:-1] + "ɾ" if flap else stem) + "ɪŋ"


def _with(ending_us: str, ending_gb: str = ""):
    return lambda stem, british: stem + (ending_gb or ending_us if british else ending_us)


_ENDINGS = (
    ("'s", ("",), possessive),
    ("s'", ("", "s"), lambda stem, british: stem if stem[-1:] in "sz" else possessive(stem, british)),
    ("ies", ("y",), possessive),
    ("es", ("", "e"), possessive),
    ("s", ("",), possessive),
    ("ied", ("y",), _past),
    ("ed", ("", "e"), _past),
    ("ing", ("", "e"), _gerund),
    ("in'", ("", "e"), lambda stem, british: stem + "ɪn"),
    ("'ll", ("",), _with("əl")),
    ("'d", ("",), _with("d")),
    ("'ve", ("",), _with("əv")),
    ("'re", ("",), _with("əɹ", "ə")),
    ("n't", ("",), _with("ᵊnt")),
    ("ers", ("", "e"), _with("əɹz", "əz")),
    ("er", ("", "e"), _with("əɹ", "ə")),
    ("est", ("", "e"), _with("ᵻst", "ɪst")),
    ("ly", ("",), _with("li")),
    ("ness", ("",), _with("nəs")),
    ("less", ("",), _with("ləs")),
    ("ful", ("",), _with("fᵊl")),
    ("ment", ("",), _with("mᵊnt")),
    ("able", ("", "e"), _with("əbᵊl")),
    ("ish", ("", "e"), _with("ɪʃ")),
    ("y", ("", "e"), _with("i")),
)


def _default(entry: Entry) -> str:
    return entry if isinstance(entry, str) else entry.get("DEFAULT") or ""


def _reading(entry: Entry, before: str, last: bool) -> str:
    """Which of the readings of a word is meant, from the word before it and from whether it is the last one."""
    if isinstance(entry, str):
        return entry
    kinds: tuple[str, ...] = ("None",) if last else ()
    if before in _BEFORE_PARTICIPLE:
        kinds += ("VBN", "VBD")
    elif before in _BEFORE_NOUN:
        kinds += ("NOUN", "ADJ")
    elif before in _BEFORE_PAST:
        kinds += ("VBD", "VERB")
    elif before in _BEFORE_VERB:
        kinds += ("VERB",)
    return next((entry[kind] for kind in kinds if entry.get(kind)), _default(entry))


@cache
def _lexica(british: bool) -> tuple[Mapping[str, Entry], ...]:
    folder = weights.present("kokoro")
    if folder is None:
        raise WeightsError(
            "the pronunciations of English words are not on this machine",
            remedy="Fetch them with the voice: lipdub weights fetch kokoro",
        )
    names = ("gb", "us") if british else ("us", "gb")
    return tuple(_read(folder / f"{names[0]}_{kind}.json") for kind in ("gold", "silver"))


def _read(path: Path) -> Mapping[str, Entry]:
    return json.loads(path.read_text("utf-8"))
