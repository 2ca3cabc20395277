"""The clocks of a file and of a clip that shows it more slowly belong to each other."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.retiming import SAME_CLOCK, ClockPiece, ClockPoint, Retiming
from lipdub.timeline.time import Span

instants = st.fractions(-20, 60, max_denominator=30_000)


@st.composite
def clocks(draw: st.DrawFn) -> list[tuple[Fraction, Fraction]]:
    """What ``clock_of`` needs: (begin, factor) of a clock that is slow as a whole, or the instants of points."""
    if draw(st.integers(0, 4)) == 0:
        return [(draw(instants), draw(st.fractions(1, 5, max_denominator=99)))]
    file = clip = draw(instants)
    points = [(file, clip)]
    for _ in range(draw(st.integers(1, 6))):
        own, more = draw(st.fractions(0, 3, max_denominator=999)), draw(st.fractions(0, 3, max_denominator=999))
        file, clip = file + own, clip + own + more
        points.append((file, clip))
    return points


def clock_of(made: list[tuple[Fraction, Fraction]]) -> Retiming:
    """A clock with pauses, slow parts and parts as in the file; or one that is slow as a whole."""
    if len(made) == 1:
        return Retiming.slowed_from(*made[0])
    return Retiming.through(ClockPoint(file, clip) for file, clip in made)


@given(made=clocks(), at=instants, by=st.fractions(0, 5, max_denominator=999))
def test_the_clips_clock_is_the_other_one_turned_round_and_never_faster(made, at: Fraction, by) -> None:
    clock = clock_of(made)
    for end in (False, True):
        assert clock.file_instant(clock.instant(at, end=end)) == at
    assert clock.instant(at, end=True) <= clock.instant(at)
    assert clock.instant(at + by) - clock.instant(at) >= by
    assert clock.instant(at + by, end=True) - clock.instant(at, end=True) >= by
    assert 0 <= clock.file_instant(at + by) - clock.file_instant(at) <= by
    begin, until = clock.instant(clock.file_instant(at), end=True), clock.instant(clock.file_instant(at))
    assert begin <= at <= until
    assert begin == until or Span(begin, until) in clock.still or len(clock.still) > 1


@given(made=clocks(), at=instants, by=st.fractions(0, 30, max_denominator=999))
def test_pieces_cover_a_span_on_both_clocks(made, at: Fraction, by: Fraction) -> None:
    clock = clock_of(made)
    pieces = list(clock.pieces(Span(at, at + by)))
    if not by:
        assert not pieces
        return
    assert (pieces[0].file.start, pieces[-1].file.end) == (at, at + by)
    assert (pieces[0].clip.start, pieces[-1].clip.end) == (clock.instant(at), clock.instant(at + by, end=True))
    for one, other in pairwise(pieces):
        assert (one.file.end, one.clip.end) == (other.file.start, other.clip.start)
    for piece in pieces:
        assert piece.clip.duration >= piece.file.duration
        assert piece.file.duration or piece.clip in clock.still
        middle = (piece.file.start + piece.file.end) / 2
        assert clock.file_instant((piece.clip.start + piece.clip.end) / 2) == middle


@given(made=clocks())
def test_a_clock_knows_where_it_stands_still_and_how_slow_it_is(made) -> None:
    clock = clock_of(made)
    for span in clock.still:
        assert clock.file_instant(span.start) == clock.file_instant((span.start + span.end) / 2)
    first, last = clock.points[0].file - 1, clock.points[-1].file + 1
    paces = [p.clip.duration / p.file.duration for p in clock.pieces(Span(first, last)) if p.file.duration]
    assert clock.slowest == max(paces)


@given(at=instants)
def test_without_points_both_clocks_are_the_same(at: Fraction) -> None:
    assert SAME_CLOCK.instant(at) == SAME_CLOCK.instant(at, end=True) == SAME_CLOCK.file_instant(at) == at
    (piece,) = SAME_CLOCK.pieces(Span(at, at + 1))
    assert piece == ClockPiece(Span(at, at + 1), Span(at, at + 1))
    assert piece.shifted


def test_a_clock_that_is_faster_or_goes_back_is_a_mistake() -> None:
    one = ClockPoint(Fraction(1), Fraction(1))
    for file, clip in ((2, Fraction(3, 2)), (1, 1), (0, 2)):
        with pytest.raises(AssertionError):
            Retiming((one, ClockPoint(Fraction(file), Fraction(clip))))
    with pytest.raises(AssertionError):
        Retiming.slowed_from(Fraction(0), Fraction(1, 2))
