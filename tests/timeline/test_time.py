"""Laws of exact time."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.time import (
    Span,
    exact,
    merge_spans,
    parse_instant,
    shared_spans,
    spans_near,
    subtract_spans,
    timecode,
    total_duration,
)

instants = st.fractions(min_value=-50, max_value=50, max_denominator=12)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    a, b = sorted((draw(instants), draw(instants)))
    return Span(a, b)


span_lists = st.lists(spans(), max_size=8)


def covered(some: "list[Span] | tuple[Span, ...]", instant: Fraction) -> bool:
    return any(instant in span for span in some)


@given(span_lists, instants)
def test_merging_keeps_exactly_the_instants(some: list[Span], instant: Fraction) -> None:
    union = merge_spans(some)
    assert covered(union, instant) == covered(some, instant)
    assert all(a.end < b.start for a, b in itertools.pairwise(union))
    assert all(s.duration > 0 for s in union)
    assert merge_spans(union) == union


@given(span_lists, st.fractions(min_value=0, max_value=5, max_denominator=6))
def test_merging_over_a_gap_leaves_only_wider_gaps(some: list[Span], gap: Fraction) -> None:
    union = merge_spans(some, gap)
    assert all(b.start - a.end > gap for a, b in itertools.pairwise(union))
    assert subtract_spans(some, union) == ()


@given(span_lists, span_lists, instants)
def test_subtracting_removes_exactly_the_holes(some: list[Span], holes: list[Span], instant: Fraction) -> None:
    rest = subtract_spans(some, holes)
    assert covered(rest, instant) == (covered(some, instant) and not covered(holes, instant))
    assert rest == merge_spans(rest)


@given(span_lists, span_lists)
def test_totals_add_up(some: list[Span], holes: list[Span]) -> None:
    inside = [c for s in merge_spans(some) for h in merge_spans(holes) if (c := s.intersection(h))]
    assert total_duration(subtract_spans(some, holes)) + total_duration(inside) == total_duration(some)
    assert total_duration([*some, *some]) == total_duration(some)


@given(spans(), spans())
def test_intersection_and_overlap_agree(a: Span, b: Span) -> None:
    both = a.intersection(b)
    assert a.overlaps(b) == b.overlaps(a) == (both is not None)
    if both is not None:
        assert both.duration > 0
        assert max(a.start, b.start) == both.start
        assert min(a.end, b.end) == both.end


@given(spans(), instants)
def test_widening_never_turns_a_span_inside_out(span: Span, by: Fraction) -> None:
    wide = span.widened(by)
    assert wide.duration >= 0
    assert (wide.start + wide.end) == (span.start + span.end)
    if by >= 0:
        assert wide.duration == span.duration + 2 * by


def test_a_span_is_half_open_and_refuses_floats() -> None:
    span = Span(Fraction(1), Fraction(2))
    assert Fraction(1) in span
    assert Fraction(2) not in span
    assert not span.overlaps(Span(Fraction(2), Fraction(3)))
    assert span.shifted(Fraction(1, 3)) == Span(Fraction(4, 3), Fraction(7, 3))
    with pytest.raises(ValueError, match="before it starts"):
        Span(Fraction(2), Fraction(1))
    with pytest.raises(TypeError, match="float"):
        exact(np.float64(0.5))  # type: ignore[arg-type]


@given(st.integers(0, 10**9))
def test_timecode_reads_back_to_the_millisecond(milliseconds: int) -> None:
    instant = Fraction(milliseconds, 1000)
    text = timecode(instant)
    assert parse_instant(text) == instant
    assert timecode(instant + Fraction(999, 10**6)) == text
    if milliseconds:
        assert timecode(-instant) == "-" + text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("83.5", "83.5"),
        ("1:23.5", "83.5"),
        (" 0:01:23.500 ", "83.5"),
        ("1:23,5", "83.5"),
        ("2:00:00", "7200"),
        ("0", "0"),
    ],
)
def test_times_people_write(text: str, seconds: str) -> None:
    assert parse_instant(text) == Fraction(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-3", "1:2:3:4", "1e3", "5.", ".5", "1::2", "1/3"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_instant(text)


@given(span_lists, span_lists)
def test_shared_spans_are_all_intersections(some: list[Span], others: list[Span]) -> None:
    one, other = merge_spans(some), merge_spans(others)
    every = (piece for a in one for b in other if (piece := a.intersection(b)) is not None)
    assert shared_spans(one, other) == tuple(sorted(every))


@given(span_lists, spans())
def test_spans_near_are_those_that_overlap(some: list[Span], asked: Span) -> None:
    union = merge_spans(some)
    assert tuple(spans_near(union, asked)) == tuple(s for s in union if s.start < asked.end and asked.start < s.end)
