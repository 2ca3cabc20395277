"""Pauses that the source makes inside a line and the voice does not: where in the text the voice should make them."""

import re
from itertools import accumulate, pairwise

from lipdub.timeline.language import primary
from lipdub.words_to_sound.duration_fit.source_timing import SourceTiming
from lipdub.words_to_sound.translate.length_budget import syllables

LONGEST_SHIFT = 0.3
"""Seconds of speech by which a break of the text may be away from the source's pause."""

MARKED_SHIFT = 0.6
"""The same, for a break that the text has already."""

_LEAST = 2.5  # syllables before and after a break
_OPENING = 3.0  # syllables of an opening, as in "Well, ..."
_ANSWERS = frozenset("yes no not sí si non oui nein ja doch nicht".split())
_PUNCTUATION = re.compile(r"[,;:.!?…]\W*$|^\W*[-–—]\W*$")  # of a word after which a voice pauses already
_STARTS = {
    "en": "and or but because although if when while where who which that to in on at with without for from of by "
    "about after before until than as so since through under over into",
    "de": "und oder aber sondern denn weil wenn als dass ob obwohl während wo wer der die das in im an am auf mit "
    "ohne für von vom zu zum zur bei nach vor seit aus um über unter durch gegen bis damit ein eine einen einem einer",
    "fr": "et ou mais car parce que qui quand si comme où dont à au aux dans en sur sous avec sans pour par de du des "
    "vers chez depuis avant après pendant",
    "es": "y e o u pero porque que quien cuando si como donde cual a al en con sin para por de del desde hasta sobre "
    "entre hacia durante según",
    "it": "e ed o ma perché che chi quando se come dove cui a al alla in nel nella con senza per da dal dalla di del "
    "della su sul sulla tra fra durante",
}
"""Words with which a phrase begins: one may pause before them, but not between them and the next word."""

_CLINGING = {
    "en": "the a an my your his her its our their this these those no not very we you he she it they i",
    "de": "den dem des mein dein sein ihr unser euer kein nicht sehr ich du er sie es wir",
    "fr": "le la les un une mon ma mes ton ta tes son sa ses notre nos votre vos leur ce cette ces ne pas plus très je "
    "tu il elle nous vous ils elles on se me te",
    "es": "el la los las un una unos unas mi mis tu tus su sus nuestro este esta estos no muy más me te se lo le nos",
    "it": "il lo la i gli le un una uno mio mia suo sua questo questa non molto più mi ti si ci vi",
}
"""Words after which nobody pauses, beside ``_STARTS``."""


def text_with_breaks(text: str, language: str, timing: SourceTiming) -> str:
    """``text`` with a comma where the source pauses inside the line, so that the voice pauses there, too.

    A comma goes between two words that belong to different phrases (before a preposition, a conjunction or a relative
    pronoun), where about as large a share of the syllables is said as of the source's speech before its pause. Pauses
    for which there is no such place within ``LONGEST_SHIFT``, or which the text has a comma for already, change
    nothing; nor do languages of which these words are not known here (others than en, de, fr, es and it).
    """
    words, breaks = text.split(), _breaks(text, language, timing)
    if all(_PUNCTUATION.search(words[n]) for n in breaks):
        return text
    return " ".join(_with_comma(word) if n in breaks else word for n, word in enumerate(words))


def text_without_breaks(text: str, language: str, timing: SourceTiming) -> str:
    """``text_with_breaks`` without the commas at which the source does not pause, so that the voice does not pause
    there: those before a word with which a phrase begins. Commas after an opening of up to three syllables and after
    yes and no stay, as "No, because" must not become "No because"."""
    words, breaks = text.split(), _breaks(text, language, timing)
    starts = set(_STARTS.get(primary(language), "").split())
    out, said = [], 0.0
    for n, word in enumerate(words):
        said += syllables(word, language)
        own, after = (re.sub(r"\W", "", one).lower() for one in (word, words[n + 1] if n + 1 < len(words) else ""))
        if n in breaks:
            out.append(_with_comma(word))
        elif word.endswith(",") and after in starts and said > _OPENING and own not in _ANSWERS:
            out.append(word[:-1])
        else:
            out.append(word)
    return " ".join(out)


def parts_at_breaks(text: str, language: str, timing: SourceTiming) -> tuple[str, ...]:
    """``text`` cut where the source pauses inside the line, at commas that it has or that ``text_with_breaks`` would
    give it: for voices that hardly pause at commas. One part, the text itself, if there is no such place."""
    words = text.split()
    edges = [0, *(n + 1 for n in sorted(_breaks(text, language, timing))), len(words)]
    parts = [" ".join(words[a:b]) for a, b in pairwise(edges)]
    return tuple(parts) if len(parts) > 1 else (text,)


def _breaks(text: str, language: str, timing: SourceTiming) -> set[int]:
    """The words of ``text`` after which it should pause because the source does, one for each pause that has one."""
    words, code = text.split(), primary(language)
    counts = [syllables(word, language) for word in words]
    said = list(accumulate(counts))
    if len(timing.windows) < 2 or len(words) < 3 or said[-1] < 2 * _LEAST:
        return set()
    lengths = [float(window.duration) for window in timing.windows]
    spoken = list(accumulate(lengths))
    marked = {n for n, word in enumerate(words[:-1]) if _PUNCTUATION.search(word)}
    found: set[int] = set()
    for until in spoken[:-1]:
        share = until / spoken[-1]
        shifts = {n: abs(said[n] / said[-1] - share) * spoken[-1] for n in range(len(words) - 1)}
        near = [n for n in marked if shifts[n] <= LONGEST_SHIFT]
        if not near and code in _STARTS:
            edges = [0.0, *(said[n] for n in sorted(marked)), said[-1]]
            near = [n for n in shifts if shifts[n] <= LONGEST_SHIFT and _may_break(words, n, code)]
            near = [n for n in near if all(abs(said[n] - edge) >= _LEAST for edge in edges)]
        near = near or [n for n in marked - found if shifts[n] <= MARKED_SHIFT]
        if near:
            found.add(min(near, key=lambda n: shifts[n]))
            marked |= found
    return found


def _with_comma(word: str) -> str:
    return word if _PUNCTUATION.search(word) else f"{word},"


def _may_break(words: list[str], n: int, code: str) -> bool:
    """True if the word after word ``n`` begins a phrase and word ``n`` does not belong to what follows."""
    before, after = (re.sub(r"\W", "", word).lower() for word in words[n : n + 2])
    starts, clinging = set(_STARTS[code].split()), set(_CLINGING[code].split())
    return after in starts and before not in starts and before not in clinging


def breaks_in(text: str) -> int:
    """At how many places inside ``text`` a voice is expected to pause."""
    return sum(bool(_PUNCTUATION.search(word)) for word, _ in pairwise(text.split()))
