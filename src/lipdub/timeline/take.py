"""Takes: the record of one attempt at a cue, and which one was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lipdub.timeline.cue import Cue

Option = str | int | float | bool | None
"""What an option may hold so that it can be written down."""


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt: which engine made it, for which cue, with what, and how it measured.

    ``number`` counts from 1 within the project. ``key`` names the content it was made from and with, as the store
    does: equal keys, equal pictures. ``figures`` are finite numbers of the review. ``circled`` marks the chosen take
    of its cue.
    """

    number: int
    engine: str
    engine_version: str
    cue: Cue
    seed: int
    key: str
    options: dict[str, Option] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    circled: bool = False


def circled(takes: Sequence[Take], number: int) -> tuple[Take, ...]:
    """The takes with take ``number`` circled, and no other of the same cue. Raises ``KeyError`` if there is none."""
    chosen = next((t for t in takes if t.number == number), None)
    if chosen is None:
        raise KeyError(number)
    return tuple(replace(t, circled=t.number == number) if t.cue == chosen.cue else t for t in takes)
