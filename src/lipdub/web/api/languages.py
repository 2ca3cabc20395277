"""Languages of a project: plan one, look at its lines, edit them, make them."""

import msgspec

from lipdub.errors import OptionError
from lipdub.web.allowed import check_new_voice, check_plugins, check_text
from lipdub.web.api.shapes import (
    Edited,
    Edits,
    JobShown,
    LanguageShown,
    LeftAsFilmed,
    NewLanguage,
    OneSegmentChange,
    SegmentChange,
    SegmentEdited,
    SegmentList,
    SetEdit,
)
from lipdub.web.api.work_shapes import Redo, StaleShown
from lipdub.web.edit_lines import apply_edits, given_fields
from lipdub.web.make_project import checked_input, take_input
from lipdub.web.operations import Call, NoBody, Operation, Reply
from lipdub.web.problems import NotThere, WrongField
from lipdub.web.project_views import film_record, language_status, reviewed, shots_of, shown_film
from lipdub.web.segments import ReviewedLanguage

_BASE = "/v1/projects/{p}/languages"
_ONE = _BASE + "/{l}"


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines are wanted: ``filter`` is some of flagged, unchecked, stale, with commas ("": all)."""

    filter: str = ""
    page_size: int = 500
    cursor: str = ""

    def __post_init__(self) -> None:
        """Refuse other words, and pages of no lines or too many."""
        if not 1 <= self.page_size <= 5000:
            raise WrongField("page_size: give 1 to 5000", "page_size")
        wrong = next((word for word in self.words if word not in ("flagged", "unchecked", "stale")), None)
        if wrong is not None:
            raise WrongField(f"filter: there is no '{wrong[:40]}'; give flagged, unchecked or stale", "filter")

    @property
    def words(self) -> list[str]:
        """The words of the filter."""
        return [word for word in self.filter.split(",") if word]


def plan(call: Call) -> Reply:
    """Plan a language."""
    studio, new = call.studio, call.body
    row = studio.row(call.path["p"])
    if sum((new.script is not None, new.audio is not None, new.translate)) != 1:
        raise WrongField("give one of script, audio and translate", "script")
    if (new.translate or new.script) and not new.language:
        raise WrongField("language: it is missing", "language")
    check_text(new.language, "language")
    choices = new.options
    for number, voice in enumerate(choices.voices):
        check_new_voice(voice.partition("=")[2] or voice, f"options.voices[{number}]")
    script, audio = checked_input(studio, "script", new.script), checked_input(studio, "audio", new.audio)
    inputs = {name: each for name, each in (("script", script), ("audio", audio)) if each is not None}
    check_plugins(choices)
    options = {"voice": choices.voices, "engine": choices.engine, "seed": choices.seed}
    options |= {"source_language": choices.source_language}
    options |= {"translator": choices.translator, "recogniser": choices.recogniser}
    files = {name: str(take_input(studio, row.path.parent, each)) for name, each in inputs.items()}
    request = {
        **files,
        "options": {name: value for name, value in options.items() if value},
        "overwrite": new.overwrite,
    }
    return Reply(studio.add_job("plan", row.id, new.language, request).shown(), 202)


def get(call: Call) -> Reply:
    """A language with all its lines."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    jobs, record, now = call.studio.jobs.jobs(work.id, limit=50), film_record(work), work.reviewed.plan
    shown = LanguageShown(
        language=work.language,
        status=language_status(work, jobs, work.counts, record),
        revision=work.reviewed.revision,
        source_language=now.source_language,
        segments=work.segments(),
        left_as_filmed=[
            LeftAsFilmed(
                start=work.seconds(left.span.start),
                end=work.seconds(left.span.end),
                why=left.reason,
            )
            for left in now.left
        ],
        shots=shots_of(call.studio.row(work.id)),
        notes=list(now.notes),
        track=None if now.track is None else now.track.path.name,
        film=shown_film(work, record),
    )
    return Reply(shown, 200, tag(work.reviewed.revision))


def list_segments(call: Call) -> Reply:
    """The lines of a language, or some of them."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    wanted, found = call.query.words, work.segments()
    for word in wanted:
        if word == "flagged":
            found = [each for each in found if each.flags]
        elif word == "unchecked":
            found = [each for each in found if each.verdict == "unchecked"]
        else:
            found = [each for each in found if each.state in ("missing", "changed")]
    ids = [each.id for each in found]
    if call.query.cursor:
        if call.query.cursor not in ids:
            raise WrongField("cursor: this line is not in the list any more", "cursor")
        found = found[ids.index(call.query.cursor) + 1 :]
    page = found[: call.query.page_size]
    cursor = page[-1].id if len(found) > len(page) else None
    told = SegmentList(data=page, next_cursor=cursor, revision=work.reviewed.revision)
    return Reply(told, 200, tag(work.reviewed.revision))


def change_segment(call: Call) -> Reply:
    """Change one line."""
    work, line = reviewed(call.studio, call.path["p"], call.path["l"]), call.path["s"]
    fields = SegmentChange(**given_fields(call.body))
    if not given_fields(fields):
        raise WrongField("no field is given that could be changed", "")
    edit = SetEdit(segment=line, fields=fields)
    try:
        done = apply_edits(work, [edit], call.revision or call.body.revision or "", where="")
    except OptionError:
        segment(call)  # a line that is not there is told as such
        raise
    now = done.work.reviewed.revision
    told = SegmentEdited(segment=done.work.segments([line])[0], revision=now, undo=done.undo)
    return Reply(told, 200, tag(now))


def edit(call: Call) -> Reply:
    """Make several edits, or none of them."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    done = apply_edits(work, call.body.edits, call.revision or call.body.revision or "")
    now, changed = done.work.reviewed.revision, () if done.edited is None else done.edited.changed
    removed = [] if done.edited is None else list(done.edited.removed)
    told = Edited(revision=now, segments=done.work.segments(changed), removed=removed, undo=done.undo)
    return Reply(told, 200, tag(now))


def stale(call: Call) -> StaleShown:
    """The lines that would be made anew, and about how long that takes."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    found = work.project.stale(work.language)
    return StaleShown(lines=list(found.lines), seconds=_about(found.seconds), film_seconds=_about(found.film_seconds))


def redo(call: Call) -> Reply:
    """Make lines anew."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    wanted = call.body.segments
    if not isinstance(wanted, str):
        ids = {planned.line.id for planned in work.reviewed.plan.lines}
        missing = next((line for line in wanted if line not in ids), None)
        if missing is not None:
            raise WrongField(f"segments: there is no line '{missing[:60]}'", "segments")
        if not wanted:
            raise WrongField("segments: no line is named", "segments")
    changes = {name: value for name, value in msgspec.structs.asdict(call.body.changes).items() if value is not None}
    if changes.get("voice"):
        check_new_voice(changes["voice"], "changes.voice")
    request = {"segments": wanted, "changes": changes, "film": call.body.film}
    return Reply(call.studio.add_job("redo", work.id, work.language, request).shown(), 202)


def render(call: Call) -> Reply:
    """Make what is missing, and the film."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    return Reply(call.studio.add_job("render", work.id, work.language, {}).shown(), 202)


def segment(call: Call) -> tuple[ReviewedLanguage, str]:
    """The language and the id of the line that a path names. Raises ``NotThere``."""
    work, line = reviewed(call.studio, call.path["p"], call.path["l"]), call.path["s"]
    if work.reviewed.plan.planned(line) is None:
        shown = "".join(letter if letter.isprintable() else "?" for letter in line[:60])
        raise NotThere(f"there is no line '{shown}'", remedy="It may have been removed: look at the language again")
    return work, line


def tag(revision: str) -> dict[str, str]:
    """The header that tells a revision."""
    return {"ETag": f'"{revision}"'}


def _about(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


OPERATIONS = (
    Operation(
        "POST", _BASE, "plan_language", "Plan a language", plan, body=NewLanguage, answer=JobShown, status=202,
        errors=(409, 429), repeatable=True,
    ),
    Operation("GET", _ONE, "get_language", "A language with all its lines", get, answer=LanguageShown),
    Operation(
        "GET", _ONE + "/segments", "list_segments", "The lines of a language", list_segments, query=Filter,
        answer=SegmentList,
    ),
    Operation(
        "PATCH", _ONE + "/segments/{s}", "change_segment", "Change one line", change_segment, body=OneSegmentChange,
        answer=SegmentEdited, errors=(412,),
    ),
    Operation(
        "POST", _ONE + "/edits", "edit", "Make several edits, or none of them", edit, body=Edits, answer=Edited,
        errors=(412,), repeatable=True,
    ),
    Operation("GET", _ONE + "/stale", "get_stale", "What would be made anew, how long", stale, answer=StaleShown),
    Operation(
        "POST", _ONE + "/redo", "redo", "Make lines anew", redo, body=Redo, answer=JobShown, status=202,
        errors=(409, 429), repeatable=True,
    ),
    Operation(
        "POST", _ONE + "/render", "render", "Make what is missing, and the film", render, body=NoBody, answer=JobShown,
        status=202, errors=(409, 429), repeatable=True,
    ),
)  # fmt: skip
