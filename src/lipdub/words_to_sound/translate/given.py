"""A translation that somebody brought, as a translator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lipdub.errors import OptionError
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.seam import ModelCard, TranslationRequest


@dataclass(frozen=True)
class GivenTranslator:
    """``texts``: what each line is in the new language. It cannot make anything shorter."""

    texts: Mapping[Line, str]
    licence: str = "not stated"

    @property
    def card(self) -> ModelCard:
        """Who it is."""
        return ModelCard("given", self.licence)

    def translate(self, requests: Sequence[TranslationRequest], language: str) -> Sequence[str]:
        """The texts of the requests' lines. Raises ``OptionError`` for a line that was not brought."""
        return [self._one(request.line, language) for request in requests]

    def _one(self, line: Line, language: str) -> str:
        if line not in self.texts:
            raise OptionError(f"the line '{line.text[:40]}' has no translation into '{language}'", at=line.span.start)
        return self.texts[line]
