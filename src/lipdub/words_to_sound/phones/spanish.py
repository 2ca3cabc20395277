"""Spanish spelling to phones, as spoken in Castile: the rules of its orthography, which leave few exceptions.

Stress: a written accent, else the last syllable but one of words in a vowel, n or s, else the last one (Real Academia
Española, *Ortografía*). b, d, g (and v) are stops after a pause and a nasal (d after l too), else approximants.
"""

import re
from collections.abc import Sequence

from lipdub.words_to_sound.phones.phrases import phones_by_phrase
from lipdub.words_to_sound.phones.spelling_rules import SpellingRules
from lipdub.words_to_sound.phones.syllables import PRIMARY, SECONDARY, stressed

_UNSTRESSED = frozenset(
    "a al con de del e el en la las le les lo los me mi mis nos o os pero por que se si sin su sus te tu tus u y"
    " cuyo tan".split()
)
_WEAKER = frozenset("para sobre como cuando donde aunque porque desde hasta entre contra según nuestro nuestra".split())
_ACCENTS = dict(zip("áéíóú", "aeiou", strict=True))
_EXCEPTIONS = {"méxico": "mˈexiko", "méxicos": "mˈexikos", "mexicano": "mˌexikˈano", "mexicana": "mˌexikˈana"}
_EXCEPTIONS |= {"texas": "tˈexas", "software": "sˈoftweɾ", "hardware": "xˈaɾdweɾ", "show": "ʃˈoʊ", "web": "wˈeb"}
_EXCEPTIONS |= {"fui": "fwˈi", "muy": "mˈuj"}
_EXCEPTIONS |= {"internet": "ˌinteɾnˈet", "online": "onlˈIn", "hobby": "xˈobi", "jazz": "ʝˈas", "pizza": "pˈiʦa"}

_SOFT = "(?=[eiéí])"
_LETTERS = SpellingRules(
    (
        ("ch", "ʧ"),
        ("sh", "ʃ"),
        ("ll", "ʎ"),
        ("rr|^r|(?<=[nls])r", "r"),
        ("r", "ɾ"),
        ("ph", "f"),
        (f"qu{_SOFT}", "k"),
        ("q", "k"),
        (f"gu{_SOFT}", "g"),
        ("gü", "g u"),
        (f"g{_SOFT}|j", "x"),
        (f"sc{_SOFT}", "s θ"),
        (f"c{_SOFT}|z+", "θ"),
        ("cc(?![eiéí])|ck|c", "k"),
        ("ñ", "ɲ"),
        ("^x", "s"),
        ("x", "k s"),
        ("^ps", "s"),
        ("h", ""),
        ("[bv]+", "b"),
        ("y(?=[aeiouáéíóú])", "ʝ"),
        ("y", "i"),
        ("ss", "s"),
        *((f"{c}+", c) for c in "dfgklmpt"),
        *((c, c) for c in "nswaeiouáéíóúü"),
    )
)
"""Spelling to phones, where vowels are still letters."""

_DIPHTHONGS = {"ai": "I", "ei": "A", "au": "W", "oi": "oɪ", "eu": "eʊ", "ou": "O"}


class Spanish:
    """The front end of es."""

    languages = ("es",)

    def phones(self, text: str) -> str:
        """The phones of ``text``."""
        return phones_by_phrase(text, _phrase)


def _phrase(words: Sequence[str]) -> Sequence[str]:
    return re.split(" ", _assimilated(" ".join(_word(word) for word in words)))


def _word(word: str) -> str:
    word = word.replace("'", "")
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    if word.endswith("mente") and len(word) > 7:
        root = _word(word[:-5])
        return root.replace(SECONDARY, "").replace(PRIMARY, SECONDARY) + f"m{PRIMARY}ente"
    phones, vowels, accent = _sounds(word)
    if word in _UNSTRESSED or not vowels:
        return "".join(phones)
    primary = accent if accent >= 0 else _default_stress(word, len(vowels))
    text = stressed(phones, vowels, primary)
    return text.replace(PRIMARY, SECONDARY) if word in _WEAKER else text


def _default_stress(word: str, syllables: int) -> int:
    before_last = word[-1] in "aeioun" or (word[-1] == "s" and word[-2:-1] not in "bcdfgklmprst")
    return max(syllables - 2, 0) if before_last else syllables - 1


def _sounds(word: str) -> tuple[list[str], list[int], int]:
    """The phones of ``word``, the indices of the vowels, and the number of the one with an accent (-1: none)."""
    letters = _LETTERS(word)
    phones: list[str] = []
    vowels: list[int] = []
    accent, i = -1, 0
    while i < len(letters):
        ahead = (*letters[i + 1 : i + 3], "", "")
        split = letters[i] + ahead[0] == "ui" and (ahead[1] in _SPLIT_BEFORE or not ahead[1])
        if letters[i] in _GLIDES and not split and _is_vowel(ahead[0]) and letters[i] + ahead[0] not in _TWO_SYLLABLES:
            phones.append(_GLIDES[letters[i]])
        elif not _is_vowel(letters[i]):
            phones.append(letters[i])
        else:
            accent = len(vowels) if letters[i] in _ACCENTS else accent
            vowels.append(len(phones))
            base = _ACCENTS.get(letters[i], letters[i]).replace("ü", "u")
            pair = _DIPHTHONGS.get(base + ahead[0], "") if not _is_vowel(ahead[1]) else ""
            phones.append(pair or base)
            i += bool(pair)
        i += 1
    return phones, vowels, accent


_GLIDES = {"i": "j", "u": "w", "ü": "w"}
_SPLIT_BEFORE = ("ð", "d", "r", "ɾ", "m", "n", "b")
_TWO_SYLLABLES = ("uí", "üi", "uu", "ii", "ií")


def _is_vowel(letter: str) -> bool:
    return letter != "" and letter in "aeiouáéíóúü"


def _assimilated(phrase: str) -> str:
    """The phones of a phrase, with the sounds that depend on what is before and after them, across words."""
    mark = f"[{PRIMARY}{SECONDARY}]?"
    phrase = re.sub(f"n(?= ?{mark}[bpm])", "m", phrase)
    phrase = re.sub(f"n(?= ?{mark}g)", "ŋ", phrase)
    for stop, soft, after in (("b", "β", "m"), ("d", "ð", "nl"), ("g", "ɣ", "ŋ")):
        last = "(?! |$)" if stop == "d" else ""
        phrase = re.sub(f"(?<=[^\\s{after}]){stop}{last}|(?<=[^{after}\\s] ){stop}", soft, phrase)
    return phrase.replace("g", "ɡ")
