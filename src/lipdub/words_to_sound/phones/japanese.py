"""Japanese to phones: words and their pronunciation by Janome (IPADIC), kana in Kokoro's signs."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from lipdub.errors import MissingExtra
from lipdub.words_to_sound.phones.marks import ASIAN_MARKS
from lipdub.words_to_sound.phones.written_numbers import written_out

_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "ɡ": "ガギグゲゴ", "s": "サシスセソ", "z": "ザジズゼゾ", "t": "タチツテト", "d": "ダヂヅデド",
    "n": "ナニヌネノ", "h": "ハヒフヘホ", "b": "バビブベボ", "p": "パピプペポ", "m": "マミムメモ", "ɾ": "ラリルレロ",
}  # fmt: skip
_IRREGULAR = {
    "シ": "ɕi", "ス": "sɨ", "ザ": "ʣa", "ジ": "ʥi", "ズ": "zɨ", "ゼ": "ʣe", "ゾ": "ʣo", "チ": "ʨi", "ツ": "ʦɨ", "ヂ": "ʥi",
    "ヅ": "zɨ", "ニ": "ɲi", "ヒ": "çi", "フ": "ɸɯ", "ヤ": "ja", "ユ": "jɯ", "ヨ": "jo", "ワ": "βa", "ヲ": "o", "ヴ": "vɯ",
    "ヰ": "i", "ヱ": "e",
}  # fmt: skip
_SMALL = {"ャ": "a", "ュ": "ɨ", "ョ": "o", "ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o"}
_PALATAL = {"シ": "ɕ", "ジ": "ʥ", "チ": "ʨ", "ヂ": "ʥ", "ニ": "ɲ", "ヒ": "ç"}
_BEFORE_SMALL = {"ウ": "β", "ツ": "ʦ", "フ": "ɸ", "ヴ": "v", "ト": "t", "ド": "d", "ク": "kᵝ", "グ": "ɡᵝ", "イ": "j"}
_SOFT_BEFORE_I = {"テ": "tʲ", "デ": "dʲ", "フ": "ɸʲ", "ヴ": "vʲ", "ツ": "ʦʲ"}


def _table() -> dict[str, str]:
    table = {}
    for consonant, row in _ROWS.items():
        for kana, vowel in zip(row, "aiɯeo", strict=True):
            table[kana] = consonant + ("ʲ" if vowel == "i" and consonant else "") + vowel
    return table | _IRREGULAR


_KANA = _table()


class Japanese:
    """The front end of ja."""

    languages = ("ja",)

    def phones(self, text: str) -> str:
        """The phones of ``text``. Raises ``MissingExtra``. Letters of other scripts are left out."""
        out: list[str] = []
        for word, said in _readings(_words(_counted(unicodedata.normalize("NFKC", text)))):
            if isinstance(word, str):
                out.append(kana_phones(said))
                continue
            if word.surface in ASIAN_MARKS:
                out.append(ASIAN_MARKS[word.surface])
                continue
            kind = word.part_of_speech.split(",")[0]
            glued = kind in ("助動詞",) or word.part_of_speech.startswith(("助詞,接続助詞", "動詞,接尾", "名詞,接尾"))
            spoken = kana_phones(said)
            if spoken and glued and out and out[-1] not in ",.!?:;":
                out[-1] += spoken
            elif spoken:
                out.append(spoken)
        said = re.sub(r"ʔ(?=$|[ ,.;:!?)])", "", " ".join(out))
        return _nasals(re.sub(r"\s+([,.;:!?)])", r"\1", said))


def as_kana(text: str) -> str:
    """How ``text`` is read, in katakana; punctuation stays. Raises ``MissingExtra``."""
    words = _words(_counted(written_out(unicodedata.normalize("NFKC", text), "ja")))
    return "".join(said for _, said in _readings(words))


_PREFERRED = {
    "日本": "ニホン", "明日": "アシタ", "日本人": "ニホンジン", "日本語": "ニホンゴ", "夜中": "ヨナカ", "大勢": "オーゼイ", "明後日": "アサッテ",
    "入り口": "イリグチ", "他": "ホカ", "米": "コメ", "角": "カド", "抱く": "ダク", "八百屋": "ヤオヤ", "風邪薬": "カゼグスリ",
    "この間": "コノアイダ",
}  # fmt: skip
_NEAR = ("この", "その", "あの", "どの")


def _readings(words: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Words with their readings in katakana: those of Janome, but for a few words whose reading depends on the word
    before them."""
    before, kind, last = "", "", ""
    for word in words:
        surface = word if isinstance(word, str) else word.surface
        said = surface if isinstance(word, str) or word.phonetic == "*" else word.phonetic
        if surface == "々":
            said = last
        last = _katakana(_by_context(surface, before, kind) or _PREFERRED.get(surface, said))
        yield word, last
        before, kind = surface, "" if isinstance(word, str) else word.part_of_speech.split(",")[0]


def _by_context(surface: str, before: str, kind: str) -> str:
    """The reading of ``surface`` after the word ``before`` of a ``kind``; "" for most."""
    if surface == "行っ" and before != "を":
        return "イッ"
    if surface == "間" and (before in (*_NEAR, "の") or kind in ("動詞", "助動詞", "形容詞")):
        return "アイダ"
    if surface == "間" and (not kind or before[-1:] in (*"年月日時分秒週",)):
        return "カン"
    if surface == "方" and before in ("この", "あの", "どの"):
        return "カタ"
    return "アク" if surface == "開く" and before == "が" else ""


def _words(text: str) -> Iterator[Any]:
    """The words of ``text``; a count that is already in kana (between ``_OPEN`` and ``_CLOSE``) is text."""
    for i, piece in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", text)):
        if i % 2:
            yield piece
        elif piece:
            yield from _tagger().tokenize(piece)


_OPEN, _CLOSE = "\ue000", "\ue001"
_DOUBLED = {"一": "イッ", "六": "ロッ", "八": "ハッ", "十": "ジュッ", "百": "ヒャッ"}
_COUNTERS = {  # as said after a doubled consonant, after 三 and 何, after others
    "杯": ("パイ", "バイ", "ハイ"), "本": ("ポン", "ボン", "ホン"), "匹": ("ピキ", "ビキ", "ヒキ"), "分": ("プン", "プン", "フン"),
    "回": ("カイ", "カイ", "カイ"), "個": ("コ", "コ", "コ"), "階": ("カイ", "ガイ", "カイ"), "件": ("ケン", "ケン", "ケン"),
    "キロ": ("キロ", "キロ", "キロ"), "軒": ("ケン", "ゲン", "ケン"), **dict.fromkeys(("か月", "ヶ月", "ヵ月", "カ月", "ケ月"), ("カゲツ",) * 3),
}  # fmt: skip
_SOFT_COUNTERS = {
    "歳": "サイ",
    "冊": "サツ",
    "着": "チャク",
    "週間": "シューカン",
    "頭": "トー",
    "点": "テン",
    "章": "ショー",
}
_UNITS = {"二": "ニ", "三": "サン", "四": "ヨン", "五": "ゴ", "七": "ナナ", "九": "キュー", "何": "ナン"}
_FIXED = {
    "一人": "ヒトリ", "二人": "フタリ", "四人": "ヨニン", "四時": "ヨジ", "七時": "シチジ", "九時": "クジ", "四月": "シガツ",
    "七月": "シチガツ", "九月": "クガツ", "二日": "フツカ", "三日": "ミッカ", "四日": "ヨッカ", "五日": "イツカ", "六日": "ムイカ",
    "十四日": "ジューヨッカ", "二十四日": "ニジューヨッカ", "二十歳": "ハタチ", "月一日": "ガツツイタチ", "七日": "ナノカ", "八日": "ヨーカ", "九日": "ココノカ", "十日": "トーカ", "二十日": "ハツカ", "四年": "ヨネン", "四年生": "ヨネンセイ",
    "三百": "サンビャク", "六百": "ロッピャク", "八百": "ハッピャク", "三千": "サンゼン", "八千": "ハッセン",
}  # fmt: skip
_COUNT = re.compile(f"([一二三四五六七八九十百何])({'|'.join([*_COUNTERS, *_SOFT_COUNTERS])})(?!年)")
_ENOUGH = re.compile("(?<![一二三四五六七八九十時])十分(?=[にな、。]|です|でし|だ)")
_WHOLE_COUNT = re.compile(
    "(?<![一二三四五六七八九十百千])(?:二十日|二?十四日|二十歳|[一二三四五六七八九十](?:人(?![々前])|日(?![本々]))|四年生|[四七九][時月年])"
    "|(?<=[一二三四五六七八九十])月一日|三百|六百|八百(?!屋)|三千|八千"
)


def _counted(text: str) -> str:
    """``text`` with numerals and their counters in katakana, where the sound of one changes the other; and with what
    Janome reads otherwise because it sees one word at a time."""
    text = re.sub("来(?=られ|させ)", _kana("コ"), text)
    text = _ENOUGH.sub(_kana("ジューブン"), text)
    text = _WHOLE_COUNT.sub(lambda m: _kana(_FIXED[m.group()]) if m.group() in _FIXED else m.group(), text)
    return _COUNT.sub(lambda m: _kana(_with_counter(*m.groups())), text)


def _kana(text: str) -> str:
    return f"{_OPEN}{text}{_CLOSE}"


def _with_counter(numeral: str, counter: str) -> str:
    if counter in _SOFT_COUNTERS:
        doubled = _DOUBLED | {"六": "ロク", "百": "ヒャク"}
        return (doubled.get(numeral) or _UNITS[numeral]) + _SOFT_COUNTERS[counter]
    after_doubled, after_n, plain = _COUNTERS[counter]
    if numeral in _DOUBLED:
        return _DOUBLED[numeral] + after_doubled
    nasal = numeral in "三何" or (numeral == "四" and counter == "分")
    return _UNITS[numeral] + (after_n if nasal else plain)


@cache
def _tagger() -> Any:
    with MissingExtra.guard("kokoro", "The voice kokoro in Japanese"):
        from janome.tokenizer import Tokenizer  # pyright: ignore[reportMissingImports]
    return Tokenizer()


def _katakana(text: str) -> str:
    return "".join(chr(ord(c) + 96) if "ぁ" <= c <= "ゖ" else c for c in text)


def kana_phones(kana: str) -> str:
    """The phones of katakana, where ン is still N; other characters are left out."""
    out: list[str] = []
    for i, char in enumerate(kana):
        following = kana[i + 1 : i + 2]
        if char == "ー":
            out.append("ː" if out else "")
        elif char == "ッ":
            out.append("ʔ")
        elif char == "ン":
            out.append("N")
        elif char in _SMALL and i and kana[i - 1] in _KANA:
            continue
        elif char in _SMALL:
            out.append(_SMALL[char])
        elif char in _KANA and following in _SMALL:
            out.append(_with_small(char, following))
        else:
            out.append(_KANA.get(char, ""))
    return "".join(out)


def _with_small(char: str, small: str) -> str:
    vowel = _SMALL[small]
    if char in _PALATAL:
        return _PALATAL[char] + vowel
    if char in _SOFT_BEFORE_I and small in "ィュョ":
        return _SOFT_BEFORE_I[char] + vowel
    if char in _BEFORE_SMALL:
        return _BEFORE_SMALL[char] + vowel
    whole = _KANA[char]
    return whole.rstrip("aiɯɨeo") + vowel


def _nasals(phones: str) -> str:
    """``phones`` with the nasal at the end of a syllable as the sound after it has it."""
    for after, nasal in (("[mpb]", "m"), ("[kɡ]", "ŋ"), ("[ɲʨʥ]", "ɲ"), ("[ntdɾzʣʦ]", "n")):
        phones = re.sub(f"N(?={after})", nasal, phones)
    return phones.replace("N", "ɴ")
