"""The parts of a source in which nobody is dubbed, as the API has them."""

from fractions import Fraction

from lipdub.studio.project.open_project import OpenProject
from lipdub.timeline.time import Span
from lipdub.web.api.shapes import Range, RangesEdit
from lipdub.web.problems import WrongField


def set_ranges(opened: OpenProject, edit: RangesEdit) -> None:
    """Set the parts in which nobody is dubbed. Raises ``WrongField`` for one that ends before it begins."""
    zero = opened.zero
    opened.with_ranges([_span(given, number).shifted(zero) for number, given in enumerate(edit.ranges)])


def _span(given: Range, number: int) -> Span:
    if given.start < 0 or given.end <= given.start:
        raise WrongField(f"ranges[{number}]: it has to begin at 0 or later, and end after that", f"ranges[{number}]")
    return Span(Fraction(round(given.start * 10**6), 10**6), Fraction(round(given.end * 10**6), 10**6))
