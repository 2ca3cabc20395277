"""Language codes as containers store them."""

from lipdub.timeline.language import primary

# ISO 639-1 -> ISO 639-2/T of the languages that are dubbed most. Source: the Library of Congress's code list.
_THREE = {
    pair[:2]: pair[3:]
    for pair in (
        "ar:ara bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra "
        "ga:gle gl:glg gu:guj he:heb hi:hin hr:hrv hu:hun hy:hye id:ind is:isl it:ita ja:jpn ka:kat kk:kaz kn:kan "
        "ko:kor lt:lit lv:lav mk:mkd ml:mal mr:mar ms:msa nb:nob nl:nld nn:nno no:nor pa:pan pl:pol pt:por ro:ron "
        "ru:rus sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swa ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd uz:uzb "
        "vi:vie zh:zho zu:zul"
    ).split()
}


def iso_639_2(tag: str | None) -> str | None:
    """The ISO 639-2 code of a BCP 47 tag (``pt-BR`` -> ``por``); None if there is none."""
    if not tag:
        return None
    language = primary(tag)
    return language if len(language) == 3 and language.isalpha() else _THREE.get(language)


_QUICKTIME = {
    pair[:3]: pair[4:]
    for pair in (
        "deu:ger ell:gre eus:baq fas:per hye:arm isl:ice kat:geo mkd:mac msa:may nld:dut nob:nor sqi:alb swe:sve "
        "zho:chi"
    ).split()
}
"""ISO 639-2/T -> the code that FFmpeg maps to QuickTime's language numbers (libavformat/isom.c,
mov_mdhd_language_map)."""


def container_language(tag: str | None, container: str) -> str | None:
    """The code with which ``container`` (FFmpeg's name) stores the language of a BCP 47 tag; None if there is none."""
    code = iso_639_2(tag)
    return _QUICKTIME.get(code, code) if code and container == "mov" else code


def same_container_language(one: str | None, other: str | None) -> bool:
    """True if two tags or codes, as containers return them, mean the same language."""
    back = {quicktime: code for code, quicktime in _QUICKTIME.items()}
    codes = [iso_639_2(tag) for tag in (one, other)]
    return len({back.get(code or "", code) for code in codes}) == 1
