"""What a voice is given to say: a line's text without what is not speech.

Numbers, prices, times, ordinals and most abbreviations are left to the voices, which read them in their own language
(checked for nanotts in en, es, fr, de and it by recognising what it said); the tables below hold what was read wrong.
"""

import re
import unicodedata

from lipdub.errors import OptionError
from lipdub.timeline.language import primary

_QUOTES = str.maketrans(dict.fromkeys("“”„«»‟″", '"') | dict.fromkeys("’‘‛′`´", "'") | {"¬": None, "\u00ad": None})
_UNFOLDED = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ẞ": "SS"}
)
_OWN = {
    "en": "",
    "es": "áéíóúüñ",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "de": "äöüß",
    "it": "àèéìíîòóùú",
}
"""Letters beyond a to z of the languages that nanotts speaks; other accents are taken off before it reads them."""

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
_SHOUTED = re.compile(r"\b[^\W\d_]{4,}\b|\b[^\W\d_aeiouyAEIOUY][AEIOU][^\W\d_aeiouyAEIOUY]\b")


def speakable_text(text: str, language: str) -> str:
    """``text`` as a voice should read it: markup, emoji and notes gone, dashes and dots as pauses, nothing shouted.

    "" if nothing is left. A leading dash (the mark of dialogue) goes too, so that no program takes a text for an
    option.
    """
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,80}>|\{\\[^{}]*\}|\[[^\[\]]*\]", " ", text)
    text = "".join(c if _heard(c) else " " for c in text)
    text = re.sub(r"\s*(?:…|\.{2,})\s*(?=\S)", ", ", re.sub(r"(?:…|\.{2,})\W*$", ".", text))
    text = re.sub(r"\s*[–—―]+\s*|\s+-+\s+|-{2,}", ", ", text)
    text = re.sub(r"([!?])[!?]+", lambda m: "?" if "?" in m.group() else m.group(1), text)
    for pattern, words in _ABBREVIATIONS.get(primary(language), {}).items():
        text = re.sub(pattern, words, text, flags=re.IGNORECASE)
    text = re.sub(r"\s+", " ", _calmed(text)).strip(" ,;:-–")
    text = re.sub(r"\s+([,.;:])", r"\1", re.sub(r"([,.;:!?])(?:\s*,)+", r"\1", text))
    return text if any(c.isalnum() for c in text) else ""


def require_speakable(text: str, language: str) -> str:
    """``speakable_text(text, language)``. Raises ``OptionError`` if nothing is left to say."""
    said = speakable_text(text, language)
    if not said:
        raise OptionError(f"the line '{text.strip()[:40]}' has nothing to say", remedy="Leave it out of the script")
    return said


def latin_text(text: str, language: str) -> str:
    """``text`` with letters that a Latin voice reads: accents foreign to ``language`` taken off, other scripts gone."""
    own = _OWN.get(primary(language))
    out = []
    for char in unicodedata.normalize("NFC", text):
        if not char.isalpha() or char.isascii() or (own is not None and char.lower() in own):
            out.append(char)
            continue
        bare = unicodedata.normalize("NFKD", char.translate(_UNFOLDED))
        out.append("".join(c for c in bare if c.isascii()))
    return re.sub(r"\s+", " ", "".join(out)).strip()


def non_latin_letters(text: str) -> str:
    """The letters of ``text`` that no Latin voice can read, each once, in order."""
    letters = (c for c in text if c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "FEMININE", "MASC")))
    return "".join(dict.fromkeys(letters))


def split_text(text: str, most: int) -> tuple[str, ...]:
    """``text`` in pieces of at most ``most`` characters, cut after sentences, else clauses, else between words."""
    pieces, rest = [], text.strip()
    while len(rest) > most:
        head = rest[: most + 1]
        ends = [[m.end() for m in re.finditer(mark, head)] for mark in (r"[.!?。！？]+[\"')\]]*\s", r"[,;:]\s", r"\s")]
        cut = next((found[-1] for found in ends if found), most)
        pieces.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return (*pieces, rest) if rest else tuple(pieces)


def _heard(char: str) -> bool:
    """Whether a character matters to a voice: letters, marks, digits, punctuation, money and arithmetic."""
    if char in "<>{}[]|\\^~*_#@":
        return False
    kind = unicodedata.category(char)
    return kind[0] in "LNPMZ" or kind in ("Sc", "Sm") or char == "°"


def _calmed(text: str) -> str:
    """Words in capitals, which voices spell, in small letters; abbreviations of two or three letters stay."""
    letters = [c for c in text if c.isalpha()]
    words = re.findall(r"[^\W\d_]+", text)
    if len(words) > 2 and letters and not any(c.islower() for c in letters):
        return text.lower()
    return _SHOUTED.sub(lambda m: m.group().lower() if m.group().isupper() else m.group(), text)
