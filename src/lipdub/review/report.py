"""The report of one dub: what changed, what stayed and why, how it measured, and what it was made with."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lipdub.disk.publish import write_text
from lipdub.timeline.cue import Cue, LeftAlone
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.take import Option
from lipdub.timeline.time import Span, timecode, total_duration

VERSION = 1
"""Version of the JSON; raised when a field changes its meaning or goes."""

_MOST_ROWS = 5


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that went in or came out: how long it is, how many frames its picture has (0: no picture), and the
    instant of its own clock at which players start it."""

    path: Path
    duration: Fraction
    frames: int = 0
    start: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Changed:
    """A cue that was performed, and how many of its frames really changed."""

    cue: Cue
    frames: int


@dataclass(frozen=True, slots=True)
class SyncFigure:
    """``score`` -1..1: how well voice and mouth agree; ``offset``: seconds the sound is late."""

    score: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Closures:
    """How many closed lips (p b m) the dub asked for, and how many were found in the finished pictures."""

    asked: int
    met: int


@dataclass(frozen=True, slots=True)
class FaceFigures:
    """What was measured on one face track.

    ``coverage`` 0..1: how much of the mouth's range that speech needs the source shows. ``before`` is the sync of
    the source's own voice, ``after`` that of the dub; None where nothing could be compared. ``figures`` are
    further numbers, named.
    """

    face: int
    coverage: float
    before: SyncFigure | None = None
    after: SyncFigure | None = None
    closures: Closures | None = None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Streams:
    """What became of the streams; every entry is one sentence or name."""

    copied: tuple[str, ...] = ()
    encoded: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageTime:
    """Wall time of one stage, and how many frames it handled (0: it does not count in frames)."""

    stage: str
    seconds: float
    frames: int = 0

    @property
    def rate(self) -> float:
        """Frames per second; 0 if it does not count in frames."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a dub was made with: enough to make it again."""

    lipdub: str
    engine: str
    seed: int
    prior: str
    hearing: str
    options: dict[str, Option] = field(default_factory=dict)
    models: tuple[ModelUsed, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said, in ``language``, by which ``voices`` (and other ``helpers``: recogniser, translator), and how it
    measured: ``figures`` are numbers, named (word error rate, onset error in seconds, loudness in LUFS, ...)."""

    language: str
    lines: tuple[SaidLine, ...] = ()
    voices: tuple[ModelUsed, ...] = ()
    helpers: tuple[ModelUsed, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All there is to say about one dub.

    ``recipe.prior`` and ``recipe.hearing`` are words for people ("the shipped prior", "with the whisper encoder").
    ``notes`` are substitutions and fallbacks; ``warnings`` what a person should look at. ``consent`` is the record
    of who stated it, when and how. ``speech`` tells of the words, where the dub track was made here.
    """

    source: MediaFile
    dub: MediaFile
    output: MediaFile
    recipe: Recipe
    changed: tuple[Changed, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    faces: tuple[FaceFigures, ...] = ()
    streams: Streams = Streams()
    timings: tuple[StageTime, ...] = ()
    consent: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    speech: Speech | None = None

    @property
    def seconds_changed(self) -> Fraction:
        """Seconds of the picture in which some mouth was changed."""
        return total_duration(c.cue.span for c in self.changed)

    def plain(self) -> dict[str, Any]:
        """The report as JSON values: instants in seconds (6 decimals), paths as text, unknown numbers as null."""
        return {"version": VERSION, **_plain(self)}

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(self.plain(), indent=1, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path) -> None:
        """Write the JSON to ``path``, whole or not at all. Raises ``OutputError``."""
        write_text(path, self.to_json() + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction | float):
        return round(float(value), 6) if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def table(report: Report) -> RenderableType:
    """The report in a few rows for a terminal; fits 100 columns."""
    grid = Table(box=None, show_header=False, pad_edge=False, width=100)
    grid.add_column(width=14, style="bold")
    grid.add_column(overflow="fold")
    for name, lines in rows(report):
        grid.add_row(name, Text("\n".join(lines)))
    return grid


def rows(report: Report) -> list[tuple[str, list[str]]]:
    """The report as (name, lines) for people; names without lines are left out."""
    recipe, streams = report.recipe, report.streams
    dropped = [f"dropped: {', '.join(streams.dropped)}"] if streams.dropped else []
    kept = [f"copied: {', '.join(streams.copied)}"] if streams.copied else []
    made = [f"encoded: {', '.join(streams.encoded)}"] if streams.encoded else []
    found = [
        ("Dubbed", [f"{report.output.path.name} ({_length(report.output)})"]),
        ("Changed", _changed(report)),
        ("Left as filmed", _left_alone(report.left_alone)),
        ("Sync", [_sync(f) for f in report.faces if f.after is not None or f.before is not None]),
        ("Speech", speech_rows(report.speech) if report.speech else []),
        ("Closed lips", [_closures(f) for f in report.faces if f.closures is not None and f.closures.asked]),
        ("Streams", [*kept, *made, *dropped]),
        ("Made with", [f"{recipe.engine}, seed {recipe.seed}; {recipe.prior}; {recipe.hearing}"]),
        ("Time", [_times(report.timings)] if report.timings else []),
        ("Notes", [*report.notes, *(report.speech.notes if report.speech else ())]),
        ("Look at", list(report.warnings)),
    ]
    return [(name, lines) for name, lines in found if lines]


def _length(file: MediaFile) -> str:
    frames = f", {file.frames} frames" if file.frames else ""
    return f"{timecode(file.duration)}{frames}"


def _changed(report: Report) -> list[str]:
    faces = len({c.cue.face for c in report.changed})
    frames = sum(c.frames for c in report.changed)
    seconds = f"{float(report.seconds_changed):.1f} of {float(report.source.duration):.1f} s"
    return [f"{seconds}: {_count(len(report.changed), 'cue')} on {_count(faces, 'face')}, {_count(frames, 'frame')}"]


def _left_alone(parts: Iterable[LeftAlone]) -> list[str]:
    """The longest few spans, in order of time."""
    every = list(parts)
    longest = sorted(every, key=lambda a: a.span.duration, reverse=True)[:_MOST_ROWS]
    lines = [f"{_span(a.span)}  {a.reason}{_face(a.face)}" for a in sorted(longest, key=lambda a: a.span)]
    more = len(every) - len(longest)
    return [*lines, f"and {more} shorter"] if more > 0 else lines


def _sync(face: FaceFigures) -> str:
    def told(figure: SyncFigure | None) -> str:
        if figure is None:
            return "unknown"
        return f"{figure.score:.2f} ({figure.offset * 1000:+.0f} ms)"

    return f"face {face.face}: {told(face.before)} before, {told(face.after)} after"


def speech_rows(speech: Speech) -> list[str]:
    """What was said, in a few lines for people."""
    told = []
    if speech.lines:
        voices = ", ".join(f"{v.name} ({v.licence})" for v in speech.voices) or "the user's"
        told.append(f"{_count(len(speech.lines), 'line')} in '{speech.language}', voice: {voices}")
    if speech.figures:
        told.append(", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in speech.figures.items()))
    cut = [line for line in speech.lines if line.missing > 0]
    for line in cut[:_MOST_ROWS]:
        told.append(f"{_span(line.span)}  {float(line.missing):.2f} s did not fit: {line.text}")
    return told


def _closures(face: FaceFigures) -> str:
    assert face.closures is not None
    return f"face {face.face}: {face.closures.met} of {face.closures.asked} found shut"


def _times(timings: Iterable[StageTime]) -> str:
    def told(one: StageTime) -> str:
        return f"{one.stage} {one.seconds:.1f} s" + (f" ({one.rate:.0f} fps)" if one.frames else "")

    return ", ".join(told(one) for one in timings)


def _span(span: Span) -> str:
    return f"{timecode(span.start)} - {timecode(span.end)}"


def _face(face: int | None) -> str:
    return "" if face is None else f" (face {face})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
