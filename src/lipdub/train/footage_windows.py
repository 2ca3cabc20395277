"""Windows of a clip that become training pairs: one visible face, whole words, 8 k + 1 frames at a constant rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from lipdub.engines.ltx.frame_grid import FrameGrid, generated_rate, make_grid
from lipdub.studio.analysis import Analysis, FaceAnalysis
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.runs import true_runs
from lipdub.timeline.time import Span

_LEAD = Fraction(1, 5)  # seconds before the first word
SMALLEST_FACE = 40.0
"""Pixels between the outer eye corners below which a face is too small to learn from."""


@dataclass(frozen=True, eq=False)
class PairWindow:
    """A part of a clip: its instants and frames (``grid``), whose ``face`` it shows, and the ``text`` that is said."""

    grid: FrameGrid
    face: FaceAnalysis
    text: str

    @property
    def span(self) -> Span:
        """From the first instant to the end of the last frame."""
        return self.grid.span(0, self.grid.count)


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """What is never cut: a word, or a line whose words have no times."""

    span: Span
    text: str


def spoken_parts(lines: Sequence[Line]) -> list[SpokenPart]:
    """The words of ``lines``, or the lines where the times of their words are not known, in order of time."""
    parts = []
    for line in lines:
        parts += [SpokenPart(word.span, word.text.strip()) for word in line.words] or [SpokenPart(line.span, line.text)]
    return sorted((part for part in parts if part.text), key=lambda part: part.span)


def choose_windows(
    clip: Clip, analysis: Analysis, parts: Sequence[SpokenPart], lengths: tuple[int, int]
) -> tuple[list[PairWindow], list[str]]:
    """(Windows in order of time, of ``lengths`` (least, most) frames; reasons why other parts are left out).

    Windows do not overlap. Each begins shortly before a part of the speech and ends before one that does not fit.
    """
    windows, reasons = [], []
    if not analysis.faces:
        return [], ["no face is in it"]
    for face in analysis.faces:
        alone, why = _frames_alone(face, analysis)
        reasons += why
        for frames in alone:
            windows += _windows_in(clip, face, frames, parts, lengths)
    if not windows and not reasons:
        reasons = [f"no {lengths[0]} frames in which one face says whole words"]
    return sorted(windows, key=lambda window: window.span), list(dict.fromkeys(reasons))


def _frames_alone(face: FaceAnalysis, analysis: Analysis) -> tuple[list[range], list[str]]:
    """The runs of the clip's frames in which ``face`` is visible, large, and the only one; and why others are not."""
    track = face.track
    scale = np.nan_to_num(face.motion.poses.scale)
    good, reasons = face.visibility.weight > 0, [reason for _, _, reason in face.visibility.reasons]
    if (good & (scale < SMALLEST_FACE)).any():
        reasons.append(f"the face is smaller than {SMALLEST_FACE:g} pixels between the eyes")
    good &= scale >= SMALLEST_FACE
    for other in analysis.faces:
        first, stop = max(other.track.first, track.first), min(other.track.stop, track.stop)
        if other is not face and first < stop:
            good[first - track.first : stop - track.first] = False
            reasons.append("two people are in the picture")
    return [range(track.first + first, track.first + stop) for first, stop in true_runs(good)], reasons


def _windows_in(
    clip: Clip, face: FaceAnalysis, frames: range, parts: Sequence[SpokenPart], lengths: tuple[int, int]
) -> Iterator[PairWindow]:
    run = clip.times.span(frames.start, frames.stop)
    rate = generated_rate(clip.times, frames)
    inside = [part for part in parts if part.span.start >= run.start and part.span.end <= run.end]
    others = [part.span for part in parts if part.span.overlaps(run) and part not in inside]
    free, at = max([run.start, *(span.end for span in others if span.start < run.start)]), 0
    end_of_run = min([run.end, *(span.start for span in others if span.start >= run.start)])
    while at < len(inside):
        start = max(free, inside[at].span.start - _LEAD)
        found = _longest(inside[at:], start, end_of_run, rate, lengths)
        if found is None:
            free, at = max(free, inside[at].span.end), at + 1
            continue
        taken, count = found
        grid = make_grid(clip.times, Span(start, start + count / rate), frames)
        yield PairWindow(grid, face, " ".join(part.text for part in inside[at : at + taken]))
        free, at = grid.span(0, count).end, at + taken


def _longest(
    parts: Sequence[SpokenPart], start: Fraction, end: Fraction, rate: Fraction, lengths: tuple[int, int]
) -> tuple[int, int] | None:
    """(How many ``parts``, how many frames): the most that fit from ``start`` on; None if none do."""
    least, most = lengths
    fitting = sum(1 for part in parts if part.span.end <= min(end, start + most / rate))
    for taken in range(fitting, 0, -1):
        limit = min([end, *(part.span.start for part in parts[taken : taken + 1])])
        count = min(most, (floor((limit - start) * rate) - 1) // 8 * 8 + 1)
        said = max(part.span.end for part in parts[:taken])
        if count >= least and start + count / rate >= said:
            return taken, count
    return None
