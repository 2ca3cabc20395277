"""What goes in and comes out where lines are made: hear, takes, redo, exports. See ``shapes``."""

from typing import Annotated, Literal

from msgspec import Meta

from lipdub.web.api.shapes import Given, Id, Name, Scores, Shift, Text, Told, Whole

ExportFormat = Literal["film", "srt", "vtt", "ttml", "otio", "edl", "xml", "aaf", "report", "markers.csv"]


class Hear(Given, frozen=True):
    """How the line shall be heard; what is left out is as in the plan."""

    text: Text | None = None
    voice: Name | None = None
    offset: Shift | None = None


class RecipeShown(Told, frozen=True):
    """What a take was made from."""

    text: str
    voice: str
    offset: float
    seed: int
    engine: str
    person: str


class TakeShown(Told, frozen=True):
    """One attempt at a line."""

    number: int
    made: str
    recipe: RecipeShown
    scores: Scores
    chosen: bool
    audio: str | None


class TakeList(Told, frozen=True):
    """All attempts at a line."""

    data: list[TakeShown]
    next_cursor: str | None = None


class StaleShown(Told, frozen=True):
    """The lines that would be made anew, and about how many seconds that and the film take (null: not known yet)."""

    lines: list[str]
    seconds: float | None
    film_seconds: float | None


class LineChanges(Given, frozen=True):
    """Changes that hold for every line that is made anew."""

    seed: Whole | None = None
    engine: Name | None = None
    voice: Name | None = None


class Redo(Given, frozen=True):
    """Which lines are made anew: their ids, or "stale" for all that changed. ``film``: the film, too."""

    segments: Annotated[list[Id], Meta(max_length=5000)] | Literal["stale"] = "stale"
    changes: LineChanges = LineChanges()
    film: bool = False


class Export(Given, frozen=True):
    """What is exported."""

    format: ExportFormat


class Exported(Told, frozen=True):
    """Where an export can be fetched."""

    url: str
    name: str
