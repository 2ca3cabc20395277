"""Edits of a plan and of its review marks: pure functions that also tell how each edit is undone.

Times are never moved to anything near: a line begins and ends where it is told to, exactly.
"""

import hashlib
import re
from bisect import insort
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from types import MappingProxyType
from typing import Any

from lipdub.errors import OptionError
from lipdub.studio.project.divide_text import divide_text
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.review_marks import VERDICTS, LineMark, ReviewMarks, Verdict, seen_as, seen_values
from lipdub.timeline.time import Span, timecode
from lipdub.words_to_sound.script.orthography import join_words

FIELDS = frozenset(
    {
        *("text", "start", "end", "speaker", "source_text", "person", "voice", "offset", "engine", "seed", "leave"),
        *("note", "verdict"),
    }
)
"""What ``SetLine`` can set."""

MOST_SECONDS = 10**6
"""No line begins or ends later than that (11 days), nor is it moved by more."""

FINEST = 10**9
"""The largest denominator of an instant."""

_NEW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


@dataclass(frozen=True)
class SetLine:
    """Set ``fields`` of a line (by id): ``text``, ``start`` and ``end`` (s, on the plan's clock), ``speaker``,
    ``source_text`` (what the line renders), ``person``, ``voice``, ``offset`` (s), ``engine``, ``seed``, ``leave``,
    ``note``, ``verdict``.

    Numbers of seconds are ``Fraction`` or ``int``. The verdict ``rejected`` leaves the line as filmed, and another one
    after it does not any more.
    """

    line: str
    fields: Mapping[str, object]


@dataclass(frozen=True)
class SplitLine:
    """Divide a line ``at`` an instant inside it (s, on the plan's clock). The first part keeps the id and the takes.

    ``texts`` are those of the parts; None: the text is divided between words, in proportion to the time.
    """

    line: str
    at: Fraction
    texts: tuple[str, str] | None = None


@dataclass(frozen=True)
class MergeLines:
    """Put the line ``other`` to ``line``, which keeps its id, its takes and everything else; the texts are joined in
    order of time."""

    line: str
    other: str


@dataclass(frozen=True)
class InsertLine:
    """Add a line. Without an id it gets a new one, that no line of the plan ever had. ``source_text`` is what it
    renders ("": not known)."""

    planned: PlannedLine
    mark: LineMark = LineMark()
    source_text: str = ""


@dataclass(frozen=True)
class RemoveLine:
    """Take a line out of the plan. Its takes stay in the project, and are used again if it is put back."""

    line: str


Edit = SetLine | SplitLine | MergeLines | InsertLine | RemoveLine


@dataclass(frozen=True)
class Edited:
    """The ``plan`` and the ``marks`` after edits, and their ``revision``.

    ``undo`` are the edits that give back what was before. ``changed`` are the ids of lines that are new or not as they
    were, in order of time, ``removed`` those of lines that are gone.
    """

    plan: LanguagePlan
    marks: ReviewMarks
    revision: str
    undo: tuple[Edit, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Reviewed:
    """The ``plan`` of a language and the ``marks`` of its lines as they are now, and their ``revision``. Times of the
    plan count from ``zero`` where players start the clip."""

    plan: LanguagePlan
    marks: ReviewMarks
    revision: str
    zero: Fraction = Fraction(0)


def edited(
    plan: LanguagePlan,
    marks: ReviewMarks,
    edits: Sequence[Edit],
    zero: Fraction = Fraction(0),
    used: Collection[str] = (),
) -> Edited:
    """``plan`` and ``marks`` after all ``edits``, one after the other. No line begins before ``zero``, when players
    start the clip. Ids that were ``used`` for lines that are gone are not given to new ones.

    Raises ``OptionError``, which names the line, for an edit that cannot be done.
    """
    before = _State(plan, marks.settled(plan), zero, frozenset(used))
    now, undo = before, list[Edit]()
    for edit in edits:
        now, back = _DO[type(edit)](now, edit)
        undo = [*back, *undo]
    then, since = before.every(), now.every()
    return Edited(
        plan=now.plan,
        marks=now.marks,
        revision=revision_of(now.plan, now.marks),
        undo=tuple(undo),
        changed=tuple(line for line, told in since.items() if told != then.get(line)),
        removed=tuple(line for line in then if line not in since),
    )


def revision_of(plan: LanguagePlan, marks: ReviewMarks) -> str:
    """A text that changes whenever a plan or its marks (settled by it) do: ``EDITS-TAKES``. The first half is the same
    if only other takes are used, as after a run that made some."""
    lines = [(p.line.id, seen_values(p)[:-1], plan.originals.get(p.line.id, "")) for p in plan.lines]
    marked = sorted((line, mark.verdict, mark.note) for line, mark in marks.lines.items())
    track = None if plan.track is None else (str(plan.track.path), plan.track.sha256)
    made = (plan.notes, plan.left, [(p.line.id, p.take) for p in plan.lines])
    return f"{_digest((lines, marked, track, plan.voices))}-{_digest(made)}"


def same_edits(one: str, other: str) -> bool:
    """True if two revisions of one language differ in takes at most."""
    return one.partition("-")[0] == other.partition("-")[0]


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class _State:
    """The plan and the marks between two edits."""

    plan: LanguagePlan
    marks: ReviewMarks
    zero: Fraction
    used: frozenset[str]

    def line(self, line: str) -> PlannedLine:
        planned = self.plan.planned(line)
        if planned is None:
            raise OptionError(f"there is no line {line}", remedy="It may have been removed: look at the plan again")
        return planned

    def every(self) -> dict[str, tuple[object, ...]]:
        """All that is known of each line."""
        return {p.line.id: (p, self.original(p.line.id), self.marks.of(p.line.id)) for p in self.plan.lines}

    def original(self, line: str) -> str:
        return self.plan.originals.get(line, "")

    def with_original(self, line: str, text: str) -> "_State":
        others = {name: other for name, other in self.plan.originals.items() if name != line}
        originals = {**others, line: text} if text else others
        if text and line in self.plan.originals:  # the order stays
            originals = {name: text if name == line else other for name, other in self.plan.originals.items()}
        return replace(self, plan=replace(self.plan, originals=originals))

    def with_line(self, planned: PlannedLine) -> "_State":
        """With a line that is new, or changed; lines stay in order of time."""
        lines = [p for p in self.plan.lines if p.line.id != planned.line.id]
        insort(lines, self.checked(planned), key=_in_time)
        return replace(self, plan=replace(self.plan, lines=tuple(lines)))

    def without(self, line: str) -> "_State":
        """Without a line, whose id is never given again."""
        lines = tuple(p for p in self.plan.lines if p.line.id != line)
        plan = replace(self.with_original(line, "").plan, lines=lines)
        retired = self.marks.retired if line in self.marks.retired else (*self.marks.retired, line)
        return replace(self, plan=plan, marks=replace(self.marks.with_mark(line, LineMark()), retired=retired))

    def with_mark(self, line: str, mark: LineMark) -> "_State":
        return replace(self, marks=self.marks.with_mark(line, mark))

    def checked(self, planned: PlannedLine) -> PlannedLine:
        """A line that may stand in a plan. Raises ``OptionError``."""
        line, of = planned.line, f"line {planned.line.id}"
        if line.span.start < self.zero:
            raise OptionError(f"{of}: start: {timecode(line.span.start - self.zero)} lies before the clip")
        if line.span.end <= line.span.start:
            raise OptionError(f"{of}: its end is not after its start, {timecode(line.span.start - self.zero)}")
        if not line.text.strip() and self.plan.track is None:
            raise OptionError(f"{of}: text holds nothing to say", remedy="To leave it as filmed, set leave")
        return planned

    def new_id(self) -> str:
        taken = {p.line.id for p in self.plan.lines} | self.used | set(self.marks.retired)
        return next(name for number in count(len(self.plan.lines) + 1) if (name := str(number)) not in taken)


def _in_time(planned: PlannedLine) -> tuple[Span, str]:
    return planned.line.span, planned.line.id


_Done = tuple[_State, tuple[Edit, ...]]


def _set(state: _State, edit: SetLine) -> _Done:
    planned, mark = state.line(edit.line), state.marks.of(edit.line)
    given = {name: _read(edit.line, name, value) for name, value in edit.fields.items()}
    given = _with_verdict(edit.line, planned, mark, given)
    changed = _with_fields(edit.line, planned, given, state)
    now = state.with_line(changed) if changed != planned else state
    if "source_text" in given:
        now = now.with_original(edit.line, given["source_text"])
    verdict = given.get("verdict", mark.verdict if changed == planned else _verdict_after(mark, changed))
    seen = seen_as(changed) if verdict == "accepted" else ""
    now = now.with_mark(edit.line, LineMark(verdict, given.get("note", mark.note), seen))
    old, new = _fields_of(state, edit.line), _fields_of(now, edit.line)
    back = {name: value for name, value in old.items() if value != new[name]}
    return now, (SetLine(edit.line, MappingProxyType(back)),) if back else ()


def _with_verdict(line: str, planned: PlannedLine, mark: LineMark, given: dict[str, Any]) -> dict[str, Any]:
    """``given`` with what follows from the verdict: a rejected line is left as filmed."""
    verdict = given.get("verdict")
    if verdict == "rejected":
        if given.get("leave") is False:
            raise OptionError(f"line {line}: it cannot be rejected and not be left as filmed")
        return {**given, "leave": True}
    if verdict is not None and mark.verdict == "rejected":
        return {"leave": False, **given}
    return given


def _verdict_after(mark: LineMark, changed: PlannedLine) -> Verdict:
    """The verdict on a line that changed."""
    return "rejected" if mark.verdict == "rejected" and changed.leave else "unchecked"


def _with_fields(name: str, planned: PlannedLine, given: Mapping[str, Any], state: _State) -> PlannedLine:
    line = planned.line
    start, end = given.get("start", line.span.start), given.get("end", line.span.end)
    if end <= start:
        raise OptionError(f"line {name}: its end is not after its start, {timecode(start - state.zero)}")
    line = replace(
        line, text=given.get("text", line.text), speaker=given.get("speaker", line.speaker), span=Span(start, end)
    )
    own = {field: given[field] for field in ("person", "voice", "offset", "engine", "seed", "leave") if field in given}
    return replace(planned, line=line, **own)


def _fields_of(state: _State, line: str) -> dict[str, object]:
    """The fields of a line as ``SetLine`` takes them."""
    planned, mark = state.line(line), state.marks.of(line)
    return {
        "text": planned.line.text,
        "start": planned.line.span.start,
        "end": planned.line.span.end,
        "speaker": planned.line.speaker,
        "source_text": state.original(line),
        "person": planned.person,
        "voice": planned.voice,
        "offset": planned.offset,
        "engine": planned.engine,
        "seed": planned.seed,
        "leave": planned.leave,
        "note": mark.note,
        "verdict": mark.verdict,
    }


def _split(state: _State, edit: SplitLine) -> _Done:
    planned, mark = state.line(edit.line), state.marks.of(edit.line)
    span, at = planned.line.span, _read(edit.line, "at", edit.at)
    if not span.start < at < span.end:
        inside = f"{timecode(span.start - state.zero)} to {timecode(span.end - state.zero)}"
        raise OptionError(f"line {edit.line} cannot be divided at {timecode(at - state.zero)}: it lasts from {inside}")
    share = float((at - span.start) / span.duration)
    texts = _divided(state, planned, share) if edit.texts is None else edit.texts
    first, second = (_read(edit.line, "text", text) for text in texts)
    new = state.new_id()
    original = state.original(edit.line)
    parts = divide_text(original, share, state.plan.source_language) or (original, "")
    old = _fields_of(state, edit.line)
    now = state.with_line(replace(planned, line=replace(planned.line, text=first, span=Span(span.start, at), words=())))
    rest = replace(planned.line, text=second, span=Span(at, span.end), words=(), id=new)
    now = now.with_line(replace(planned, line=rest, take=0))
    now = now.with_original(edit.line, parts[0]).with_original(new, parts[1])
    verdict = _verdict_after(mark, planned)
    now = now.with_mark(edit.line, LineMark(verdict, mark.note)).with_mark(new, LineMark(verdict))
    fresh = _fields_of(now, edit.line)
    back = {name: value for name, value in old.items() if value != fresh[name]}
    return now, (RemoveLine(new), SetLine(edit.line, MappingProxyType(back)))


def _divided(state: _State, planned: PlannedLine, share: float) -> tuple[str, str]:
    text = planned.line.text
    if not text and state.plan.track is not None:
        return "", ""
    parts = divide_text(text, share, state.plan.language)
    if parts is None:
        raise OptionError(
            f"line {planned.line.id} has one word only ('{text:.40}')", remedy="Give the texts of both parts"
        )
    return parts


def _merge(state: _State, edit: MergeLines) -> _Done:
    kept, other = state.line(edit.line), state.line(edit.other)
    if edit.line == edit.other:
        raise OptionError(f"line {edit.line} cannot be put to itself")
    first, second = sorted((kept, other), key=_in_time)
    between = next((p for p in _between(state.plan, first, second) if p.person == kept.person), None)
    if between is not None:
        raise OptionError(
            f"lines {edit.line} and {edit.other} cannot be one: line {between.line.id} lies between them",
            remedy="Put lines together that follow each other",
        )
    old, gone = _fields_of(state, edit.line), _inserted_again(state, edit.other)
    span = Span(min(first.line.span.start, second.line.span.start), max(first.line.span.end, second.line.span.end))
    text = _together(first.line.text, second.line.text, state.plan.language)
    originals = (state.original(first.line.id), state.original(second.line.id))
    marks = (state.marks.of(first.line.id), state.marks.of(second.line.id))
    rejected = all(mark.verdict == "rejected" for mark in marks)
    note = "\n".join(mark.note for mark in marks if mark.note)
    now = state.without(edit.other)
    now = now.with_line(replace(kept, line=replace(kept.line, text=text, span=span, words=())))
    now = now.with_original(edit.line, _together(*originals, state.plan.source_language))
    now = now.with_mark(edit.line, LineMark("rejected" if rejected else "unchecked", note))
    fresh = _fields_of(now, edit.line)
    back = {name: value for name, value in old.items() if value != fresh[name]}
    return now, (SetLine(edit.line, MappingProxyType(back)), gone)


def _between(plan: LanguagePlan, first: PlannedLine, second: PlannedLine) -> list[PlannedLine]:
    at = [p.line.id for p in plan.lines]
    return list(plan.lines[at.index(first.line.id) + 1 : at.index(second.line.id)])


def _together(first: str, second: str, language: str) -> str:
    return join_words([text for text in (first, second) if text], language)


def _insert(state: _State, edit: InsertLine) -> _Done:
    planned, mark = edit.planned, edit.mark
    line, name = planned.line, planned.line.id
    if name and state.plan.planned(name) is not None:
        raise OptionError(f"there is a line {name} already", remedy="Leave the id out: it gets a new one")
    if name and not _NEW_ID.fullmatch(name) and name not in state.marks.retired:
        raise OptionError(f"'{name:.40}' is no id of a line", remedy="Leave the id out: it gets a new one")
    name = name or state.new_id()
    values = {"text": line.text, "speaker": line.speaker, "start": line.span.start, "end": line.span.end}
    values |= {"person": planned.person, "voice": planned.voice, "offset": planned.offset, "engine": planned.engine}
    values |= {"seed": planned.seed, "leave": planned.leave, "note": mark.note, "verdict": mark.verdict}
    values |= {"source_text": edit.source_text}
    given = {field: _read(name, field, value) for field, value in values.items()}
    if type(planned.take) is not int or planned.take < 0:
        raise OptionError(f"line {name}: take: {planned.take!r:.40} is not a whole number of 0 or more")
    new = replace(planned, line=replace(line, id=name, language=state.plan.language, words=()))
    new = _with_fields(name, new, _with_verdict(name, new, mark, given), state)
    seen = (mark.seen or seen_as(new)) if mark.verdict == "accepted" else ""
    now = state.with_line(new).with_original(name, given["source_text"])
    now = now.with_mark(name, replace(mark, note=given["note"], seen=seen))
    return now, (RemoveLine(name),)


def _remove(state: _State, edit: RemoveLine) -> _Done:
    state.line(edit.line)
    return state.without(edit.line), (_inserted_again(state, edit.line),)


def _inserted_again(state: _State, line: str) -> InsertLine:
    return InsertLine(state.line(line), state.marks.of(line), state.original(line))


def _read(line: str, field: str, value: object) -> Any:
    """The value of a field, checked. Raises ``OptionError`` that names the line and the field."""

    def wrong(what: str) -> OptionError:
        return OptionError(f"line {line}: {field}: {value!r:.40} is {what}")

    if field in ("start", "end", "offset", "at"):
        if type(value) not in (int, Fraction):
            raise wrong("not an exact number of seconds")
        seconds = Fraction(value)  # type: ignore[arg-type]
        if abs(seconds) > MOST_SECONDS or seconds.denominator > FINEST:
            raise wrong("too large, or too fine")
        return seconds
    if field == "leave":
        if type(value) is not bool:
            raise wrong("neither true nor false")
    elif field == "seed":
        if value is not None and (type(value) is not int or not 0 <= value < 2**63):
            raise wrong("not a whole number of 0 or more")
    elif field == "verdict":
        if value not in VERDICTS:
            raise wrong(f"no verdict ({', '.join(VERDICTS)})")
    elif field == "person" and value is None:
        return None
    elif field not in FIELDS:
        raise OptionError(
            f"line {line}: there is no field '{field:.40}'", remedy=f"Fields: {', '.join(sorted(FIELDS))}"
        )
    elif type(value) is not str:
        raise wrong("not a text")
    return value


_DO: Mapping[type, Callable[[_State, Any], _Done]] = {
    SetLine: _set,
    SplitLine: _split,
    MergeLines: _merge,
    InsertLine: _insert,
    RemoveLine: _remove,
}
