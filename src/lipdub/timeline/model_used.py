"""Which model had a part in a dub."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that had a part in the dub, and the licence it comes under."""

    name: str
    licence: str
