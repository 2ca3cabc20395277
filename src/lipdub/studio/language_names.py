"""Language tags as people write them: in options, and in the names of scripts."""

import re
from pathlib import Path

from lipdub.errors import OptionError

_TWO = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su "
    "sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu".split()
)
"""ISO 639-1."""

_THREE = frozenset("arz ast ceb fil gsw haw hsb mai nds scn yue".split())
"""Some that have no code of two letters and are met in names of files."""

_SHORTER = {
    pair[:3]: pair[4:]
    for pair in (
        "eng:en spa:es fre:fr fra:fr ger:de deu:de ita:it por:pt dut:nl nld:nl rus:ru jpn:ja chi:zh zho:zh kor:ko "
        "ara:ar hin:hi tur:tr pol:pl ukr:uk cat:ca swe:sv dan:da nor:no fin:fi gre:el ell:el cze:cs ces:cs rum:ro "
        "ron:ro hun:hu heb:he tha:th vie:vi ind:id"
    ).split()
}
"""ISO 639-2 as media players write it, and the tag of BCP 47."""

_COUNTRIES = {"jp": "ja", "cn": "zh", "cz": "cs", "dk": "da", "gr": "el", "ua": "uk"}
"""Countries that are taken for languages."""

_TAG = re.compile(r"([a-zA-Z]{2,3})((?:[-_](?:[a-zA-Z]{2}|[a-zA-Z]{4}|\d{3}))*)")


def language_in_name(path: Path) -> str:
    """The language tag in a name like ``talk.es.srt``, ``talk.pt-BR.srt`` or ``talk.spa.srt`` (es), or ""."""
    found = _TAG.fullmatch(Path(path.stem).suffix[1:])
    if not found:
        return ""
    primary = _SHORTER.get(found[1].lower(), found[1].lower())
    return primary + found[2].replace("_", "-") if primary in _TWO | _THREE else ""


def check_language(tag: str, option: str) -> None:
    """Raises ``OptionError`` if ``tag``, given by ``option``, is no language tag (BCP 47; "" is none, and allowed)."""
    primary = re.split(r"[-_]", tag)[0].lower()
    known = primary in _TWO or (len(primary) == 3 and primary not in _SHORTER)
    if tag and not (known and re.fullmatch(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z0-9]{1,8})*", tag)):
        meant = _SHORTER.get(primary) or _COUNTRIES.get(primary)
        raise OptionError(
            f"{option}: '{tag}' is no language tag",
            remedy=f"Write {option} {meant}" if meant else "Write one like es, ja or pt-BR",
        )
