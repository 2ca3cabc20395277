"""Edits of a plan: each can be undone, none makes a plan that cannot be read, and ids are never given twice."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.errors import OptionError
from lipdub.studio.project.edits import (
    Edit,
    Edited,
    InsertLine,
    MergeLines,
    RemoveLine,
    SetLine,
    SplitLine,
    edited,
    revision_of,
    same_edits,
)
from lipdub.studio.project.plan_file import plan_text, read_plan
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile
from lipdub.timeline.review_marks import VERDICTS, LineMark, ReviewMarks
from lipdub.timeline.time import Span

ZERO = Fraction(1001, 30000)


def line(number: int, start: str, end: str, text: str, **decided: object) -> PlannedLine:
    span = Span(Fraction(start), Fraction(end)).shifted(ZERO)
    return PlannedLine(Line(text, span, "es", "Ana", id=str(number)), **decided)  # type: ignore[arg-type]


PLAN = LanguagePlan(
    "es",
    (
        line(1, "0", "3/2", "Hola a todos.\nBuenos días.", person="2", voice="nanotts:es-ES", take=3),
        line(2, "1001/500", "3", "Muy bien,  gracias", offset=Fraction(-1, 25), seed=7, engine="fake"),
        line(3, "4", "30030/7007", "No", person="", leave=True),
        line(10, "5", "8", "Adiós, amigos. Hasta la vista.", person="2", take=1),
    ),
    originals={"1": "Hello everybody. Good morning.", "2": "Fine, thanks", "10": "Goodbye"},
    source_language="en",
)
MARKS = edited(
    PLAN, ReviewMarks(), [SetLine("10", {"verdict": "accepted"}), SetLine("3", {"verdict": "rejected", "note": "no"})]
).marks

TEXTS = st.sampled_from(["Hola", "Uno dos tres.", " ", "", "a\nb", "¿Qué? Sí", "日本語", "\ud800", "x" * 300])
INSTANTS = st.fractions(-1, 12, max_denominator=30_000) | st.sampled_from([Fraction(0), ZERO, Fraction(10**9)])
IDS = st.sampled_from(["1", "2", "3", "10", "4", "5", "11", "12", "no", "../x"])
VALUES: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("text", "source_text", "note", "speaker", "voice", "engine"), TEXTS),
    **dict.fromkeys(("start", "end", "offset"), INSTANTS),
    "person": st.none() | st.sampled_from(["", "1", "2"]),
    "seed": st.none() | st.integers(-1, 5),
    "leave": st.booleans(),
    "verdict": st.sampled_from(["unchecked", "accepted", "rejected", "fine"]),
}


FIELD_VALUES = st.fixed_dictionaries({}, optional=VALUES)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), IDS, FIELD_VALUES),
        st.tuples(st.just("split"), IDS, INSTANTS, st.none() | st.tuples(TEXTS, TEXTS)),
        st.tuples(st.just("merge"), IDS, IDS),
        st.tuples(st.just("insert"), IDS | st.just(""), INSTANTS, st.integers(0, 2), TEXTS, st.sampled_from(VERDICTS)),
        st.tuples(st.just("remove"), IDS),
    ),
    max_size=8,
)


def made(told: tuple[Any, ...]) -> Edit:
    """The edit that was drawn (the classes may not be made while hypothesis draws)."""
    kind, name, *rest = told
    if kind == "insert":
        start, length, text, verdict = rest
        return InsertLine(PlannedLine(Line(text, Span(start, start + length), id=name)), LineMark(verdict), text)
    kinds: dict[str, Any] = {"set": SetLine, "split": SplitLine, "merge": MergeLines, "remove": RemoveLine}
    return kinds[kind](name, *rest)


def applied(plan: LanguagePlan, marks: ReviewMarks, wanted: Sequence[Edit]) -> list[Edited]:
    """What each edit that can be done makes, one after the other."""
    done: list[Edited] = []
    for edit in wanted:
        try:
            done.append(edited(plan, marks, [edit], ZERO))
        except OptionError:
            continue
        plan, marks = done[-1].plan, done[-1].marks
    return done


@settings(max_examples=80)
@given(EDITS)
def test_any_edits_can_be_undone_and_the_plan_can_always_be_read(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[Any, ...]]
) -> None:
    wanted = [made(told) for told in drawn]
    done = applied(PLAN, MARKS, wanted)
    file: Path = tmp_path_factory.getbasetemp() / "edited.json"
    seen = {p.line.id for p in PLAN.lines}
    for before, after in zip([None, *done], done, strict=False):
        there = {p.line.id for p in (PLAN if before is None else before.plan).lines}
        now = [p.line.id for p in after.plan.lines]
        new = set(now) - there
        assert len(now) == len(set(now))
        assert set(after.removed) == there - set(now)
        assert new <= set(after.changed) <= set(now)
        given_now = {edit.planned.line.id for edit in wanted if isinstance(edit, InsertLine)}
        assert not (new & seen) - given_now, "no id is given twice"
        seen |= set(now)
        file.write_text(plan_text(after.plan, ZERO), "utf-8")
        assert read_plan(file, ZERO) == after.plan
    if not done:
        return
    plan, marks = done[-1].plan, done[-1].marks
    for step in reversed(done):
        back = edited(plan, marks, step.undo, ZERO)
        plan, marks = back.plan, back.marks
    assert plan == PLAN
    assert marks.lines == MARKS.lines
    assert revision_of(plan, marks) == revision_of(PLAN, MARKS)


@settings(max_examples=25)
@given(EDITS)
def test_what_was_undone_can_be_done_again(drawn: list[tuple[Any, ...]]) -> None:
    for step in applied(PLAN, MARKS, [made(told) for told in drawn]):
        start = edited(step.plan, step.marks, step.undo, ZERO)
        again = edited(start.plan, start.marks, start.undo, ZERO)
        assert again.plan == step.plan
        assert again.marks.lines == step.marks.lines


@settings(max_examples=25)
@given(EDITS)
def test_several_edits_are_made_together_or_none_is(drawn: list[tuple[Any, ...]]) -> None:
    wanted = [made(told) for told in drawn]
    try:
        together = edited(PLAN, MARKS, wanted, ZERO)
    except OptionError:
        assert len(applied(PLAN, MARKS, wanted)) < len(wanted)
        return
    one_by_one = applied(PLAN, MARKS, wanted)
    assert (together.plan, together.marks) == ((one_by_one[-1].plan, one_by_one[-1].marks) if wanted else (PLAN, MARKS))
    back = edited(together.plan, together.marks, together.undo, ZERO)
    assert (back.plan, back.marks.lines) == (PLAN, MARKS.lines)


def test_a_line_is_divided_between_words_and_its_first_part_keeps_the_takes() -> None:
    done = edited(PLAN, MARKS, [SplitLine("10", Fraction(7))], ZERO)
    first, second = done.plan.planned("10"), done.plan.planned("5")
    assert first is not None
    assert second is not None
    assert (first.line.text, second.line.text) == ("Adiós, amigos.", "Hasta la vista.")
    assert first.line.span.end == second.line.span.start == Fraction(7)
    assert (first.take, second.take) == (1, 0)
    assert first.person == second.person == "2"
    assert done.plan.originals["10"] == "Goodbye", "a single word is not divided"
    assert "5" not in done.plan.originals
    assert done.marks.of("10").verdict == "unchecked", "it is not the line that was accepted"
    assert done.changed == ("10", "5")
    one = edited(PLAN, MARKS, [SplitLine("1", Fraction(3, 4))], ZERO).plan
    assert [p.line.text for p in one.lines[:2]] == ["Hola a todos.", "Buenos días."]
    assert (one.originals["1"], one.originals["5"]) == ("Hello everybody.", "Good morning.")


def test_lines_of_languages_without_spaces_are_divided_and_put_together() -> None:
    plan = LanguagePlan("ja", (line(1, "0", "2", "こんにちは。元気ですか"),))
    done = edited(plan, ReviewMarks(), [SplitLine("1", Fraction(1))], ZERO)
    assert [p.line.text for p in done.plan.lines] == ["こんにちは。", "元気ですか"]
    back = edited(done.plan, done.marks, [MergeLines("2", "1")], ZERO)
    assert [(p.line.id, p.line.text) for p in back.plan.lines] == [("2", "こんにちは。元気ですか")]


def test_lines_that_are_put_together_keep_all_texts_and_notes() -> None:
    marked = edited(PLAN, MARKS, [SetLine("2", {"note": "slow"}), SetLine("1", {"note": "fine"})], ZERO)
    done = edited(marked.plan, marked.marks, [MergeLines("2", "1")], ZERO)
    kept = done.plan.planned("2")
    assert kept is not None
    assert kept.line.text == "Hola a todos.\nBuenos días. Muy bien,  gracias"
    assert (kept.line.span.start, kept.engine) == (ZERO, "fake")
    assert done.plan.originals["2"] == "Hello everybody. Good morning. Fine, thanks"
    assert done.marks.of("2").note == "fine\nslow"
    assert done.removed == ("1",)


def test_a_verdict_goes_with_what_was_seen() -> None:
    done = edited(PLAN, MARKS, [SetLine("10", {"note": "good"})], ZERO)
    assert done.marks.of("10").verdict == "accepted", "a note changes nothing"
    done = edited(PLAN, MARKS, [SetLine("10", {"text": "Adiós."})], ZERO)
    assert done.marks.of("10").verdict == "unchecked"
    assert edited(done.plan, done.marks, done.undo, ZERO).marks.of("10").verdict == "accepted"
    taken = PLAN.with_line(replace(PLAN.lines[3], take=2))
    assert MARKS.settled(taken).of("10").verdict == "unchecked", "another take is another line to look at"
    filmed = PLAN.planned("3")
    assert filmed is not None
    assert MARKS.settled(PLAN.with_line(replace(filmed, leave=False))).of("3") == LineMark(note="no")


def test_a_rejected_line_stays_as_filmed() -> None:
    done = edited(PLAN, MARKS, [SetLine("1", {"verdict": "rejected"})], ZERO)
    assert done.plan.lines[0].leave
    for verdict in ("accepted", "unchecked"):
        back = edited(done.plan, done.marks, [SetLine("1", {"verdict": verdict})], ZERO)
        assert not back.plan.lines[0].leave
        assert back.marks.of("1").verdict == verdict
    again = edited(done.plan, done.marks, [SetLine("1", {"leave": False})], ZERO)
    assert again.marks.of("1").verdict == "unchecked"
    with pytest.raises(OptionError, match="cannot be rejected and not be left"):
        edited(PLAN, MARKS, [SetLine("1", {"verdict": "rejected", "leave": False})], ZERO)


def test_ids_are_never_used_again() -> None:
    gone = edited(PLAN, MARKS, [RemoveLine("10"), RemoveLine("3")], ZERO)
    fresh = PlannedLine(Line("Nuevo", Span(Fraction(9), Fraction(10))))
    done = edited(gone.plan, gone.marks, [InsertLine(fresh), InsertLine(fresh)], ZERO, used=["4"])
    assert [p.line.id for p in done.plan.lines[-2:]] == ["5", "6"]
    assert [p.line.language for p in done.plan.lines[-2:]] == ["es", "es"]
    more = edited(done.plan, done.marks, [RemoveLine("5"), InsertLine(fresh)], ZERO, used=["4"])
    assert [p.line.id for p in more.plan.lines] == ["1", "2", "6", "7"]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (SetLine("1", {"start": 0.5}), "line 1: start: 0.5 is not an exact number"),
        (SetLine("1", {"start": Fraction(0)}), "line 1: start: -0:00:00.033 lies before the clip"),
        (SetLine("1", {"end": Fraction(0)}), "line 1: its end is not after its start"),
        (SetLine("1", {"end": Fraction(1, 10**10)}), "too large, or too fine"),
        (SetLine("1", {"text": "  "}), "line 1: text holds nothing to say"),
        (SetLine("1", {"text": 3}), "line 1: text: 3 is not a text"),
        (SetLine("1", {"leave": 1}), "line 1: leave: 1 is neither true nor false"),
        (SetLine("1", {"seed": True}), "line 1: seed: True is not a whole number"),
        (SetLine("1", {"verdict": "good"}), "line 1: verdict: 'good' is no verdict"),
        (SetLine("1", {"take": 2}), "line 1: there is no field 'take'"),
        (SetLine("9", {"text": "a"}), "there is no line 9"),
        (SplitLine("3", Fraction(21, 5)), "line 3 has one word only"),
        (SplitLine("1", Fraction(2)), "line 1 cannot be divided at 0:00:01.966"),
        (MergeLines("1", "1"), "line 1 cannot be put to itself"),
        (MergeLines("1", "10"), "line 10 cannot be one|lines 1 and 10 cannot be one"),
        (InsertLine(PLAN.lines[0]), "there is a line 1 already"),
        (InsertLine(line(7, "1", "2", "a", take=-1)), "line 7: take: -1 is not a whole number"),
        (InsertLine(PlannedLine(Line("a", Span(Fraction(1), Fraction(2)), id=".."))), "'..' is no id of a line"),
        (RemoveLine("9"), "there is no line 9"),
    ],
)
def test_what_cannot_be_done_is_told_with_line_and_field(edit: Edit, says: str) -> None:
    other = PLAN.with_line(replace(PLAN.lines[1], person="2"))
    with pytest.raises(OptionError, match=says):
        edited(other, MARKS, [edit], ZERO)


def test_lines_of_a_finished_dub_track_have_no_text() -> None:
    plan = LanguagePlan("", (line(1, "0", "2", ""),), track=InputFile(Path("es.wav"), ""))
    done = edited(plan, ReviewMarks(), [SplitLine("1", Fraction(1))], ZERO)
    assert [p.line.text for p in done.plan.lines] == ["", ""]
    assert edited(done.plan, done.marks, done.undo, ZERO).plan == plan


def test_a_revision_tells_edits_from_takes() -> None:
    first = revision_of(PLAN, MARKS)
    taken = revision_of(PLAN.with_line(replace(PLAN.lines[1], take=4)), MARKS)  # a line that nobody marked
    assert first != taken
    assert same_edits(first, taken)
    text = edited(PLAN, MARKS, [SetLine("1", {"text": "Hola"})], ZERO).revision
    note = edited(PLAN, MARKS, [SetLine("1", {"note": "Hola"})], ZERO).revision
    assert not same_edits(first, text)
    assert not same_edits(first, note)
