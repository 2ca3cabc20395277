"""A model that was used for a dub, for the report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that was used, and its licence."""

    name: str
    licence: str
