"""Lines out of recognised words, divided as subtitlers do: at ends of sentences, else at clause marks, else at
pauses."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

from lipdub.timeline.lines import Line, Word, numbered
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.orthography import ends_clause, ends_sentence, is_cjk, join_words, width


@dataclass(frozen=True, slots=True)
class LineOptions:
    """A line has at most ``characters`` (of CJK: ``cjk_characters``) and lasts at most ``longest`` seconds, unless it
    is one word. A line shorter than ``shortest`` seconds is joined to a neighbour within ``near`` seconds. A pause of
    ``pause`` seconds always divides lines; one of ``breath`` seconds is a good place to divide.
    """

    characters: int = 84
    cjk_characters: int = 32
    longest: Fraction = Fraction(7)
    shortest: Fraction = Fraction(1)
    near: Fraction = Fraction(1, 2)
    pause: Fraction = Fraction(3, 2)
    breath: Fraction = Fraction(3, 10)


def lines_from_words(
    words: Sequence[Word], language: str, options: LineOptions = LineOptions(), speaker: str = ""
) -> tuple[Line, ...]:
    """Lines in order of time with all of ``words`` (in order of time); each word is in one line, whose span covers it.

    The lines are numbered by their ids: "1", "2", ...
    """
    sentences = _sentences(words, language, options)
    pieces = [piece for sentence in sentences for piece in _fitting(sentence, language, options)]
    return numbered(line_from_words(piece, language, speaker) for piece in _not_too_short(pieces, language, options))


def line_from_words(words: Sequence[Word], language: str, speaker: str = "") -> Line:
    """The line of ``words`` (at least one), without an id."""
    span = Span(min(w.span.start for w in words), max(w.span.end for w in words))
    return Line(join_words([w.text for w in words], language), span, language, speaker, tuple(words))


def _sentences(words: Sequence[Word], language: str, options: LineOptions) -> list[list[Word]]:
    """``words`` divided where a sentence ends and at long pauses."""
    out: list[list[Word]] = [[]]
    for word, following in zip_longest(words, words[1:]):
        out[-1].append(word)
        if following is None:
            break
        gap = _gap(word, following)
        if gap >= options.pause or ends_sentence(word.text, following.text, language, gap >= options.breath):
            out.append([])
    return [sentence for sentence in out if sentence]


def _gap(word: Word, following: Word) -> Fraction:
    return max(following.span.start - word.span.end, Fraction(0))


def _fits(words: Sequence[Word], language: str, options: LineOptions) -> bool:
    most = options.cjk_characters if is_cjk(language) else options.characters
    return (
        words[-1].span.end - words[0].span.start <= options.longest
        and width(join_words([w.text for w in words], language), language) <= most
    )


def _fitting(words: list[Word], language: str, options: LineOptions) -> list[list[Word]]:
    """``words`` divided at the best place, again and again, until each part fits or is a single word."""
    out: list[list[Word]] = []
    waiting = [words]
    while waiting:
        part = waiting.pop()
        if len(part) == 1 or _fits(part, language, options):
            out.append(part)
            continue
        at = _best_cut(part, language, options)
        waiting += [part[at:], part[:at]]
    return out


def _best_cut(words: list[Word], language: str, options: LineOptions) -> int:
    """The index at which ``words`` are best divided: at a clause mark or a pause, and near the middle."""
    lengths = [width(w.text, language) + 1 for w in words]
    whole, reached = sum(lengths), 0.0
    best, best_score = 1, float("-inf")
    for k in range(1, len(words)):
        reached += lengths[k - 1]
        gap = _gap(words[k - 1], words[k])
        off_middle = abs(2 * reached / whole - 1)
        score = 1.2 * ends_clause(words[k - 1].text) + min(float(gap / options.breath), 3.0) * 0.5 - 1.6 * off_middle
        if score > best_score:
            best, best_score = k, score
    return best


def _not_too_short(pieces: list[list[Word]], language: str, options: LineOptions) -> list[list[Word]]:
    """``pieces``, where one shorter than ``shortest`` is joined to a near neighbour with which it fits."""
    out: list[list[Word]] = []
    for piece in pieces:
        short = _brief(piece, options) or (bool(out) and _brief(out[-1], options))
        if out and short and _gap(out[-1][-1], piece[0]) <= options.near and _fits(out[-1] + piece, language, options):
            out[-1] = out[-1] + piece
        else:
            out.append(piece)
    return out


def _brief(words: Sequence[Word], options: LineOptions) -> bool:
    return words[-1].span.end - words[0].span.start < options.shortest
