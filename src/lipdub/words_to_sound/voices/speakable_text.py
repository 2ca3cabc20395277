"""The text that a voice is given: a line without mark-up and other characters that are not spoken.

Numbers, prices, times, ordinals and most abbreviations are left to the voices, which read them in their own language
(checked for nanotts in en, es, fr, de and it by recognition of its speech). The tables below hold what was read wrong.
"""

import re
import unicodedata

from lipdub.errors import OptionError
from lipdub.timeline.language import primary

_QUOTES = str.maketrans(dict.fromkeys("“”„«»‟″", '"') | dict.fromkeys("’‘‛′`´", "'") | {"¬": None, "\u00ad": None})
_LATIN_FORMS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ẞ": "SS"}
)
_ACCENTED = {
    "en": "",
    "es": "áéíóúüñ",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "de": "äöüß",
    "it": "àèéìíîòóùú",
}
"""Letters beyond a to z in the languages that nanotts speaks; accents on other letters are removed for it."""

_ABBREVIATIONS = {
    "es": {r"\bdr\.": "doctor", r"\bdra\.": "doctora", r"\bpág\.": "página", r"\bnúm\.": "número"},
    "it": {
        r"\bsig\.ra\b": "signora",
        r"\bsig\.na\b": "signorina",
        r"\bsig\.": "signor",
        r"\bdott\.ssa\b": "dottoressa",
        r"\bdott\.": "dottor",
        r"\b1\s?°(?!\s*[CF]\b)": "primo",
    },
    "en": {r"(?<=\d)\s?/\s?(?=\d+ of\b)": " over ", r"\bvs\.?(?=\s)": "versus"},
}
_IN_CAPITALS = re.compile(r"\b[^\W\d_]{4,}\b|\b[^\W\d_aeiouyAEIOUY][AEIOU][^\W\d_aeiouyAEIOUY]\b")


def speakable_text(text: str, language: str) -> str:
    """``text`` without mark-up, emoji and notes in brackets, with commas for dashes and dots, and without words in
    capitals; "" if nothing is left to say.

    A dash at the beginning (the mark of dialogue) is removed too, so that no program takes the text for an option.
    """
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,80}>|\{\\[^{}]*\}|\[[^\[\]]*\]", " ", text)
    text = "".join(c if _is_read(c) else " " for c in text)
    text = re.sub(r"\s*(?:…|\.{2,})\s*(?=\S)", ", ", re.sub(r"(?:…|\.{2,})\W*$", ".", text))
    text = re.sub(r"\s*[–—―]+\s*|\s+-+\s+|-{2,}", ", ", text)
    text = re.sub(r"([!?])[!?]+", lambda m: "?" if "?" in m.group() else m.group(1), text)
    for pattern, words in _ABBREVIATIONS.get(primary(language), {}).items():
        text = re.sub(pattern, words, text, flags=re.IGNORECASE)
    text = re.sub(r"\s+", " ", _without_capitals(text)).strip(" ,;:-–")
    text = re.sub(r"\s+([,.;:])", r"\1", re.sub(r"([,.;:!?])(?:\s*,)+", r"\1", text))
    return text if any(c.isalnum() for c in text) else ""


def require_speakable(text: str, language: str) -> str:
    """``speakable_text(text, language)``. Raises ``OptionError`` if nothing is left to say."""
    speakable = speakable_text(text, language)
    if not speakable:
        raise OptionError(f"the line '{text.strip()[:40]}' has nothing to say", remedy="Leave it out of the script")
    return speakable


def latin_text(text: str, language: str) -> str:
    """``text`` with Latin letters only: accents that ``language`` does not use are removed, and letters of other
    scripts are left out."""
    own = _ACCENTED.get(primary(language))
    out = []
    for char in unicodedata.normalize("NFC", text):
        if not char.isalpha() or char.isascii() or (own is not None and char.lower() in own):
            out.append(char)
            continue
        bare = unicodedata.normalize("NFKD", char.translate(_LATIN_FORMS))
        out.append("".join(c for c in bare if c.isascii()))
    return re.sub(r"\s+", " ", "".join(out)).strip()


def non_latin_letters(text: str) -> str:
    """The letters of ``text`` that are not Latin, each once, in order."""
    letters = (c for c in text if c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "FEMININE", "MASC")))
    return "".join(dict.fromkeys(letters))


def split_text(text: str, most: int) -> tuple[str, ...]:
    """``text`` in pieces of at most ``most`` characters, divided after sentences, else after clauses, else words."""
    pieces, rest = [], text.strip()
    while len(rest) > most:
        head = rest[: most + 1]
        ends = [[m.end() for m in re.finditer(mark, head)] for mark in (r"[.!?。！？]+[\"')\]]*\s", r"[,;:]\s", r"\s")]
        cut = next((found[-1] for found in ends if found), most)
        pieces.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return (*pieces, rest) if rest else tuple(pieces)


def _is_read(char: str) -> bool:
    """True for a character that a voice reads: letters, marks, digits, punctuation, currency and arithmetic signs."""
    if char in "<>{}[]|\\^~*_#@":
        return False
    kind = unicodedata.category(char)
    return kind[0] in "LNPMZ" or kind in ("Sc", "Sm") or char == "°"


def _without_capitals(text: str) -> str:
    """``text`` with words in capitals, which voices would spell, in lower case; short abbreviations stay."""
    letters = [c for c in text if c.isalpha()]
    words = re.findall(r"[^\W\d_]+", text)
    if len(words) > 2 and letters and not any(c.islower() for c in letters):
        return text.lower()
    return _IN_CAPITALS.sub(lambda m: m.group().lower() if m.group().isupper() else m.group(), text)
