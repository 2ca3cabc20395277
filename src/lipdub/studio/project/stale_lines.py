"""Which lines a redo would make, and about how long that takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StaleLines:
    """The ids of the ``lines`` that have no take, or none that fits the plan, in order of time. ``seconds`` is about
    how long it takes to make them, and ``film_seconds`` about how long the film takes after that; None where nothing
    was made yet from which that could be told."""

    lines: tuple[str, ...]
    seconds: float | None = None
    film_seconds: float | None = None
