"""Which front end a language has."""

from functools import cache
from importlib import import_module
from typing import Protocol, runtime_checkable


@runtime_checkable
class FrontEnd(Protocol):
    """Text to phones, in one language."""

    def phones(self, text: str) -> str:
        """The phones of ``text`` (without mark-up and digits), in Kokoro's signs, with marks of stress, spaces between
        words, and punctuation that the voice speaks as pauses and melody; "" if it holds nothing that can be said.

        The same text gives the same phones. Raises ``MissingExtra`` if a package is missing, ``WeightsError`` if a file
        is.
        """
        ...


_CLASSES = {
    "en": "english:English",
    "es": "spanish:Spanish",
    "fr": "french:French",
    "hi": "hindi:Hindi",
    "it": "italian:Italian",
    "ja": "japanese:Japanese",
    "pt": "portuguese:Portuguese",
    "zh": "chinese:Chinese",
}

LANGUAGES = tuple(_CLASSES)
"""The languages that have a front end."""


@cache
def front_end(tag: str) -> FrontEnd:
    """The front end of the language of ``tag`` (BCP 47), made once. Raises ``KeyError`` for another language."""
    language = tag.split("-", maxsplit=1)[0].lower()
    module, name = _CLASSES[language].split(":")
    made = getattr(import_module(f"lipdub.words_to_sound.phones.{module}"), name)
    return made(british=True) if tag == "en-GB" else made()
