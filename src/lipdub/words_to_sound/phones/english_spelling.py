"""English words that no lexicon holds, mostly names: read by rules of spelling, or spelled letter by letter."""

import re
import unicodedata

from lipdub.words_to_sound.phones.spelling_rules import SpellingRules

LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "A bˌi sˌi dˌi ˌi ˌɛf ʤˌi ˌAʧ ˌI ʤˌA kˌA ˌɛl ˌɛm ˌɛn ˌO pˌi kjˌu ˌɑɹ ˌɛs tˌi jˌu vˌi dˈʌbᵊljˌu ˌɛks wˌI zˌi".split(),
        strict=True,
    )
)
"""The names of the letters."""

_V = "[aeiouy]"
_LONG = "(?=[bcdfgklmnprstvz]e(?:s|d)?$)"
_RULES = SpellingRules(
    (
        ("^kn|^gn", "n"),
        ("^wr", "ɹ"),
        ("^ps", "s"),
        ("^x", "z"),
        ("tch|ch", "ʧ"),
        ("sch|sh", "ʃ"),
        ("ph", "f"),
        ("th", "θ"),
        ("wh", "w"),
        ("ck|cq|q(?!u)", "k"),
        ("qu", "k w"),
        ("ng(?=$|s$)", "ŋ"),
        ("n(?=[kg])", "ŋ"),
        ("dge|dg", "ʤ"),
        ("tion|sion", "ʃ ᵊ n"),
        ("cious|tious", "ʃ ə s"),
        ("ture", "ʧ ə ɹ"),
        ("igh", "I"),
        ("augh|ough", "ɔ"),
        ("gh", "ɡ"),
        ("sc(?=[eiy])|c(?=[eiy])", "s"),
        ("cc?|kk?", "k"),
        ("g(?=[ey])|j", "ʤ"),
        ("gg?u?(?=[ei])|gg?", "ɡ"),
        ("eau", "O"),
        ("ee|ea|ie(?=.)|ei", "i"),
        ("oo", "u"),
        ("oa|oe$|ow$", "O"),
        ("ou|ow", "W"),
        ("oi|oy", "Y"),
        ("ai|ay|ey(?=.)", "A"),
        ("au|aw", "ɔ"),
        ("eu|ew|ue$|ui", "u"),
        ("er|ir|ur|or$|ar$", "ɜ ɹ"),
        ("ar", "ɑ ɹ"),
        ("or|ore", "ɔ ɹ"),
        (f"a{_LONG}", "A"),
        (f"i{_LONG}", "I"),
        (f"o{_LONG}", "O"),
        (f"u{_LONG}", "u"),
        ("a$", "ə"),
        ("o$", "O"),
        ("i$|y$|ie$", "i"),
        ("(?<=..)e(?:s|d)?$", ""),
        ("e$", "i"),
        (f"^y(?={_V})", "j"),
        ("a", "æ"),
        ("e", "ɛ"),
        ("[iy]", "ɪ"),
        ("o", "ɑ"),
        ("u", "ʌ"),
        ("x", "k s"),
        ("ss?|z(?=z)", "s"),
        ("rr?", "ɹ"),
        *((f"{c}{c}?", c) for c in "bdflmnptvwz"),
        ("h", "h"),
    )
)
_VOWELS = frozenset("AIOWYiuæɑəɛɪʊʌɔɜ")


def spelled_out(word: str) -> str:
    """The phones of ``word`` (lower case): by rules; letter by letter if it has no vowel. "" if it has no letter."""
    letters = re.sub("[^a-z]", "", _plain(word))
    if not letters:
        return ""
    if not re.search("[aeiouy]", letters):
        names = "".join(LETTERS[letter] for letter in letters)
        return names[::-1].replace("ˌ", "ˈ", 1)[::-1]
    units = _RULES(letters)
    nuclei = [i for i, unit in enumerate(units) if unit in _VOWELS]
    if nuclei:
        stress = nuclei[0] if len(nuclei) < 3 else nuclei[-3]
        units[stress] = "ˈ" + units[stress]
    return "".join(units)


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
