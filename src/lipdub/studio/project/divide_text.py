"""Where the text of a line is divided when the line is."""

from itertools import accumulate

from lipdub.words_to_sound.script.orthography import ends_clause, ends_sentence, join_words, uses_spaces

_AFTER_SENTENCE, _AFTER_CLAUSE = 0.25, 0.12
"""By how much of the text's length a place after a sentence or a clause may lie further from the wanted one."""


def divide_text(text: str, share: float, language: str) -> tuple[str, str] | None:
    """``text`` in two parts of which the first has about ``share`` (0..1) of the characters. It is divided between
    words, after a sentence or a clause if one ends near by; in languages without spaces, between characters.

    None if it has only one word.
    """
    words = text.split()
    if len(words) < 2 and not uses_spaces(language):
        words = list(text.strip())
    if len(words) < 2:
        return None
    ends = list(accumulate(len(word) for word in words))

    def cost(number: int) -> float:
        word, following = words[number - 1], words[number]
        away = abs(ends[number - 1] / ends[-1] - share)
        if ends_sentence(word, following, language):
            return away - _AFTER_SENTENCE
        return away - _AFTER_CLAUSE if ends_clause(word) else away

    best = min(range(1, len(words)), key=cost)
    return _joined(text, words[:best], language), _joined(text, words[best:], language)


def _joined(text: str, words: list[str], language: str) -> str:
    return " ".join(words) if any(character.isspace() for character in text) else join_words(words, language)
