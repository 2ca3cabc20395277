"""How often services that speak were asked, because they may cost money."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lipdub.words_to_sound.seam import ModelCard


@dataclass(eq=False)
class VoiceRequests:
    """The requests to voices that are not on this machine, and the characters sent, by the name of the voice. Speech
    that was in the cache is not counted."""

    requests: dict[str, int] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)

    def count(self, card: ModelCard, text: str) -> None:
        """Count one request for ``text``, if the voice is a service."""
        if not card.local:
            self.requests[card.name] = self.requests.get(card.name, 0) + 1
            self.characters[card.name] = self.characters.get(card.name, 0) + len(text)

    def told(self) -> Iterator[str]:
        """A sentence for each voice, for the report."""
        for name, number in self.requests.items():
            times = "once" if number == 1 else f"{number:,} times"
            yield f"the voice {name} was asked {times}, with {self.characters[name]:,} characters in all"
