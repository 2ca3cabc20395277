"""Mandarin to phones: words by rjieba, their readings by pypinyin (which knows the readings of phrases), each syllable
from its initial and its final in Kokoro's signs; the four tones are arrows."""

import re
from functools import cache
from typing import Any

from lipdub.errors import MissingExtra
from lipdub.words_to_sound.phones.marks import ASIAN_MARKS

_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l",
    "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
_TONE = {"1": "→", "2": "↗", "3": "↓", "4": "↘"}
# %: where the sign of the tone goes
_FINALS = {
    "a": "a%", "ai": "ai%", "an": "a%n", "ang": "a%ŋ", "ao": "au%", "e": "ɤ%", "ei": "ei%", "en": "ə%n", "eng": "ə%ŋ",
    "er": "ɚ%", "o": "wo%", "ong": "ʊ%ŋ", "ou": "ou%", "i": "i%", "ia": "ja%", "ian": "jɛ%n", "iang": "ja%ŋ",
    "iao": "jau%", "ie": "je%", "in": "i%n", "ing": "i%ŋ", "iong": "jʊ%ŋ", "iu": "jou%", "u": "u%", "ua": "wa%",
    "uai": "wai%", "uan": "wa%n", "uang": "wa%ŋ", "ui": "wei%", "un": "wə%n", "uo": "wo%", "ueng": "wə%ŋ", "v": "y%",
    "ve": "ɥe%", "van": "ɥɛ%n", "vn": "y%n", "ê": "ɛ%", "m": "m%", "n": "n%", "ng": "ŋ%",
}  # fmt: skip
_WHOLE = {
    "yi": "i", "ya": "ia", "yan": "ian", "yang": "iang", "yao": "iao", "ye": "ie", "yin": "in", "ying": "ing",
    "yong": "iong", "you": "iu", "yu": "v", "yue": "ve", "yuan": "van", "yun": "vn", "wu": "u", "wa": "ua", "wai": "uai",
    "wan": "uan", "wang": "uang", "wei": "ui", "wen": "un", "weng": "ueng", "wo": "uo", "yo": "iong",
}  # fmt: skip
_HAN = re.compile("[\u3400-\u9fff]+")


class Chinese:
    """The front end of zh."""

    languages = ("zh",)

    def phones(self, text: str) -> str:
        """The phones of ``text``. Raises ``MissingExtra``. Letters of other scripts are left out."""
        pieces, last = [], 0
        for match in _HAN.finditer(text):
            pieces += [_marks(text[last : match.start()]), *_words(match.group())]
            last = match.end()
        return _joined([*pieces, _marks(text[last:])])


def _words(text: str) -> list[str]:
    split, pinyin, style = _tools()
    return ["".join(syllable(s) for s in pinyin(w, style=style, neutral_tone_with_five=True)) for w in split(text)]


@cache
def _tools() -> tuple[Any, Any, Any]:
    with MissingExtra.guard("kokoro", "The voice kokoro in Chinese"):
        import rjieba  # pyright: ignore[reportMissingImports]
        from pypinyin import Style, lazy_pinyin  # pyright: ignore[reportMissingImports]
    return rjieba.cut, lazy_pinyin, Style.TONE3


def syllable(pinyin: str) -> str:
    """The phones of one syllable of pinyin with the number of its tone (``hao3``); "" for what is not one."""
    spelled, tone = (pinyin[:-1], pinyin[-1]) if pinyin[-1:].isdigit() else (pinyin, "5")
    spelled = spelled.replace("ü", "v")
    initial = next((i for i in _INITIALS if spelled.startswith(i) and len(spelled) > len(i)), "")
    final = _WHOLE.get(spelled) or spelled[len(initial) :]
    initial = "" if spelled in _WHOLE else initial
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "v" + final[1:]
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        shape = "ɨ%"
    elif final == "r":
        shape = "ɚ%"
    elif final not in _FINALS:
        return ""
    else:
        shape = "ɔ%" if final == "o" and not initial else _FINALS[final]
    return _INITIALS.get(initial, "") + shape.replace("%", _TONE.get(tone, ""))


def _marks(text: str) -> str:
    return "".join(ASIAN_MARKS.get(c, "") for c in text)


def _joined(pieces: list[str]) -> str:
    text = " ".join(piece for piece in pieces if piece)
    return re.sub(r"\s+", " ", re.sub(r"\s+([,.;:!?)”])", r"\1", text)).strip()
