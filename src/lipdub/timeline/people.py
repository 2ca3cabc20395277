"""The people in a film."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is seen. ``id`` is stable within a project; ``name`` is what users call the person ("": no name
    yet); ``tracks`` are the ids of the face tracks that show the person."""

    id: str
    name: str = ""
    tracks: tuple[int, ...] = ()
