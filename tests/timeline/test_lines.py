from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.lines import Line, numbered
from lipdub.timeline.time import Span


def line(start: int, line_id: str = "", text: str = "words") -> Line:
    return Line(text, Span(Fraction(start), Fraction(start + 1)), id=line_id)


def test_lines_without_ids_are_counted_from_one() -> None:
    assert [one.id for one in numbered([line(0), line(1), line(2)])] == ["1", "2", "3"]
    assert numbered([]) == ()


def test_given_ids_stay_and_free_numbers_are_used() -> None:
    assert [one.id for one in numbered([line(0), line(1, "2"), line(2), line(3, "x")])] == ["1", "2", "3", "x"]


def test_equal_ids_are_a_mistake_of_the_program() -> None:
    with pytest.raises(AssertionError, match="a"):
        numbered([line(0, "a"), line(1, "a")])


@given(st.lists(st.sampled_from(["", "1", "2", "x", "y"]).filter(bool), unique=True), st.integers(0, 5))
def test_ids_are_unique_and_stay_when_texts_are_edited(ids: list[str], more: int) -> None:
    lines = numbered([line(k, name) for k, name in enumerate([*ids, *[""] * more])])
    assert len({one.id for one in lines}) == len(lines)
    assert all(one.id for one in lines)
    edited = [replace(one, text=f"other {one.id}") for one in reversed(lines)]
    assert [one.id for one in numbered(edited)] == [one.id for one in reversed(lines)]
    assert numbered(lines) == lines
