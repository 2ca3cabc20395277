"""Spoken lines put where the source speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lipdub.timeline.spoken_lines import PlacedLine, SpokenLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.duration_fit.aims import aims
from lipdub.words_to_sound.duration_fit.phrases import Measured, measured
from lipdub.words_to_sound.duration_fit.plan import FitOptions, Placement, plan_fit
from lipdub.words_to_sound.duration_fit.render import render
from lipdub.words_to_sound.duration_fit.wishes import Wish, wishes


@dataclass(frozen=True, eq=False)
class Fitted:
    """The lines as ``placed``, in order of time, none overlapping another but where the script has it so, and the
    ``wishes`` for better ones; the index of a wish is that of the line as it was given."""

    placed: tuple[PlacedLine, ...]
    wishes: tuple[Wish, ...]


def fit(
    spoken: Sequence[SpokenLine], windows: Sequence[Span], end: Fraction, options: FitOptions = FitOptions()
) -> Fitted:
    """Place ``spoken`` lines by ``windows``, when the source speaks (see ``aims.source_windows``; empty: it does not),
    in a clip that ends at ``end``. Lines in which nothing is heard are not placed."""
    what = [measured(line) for line in spoken]
    placements = _planned(what, windows, end, options)
    placed = tuple(render(placement, spoken[placement.index]) for placement in placements)
    return Fitted(placed, wishes(placements, what))


def wished(
    spoken: Sequence[SpokenLine], windows: Sequence[Span], end: Fraction, options: FitOptions = FitOptions()
) -> tuple[Wish, ...]:
    """The wishes of ``fit`` alone; no sound is made."""
    what = [measured(line) for line in spoken]
    return wishes(_planned(what, windows, end, options), what)


def _planned(
    what: Sequence[Measured], windows: Sequence[Span], end: Fraction, options: FitOptions
) -> tuple[Placement, ...]:
    return plan_fit(what, aims([m.line for m in what], windows), end, options)
