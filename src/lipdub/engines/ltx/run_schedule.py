"""Which frames of a track are generated: the runs of frames in which its mouth follows the dub."""

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
"""Rows without weight that may lie inside a run."""

_FADE = 5
"""Rows over which a run fades in and out if the guide has no trajectory."""

_SAME = 0.004
"""Eye distances: a trajectory that differs less from the filmed shapes asks for no change."""


@dataclass(frozen=True, eq=False)
class TrackRun:
    """Rows of a track that are generated together.

    ``input_rows``: rows that the model is shown, at least one. ``span``: the time that the run covers.
    ``line`` and ``cue_id``: of the cue that gave rise to the run, if it has a line.
    """

    rows: range
    input_rows: range
    span: Span
    line: Line | None = None
    cue_id: str = ""


@dataclass(frozen=True, eq=False)
class RunSchedule:
    """All runs of a track, in order and disjoint; ``weight`` 0..1: how much of the generated picture each row shows;
    ``times`` of the clip's frames."""

    runs: tuple[TrackRun, ...]
    weight: Float64[np.ndarray, " rows"]
    times: FrameTimes


def schedule_runs(track: StudiedTrack, guide: Guide) -> RunSchedule:
    """The runs that ``guide`` asks for.

    A cue with a line is one run over its whole span. A cue without a line gives runs where the trajectory has weight;
    so does the whole track if there are no cues. If the guide has no trajectory, the weight is 1 where the mouth can be
    seen, with a fade at both ends of a run. A run is left out if it has neither line nor dub sound to follow and its
    trajectory equals the filmed shapes.
    """
    times = times_or_default(guide.times, track.first + len(track))
    weight = _weight(track, guide)
    runs = list(_runs_of_cues(track, guide, times, weight))
    if guide.trajectory is None:
        shown = np.zeros(len(track))
        for run in runs:
            shown[run.rows.start : run.rows.stop] = _fade_weights(
                len(run.rows), run.rows.start > 0, run.rows.stop < len(track)
            )
        weight = weight * shown
    return RunSchedule(tuple(run for run in runs if not _unchanged(track, guide, run)), weight, times)


def _weight(track: StudiedTrack, guide: Guide) -> np.ndarray:
    if guide.trajectory is None:
        return track.usable.astype(np.float64)
    assert len(guide.trajectory) == len(track), "the trajectory has one row per frame of the track"
    return guide.trajectory.weight.astype(np.float64)


def _runs_of_cues(track: StudiedTrack, guide: Guide, times: FrameTimes, weight: np.ndarray) -> Iterator[TrackRun]:
    if not guide.cues and guide.trajectory is not None:
        for rows in _weighted_ranges(weight, range(len(track))):
            yield _run_of_rows(track, times, rows)
    done = 0
    for cue in sorted(guide.cues, key=lambda cue: cue.span):
        frames = times.within(cue.span)
        first = max(frames.start - track.first, done)
        rows = range(first, max(first, min(frames.stop - track.first, len(track))))
        done = max(done, rows.stop)
        if cue.line is not None:
            yield _run_of_line(track, times, cue, rows)
        else:
            for part in _weighted_ranges(weight, rows):
                yield _run_of_rows(track, times, part)


def _run_of_rows(track: StudiedTrack, times: FrameTimes, rows: range) -> TrackRun:
    return TrackRun(rows, rows, times.span(track.first + rows.start, track.first + rows.stop))


def _run_of_line(track: StudiedTrack, times: FrameTimes, cue: Cue, rows: range) -> TrackRun:
    """The run of a cue with a line: from the first frame in its span to the end of the span.

    ``rows`` may be empty, if the line is said while the track is not in the picture. The model is then shown the
    nearest frame of the track.
    """
    frames = times.within(cue.span)
    start = times.instant(frames.start) if len(frames) else cue.span.start
    inputs = rows
    if not len(rows):
        row = nearest_frame(times, cue.span.start, range(track.first, track.first + len(track))) - track.first
        inputs = range(row, row + 1)
    return TrackRun(rows, inputs, Span(start, cue.span.end), cue.line, cue.id)


def _weighted_ranges(weight: np.ndarray, rows: range) -> Iterator[range]:
    """Ranges of ``rows`` that have weight; gaps of at most ``_GAP`` rows are included."""
    weighted = rows.start + np.flatnonzero(weight[rows.start : rows.stop] > 0)
    for part in consecutive(weighted, _GAP):
        yield range(int(part[0]), int(part[-1]) + 1)


def _fade_weights(rows: int, rises: bool, falls: bool) -> np.ndarray:
    """(rows,) of 1, with raised-cosine ramps at the start (``rises``) and at the end (``falls``)."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE) + 1) / (_FADE + 1))
    out = np.ones(rows)
    count = min(_FADE, rows)
    if rises:
        out[:count] = ramp[:count]
    if falls:
        out[rows - count :] = np.minimum(out[rows - count :], ramp[::-1][_FADE - count :])
    return out


def _unchanged(track: StudiedTrack, guide: Guide, run: TrackRun) -> bool:
    """True if ``run`` asks for nothing else than what was filmed."""
    if guide.trajectory is None or guide.dub_sound is not None or run.line is not None:
        return False
    rows = slice(run.rows.start, run.rows.stop)
    difference = np.abs(guide.trajectory.shapes[rows] - track.shapes[rows])
    return bool((difference[track.ok[rows]] < _SAME).all()) and bool(track.ok[rows].any())
