"""Edits as the API has them become edits of a plan, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from msgspec import UNSET, structs

from lipdub.errors import ChangedMeanwhile
from lipdub.studio.project.edits import Edit, Edited, InsertLine, MergeLines, RemoveLine, Reviewed, SetLine, SplitLine
from lipdub.timeline.language_plan import PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.review_marks import LineMark
from lipdub.timeline.time import Span
from lipdub.web.allowed import check_engine, check_text, check_voice
from lipdub.web.api import shapes
from lipdub.web.problems import WrongField
from lipdub.web.project_views import ranges_of, reviewed
from lipdub.web.ranges import set_ranges
from lipdub.web.segments import ReviewedLanguage

_INSTANTS, _LENGTHS = ("start", "end"), ("offset",)


@dataclass(frozen=True)
class DoneEdits:
    """The language after edits, what they changed, and the edits that take it back, as the API has them."""

    work: ReviewedLanguage
    edited: Edited | None
    undo: list[shapes.AnyEdit]


def apply_edits(
    work: ReviewedLanguage, edits: Sequence[shapes.AnyEdit], revision: str, where: str = "edits"
) -> DoneEdits:
    """Make all ``edits``, or none. ``revision`` ("": any) is the one that they are based on. ``where`` names them in
    messages ("": one edit, whose fields are those of the request).

    Raises ``ChangedMeanwhile``, which has the ``present`` language, ``WrongField`` and ``OptionError``.
    """
    for number, edit in enumerate(edits):
        _check(work, edit, f"{where}[{number}]." if where else "")
    lines = [_edit(work, edit) for edit in edits if not isinstance(edit, shapes.RangesEdit)]
    ranges = [edit for edit in edits if isinstance(edit, shapes.RangesEdit)]
    undo: list[shapes.AnyEdit] = []
    done = None
    try:
        if lines or revision:
            done = work.project.edit(work.language, lines, revision or None)
    except ChangedMeanwhile as changed:
        now = reviewed(work.studio, work.id, work.language)
        changed.present = {"revision": now.reviewed.revision, "segments": now.segments(_named(edits))}  # type: ignore[attr-defined]
        raise
    if done is not None:
        undo = [_shown(work, edit) for edit in done.undo]
    if ranges:
        before = shapes.RangesEdit(ranges=ranges_of(work.project))
        set_ranges(work.project, ranges[-1])
        undo.append(before)
    now = work if done is None else replace(work, given=_as_edited(work, done))
    data = {"project": work.id, "language": work.language, "revision": now.reviewed.revision}
    work.studio.jobs.tell("project", data)
    return DoneEdits(now, done, undo)


def _as_edited(work: ReviewedLanguage, done: Edited) -> Reviewed:
    return Reviewed(done.plan, done.marks, done.revision, work.zero)


def _named(edits: Sequence[shapes.AnyEdit]) -> list[str]:
    """The ids of the lines that edits name."""
    found = [getattr(edit, name, None) for edit in edits for name in ("segment", "other")]
    return [each for each in found if isinstance(each, str)]


def _check(work: ReviewedLanguage, edit: shapes.AnyEdit, where: str) -> None:
    """Refuse texts, voices and engines that the API does not take, with ``WrongField``. ``where`` stands before the
    names of fields."""
    if isinstance(edit, shapes.SetEdit):
        values, inside = given_fields(edit.fields), f"{where}fields." if where else ""
    elif isinstance(edit, shapes.InsertEdit):
        values, inside = structs.asdict(edit.segment), f"{where}segment."
    elif isinstance(edit, shapes.SplitEdit):
        for text in edit.text or ():
            check_text(text, f"{where}text")
        return
    else:
        return
    for name in ("text", "source_text", "speaker", "person"):
        if isinstance(values.get(name), str):
            check_text(values[name], f"{inside}{name}")
    if values.get("note"):
        check_text(values["note"], f"{inside}note", rows=True)
    if values.get("voice"):
        check_voice(work, values["voice"], f"{inside}voice")
    if values.get("engine"):
        check_engine(work, values["engine"], f"{inside}engine")


def given_fields(fields: shapes.SegmentChange) -> dict[str, Any]:
    """The fields of a change that are given."""
    names = shapes.SegmentChange.__struct_fields__
    return {name: value for name in names if (value := getattr(fields, name)) is not UNSET}


def _edit(work: ReviewedLanguage, edit: shapes.AnyEdit) -> Edit:
    if isinstance(edit, shapes.SetEdit):
        return SetLine(edit.segment, {name: _value(work, name, v) for name, v in given_fields(edit.fields).items()})
    if isinstance(edit, shapes.SplitEdit):
        return SplitLine(edit.segment, _instant(work, edit.at), edit.text)
    if isinstance(edit, shapes.MergeEdit):
        return MergeLines(edit.segment, edit.other)
    if isinstance(edit, shapes.RemoveEdit):
        return RemoveLine(edit.segment)
    assert isinstance(edit, shapes.InsertEdit), "ranges are set apart"
    return _insert(work, edit.segment)


def _insert(work: ReviewedLanguage, new: shapes.NewSegment) -> InsertLine:
    if new.end <= new.start:
        raise WrongField("segment.end: it is not after the start", "segment.end")
    span = Span(_instant(work, new.start), _instant(work, new.end))
    planned = PlannedLine(
        Line(new.text, span, work.language, new.speaker, id=new.id or ""),
        person=new.person,
        voice=new.voice,
        offset=_length(work, new.offset),
        engine=new.engine,
        seed=new.seed,
        leave=new.leave,
        take=new.take,
    )
    return InsertLine(planned, LineMark(new.verdict, new.note), new.source_text)


def _value(work: ReviewedLanguage, name: str, value: Any) -> Any:
    if name in _INSTANTS:
        return _instant(work, value)
    return _length(work, value) if name in _LENGTHS else value


def _instant(work: ReviewedLanguage, seconds: float) -> Fraction:
    return work.studio.times.exact(seconds, work.of) + work.zero


def _length(work: ReviewedLanguage, seconds: float) -> Fraction:
    return work.studio.times.exact(seconds, work.of)


def _shown(work: ReviewedLanguage, edit: Edit) -> shapes.AnyEdit:
    """An edit of a plan as the API has it."""
    if isinstance(edit, SetLine):
        return shapes.SetEdit(segment=edit.line, fields=shapes.SegmentChange(**_told(work, edit.fields)))
    if isinstance(edit, SplitLine):
        return shapes.SplitEdit(segment=edit.line, at=work.seconds(edit.at), text=edit.texts)
    if isinstance(edit, MergeLines):
        return shapes.MergeEdit(segment=edit.line, other=edit.other)
    if isinstance(edit, RemoveLine):
        return shapes.RemoveEdit(segment=edit.line)
    planned, line = edit.planned, edit.planned.line
    return shapes.InsertEdit(
        segment=shapes.NewSegment(
            id=line.id,
            start=work.seconds(line.span.start),
            end=work.seconds(line.span.end),
            text=line.text,
            speaker=line.speaker,
            person=planned.person,
            voice=planned.voice,
            offset=work.length(planned.offset),
            engine=planned.engine,
            seed=planned.seed,
            leave=planned.leave,
            take=planned.take,
            note=edit.mark.note,
            verdict=edit.mark.verdict,
            source_text=edit.source_text,
        )
    )


def _told(work: ReviewedLanguage, fields: Mapping[str, Any]) -> dict[str, Any]:
    out = {}
    for name, value in fields.items():
        if name in _INSTANTS:
            value = work.seconds(value)
        elif name in _LENGTHS:
            value = work.length(value)
        out[name] = value
    return out
