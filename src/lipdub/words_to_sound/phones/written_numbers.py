"""Digits and abbreviations as words: whole numbers, decimals, ordinals, prices, percentages, times, dates, units.

The words of numbers are those of the Unicode CLDR (package unicode-rbnf). Where a language has genders, numbers are
masculine.
"""

import re
from collections.abc import Mapping
from functools import cache

from unicode_rbnf import FormatPurpose, RbnfEngine

from lipdub.timeline.language import primary
from lipdub.words_to_sound.phones.number_words import WORDS, NumberWords

_LONGEST = 15  # digits; longer numbers are read digit by digit, because the rules are computed in floats
_GROUPS = r"\d+(?:[.,\u00a0\u202f' ]\d{3}(?!\d))*"


def written_out(text: str, tag: str) -> str:
    """``text`` with words for digits and abbreviations, in the language ``tag`` (unknown ones: unchanged)."""
    words = WORDS.get(primary(tag))
    if words is None:
        return text
    for pattern, full in words.abbreviations:
        text = re.sub(pattern, full, text)
    text = _letters(_roman(text, words), words)
    if not any(c.isdigit() for c in text):
        return text
    number = rf"{_GROUPS}(?:{'[.,]' if words.decimal == ',' else '[.]'}\d+)?"
    text = re.sub(r"(?<![\w])[-−](?=\d)", f"{words.minus} ", text)
    month_first = tag != "en-GB" and primary(tag) == "en"
    text = _dates(text, words, month_first)
    if words.language == "zh":
        text = re.sub(r"(\d{4})(?=年)", lambda m: _year(int(m[1]), words), text)
    text = re.sub(r"(?<![\d.,:])([01]?\d|2[0-3])[:h]([0-5]\d)(?![\d:])(?: ?बजे)?", lambda m: _time(m, words), text)
    text = _money(text, words, number)
    text = re.sub(rf"({number})\s?%", lambda m: words.percent.format(_amount(m[1], words)), text)
    text = _ordinals(text, words)
    for unit, name in words.units:
        text = re.sub(rf"({number})\s?{unit}(?![^\W\d_])", lambda m, n=name: f"{_amount(m[1], words)} {n}", text)
    if words.language == "en":
        text = re.sub(r"(?<![\d.,$€£])\b(1[1-9]|20)(\d\d)\b(?![.,]?\d)", lambda m: _english_year(m, words), text)
    text = re.sub(number, lambda m: words.joint(_amount(m.group(), words)), text)
    return re.sub(r" (?=[,.;:!?])", "", re.sub(r" +", " ", text)).strip()


@cache
def _engine(language: str) -> RbnfEngine:
    return RbnfEngine.for_language(language)


def cardinal(number: int, words: NumberWords) -> str:
    """The words of a whole ``number``; digit by digit if it has more than 15."""
    if number >= 10**_LONGEST:
        return words.gap.join(cardinal(int(c), words) for c in str(number))
    said = _engine(words.language).format_number(number).text
    return said.replace("\u00ad", "").replace("〇", "零" if words.language == "zh" else "ゼロ")


def _amount(digits: str, words: NumberWords) -> str:
    """The words of a number as it is written, with its separators of thousands and its decimals."""
    whole, decimals = _parts(digits, words.decimal)
    if len(whole) > _LONGEST or (len(whole) > 1 and whole[0] == "0"):
        said = words.gap.join(cardinal(int(c), words) for c in whole)
    else:
        said = cardinal(int(whole), words)
    if not decimals:
        return said
    by_digit = words.language in ("en", "hi", "ja", "zh") or decimals[0] == "0" or len(decimals) > 2
    tail = words.gap.join(cardinal(int(c), words) for c in decimals) if by_digit else cardinal(int(decimals), words)
    return words.gap.join((said, words.point, tail))


def _parts(digits: str, decimal: str) -> tuple[str, str]:
    """The digits before and after the decimal sign. The sign of the other kind is one of decimals only where it cannot
    be one of thousands."""
    tail = re.search(r"[.,](\d+)$", digits)
    decimals = ""
    if tail and (digits[tail.start()] == decimal or len(tail[1]) != 3):
        decimals, digits = tail[1], digits[: tail.start()]
    return re.sub(r"\D", "", digits), decimals


def _dates(text: str, words: NumberWords, month_first: bool) -> str:
    def said(year: str, month: str, day: str) -> str | None:
        if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
            return None
        return words.date(_ordinal_day(int(day), words), words.months[int(month) - 1], _year(int(year), words))

    def iso(match: re.Match[str]) -> str:
        return said(match[1], match[2], match[3]) or match.group()

    def slashed(match: re.Match[str]) -> str:
        day, month = (match[2], match[1]) if month_first else (match[1], match[2])
        return said(match[3], month, day) or match.group()

    text = re.sub(r"\b(\d{4})-(\d\d)-(\d\d)\b", iso, text)
    return re.sub(r"\b(\d\d?)[/.](\d\d?)[/.](\d{4})\b", slashed, text)


def _ordinal_day(day: int, words: NumberWords) -> str:
    if words.language == "en":
        return _ordinal(day, words, "")
    return words.first if day == 1 and words.first else cardinal(day, words)


def _year(year: int, words: NumberWords) -> str:
    if words.language == "zh":
        return "".join(cardinal(int(c), words) for c in str(year))
    if words.language == "en" and 1100 <= year < 2100:
        return _pairs(year // 100, year % 100, words)
    return cardinal(year, words)


def _english_year(match: re.Match[str], words: NumberWords) -> str:
    return _pairs(int(match[1]), int(match[2]), words)


def _pairs(century: int, rest: int, words: NumberWords) -> str:
    if century == 20 and rest < 10:
        return cardinal(2000 + rest, words)
    if rest == 0:
        return f"{cardinal(century, words)} hundred"
    return f"{cardinal(century, words)} {'oh ' if rest < 10 else ''}{cardinal(rest, words)}"


def _time(match: re.Match[str], words: NumberWords) -> str:
    hour, minute = int(match[1]), int(match[2])
    return words.time(cardinal(hour, words), cardinal(minute, words) if minute else "", hour)


def _money(text: str, words: NumberWords, number: str) -> str:
    for sign, (one, many, cent) in words.currencies:
        pattern = rf"(?:{sign}\s?({number})|({number})\s?{sign})"
        text = re.sub(pattern, lambda m, o=one, n=many, c=cent: _price(m[1] or m[2], (o, n, c), words), text)
    return text


def _price(digits: str, names: tuple[str, str, str], words: NumberWords) -> str:
    whole, decimals = _parts(digits, words.decimal)
    one, many, cent = names
    said = f"{cardinal(int(whole), words)}{words.gap}{one if int(whole) == 1 else many}"
    if int(decimals or 0) == 0:
        return said
    cents = cardinal(int(decimals[:2].ljust(2, "0")), words)
    return f"{said}{words.gap}{words.also}{cents}{words.gap}{cent}"


def _ordinals(text: str, words: NumberWords) -> str:
    for pattern, kind in words.ordinals:
        text = re.sub(pattern, lambda m, k=kind: _ordinal(int(m[1]), words, k), text)
    return text


def _ordinal(number: int, words: NumberWords, kind: str) -> str:
    """The ordinal of ``number``; ``kind``: "masculine", "feminine" or ""."""
    if number >= 10**_LONGEST:
        return cardinal(number, words)
    made = _engine(words.language).format_number(number, purpose=FormatPurpose.ORDINAL).text_by_ruleset
    name = f"spellout-ordinal-{kind}" if kind else "spellout-ordinal"
    return (made.get(name) or next(iter(made.values()))).replace("\u00ad", "")


def _roman(text: str, words: NumberWords) -> str:
    """``text`` with numbers for Roman numerals of I, V and X, in capitals (or at least four letters)."""

    def number(match: re.Match[str]) -> str:
        numeral = match.group().upper()
        if not re.fullmatch("X{0,3}(?:IX|IV|V?I{0,3})", numeral):
            return match.group()
        values = [{"I": 1, "V": 5, "X": 10}[c] for c in numeral]
        return str(sum(-v if v < max(values[i:]) else v for i, v in enumerate(values)))

    return re.sub(r"\b(?:[IVX]{2,}|[ivx]{4,})\b", number, text) if words.letters else text


def _letters(text: str, words: NumberWords) -> str:
    """``text`` with the names of letters for words in capitals of two or three letters that are not read as words."""
    if not words.letters:
        return text
    names = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", words.letters.split(), strict=True))

    def spelled(match: re.Match[str]) -> str:
        capitals = match.group()
        if words.language != "en" and re.fullmatch("[AEIOU][^AEIOU][AEIOU]", capitals):
            return capitals
        return _named(capitals, names)

    text = re.sub(r"\b[bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ]{3,}\b", lambda m: _named(m.group(), names), text)
    return re.sub(r"\b(?!(?:OK|AM|NO|YES|SI|OH|AH|EH)\b)[A-Z]{2,3}\b", spelled, text)


def _named(letters: str, names: Mapping[str, str]) -> str:
    return " ".join(names[c].replace("_", " ") for c in letters.upper())
