"""French spelling to phones: rules for letters, lists of words that they read wrongly, and liaison.

The last syllable of a word that carries meaning is stressed. A final consonant is silent unless the rules of liaison
bind it to a vowel (obligatory cases only: after articles, pronouns, numerals, adjectives before a noun, and short
prepositions). e is dropped after a vowel and one consonant, and kept in a first syllable.
"""

import re
from collections.abc import Sequence

from lipdub.words_to_sound.phones.french_words import (
    ASPIRATED,
    EXCEPTIONS,
    HALF_STRESSED,
    LIAISON,
    NOUNS_IN_ENT,
    UNSTRESSED,
    VERBS_IN_MENT,
)
from lipdub.words_to_sound.phones.phrases import phones_by_phrase
from lipdub.words_to_sound.phones.spelling_rules import SpellingRules
from lipdub.words_to_sound.phones.syllables import PRIMARY, SECONDARY

_V = "aeiouyàâéèêëîïôöùûüœæ"
_N = f"(?![{_V}nmh])"  # after n or m: the vowel before it is nasal
_E = "(?=[eiéèêëîïyœ])"
_RULES = SpellingRules(
    (
        # endings
        ("es?$|(?<=[éiu])es?$", "°"),
        ("ers?$", "e"),
        ("ez$", "e"),
        ("e[ctp]ts?$|ets?$|aits?$|ais$|aie?s?$|aient$", "ɛ"),
        ("(?<=[aeo])ils?$|ill(?=[eaoéiu])(?<=[aeou]ill)", "j"),
        ("œil|oeil|euill?|ueill?", "œ j"),
        ("aill?(?=s?$)", "a j"),
        ("aill", "a j"),
        ("eill?", "ɛ j"),
        ("ouill", "u j"),
        ("^ill", "i l"),
        (f"(?<=[^{_V}])ill(?=[eaoéiu])|(?<=qu)ill", "i j"),
        ("sts?$", "s t"),
        ("(?<=[^aeou][aeo])x$", "k s"),
        ("(?<=[^f])ums?$", "ɔ m"),
        ("(?<=.)ams?$", "a m"),
        ("ings?$", "i ŋ"),
        ("bourgs?$", "b u ʁ"),
        ("ows?$", "o"),
        ("[ae]ys?$", "ɛ"),
        ("(?<=^r)e(?=ss)", "ə"),
        (f"(?<=^tran)s(?=[{_V}])", "z"),
        ("oo(?=[dktl])", "u"),
        ("(?<=[o])ts?$|(?<=[^o])(?:ts?|ds?|ps?|gs)$", ""),
        ("(?:ts?|ds?|ps?|xs?|zs?)$", ""),
        ("(?<=[rn])[gc]s?$", ""),
        ("s$", ""),
        # consonants of several letters
        ("sch|sh", "ʃ"),
        ("ch(?=[rln])|(?<=te)ch|(?<=or)ch(?=es)|(?<=ar)ch(?=éo)|(?<=psy)ch", "k"),
        ("ch", "ʃ"),
        ("ph", "f"),
        ("th", "t"),
        ("rh", "ʁ"),
        ("gn", "ɲ"),
        ("cqu?|qu|q", "k"),
        (f"gg{_E}", "ɡ ʒ"),
        ("gu(?=[eiéèêîy])", "ɡ"),
        ("ge(?=[aoâô])", "ʒ"),
        (f"g{_E}|j", "ʒ"),
        (f"xc{_E}", "k s"),
        (f"cc{_E}", "k s"),
        (f"sc{_E}", "s"),
        (f"c{_E}|ç", "s"),
        ("ck|cc?|k", "k"),
        ("gg?", "ɡ"),
        ("(?<=[^s])ti(?=on)|(?<=[aeicnpr])ti(?=el|eux|euse|aire|ence|ents?$|al|aux)", "s j"),
        ("(?<=cra)ti(?=e)", "s i"),
        (f"(?<=^e)xh?(?=[{_V}])|(?<=^he)x(?=[{_V}])", "ɡ z"),
        ("x(?=ième)", "z"),
        ("x", "k s"),
        ("ss", "s"),
        (f"(?<=[{_V}])s(?=[{_V}h])", "z"),
        ("s", "s"),
        # vowels of several letters
        ("eaux?|aux?(?=$)|aul?ts?$|auds?$", "o"),
        ("au", "o"),
        ("(?:œu|oeu)(?=[dx]?s?$)", "ø"),
        ("œu|oeu", "œ"),
        ("œ", "e"),
        (f"oin{_N}", "w ɛ̃"),
        (f"oy(?=[{_V}])", "w a j"),
        ("o[iîy]", "w a"),
        (f"ou(?=[{_V}])(?!es?$|ent$)", "w"),
        ("o[uùû]", "u"),
        ("^h?eu", "ø"),
        ("eû|eu(?=[xtd]?s?$|s[eé]|t[erz]|x|v|[pb]l|n[eé]|[rl](?:em|er$|[aiouéè]))", "ø"),
        ("eu", "œ"),
        (f"(?:ain|aim|ein|eim|în|yn|ym){_N}", "ɛ̃"),
        ("ien(?=[ct])", "j ɑ̃"),
        (f"(?<=[éy])en{_N}", "ɛ̃"),
        (f"ien{_N}", "j ɛ̃"),
        (f"[iï][nm]{_N}", "ɛ̃"),
        ("^emm", "ɑ̃ m"),
        ("^enn(?=[uo])", "ɑ̃ n"),
        (f"[aâe][nm]{_N}", "ɑ̃"),
        (f"u[nm]{_N}", "œ̃"),
        (f"[oô][nm]{_N}", "ɔ̃"),
        (f"[ae]y(?=[{_V}])", "ɛ j"),
        (f"uy(?=[{_V}])", "ɥ i j"),
        ("a[iî]|e[iî]|[èêë]", "ɛ"),
        ("u[iî]", "ɥ i"),
        (f"u(?=[{_V}])(?!es?$|ent$)", "ɥ"),
        ("[uûü]", "y"),
        ("é", "e"),
        ("emment$", "a m ɑ̃"),
        # e
        ("^e(?=ff|ss|[bcdfgklprstv][aeiouéè])", "e"),
        ("e(?=ch[nr])", "ɛ"),
        ("e(?=([bcdfglmnprstz])\\1|x)", "ɛ"),
        (f"e(?=[lrscpbdtmf][^{_V}lrh])|e(?=[rls][^{_V}h])", "ɛ"),
        ("e(?=[rlfcmtsnk]s?$)", "ɛ"),
        (f"(?<=[{_V}])(?<=[éiu])e(?=[^{_V}])", ""),
        ("e", "ə"),
        # the rest
        (f"(?<=[bcdfgptv][rl])i(?=[{_V}])", "i"),
        (f"[iïy](?=[{_V}])(?!es?$|ent$)", "j"),
        ("[iîïy]", "i"),
        (f"o(?=s[ei]|ts?$|s$|ges?$|$)|o(?=[^{_V}][{_V}])(?!.es?$)|o(?=ch[{_V}])(?!..es?$)|ô", "o"),
        ("[oö]", "ɔ"),
        ("[aàâæ]", "a"),
        ("ll?", "l"),
        ("mm?", "m"),
        ("nn?", "n"),
        ("rr?", "ʁ"),
        ("tt?", "t"),
        ("pp?", "p"),
        ("bb?", "b"),
        ("dd?", "d"),
        ("ff?", "f"),
        ("v", "v"),
        ("w", "w"),
        ("z", "z"),
    )
)
_NUCLEUS = re.compile("[aeiouyøœɔɛɑə]")
_VOWEL_FIRST = re.compile(f"^(?:h?[{_V}])")


class French:
    """The front end of fr."""

    languages = ("fr",)

    def phones(self, text: str) -> str:
        """The phones of ``text``."""
        phones = phones_by_phrase(text, _phrase, hyphens=True)
        # as in the texts that the voice learnt from
        phones = re.sub("ɲ(?=[ˈˌ]?i)", "n", phones.replace("ɥ", "y"))
        return re.sub(f"ɲ(?=[ˈˌ]?{_NUCLEUS.pattern})", "nj", phones)


def _phrase(words: Sequence[str]) -> Sequence[str]:
    out = []
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        phones = _hyphened(word.split("-"), before)
        if i + 1 < len(words):
            phones = _bound(word.split("-")[-1], phones, words[i + 1])
        out.append(phones)
    if out:
        out[-1] = _marked("", out[-1].replace(SECONDARY, PRIMARY))
    return out


def _hyphened(parts: Sequence[str], before: str) -> str:
    """The phones of words that hyphens join, as one word in which each keeps its stress."""
    whole = "-".join(parts)
    if whole in EXCEPTIONS:
        return _marked(whole, EXCEPTIONS[whole])
    out = ""
    for i, part in enumerate(parts[:-1]):
        phones = "t" if part == "t" else _token(part, before if not i else parts[i - 1])
        if part == "vingt" and parts[i + 1] != "et" and "quatre" not in parts[:i]:
            phones += "t"
        asked = part[-1:] in ("t", "d") and parts[i + 1] in ("il", "ils", "elle", "elles", "on")
        out += phones + "t" if asked and part != "t" else _bound(part, phones, parts[i + 1])
    if out and parts[-1] == "ce":
        return out + "s"
    return out + _token(parts[-1], parts[-2] if len(parts) > 1 else before)


def _token(word: str, before: str) -> str:
    """The phones of a word, together with the short words before it that an apostrophe binds to it."""
    if word in EXCEPTIONS:
        return _marked(word, EXCEPTIONS[word])
    parts = [part for part in word.split("'") if part]
    if not parts:
        return ""
    head = "".join(_ELIDED.get(part) or _plain(part) for part in parts[:-1])
    if word.endswith("'"):
        return head + (_ELIDED.get(parts[-1]) or _plain(parts[-1]))
    last = parts[-1]
    return head + _marked(last, _plain(last, before))


_ELIDED = {"l": "l", "d": "d", "j": "ʒ", "m": "m", "t": "t", "s": "s", "c": "s", "n": "n", "qu": "k"}
_ELIDED |= {
    "jusqu": "ʒysk",
    "lorsqu": "lɔʁsk",
    "puisqu": "pɥisk",
    "quelqu": "kɛlk",
    "presqu": "pʁɛsk",
    "quoiqu": "kwak",
}


def _plain(word: str, before: str = "") -> str:
    """The phones of a word without its stress."""
    if word in EXCEPTIONS:
        return EXCEPTIONS[word]
    if word.endswith("s") and word[:-1] in EXCEPTIONS and len(word) > 3:
        return EXCEPTIONS[word[:-1]]
    if re.search("(?:[vt]ient|[vt]iens)$", word) and not re.search("patient|quotient", word):
        return _plain(word[: word.rindex("ien")] + "a")[:-1] + "jɛ̃"
    if word.endswith("ent") and _is_silent_ent(word):
        word = word[:-3] + "e"
    units = _RULES(word)
    return _without_schwa([unit for unit in units if unit != "°"], alone=units == ["°"] or not _has_vowel(units))


def _is_silent_ent(word: str) -> bool:
    if word in NOUNS_IN_ENT or len(word) < 5:
        return False
    return word in VERBS_IN_MENT or not word.endswith("ment")


def _has_vowel(units: Sequence[str]) -> bool:
    return any(_NUCLEUS.search(unit) for unit in units)


def _without_schwa(units: list[str], alone: bool) -> str:
    """The units joined; an inner ə between a vowel with one consonant and a consonant is dropped."""
    if alone:
        return "".join(units) + "ə"
    out: list[str] = []
    for i, unit in enumerate(units):
        inside = 2 <= i < len(units) - 1 and not ("j" in units[i + 2 : i + 3] and units[i + 1] in "lmnʁ")
        if (
            unit == "ə"
            and inside
            and _is_vowel(units[i - 2])
            and not _is_vowel(units[i - 1])
            and units[i + 1] not in "j"
        ):
            continue
        out.append(unit)
    return "".join(out)


def _is_vowel(unit: str) -> bool:
    return bool(_NUCLEUS.search(unit))


def _marked(word: str, phones: str) -> str:
    """``phones`` with the stress before the last vowel, unless ``word`` is a small one."""
    if word in UNSTRESSED or PRIMARY in phones:
        return phones
    found = [m.start() for m in re.finditer("[aeiouyøœɔɛɑ]", phones)]
    mark = SECONDARY if word in HALF_STRESSED else PRIMARY
    return phones[: found[-1]] + mark + phones[found[-1] :] if found else phones


def _bound(word: str, phones: str, following: str) -> str:
    """``phones`` of ``word`` with the consonant of a liaison, if the next word starts with a vowel."""
    start = re.split("['-]", following)[0]
    if not _VOWEL_FIRST.match(following) or start in ASPIRATED or re.sub("[sx]$", "", start) in ASPIRATED:
        return phones
    if word in LIAISON:
        changed = LIAISON[word]
        return changed if len(changed) > 1 else phones + changed
    return phones
