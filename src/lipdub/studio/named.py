"""Recognisers and translators by the names that users give."""

from lipdub.errors import OptionError
from lipdub.words_to_sound.seam import RECOGNISERS, TRANSLATORS, Recogniser, Translator


def recogniser_named(text: str) -> Recogniser:
    """``NAME`` or ``NAME:DETAIL``. Raises ``OptionError`` or what opening it raises."""
    return RECOGNISERS.named(text, Recogniser)


def translator_named(text: str, source: str, target: str) -> Translator:
    """``NAME`` or ``NAME:DETAIL``. Raises ``OptionError`` if none is named, or what opening it raises."""
    if not text:
        raise OptionError(
            f"the words are in '{source}' and shall be said in '{target}', and no translator was named",
            remedy="Name one (--translator openai:URL#MODEL or argos), or give a translated script (--script)",
        )
    return TRANSLATORS.named(text, Translator)
