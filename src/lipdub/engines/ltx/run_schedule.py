"""Which frames of a track are made: the stretches in which its mouth follows the dub."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lipdub.engines.ltx.frame_grid import nearest_frame, times_or_default
from lipdub.engines.ltx.studied_track import StudiedTrack
from lipdub.engines.seam import Guide
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue
from lipdub.timeline.lines import Line
from lipdub.timeline.runs import consecutive
from lipdub.timeline.time import Span

_GAP = 15
"""Rows of which nothing is asked, beyond which a stretch ends."""

_FADE = 5
"""Rows over which a stretch fades in and out where no path says so."""

_SAME = 0.004
"""Eye distances: a path that differs less from what was filmed asks for nothing."""


@dataclass(frozen=True, eq=False)
class TrackRun:
    """Rows of a track that are made together. ``fed`` are the rows that the model is shown, at least one, and
    ``span`` the time it covers. ``line`` is what is said, if it is known."""

    rows: range
    fed: range
    span: Span
    line: Line | None = None


@dataclass(frozen=True, eq=False)
class RunSchedule:
    """All runs of a track in order, disjoint; how much of what is made shows in each row (0..1); frame times."""

    runs: tuple[TrackRun, ...]
    weight: Float64[np.ndarray, " rows"]
    times: FrameTimes


def schedule_runs(record: StudiedTrack, guide: Guide) -> RunSchedule:
    """What ``guide`` asks of a track.

    With cues: their spans, those with a line whole, the others where the path has weight. Without: where it has.
    A guide without a path shows all of what is made where the mouth can be seen. A stretch with neither words nor
    sound to follow, whose path is what was filmed, asks for nothing.
    """
    times = times_or_default(guide.times, record.first + len(record))
    weight = _weight(record, guide)
    runs = list(_of_cues(record, guide, times, weight))
    if guide.path is None:
        shown = np.zeros(len(record))
        for run in runs:
            shown[run.rows.start : run.rows.stop] = _faded(
                len(run.rows), run.rows.start > 0, run.rows.stop < len(record)
            )
        weight = weight * shown
    return RunSchedule(tuple(run for run in runs if not _as_filmed(record, guide, run)), weight, times)


def _weight(record: StudiedTrack, guide: Guide) -> np.ndarray:
    if guide.path is None:
        return record.usable.astype(np.float64)
    assert len(guide.path) == len(record), "the path has one row per frame of the track"
    return guide.path.weight.astype(np.float64)


def _of_cues(record: StudiedTrack, guide: Guide, times: FrameTimes, weight: np.ndarray) -> Iterator[TrackRun]:
    everywhere = range(len(record))
    if not guide.cues and guide.path is not None:
        for rows in _stretches(weight, everywhere):
            yield _followed(record, times, rows)
    done = 0
    for cue in sorted(guide.cues, key=lambda cue: cue.span):
        frames = times.within(cue.span)
        first = max(frames.start - record.first, done)
        rows = range(first, max(first, min(frames.stop - record.first, len(record))))
        done = max(done, rows.stop)
        if cue.line is not None:
            yield _said(record, times, cue, rows)
        else:
            for part in _stretches(weight, rows):
                yield _followed(record, times, part)


def _followed(record: StudiedTrack, times: FrameTimes, rows: range) -> TrackRun:
    return TrackRun(rows, rows, times.span(record.first + rows.start, record.first + rows.stop))


def _said(record: StudiedTrack, times: FrameTimes, cue: Cue, rows: range) -> TrackRun:
    """A line's run: from the first frame in its span to the end of it, whether the face is there or not."""
    frames = times.within(cue.span)
    start = times.instant(frames.start) if len(frames) else cue.span.start
    fed = rows
    if not len(rows):
        track = range(record.first, record.first + len(record))
        row = nearest_frame(times, cue.span.start, track) - record.first
        fed = range(row, row + 1)
    return TrackRun(rows, fed, Span(start, cue.span.end), cue.line)


def _stretches(weight: np.ndarray, rows: range) -> Iterator[range]:
    """Rows with weight, together with short gaps between them."""
    asked = rows.start + np.flatnonzero(weight[rows.start : rows.stop] > 0)
    for part in consecutive(asked, _GAP):
        yield range(int(part[0]), int(part[-1]) + 1)


def _faded(rows: int, rises: bool, falls: bool) -> np.ndarray:
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE) + 1) / (_FADE + 1))
    out = np.ones(rows)
    count = min(_FADE, rows)
    if rises:
        out[:count] = ramp[:count]
    if falls:
        out[rows - count :] = np.minimum(out[rows - count :], ramp[::-1][_FADE - count :])
    return out


def _as_filmed(record: StudiedTrack, guide: Guide, run: TrackRun) -> bool:
    """True if nothing new is asked in ``run``."""
    if guide.path is None or guide.sound is not None or run.line is not None:
        return False
    rows = slice(run.rows.start, run.rows.stop)
    differ = np.abs(guide.path.shapes[rows] - record.shapes[rows])
    return bool((differ[record.ok[rows]] < _SAME).all()) and bool(record.ok[rows].any())
