"""Whose voice lines get that name no speaker; no media."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.plan.casting import SeenPeople, cast, casting_note
from lipdub.timeline.lines import Line, numbered
from lipdub.timeline.time import Span
from lipdub.words_to_sound.voices.choose import people_with_voices


def lines(*speakers: str) -> tuple[Line, ...]:
    """A line a second; each names its speaker, or "" for none."""
    return numbered(Line("words", Span(Fraction(i), Fraction(i + 1)), "es", who) for i, who in enumerate(speakers))


def seen(
    who: Sequence[str | None],
    pitch: Sequence[float | None] = (),
    apart: bool = True,
    names: dict[str, str] | None = None,
) -> SeenPeople:
    of_lines = {str(i): one for i, one in enumerate(who, 1) if one is not None}
    hertz = {str(i): float(one) for i, one in enumerate(pitch, 1) if one is not None}
    return SeenPeople(of_lines, names or {}, lambda one, other: apart, hertz)


def test_each_line_has_the_voice_of_the_person_who_is_seen_to_say_it() -> None:
    found = cast(lines("", "", ""), seen(["1", "2", "1"]))
    assert found == {"1": "person 1", "2": "person 2", "3": "person 1"}


def test_one_person_is_no_cast_unless_a_voice_is_named_for_that_person() -> None:
    assert cast(lines("", ""), seen(["1", None])) == {}
    assert cast(lines("", ""), seen(["1", None]), one=True) == {"1": "person 1", "2": "person 1"}
    assert cast(lines("", ""), seen([None, ""], [100, 200])) == {}


def test_a_person_whom_the_script_names_elsewhere_has_the_voice_of_that_name() -> None:
    found = cast(lines("Ana", "", ""), seen(["1", "1", "2"], names={"1": "Ana"}))
    assert found == {"2": "Ana", "3": "person 2"}
    assert cast(lines("Ana", ""), seen(["1", "1"], names={"1": "Ana"})) == {"2": "Ana"}


def test_people_who_may_be_one_count_as_one_unless_their_voices_differ() -> None:
    who = ["1", "2", "2"]
    assert cast(lines("", "", ""), seen(who, apart=False)) == {}
    assert cast(lines("", "", ""), seen(who, [120, 125, 128], apart=False)) == {}
    found = cast(lines("", "", ""), seen(who, [120, 210, 205], apart=False))
    assert found == {"1": "person 1", "2": "person 2", "3": "person 2"}


def test_lines_over_other_pictures_go_to_whose_pitch_they_have_or_to_somebody_off_screen() -> None:
    who, pitch = ["1", "", "2", "", ""], [110, 112, 200, 210, 320]
    found = cast(lines("", "", "", "", ""), seen(who, pitch))
    assert [found[str(i)] for i in range(1, 6)] == ["person 1", "person 1", "person 2", "person 2", "off screen"]
    assert cast(lines("", ""), seen(["1", ""], [110, 120])) == {}


def test_an_unsure_line_is_never_off_screen_and_a_short_one_follows_its_neighbours() -> None:
    found = cast(lines("", "", ""), seen(["1", None, "2"], [110, 390, 200]))
    assert found["2"] == "person 2"
    found = cast(lines("", "", "", ""), seen(["1", "", "", "2"], [110, 205, None, 200]))
    assert (found["2"], found["3"]) == ("person 2", "person 2")


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "Ana"]), st.sampled_from([None, "", "1", "2"]), st.none() | st.floats(70, 350))
    )
)
def test_no_line_or_every_line_without_a_name_gets_a_speaker(
    rows: list[tuple[str, str | None, float | None]],
) -> None:
    every = lines(*(name for name, _, _ in rows))
    found = cast(every, seen([who for _, who, _ in rows], [hertz for _, _, hertz in rows]))
    assert set(found) in (set(), {line.id for line in every if not line.speaker})


def test_choices_name_the_speaker_of_a_line_and_the_note_tells_who_there_is() -> None:
    choices = LineChoices(speakers={"2": "person 7"})
    assert [line.speaker for line in choices.cast(lines("Ana", "", ""))] == ["Ana", "person 7", ""]
    assert "2 lines" in (note := casting_note({"1": "person 2", "2": "person 1"}))
    assert "(person 1, person 2)" in note


@pytest.mark.parametrize(
    ("voices", "people"),
    [
        (["nanotts"], ()),
        (["Person 2=nanotts", "off screen=kokoro", "Ana=nanotts"], ("person 2", "off screen")),
        (["command:say --name=person 1"], ()),
    ],
)
def test_voices_can_be_named_for_people_in_the_picture(voices: list[str], people: tuple[str, ...]) -> None:
    assert people_with_voices(voices) == people
