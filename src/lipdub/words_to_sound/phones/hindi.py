"""Hindi (Devanagari) to phones: letters by their values, and the unwritten a, which is not spoken at the end of a word
and in the middle of V C a C V (M. Ohala, *Aspects of Hindi Phonology*, 1983)."""

import re
import unicodedata

from lipdub.words_to_sound.phones.syllables import PRIMARY

_CONSONANTS = {
    "क": "k", "ख": "kʰ", "ग": "ɡ", "घ": "ɡʰ", "ङ": "ŋ", "च": "c", "छ": "cʰ", "ज": "ɟ", "झ": "ɟʰ", "ञ": "ɲ", "ट": "ʈ",
    "ठ": "ʈʰ", "ड": "ɖ", "ढ": "ɖʰ", "ण": "ɳ", "त": "t", "थ": "tʰ", "द": "d", "ध": "dʰ", "न": "n", "प": "p", "फ": "pʰ",
    "ब": "b", "भ": "bʰ", "म": "m", "य": "j", "र": "ɾ", "ल": "l", "ळ": "l", "व": "ʋ", "श": "ʃ", "ष": "ʂ", "स": "s",
    "ह": "h",
}  # fmt: skip
_DOTTED = {"क": "q", "ख": "x", "ग": "ɣ", "ज": "z", "ड": "r", "ढ": "rh", "फ": "f", "य": "j"}
_SIGNS = {
    "ा": "aː", "ि": "ɪ", "ी": "i", "ु": "ʊ", "ू": "uː", "ृ": "ɾɪ", "े": "eː", "ै": "ɛː", "ो": "oː", "ौ": "ɔː", "ॉ": "ɔ",
    "ॅ": "æ",
}  # fmt: skip
_VOWELS = {
    "अ": "ə", "आ": "aː", "इ": "ɪ", "ई": "i", "उ": "ʊ", "ऊ": "uː", "ऋ": "ɾɪ", "ए": "eː", "ऐ": "ɛː", "ओ": "oː", "औ": "ɔː",
    "ऑ": "ɔ", "ऍ": "æ",
}  # fmt: skip
_NUKTA, _VIRAMA, _ANUSVARA, _CHANDRABINDU, _VISARGA = "़", "्", "ं", "ँ", "ः"
_UNSTRESSED = frozenset("का की के को से में ने पर है हैं था थी थे और भी ही तो कि या न".split())
_HOMORGANIC = (("kɡ", "ŋ"), ("cɟ", "ɲ"), ("ʈɖ", "ɳ"), ("tds", "n"), ("pb", "m"))
_MARKS = {"।": ".", "॥": ".", chr(34): ""}
_TOKEN = re.compile('[\u0900-\u0963\u0970-\u097f]+|[;:,.!?—…"()“”।॥]')


class Hindi:
    """The front end of hi."""

    languages = ("hi",)

    def phones(self, text: str) -> str:
        """The phones of ``text``. Letters of other scripts are left out."""
        out: list[str] = []
        for token in map(str, _TOKEN.findall(unicodedata.normalize("NFD", text))):
            if "\u0900" <= token[0] <= "\u0963":
                out.append(word_phones(token))
            elif out:
                out[-1] += _MARKS.get(token, token)
        return " ".join(filter(None, out))


def word_phones(word: str) -> str:
    """The phones of a word (NFD) with its stress."""
    units = _deleted(_units(word))
    vowels = [i for i, unit in enumerate(units) if _is_vowel(unit)]
    if unicodedata.normalize("NFC", word) not in _UNSTRESSED and word not in _UNSTRESSED and vowels:
        stress = _stress(units, vowels)
        units[stress] = PRIMARY + ("ʌ" if units[stress] == "ə" else units[stress])
    return _lengths("".join(units))


def _lengths(phones: str) -> str:
    """``phones`` with long i but at the end, doubled consonants as long ones, and a before y as it sounds."""
    phones = re.sub("i(?!ː|̃|$)", "iː", phones)
    phones = re.sub(r"([kcʈtpɟɡɖdbsmlʃ])\1(?!ʰ)", r"\1ː", phones)
    return re.sub("əj(?=$|[^aeiouəɛɔɪʊʌ])", "ɛj", phones)


def _units(word: str) -> list[str]:
    """Consonants and vowels in order; an unwritten a is ``ə``."""
    out: list[str] = []
    for i, char in enumerate(word):
        following = word[i + 1 : i + 2]
        if char in _CONSONANTS:
            dotted = following == _NUKTA
            out.append(_DOTTED.get(char, _CONSONANTS[char]) if dotted else _CONSONANTS[char])
            after = word[i + 2 : i + 3] if dotted else following
            if after not in _SIGNS and after != _VIRAMA:
                out.append("ə")
        elif char in _SIGNS or char in _VOWELS:
            sound = _SIGNS.get(char) or _VOWELS[char]
            out += ["ɾ", "ɪ"] if sound == "ɾɪ" else [sound]
        elif char in (_ANUSVARA, _CHANDRABINDU) and out:
            out.append("~" if char == _CHANDRABINDU else "N")
        elif char == _VISARGA:
            out.append("h")
    return _nasals(_clusters(out))


def _clusters(units: list[str]) -> list[str]:
    """ज्ञ is said as gy."""
    out: list[str] = []
    for unit in units:
        if unit == "ɲ" and out and out[-1] == "ɟ":
            out[-1:] = ["ɡ", "j"]
        else:
            out.append(unit)
    return out


def _nasals(units: list[str]) -> list[str]:
    """A nasal sign before a stop is the nasal of its place; else the vowel before it is nasal."""
    out: list[str] = []
    for i, unit in enumerate(units):
        following = units[i + 1] if i + 1 < len(units) else ""
        place = next((nasal for stops, nasal in _HOMORGANIC if following and following[0] in stops), "")
        if unit == "N" and place and (not out or not out[-1].endswith("ː")):
            out.append(place)
        elif unit in "N~" and out:
            out[-1] = out[-1].replace("ː", "") + "̃" + ("ː" if out[-1].endswith(("eː", "oː")) else "")
        else:
            out.append(unit)
    return out


def _is_vowel(unit: str) -> bool:
    return unit[0] in "əaɪiʊueɛoɔæ"


def _deleted(units: list[str]) -> list[str]:
    """``units`` without the unwritten vowels that are not spoken: at the end, and from the right between V C and C V."""
    out = list(units)
    if len(out) > 2 and out[-1] == "ə" and not _is_vowel(out[-2]):
        cluster = len(out) > 3 and not _is_vowel(out[-3]) and out[-2] in ("j", "ʋ", "ɾ", "l", "n", "m")
        out[-1:] = ["ə"] if cluster and out[-2] in ("j",) and len(out) < 5 else []
    i = len(out) - 3
    while i >= 2:
        inside = out[i] == "ə" and not _is_vowel(out[i - 1]) and _is_vowel(out[i - 2])
        if inside and not _is_vowel(out[i + 1]) and _is_vowel(out[i + 2]):
            del out[i]
        i -= 1
    return out


def _stress(units: list[str], vowels: list[int]) -> int:
    """The index of the stressed vowel: the last heavy syllable but the final one, else the first one."""
    if len(vowels) == 1:
        return vowels[0]
    weights = []
    for n, at in enumerate(vowels):
        end = vowels[n + 1] if n + 1 < len(vowels) else len(units)
        closed = end - at - 1 >= (2 if n + 1 < len(vowels) else 1)
        weights.append((units[at].endswith("ː") or units[at] in ("i", "ɔ")) + closed)
    best = max(weights[:-1])
    if weights[-1] > max(best, 1):
        return vowels[-1]
    return vowels[max(n for n, weight in enumerate(weights[:-1]) if weight == best)]
