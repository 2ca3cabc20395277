"""Spoken lines put where the source speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.source_timing import source_timings
from lipdub.words_to_sound.duration_fit.phrases import MeasuredLine, measure_line
from lipdub.words_to_sound.duration_fit.plan import FitOptions, LinePlacement, plan_fit
from lipdub.words_to_sound.duration_fit.render import render_line
from lipdub.words_to_sound.duration_fit.respeak import RespeakRequest, respeak_requests


@dataclass(frozen=True, eq=False)
class Fitted:
    """The lines as ``placed``, in order of time, none overlapping another but where the script has it so, and the
    ``respeak_requests`` for better ones; the index of a wish is that of the line as it was given."""

    placed: tuple[PlacedLine, ...]
    respeak_requests: tuple[RespeakRequest, ...]


def fit(
    spoken: Sequence[SpokenLine], windows: Sequence[Span], end: Fraction, options: FitOptions = FitOptions()
) -> Fitted:
    """Place ``spoken`` lines by ``windows``, when the source speaks (see ``source_timings.source_windows``; empty: it does not),
    in a clip that ends at ``end``. Lines in which nothing is heard are not placed."""
    what = [measure_line(line) for line in spoken]
    placements = _planned(what, windows, end, options)
    placed = tuple(render_line(placement, spoken[placement.index]) for placement in placements)
    return Fitted(placed, respeak_requests(placements, what))


def wished(
    spoken: Sequence[SpokenLine], windows: Sequence[Span], end: Fraction, options: FitOptions = FitOptions()
) -> tuple[RespeakRequest, ...]:
    """The wishes of ``fit`` alone; no sound is made."""
    what = [measure_line(line) for line in spoken]
    return respeak_requests(_planned(what, windows, end, options), what)


def _planned(
    what: Sequence[MeasuredLine], windows: Sequence[Span], end: Fraction, options: FitOptions
) -> tuple[LinePlacement, ...]:
    return plan_fit(what, source_timings([m.line for m in what], windows), end, options)
