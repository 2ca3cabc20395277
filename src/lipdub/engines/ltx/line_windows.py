"""Lines and their duration: whether a line fits its span, and which of its words belong to which window."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from lipdub.engines.ltx.options import LtxOptions
from lipdub.engines.ltx.prompt import language_name, prompt_for
from lipdub.errors import OptionError
from lipdub.timeline.lines import Line

LETTERS_PER_SECOND = 13.0
"""Letters of an alphabet, spaces included, that unhurried speech says in a second."""

MAX_HURRY = 2.0
"""A line that would take longer than this many times its span is refused: the model would skip words or mumble."""

_PAUSES = ".!?;:,…。！？；：，、—"
_SPACELESS = 1.5  # average weight of a letter from which a script has no spaces
_PAUSE = 0.08  # how far a cut may move to fall on a pause, as a part of the line


def predict_duration(line: Line) -> float:
    """About how many seconds a line takes to say.

    Letters are counted at ``LETTERS_PER_SECOND``; a Chinese character counts as three letters, a Korean syllable as two
    and a half, a Japanese kana as two.
    """
    return sum(_weight(letter) for letter in " ".join(line.text.split())) / LETTERS_PER_SECOND


def _weight(letter: str) -> float:
    code = ord(letter)
    if 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF:
        return 3.0
    if 0xAC00 <= code <= 0xD7AF:
        return 2.5
    return 2.0 if 0x3040 <= code <= 0x30FF else 1.0


def check_duration(line: Line, seconds: float) -> None:
    """Raise ``OptionError`` if ``line`` has no words, or far too many words for ``seconds``."""
    needed = predict_duration(line)
    if needed == 0:
        raise OptionError("the line has no words to say", at=line.span.start)
    if needed > MAX_HURRY * seconds:
        raise OptionError(
            f"the line '{_shortened(line.text)}' takes about {needed:.1f} s to say and has {seconds:.1f} s",
            at=line.span.start,
            remedy="Shorten it, or give it more time",
        )


def split_text(text: str, extents: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    """The words of ``text`` in each of ``extents``: (start, end) as parts of the text from 0 to 1, in order.

    Cuts are between words, at a pause if one is near. Where extents overlap, both get the words, because two windows
    must say the same there. Scripts without spaces are cut between characters. A part may be empty.
    """
    words, between = text.split(), " "
    if sum(map(_weight, text)) > _SPACELESS * len(text):
        words, between = list(text.strip()), ""
    places = [0.0, *accumulate(sum(_weight(c) for c in word) + len(between) for word in words)]

    def cut(aim: float) -> int:
        if aim <= 0 or aim >= 1 or not words:
            return 0 if aim <= 0 else len(words)
        about = bisect_left(places, aim * places[-1])
        choices = range(max(0, about - 4), min(len(words), about + 5) + 1)
        return min(choices, key=lambda i: abs(places[i] / places[-1] - aim) - _PAUSE * _ends_in_pause(words[:i]))

    parts, done = [], 0
    for start, stop in extents:
        first = min(cut(start), done)
        done = max(cut(stop), done)
        parts.append(between.join(words[first:done]))
    return tuple(parts)


def _ends_in_pause(words: Sequence[str]) -> bool:
    return bool(words) and words[-1][-1] in _PAUSES


def window_prompts(line: Line | None, extents: Sequence[tuple[float, float]], options: LtxOptions) -> tuple[str, ...]:
    """One prompt for each window; ``extents`` are the parts of the line (0 to 1) that the windows say.

    Without a line, or without words in it, every prompt only states that somebody is speaking.
    """
    if line is None or not line.text.strip():
        return tuple(_user_prompt(options, "", "") or f"{options.who} is speaking." for _ in extents)
    return tuple(_prompt(line, words, options) for words in split_text(line.text, extents))


def _prompt(line: Line, words: str, options: LtxOptions) -> str:
    if not words:
        return f"{options.who} is silent."
    own = _user_prompt(options, language_name(line.language), words)
    return own or prompt_for(Line(words, line.span, line.language, line.speaker), options.who)


def _user_prompt(options: LtxOptions, language: str, words: str) -> str:
    """The user's own prompt with its fields filled in; "" if there is none."""
    prompt = options.prompt
    for name, value in (("{who}", options.who), ("{language}", language), ("{words}", words)):
        prompt = prompt.replace(name, value)
    return prompt


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"
