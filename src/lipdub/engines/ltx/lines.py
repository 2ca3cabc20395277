"""Words and how long they take: whether a line fits its span, and which of its words are said in which window."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.prompt import language_name, prompt_for
from lipdub.errors import OptionError
from lipdub.timeline.cue import Line

PACE = 13.0
"""Letters of an alphabet, spaces included, that unhurried speech says in a second."""

HURRY = 2.0
"""A line that would take longer than so many times its span is refused: the model skips words or mumbles."""

_PAUSES = ".!?;:,…。！？；：，、—"
_SPACELESS = 1.5  # average weight of a letter from which a script has no spaces
_PAUSE = 0.08  # how far, as a part of the line, a cut is moved to fall on a pause


def predict(line: Line) -> float:
    """Seconds that a line takes to say, roughly: letters at ``PACE``, a Chinese character as three, a Korean syllable
    as two and a half, a Japanese kana as two."""
    return sum(_weight(letter) for letter in " ".join(line.text.split())) / PACE


def _weight(letter: str) -> float:
    code = ord(letter)
    if 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF:
        return 3.0
    if 0xAC00 <= code <= 0xD7AF:
        return 2.5
    return 2.0 if 0x3040 <= code <= 0x30FF else 1.0


def check(line: Line, seconds: float) -> None:
    """Raise ``OptionError`` if ``line`` has no words, or far too many for ``seconds``."""
    needed = predict(line)
    if needed == 0:
        raise OptionError("the line has no words to say", at=line.span.start)
    if needed > HURRY * seconds:
        raise OptionError(
            f"the line '{_short(line.text)}' takes about {needed:.1f} s to say and has {seconds:.1f} s",
            at=line.span.start,
            remedy="Shorten it, or give it more time",
        )


def shared(text: str, shares: Sequence[float]) -> tuple[str, ...]:
    """``text`` in parts of about these ``shares`` (they add to 1), cut between words and rather at a pause.

    Scripts without spaces are cut between characters. A part may be empty if there are fewer words than parts.
    """
    words, between = text.split(), " "
    if sum(map(_weight, text)) > _SPACELESS * len(text):
        words, between = list(text.strip()), ""
    ends = list(accumulate(sum(_weight(c) for c in word) + len(between) for word in words))
    whole = ends[-1] if ends else 1.0

    def cost(i: int, aim: float) -> float:
        return abs(ends[i - 1] / whole - aim) - (_PAUSE if words[i - 1][-1:] in _PAUSES else 0)

    parts, done = [], 0
    for aim in list(accumulate(shares))[:-1]:
        about = bisect_left(ends, aim * whole)
        choices = range(max(done, 1, about - 4), min(len(words), about + 6))
        stop = min(choices, key=lambda i: cost(i, aim)) if choices else done
        parts.append(between.join(words[done:stop]))
        done = stop
    return (*parts, between.join(words[done:]))


def prompts(line: Line | None, shares: Sequence[float], options: LtxOptions) -> tuple[str, ...]:
    """One prompt for each window; ``shares`` tell how much of the line each says."""
    if line is None or not line.text.strip():
        return tuple(_told(options, "", "") or f"{options.who} is speaking." for _ in shares)
    return tuple(_prompt(line, words, options) for words in shared(line.text, shares))


def _prompt(line: Line, words: str, options: LtxOptions) -> str:
    if not words:
        return f"{options.who} is silent."
    told = _told(options, language_name(line.language), words)
    return told or prompt_for(Line(words, line.span, line.language, line.speaker), options.who)


def _told(options: LtxOptions, language: str, words: str) -> str:
    """The user's own prompt, filled in."""
    told = options.prompt
    for name, value in (("{who}", options.who), ("{language}", language), ("{words}", words)):
        told = told.replace(name, value)
    return told


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"
