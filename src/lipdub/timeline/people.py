"""The people in a film."""

from dataclasses import dataclass

from lipdub.timeline.picture import Window


@dataclass(frozen=True, slots=True)
class FaceSample:
    """Where a good picture of a face is: in frame ``frame`` of the clip, inside ``window`` (display pixels), on the
    face track ``track``."""

    track: int
    frame: int
    window: Window


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is seen. ``id`` is stable within a project; ``name`` is what users call the person ("": no name
    yet); ``tracks`` are the ids of the face tracks that show the person, in order.

    ``sample`` is where a good picture of the face is. ``similarity`` is how alike the two least alike parts of the
    tracks are (1: there is one track; about 0.5: it is unsure that they show one person).
    """

    id: str
    name: str = ""
    tracks: tuple[int, ...] = ()
    sample: FaceSample | None = None
    similarity: float = 1.0
