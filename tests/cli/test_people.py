"""How people are shown, and how it is written who is somebody else."""

from fractions import Fraction
from pathlib import Path

import pytest

from lipdub.cli.project_commands import parse_apart
from lipdub.cli.project_tables import people_rows
from lipdub.errors import OptionError
from lipdub.faces.active_speaker import parse_face_selector
from lipdub.studio.project.people import PersonSeen
from lipdub.timeline.time import Span, parse_instant


def spans(count: int) -> tuple[Span, ...]:
    return tuple(Span(Fraction(3 * i + 1) + Fraction(1, 3000), Fraction(3 * i + 3)) for i in range(count))


def test_the_times_of_a_person_are_shown_so_that_the_person_is_seen_at_them() -> None:
    person, zero = PersonSeen("3", "Ana", spans(3), Path("3.jpg")), Fraction(1, 2)
    head, row = people_rows([person], zero)
    assert "6.0 s in 3 shots  3.jpg" in head
    assert row.strip() == "0:00:00.501 - 0:00:02.500, 0:00:03.501 - 0:00:05.500, 0:00:06.501 - 0:00:08.500"
    for shown, span in zip(row.split(","), person.spans, strict=True):
        assert parse_instant(shown.partition(" - ")[0].strip()) + zero in span


def test_a_person_who_is_seen_often_is_shown_in_full_when_asked() -> None:
    person = PersonSeen("3", "", spans(30))
    assert list(people_rows([person], Fraction(0)))[-1].strip() == "and 18 more: --seen 3"
    every = list(people_rows([person], Fraction(0), "3"))[1:]
    assert sum(row.count(" - ") for row in every) == 30


def test_a_person_and_times() -> None:
    assert parse_apart("3@0:01:20") == ("3", (Fraction(80),))
    assert parse_apart("3b@80.5, 2:05") == ("3b", (Fraction(161, 2), Fraction(125)))
    for wrong in ("3", "3@", "@1:00", "3@soon", "3:0:01:20"):
        with pytest.raises(OptionError, match="Write ID@TIME, e\\.g\\. 3@0:01:20"):
            parse_apart(wrong)


def test_somebody_who_was_parted_can_be_chosen() -> None:
    assert parse_face_selector("3b").person == "3b"
