"""Portuguese of Brazil, spelling to phones by rules. Stress is fully written. Whether a stressed e or o without an
accent is open is not: it is told by endings and by lists of common words."""

import re
import unicodedata
from collections.abc import Sequence

from lipdub.words_to_sound.phones.phrases import phones_by_phrase
from lipdub.words_to_sound.phones.spelling_rules import SpellingRules
from lipdub.words_to_sound.phones.syllables import PRIMARY, SECONDARY, stressed

_WORDS = {
    "o": "ʊ", "os": "ʊs", "a": "a", "as": "as", "e": "i", "um": "ũŋ", "uns": "ũŋs", "de": "ʤy", "do": "dʊ", "da": "da",
    "dos": "dʊs", "das": "das", "no": "nʊ", "na": "na", "nos": "nʊs", "nas": "nas", "em": "Aŋ", "por": "por",
    "que": "ky", "com": "koŋ", "para": "pˌaɾæ", "pra": "pra", "se": "sy", "me": "my", "te": "ʧy", "lhe": "ljy",
    "lhes": "ljys", "ao": "aʊ", "aos": "aʊs", "à": "ˌaː", "às": "ˌaːs", "pelo": "pˌelʊ", "pela": "pˌelæ",
    "pelos": "pˌelʊs", "pelas": "pˌelæs", "sem": "sˌAŋ", "mas": "mas", "ou": "ow", "é": "ɛ", "muito": "mwˈiŋtʊ",
    "muita": "mwˈiŋtæ", "muitos": "mwˈiŋtʊs", "muitas": "mwˈiŋtæs", "num": "nũŋ", "numa": "nˌumæ", "porque": "pˌoɾky",
    "são": "sɐ̃ʊ̃", "foi": "fˈoɪ", "ser": "sˈer", "você": "vosˈe", "vocês": "vosˈes", "show": "ʃˈow", "site": "sˈIʧy",
    "hoje": "ˈoʒy", "trouxe": "tɾˈosy", "internet": "ˌiŋteɾnˈɛʧy", "email": "imˈAw", "software": "sˈɔfʧiweɾ",
}  # fmt: skip

_SOFT = "(?=[eiéíê])"
_CODA = "(?![aeiouáéíóúâêôãõàhmn])"
_L = "(?![aeiouáéíóúâêôãõàhl])"
_LETTERS = SpellingRules(
    (
        ("[cs]h", "ʃ"),
        ("lh", "l j"),
        ("nh", "ɲ"),
        ("h", ""),
        ("(?<=[lt]in)gu(?=[ei])|(?<=a)gu(?=en)", "ɡ w"),
        ("(?<=tran)qu(?=il)|(?<=fre)qu(?=[eê]n)|(?<=se)qu(?=[eê]n)|(?<=cin)qu(?=en)|(?<=e)qu(?=[ie]st)", "k w"),
        (f"qu{_SOFT}|c?q(?!u)", "k"),
        ("qu", "k w"),
        (f"gu{_SOFT}", "ɡ"),
        ("gu(?=[aoáóâã])", "ɡ w"),
        (f"g{_SOFT}|j", "ʒ"),
        (f"[sx]c{_SOFT}|s?ç", "s"),
        (f"c{_SOFT}", "s"),
        ("cc(?=[ei])", "k s"),
        ("c+k?|k", "k"),
        ("gg?", "ɡ"),
        ("^x|(?<=n)x", "ʃ"),
        ("(?<=^e)x(?=[aeiouáéíóúâêô])|(?<=^ine)x(?=[aeiouáéíóúâêô])|(?<=êxi)x", "z"),
        ("(?<=tá|fi|ne|tó|to|xo)x(?=[aeioí])", "k s"),
        ("(?<=se)x(?=[ou])|(?<=ple|fle)x", "k s"),
        ("(?<=pró|pro|nta)x(?=[ieí])|(?<=má|au)x", "s"),
        ("x(?=[bcdfghjklmnpqrstvz])", "s"),
        ("x$", "k s"),
        ("x", "ʃ"),
        ("ss", "s"),
        ("(?<=[aeiouáéíóúâêôãõ])s(?=[aeiouáéíóúâêôãõ])|s(?=[bdgmnrv])|(?<=trân)s|(?<=tran)s(?=[aeiou])", "z"),
        ("s", "s"),
        ("z$|z(?=[cfpt])", "s"),
        ("z", "z"),
        ("rr|^r|(?<=[nls])r", "x"),
        ("(?<=[bcdfgptv])r", "r"),
        ("r$", "r"),
        ("r(?=[aeiouáéíóúâêôãõ])", "ɾ"),
        ("r", "ɾ ə"),
        ("t(?=[ií])|t(?=es?$)", "ʧ"),
        ("d(?=[ií])|d(?=es?$)", "ʤ"),
        ("tt?|th", "t"),
        ("dd?", "d"),
        ("ph", "f"),
        *((f"{c}{c}?", c) for c in "bpfvw"),
        # nasal vowels
        ("ão", "ɐ̃ʊ̃"),
        ("ãe", "ɐ̃y"),
        ("õe", "õj"),
        ("ã", "ɐ̃"),
        ("õ", "õ"),
        ("am$", "ɐ̃ʊ̃!"),
        ("[eéê]m$", "Aŋ!"),
        ("en(?=s$)", "Aŋ!"),
        ("(?<=[^aeiou])ém", "Aŋ"),
        ("[aâ]m(?=[pb])", "ɐ̃m"),
        (f"[aâ]n{_CODA}", "ɐ̃ŋ"),
        ("[eéê]m(?=[pb])", "Am"),
        (f"[eéê]n{_CODA}", "Aŋ"),
        ("[ií]m(?=[pb])", "im"),
        (f"[ií](?:n{_CODA}|m$)", "iŋ"),
        ("[oóô]m(?=[pb])", "om"),
        (f"[oóô](?:n{_CODA}|m$)", "oŋ"),
        ("[uú]m(?=[pb])", "um"),
        (f"[uú](?:n{_CODA}|m$)", "ũŋ"),
        ("[aâ](?=nh|n[aeiouáéíóúâêô]|m[aeiouáéíóúâêô])", "ɐ̃"),
        # l at the end of a syllable
        (f"[aá]l{_L}", "W"),
        (f"él{_L}|(?<!v)el$", "ɛʊ"),
        (f"[eê]l{_L}", "eʊ"),
        (f"[ií]l{_L}", "iʊ"),
        (f"[oó]l{_L}", "ɔl"),
        (f"[ô]l{_L}", "ol"),
        ("[uú]l$", "uw"),
        ("l+", "l"),
        ("m", "m"),
        ("nn?", "n"),
        # diphthongs
        ("[aá]i(?!n[^haeiou]|m|nh|z$)", "I"),
        ("éi|ei(?=as?$)", "ɛɪ"),
        ("aiu$", "a iʊ"),
        ("[eê]i(?!n[^haeiou]|m|nh)", "A"),
        ("ói", "ɔɪ"),
        ("[oô]i(?!n[^haeiou]|m|nh)", "oɪ"),
        ("[uú]i(?!n[^haeiou]|m|nh|r$|d|ç|z)", "uɪ"),
        ("[aá]u(?!m)", "W"),
        ("éu", "ɛʊ"),
        ("[eê]u", "eʊ"),
        ("iu$", "iʊ"),
        ("[oô]u", "ow"),
        ("y", "i"),
        *((c, c) for c in "aeiouáéíóúâêôà"),
    )
)
_ACCENTS = {"á": "a", "é": "ɛ", "í": "i", "ó": "ɔ", "ú": "u", "â": "ɐ̃", "ê": "e", "ô": "o", "à": "a"}
_NUCLEUS = re.compile("^(?:[aeiouáéíóúâêôàɐõũWAI]|ɛ|ɔ)")
_END = {"a": "æ", "e": "y", "o": "ʊ"}

_OPEN_O = re.compile(
    "(?:[^aeiou]o(?:r[aei]s?|r[tdcgnm]as?|rt[e]s?|t[ae]s?|l[ae]s?|d[ae]s?|b[aer]+s?|c[ae]s?|g[ae]s?|p[ae]s?|v[ae]s?|st[ae]s?"
    "|ss[ae]s?|lh[ae]s?|s[ae]s?|que|rrem?|sso|ntra|rra|fe|quem?|lvem?|lve|dem|tem|vem|lt[ae]s?|sts?|br[ae]s?)|ovos|olhos|corpos|jogos"
    "|novos|postos|ossos|socos|poços|fogos|portos|impostos|osos|blocos|modos|copos|votos|logo|foco|modo|copo|voto|solo"
    "|bloco|polo|globo|pior|maior|menor|melhor|redor|suor|nosso|nossos|vosso|posso|foto|fotos|remoto|próprio|cloro)$"
)
_CLOSED_O = re.compile(
    "(?:^|[^a-z])(?:todas?|boas?|pessoas?|toda|moça|moças|hoje|sobre|doze|bolsa|bolsas|cebola|onda|rosto|fosse|fossem|coroa|boca|bocas|folha|folhas|escolha|escolhas|bolha|poça|moscas?|gota|gotas)$"
)
_OPEN_E = re.compile(
    "(?:[^aeiouqg]e(?:l[ao]s?_|st[ae]s?|rr[ao]s?|rs[ao]s?|rt[ao]s?|rn[ao]s?|ce[ms]?|l[ae]s?|v[ae]s?|ss[ao]s?|d[ra]+s?"
    "|t[eo]s?|g[ao]s?|rv[aeo]s?|rg[aeo]|pt[aeo]s?|bra|dra|quem?|f[ei]s?)|"
    "velh[ao]s?|mulher|quer|dez|pé|sete|belo|bela|ela|elas|janelas?|resto|restos|era|eram|hera|espera|esperam|primavera"
    "|pedra|pedras|metros?|zero|ferro|espero|quero|quer|querem|leva|levam|levo|nega|pega|pegam|peça|moedas?|segue|seguem"
    "|serve|servem|consegue|conseguem|inverso|cego|prego|deve|devem|bebe|bebem|leste|oeste|teste|mestre|médico)$"
)
_CLOSED_E = re.compile(
    "(?:[eê]z[ao]s?|es[ao]s?|eta|etas|(?:^|d|n|aqu)ele[s]?|(?:^|d|n)est[ea]s?_|(?:^|d|n)ess?[e]s?|(?:^|d|n)este[s]?|governo|preto|preta"
    "|cedo|medo|dedo|verde|rede|estrela|segredo|cerveja|igreja|esteja|seja|deseja|cabelo|gelo|pelo|camelo|selo|vermelh[oa]s?"
    "|conselhos?|espelhos?|joelhos?|dinheiro|enredo|peso|preço|começo|endereço|berço|terço|termo|enfermo|fevereiro)$"
)


class Portuguese:
    """The front end of pt."""

    languages = ("pt",)

    def phones(self, text: str) -> str:
        """The phones of ``text``."""
        return unicodedata.normalize("NFD", phones_by_phrase(text, _phrase))  # the voice knows the tilde alone


def _phrase(words: Sequence[str]) -> Sequence[str]:
    return _joined(" ".join(_word(word.replace("'", "")) for word in words)).split(" ")


def _word(word: str) -> str:
    if word in _WORDS:
        return _WORDS[word]
    if word.endswith("mente") and len(word) > 7:
        root = _word(word[:-5]).replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
        return root + f"m{PRIMARY}Aŋʧy"
    phones = _LETTERS(word)
    vowels = [i for i, phone in enumerate(phones) if _NUCLEUS.match(phone)]
    if not vowels:
        return "".join(phones)
    marked = [n for n, i in enumerate(vowels) if phones[i] in _ACCENTS] or _written_stress(word, phones, vowels)
    primary = marked[-1] if marked else _default_stress(word, len(vowels))
    primary = max(primary, 0)
    phones = _finished(word, phones, vowels, primary)
    far = primary >= 2 or (primary == 1 and primary < len(vowels) - 1)
    text = stressed(phones, vowels, primary, secondary=False)
    if far:
        first = vowels[0]
        text = "".join(phones[:first]) + SECONDARY + text[len("".join(phones[:first])) :]
    return text


def _written_stress(word: str, phones: list[str], vowels: list[int]) -> list[int]:
    """The syllable that an accent inside a diphthong or a nasal vowel marks, else that of a tilde."""
    places = [i for i, char in enumerate(word) if char in "áéíóúâêô"] or [
        i for i, char in enumerate(word) if char in "ãõ"
    ]
    if not places:
        return []
    before = [phone for phone in _LETTERS(word[: places[-1]]) if _NUCLEUS.match(phone)]
    return [min(len(before), len(vowels) - 1)]


def _default_stress(word: str, syllables: int) -> int:
    if re.search("(?:[aeo]s?|am|ens?|em)$", word):
        return max(syllables - 2, 0)
    return syllables - 1


def _finished(word: str, phones: list[str], vowels: list[int], primary: int) -> list[str]:
    """``phones`` with weak vowels after the stress, and with open or closed vowels in it."""
    out = [phone.replace("!", "") for phone in phones]
    for n, i in enumerate(vowels):
        phone = out[i]
        if n == primary and phone in "eo" and phone == phones[i]:
            out[i] = _stressed_vowel(word, phone)
        elif n > primary and phone in _END and (i == len(out) - 1 or (i == len(out) - 2 and out[-1] in "sz")):
            out[i] = _END[phone]
        out[i] = _ACCENTS.get(out[i], out[i])
        later = i + 1 < len(out) and i + 1 in vowels
        if n > primary and out[i] in "iu" and later and i + 1 >= len(out) - 2:
            out[i] = "j" if out[i] == "i" else "w"
    return out


def _stressed_vowel(word: str, vowel: str) -> str:
    if vowel == "o":
        return "ɔ" if _OPEN_O.search(word) and not _CLOSED_O.search(word) else "o"
    return "ɛ" if _OPEN_E.search(word) and not _CLOSED_E.search(word) else "e"


def _joined(phrase: str) -> str:
    """The phones of a phrase, with the sounds that depend on the next word."""
    mark = f"[{PRIMARY}{SECONDARY}]?"
    vowel = f"{mark}[aeiouɐɛɔWAIũõæʊ]"
    phrase = re.sub(f"s(?= (?:{vowel}|{mark}[bdɡmnlvzʒʤx]))", "z", phrase)
    phrase = re.sub(f"(?<=[^\\s{PRIMARY}{SECONDARY}])r(?= {vowel})", "ɾ", phrase)
    phrase = re.sub(f"(?<=[^\\s{PRIMARY}{SECONDARY}aeiou])ʊ(?= {vowel})", "w", phrase)
    return re.sub(f"(?<=[^\\s{PRIMARY}{SECONDARY}aeiouk̃])y(?= {vowel})", "j", phrase)
