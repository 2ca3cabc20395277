"""Which front end a language has."""

from functools import cache
from typing import Protocol, runtime_checkable


@runtime_checkable
class FrontEnd(Protocol):
    """Text to phones, in one language."""

    def phones(self, text: str) -> str:
        """The phones of ``text`` (without mark-up, as ``speakable_text`` gives it), in Kokoro's signs, with marks of
        stress, spaces between words, and punctuation that the voice speaks as pauses and melody; "" if it holds nothing
        that can be said. The same text gives the same phones. Raises ``MissingExtra`` if a package is missing."""
        ...


@cache
def front_end(tag: str) -> FrontEnd:
    """The front end of the language ``tag``, one of ``LANGUAGES``."""
    if tag.startswith("es"):
        from lipdub.words_to_sound.phones.spanish import Spanish

        return Spanish()
    if tag.startswith("it"):
        from lipdub.words_to_sound.phones.italian import Italian

        return Italian()
    if tag.startswith("pt"):
        from lipdub.words_to_sound.phones.portuguese import Portuguese

        return Portuguese()
    if tag.startswith("fr"):
        from lipdub.words_to_sound.phones.french import French

        return French()
    if tag.startswith("en"):
        from lipdub.words_to_sound.phones.english import English

        return English(british=tag == "en-GB")
    raise KeyError(tag)
