"""Plans as files: what is written is read, and what a person breaks is told with the line and the field."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError
from lipdub.studio.project.plan_file import parse_time, plan_text, read_plan, time_text
from lipdub.timeline.cue import PassthroughSpan
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile
from lipdub.timeline.time import Span


def line(number: int, start: str, end: str, **decided: object) -> PlannedLine:
    spoken = Line(f"Línea {number}", Span(Fraction(start), Fraction(end)), "es", "Ana", id=str(number))
    return PlannedLine(spoken, **decided)  # type: ignore[arg-type]


PLAN = LanguagePlan(
    "es",
    (
        line(1, "1/2", "3/2", person="2", voice="nanotts:es-ES", take=3),
        line(2, "1001/500", "3", offset=Fraction(-1, 25), seed=7, engine="fake"),
        line(3, "4", "30030/7007", person="", leave=True),
    ),
    script=InputFile(Path("film.es.srt"), "ab" * 32),
    originals={"1": "Line 1"},
    left=(PassthroughSpan(Span(Fraction(5), Fraction(6)), "this face does not speak", 2),),
    voices=("nanotts:es-ES",),
    notes=("a note",),
)


@pytest.mark.parametrize("zero", [Fraction(0), Fraction(1001, 30000)])
def test_what_was_written_is_read(tmp_path: Path, zero: Fraction) -> None:
    (tmp_path / "es.json").write_text(plan_text(PLAN, zero), "utf-8")
    assert read_plan(tmp_path / "es.json", zero) == PLAN
    told = json.loads((tmp_path / "es.json").read_text("utf-8"))
    if not zero:
        assert told["lines"][0]["start"] == "0:00:00.500"
        assert told["lines"][1]["start"] == "0:00:02.002"
        assert told["lines"][2]["end"] == "30/7"
        assert told["lines"][1]["offset"] == "-0.04"


@given(st.fractions(-1000, 10**6, max_denominator=90_000), st.booleans())
def test_times_are_exact(seconds: Fraction, plain: bool) -> None:
    assert parse_time(time_text(seconds, plain=plain)) == seconds


def broken(tmp_path: Path, change: dict[str, object] | None, place: int = 1, **plan: object) -> Path:
    path = tmp_path / "es.json"
    path.write_text(plan_text(PLAN, Fraction(0)), "utf-8")
    told = {**json.loads(path.read_text("utf-8")), **plan}
    if change is not None:
        told["lines"][place].update(change)
    path.write_text(json.dumps(told), "utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start": "tomorrow"}, "line 2: start: 'tomorrow' is not a time"),
        ({"start": 5}, "line 2: end: 0:00:03.000 is not after its start, 0:00:05.000"),
        ({"start": "-1"}, "line 2: start: -0:00:01.000 lies before the clip"),
        ({"end": None}, "line 2: end: null is not a text"),
        ({"text": ["a"]}, 'line 2: text: \\["a"\\] is not a text'),
        ({"seed": -1}, "line 2: seed: -1 is not a whole number"),
        ({"take": "two"}, 'line 2: take: "two" is not a whole number'),
        ({"leave": "yes"}, 'line 2: leave: "yes" is neither true nor false'),
        ({"person": 2}, "line 2: person: 2 is not a text"),
        ({"offset": "1/0"}, "line 2: offset: '1/0' divides by zero"),
        ({"voic": "a"}, "line 2: there is no field 'voic'"),
        ({"id": "1"}, "two lines have the id '1'"),
        ({"id": None}, "the line at place 2: id: null is not a text"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says) as told:
        read_plan(broken(tmp_path, change), Fraction(0))
    assert told.value.file == tmp_path / "es.json"
    assert told.value.remedy


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"lines": {}}, "lines: this must be a list"),
        ({"lines": ["Hola"]}, "the line at place 1: this must be an object"),
        ({"dub_track": "es.wav"}, "dub_track: 'es.wav' fits nothing|dub_track"),
        ({"language": 3}, "the plan: language: 3 is not a text"),
        ({"version": 99}, "written by a newer lipdub"),
        ({"lipdub": "project"}, "not a plan of lipdub"),
        ({"lnes": []}, "there is no field 'lnes'"),
        ({"left_as_filmed": [1]}, "left_as_filmed: this must be a list of objects"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, plan: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_plan(broken(tmp_path, None, **plan), Fraction(0))


def test_lines_are_read_in_order_of_time(tmp_path: Path) -> None:
    path = broken(tmp_path, {"start": "0:00:00", "end": "0:00:00.400"})
    assert [planned.line.id for planned in read_plan(path, Fraction(0)).lines] == ["2", "1", "3"]


def test_what_was_read_before_does_not_hide_what_is_wrong(tmp_path: Path) -> None:
    assert read_plan(broken(tmp_path, {"leave": True, "take": 1}), Fraction(0)).lines[1].leave
    with pytest.raises(InputError, match="line 2: leave: 1 is neither true nor false"):
        read_plan(broken(tmp_path, {"leave": 1, "take": 1}), Fraction(0))
    with pytest.raises(InputError, match="line 2: take: true is not a whole number"):
        read_plan(broken(tmp_path, {"leave": True, "take": True}), Fraction(0))
