"""The faces of a source at an instant, its people and its shots: from the analysis in the folder of kept work."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipdub.timeline.time import Span


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in one frame: whose it is (``person``, the id as the user settled it), and where, in parts of the picture
    as it is shown: left, top, width and height, 0..1."""

    person: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """Somebody who is seen in a source: ``id``, ``name`` ("": none), the spans in which the person is seen (s, from
    where players begin), and a picture (None: there is none)."""

    id: str
    name: str
    spans: tuple[Span, ...]
    picture: Path | None = None


def faces_at(project: Path, seconds: Fraction) -> tuple[FaceBox, ...]:
    """The faces in the frame that the source of the project in the folder ``project`` shows at ``seconds`` (from where
    players begin). None are known before the source was analysed. Raises ``InputError`` if there is no such project."""
    raise NotImplementedError


def people_in(project: Path) -> tuple[SeenPerson, ...]:
    """The people in the source of a project, in order of their ids; nobody before the source was analysed. Nothing is
    analysed for it. Raises ``InputError`` if there is no such project."""
    raise NotImplementedError


def shots_in(project: Path) -> tuple[Span, ...]:
    """The shots of the source of a project (s, from where players begin); none before the source was analysed. Raises
    ``InputError`` if there is no such project."""
    raise NotImplementedError


def picture_of(project: Path, person: str) -> Path | None:
    """The picture (JPEG) of a person by id; None if there is none. ``person`` never becomes part of a path."""
    raise NotImplementedError
