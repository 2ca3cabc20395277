"""The report of a dub: changed frames, frames left as filmed and why, measurements, and everything it was made with."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lipdub.disk.publish import write_text
from lipdub.timeline.clip_length import LengthChange
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.take import Option
from lipdub.timeline.time import Span, timecode, total_duration

VERSION = 2
"""Version of the JSON; raised when a field is renamed, removed, or changes its meaning."""

_MOST_ROWS = 5
"""The most entries of one kind in a summary."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An input or output file. ``duration`` in seconds; ``frames`` of its picture (0: it has no picture); ``start``:
    time stamp in seconds at which players start it."""

    path: Path
    duration: Fraction
    frames: int = 0
    start: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class RenderedCue:
    """A ``cue`` that was rendered, how many of its frames were changed, and the spans of these (``changed``).

    In the other frames the engine could not change the mouth (the report's ``passthrough`` says why), or it is already
    as it must be.
    """

    cue: Cue
    frames_changed: int
    changed: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SyncScore:
    """How well voice and mouth agree: ``score`` -1..1, higher is better; ``offset``: seconds that the sound is late."""

    score: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class ClosureCount:
    """Lip closures (p, b, m): how many the dub's phones ``requested``, and how many of these were ``found`` in the
    finished picture."""

    requested: int
    found: int


@dataclass(frozen=True, slots=True)
class FaceMetrics:
    """Measurements of one face track, by its number ``face``.

    ``coverage`` 0..1: the part of the mouth movement needed for speech that the source shows. ``source_sync``: sync of
    the source picture with the source's own voice; ``dub_sync``: sync of the finished picture with the dub; None where
    there is no speech to compare. ``metrics`` are further numbers by name.
    """

    face: int
    coverage: float
    source_sync: SyncScore | None = None
    dub_sync: SyncScore | None = None
    closures: ClosureCount | None = None
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What was done with each stream: copied by packets, encoded, or dropped. An entry is a name or a sentence."""

    copied: tuple[str, ...] = ()
    encoded: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageTime:
    """Wall time of one stage in seconds, and the number of frames or lines it processed (0: not counted)."""

    stage: str
    seconds: float
    frames: int = 0

    @property
    def rate(self) -> float:
        """Frames per second; 0 if frames were not counted."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a dub was made with: enough to make it again.

    ``prior`` and ``speech_features`` are descriptions for people ("the shipped prior"); ``options`` are the options of
    the dub by name; ``models`` those that analysed picture and sound.
    """

    lipdub_version: str
    engine: str
    seed: int
    prior: str
    speech_features: str
    options: dict[str, Option] = field(default_factory=dict)
    models: tuple[ModelUsed, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechReport:
    """Speech that was made for the dub: its ``language``, the ``lines`` as they are spoken, the ``voices``, and the
    other ``models`` (recogniser, translator).

    ``metrics`` are numbers by name: word error rate 0.., median onset error in seconds, loudness in LUFS, ...
    ``word_errors`` are the word error rates of the lines that were spoken in this run, by the ids of a plan.
    """

    language: str
    lines: tuple[SaidLine, ...] = ()
    voices: tuple[ModelUsed, ...] = ()
    models: tuple[ModelUsed, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    word_errors: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is reported about one dub.

    ``cues`` were rendered; ``passthrough`` are spans left as filmed, with reasons. ``notes`` are substitutions and
    fallbacks; ``warnings`` are what a person should check. ``consent`` says who stated it, when and how. ``speech`` is
    None if the dub track was given and not mixed. ``length`` is how the picture was made as long as the dub track
    (None: it was not changed); all times in the report are on the output's clock.
    """

    source: MediaFile
    dub_track: MediaFile
    output: MediaFile
    recipe: Recipe
    cues: tuple[RenderedCue, ...] = ()
    passthrough: tuple[PassthroughSpan, ...] = ()
    faces: tuple[FaceMetrics, ...] = ()
    streams: StreamSummary = StreamSummary()
    timings: tuple[StageTime, ...] = ()
    consent: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    speech: SpeechReport | None = None
    length: LengthChange | None = None

    @property
    def seconds_changed(self) -> Fraction:
        """Seconds of the picture in which the mouth of at least one face was changed."""
        return total_duration(span for rendered in self.cues for span in rendered.changed)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values: times in seconds (6 decimals), paths as text, NaN and infinity as null."""
        return {"version": VERSION, **_json_value(self)}

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path) -> None:
        """Write the JSON to ``path`` atomically. Raises ``OutputError``."""
        write_text(path, self.to_json() + "\n")


def _json_value(value: Any) -> Any:
    if isinstance(value, Fraction | float):
        return round(float(value), 6) if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    if is_dataclass(value):
        return {f.name: _json_value(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): _json_value(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_json_value(v) for v in value]
    return value


def summary_table(report: Report) -> RenderableType:
    """``summary_rows`` as a table for a terminal, at most 100 columns wide."""
    grid = Table(box=None, show_header=False, pad_edge=False, width=100)
    grid.add_column(width=14, style="bold")
    grid.add_column(overflow="fold")
    for name, lines in summary_rows(report):
        grid.add_row(name, Text("\n".join(lines)))
    return grid


def summary_rows(report: Report) -> list[tuple[str, list[str]]]:
    """A summary for people: (name, lines of text). A row without lines is left out."""
    recipe, streams = report.recipe, report.streams
    kinds = {"copied": streams.copied, "encoded": streams.encoded, "dropped": streams.dropped}
    every = [
        ("Output", [f"{report.output.path.name} ({_length(report.output)})"]),
        ("Changed", [_extent(report)]),
        ("Left as filmed", _passthrough(report.passthrough)),
        ("Sync", _syncs([f for f in report.faces if f.dub_sync is not None or f.source_sync is not None])),
        ("Speech", speech_summary(report.speech) if report.speech else []),
        ("Lip closures", _closures({f.face: f.closures for f in report.faces if f.closures and f.closures.requested})),
        ("Streams", [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]),
        ("Recipe", [f"{recipe.engine}, seed {recipe.seed}; {recipe.prior}; {recipe.speech_features}"]),
        ("Timings", [_timings(report.timings)] if report.timings else []),
        ("Notes", [*report.notes, *(report.speech.notes if report.speech else ())]),
        ("Warnings", list(report.warnings)),
    ]
    return [(name, lines) for name, lines in every if lines]


def _length(file: MediaFile) -> str:
    frames = f", {file.frames} frames" if file.frames else ""
    return f"{timecode(file.duration)}{frames}"


def _extent(report: Report) -> str:
    """How much of the picture was changed."""
    faces = len({rendered.cue.face for rendered in report.cues})
    frames = sum(rendered.frames_changed for rendered in report.cues)
    seconds = f"{float(report.seconds_changed):.1f} of {float(report.output.duration):.1f} s"
    return f"{seconds}: {_count(len(report.cues), 'cue')} on {_count(faces, 'face')}, {_count(frames, 'frame')}"


def _passthrough(spans: Sequence[PassthroughSpan]) -> list[str]:
    """The ``_MOST_ROWS`` longest spans, in order of time."""
    longest = sorted(spans, key=lambda one: one.span.duration, reverse=True)[:_MOST_ROWS]
    lines = [f"{_span(one.span)}  {one.reason}{_face(one.face)}" for one in sorted(longest, key=lambda one: one.span)]
    more = len(spans) - len(longest)
    return [*lines, f"and {more} shorter"] if more > 0 else lines


def _syncs(faces: Sequence[FaceMetrics]) -> list[str]:
    """A line for each face; of many, the ``_MOST_ROWS`` that follow the dub least, and the median of all others."""
    if len(faces) <= _MOST_ROWS:
        return [_sync(face) for face in faces]
    after = {face.face: face.dub_sync.score if face.dub_sync is not None else 0.0 for face in faces}
    least = sorted(faces, key=lambda face: after[face.face])[:_MOST_ROWS]
    others = [score for face, score in after.items() if face not in {one.face for one in least}]
    lines = [_sync(face) for face in faces if face in least]
    return [*lines, f"the other {_count(len(others), 'face')}: {median(others):.2f} after (median)"]


def _sync(face: FaceMetrics) -> str:
    def text(sync: SyncScore | None) -> str:
        return "unknown" if sync is None else f"{sync.score:.2f} ({sync.offset * 1000:+.0f} ms)"

    return f"face {face.face}: {text(face.source_sync)} before, {text(face.dub_sync)} after"


def speech_summary(speech: SpeechReport) -> list[str]:
    """The speech of a dub in a few lines for people."""
    summary = []
    if speech.lines:
        voices = ", ".join(f"{v.name} ({v.licence})" for v in speech.voices) or "the user's"
        summary.append(f"{_count(len(speech.lines), 'line')} in '{speech.language}', voice: {voices}")
    if speech.metrics:
        summary.append(", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in speech.metrics.items()))
    cut = [line for line in speech.lines if line.missing > 0]
    for line in cut[:_MOST_ROWS]:
        summary.append(f"{_span(line.span)}  {float(line.missing):.2f} s did not fit: {line.text}")
    return summary


def _closures(faces: Mapping[int, ClosureCount]) -> list[str]:
    """A line for each face; of many, the sum, and the first ``_MOST_ROWS`` in which closures are missing."""
    told = {face: f"face {face}: {count.found} of {count.requested} found closed" for face, count in faces.items()}
    if len(faces) <= _MOST_ROWS:
        return list(told.values())
    found, requested = (sum(getattr(c, name) for c in faces.values()) for name in ("found", "requested"))
    lacking = [told[face] for face, count in faces.items() if count.found < count.requested]
    return [f"{found} of {requested} found closed on {len(faces)} faces", *lacking[:_MOST_ROWS]]


def _timings(timings: Iterable[StageTime]) -> str:
    def text(one: StageTime) -> str:
        return f"{one.stage} {one.seconds:.1f} s" + (f" ({one.rate:.0f} fps)" if one.frames else "")

    return ", ".join(text(one) for one in timings)


def _span(span: Span) -> str:
    return f"{timecode(span.start)} - {timecode(span.end)}"


def _face(face: int | None) -> str:
    return "" if face is None else f" (face {face})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
