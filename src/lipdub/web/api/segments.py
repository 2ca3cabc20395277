"""One line: hear it, its takes."""

from datetime import UTC, datetime
from urllib.parse import quote

from lipdub.studio.project.status import LineStatus
from lipdub.studio.project.takes import LineTakes
from lipdub.timeline.take import Take
from lipdub.web.allowed import check_text, check_voice
from lipdub.web.api.languages import segment, tag
from lipdub.web.api.shapes import JobShown, SegmentEdited
from lipdub.web.api.work_shapes import Hear, RecipeShown, TakeList, TakeShown
from lipdub.web.operations import Call, NoBody, Operation, Reply
from lipdub.web.problems import NotThere
from lipdub.web.project_views import reviewed
from lipdub.web.segments import ReviewedLanguage, scores_of

_LINE = "/v1/projects/{p}/languages/{l}/segments/{s}"


def hear(call: Call) -> Reply:
    """Speak a line, without the picture."""
    work, line = segment(call)
    given = call.body
    if given.text is not None:
        check_text(given.text, "text")
    if given.voice:
        check_voice(work, given.voice, "voice")
    request = {"segment": line, "text": given.text, "voice": given.voice, "offset": given.offset}
    request = {name: value for name, value in request.items() if value is not None}
    return Reply(call.studio.add_job("hear", work.id, work.language, request).shown(), 202)


def takes(call: Call) -> TakeList:
    """All attempts at a line."""
    work, line = segment(call)
    (status,) = work.statuses(each for each in work.reviewed.plan.lines if each.line.id == line)
    found = LineTakes(work.project.folder, work.language).there(line)
    return TakeList(data=[_take(work, take, status) for take in found])


def choose(call: Call) -> Reply:
    """Use a take of a line from now on."""
    work, line = segment(call)
    number = call.path["n"]
    if not number.isascii() or not number.isdecimal() or len(number) > 6:
        raise NotThere("takes are called 1, 2, 3 ...")
    if all(take.number != int(number) for take in LineTakes(work.project.folder, work.language).there(line)):
        raise NotThere(f"line {line} has no take {int(number)}")
    work.project.choose(work.language, line, int(number))
    now = reviewed(work.studio, work.id, work.language)
    data = {"project": work.id, "language": work.language, "revision": now.reviewed.revision}
    call.studio.jobs.tell("project", data)
    told = SegmentEdited(segment=now.segments([line])[0], revision=now.reviewed.revision, undo=[])
    return Reply(told, 200, tag(now.reviewed.revision))


def _take(work: ReviewedLanguage, take: Take, status: LineStatus) -> TakeShown:
    recipe, line = take.recipe, status.planned.line.id
    chosen = take.number == status.planned.take
    where = f"/v1/projects/{work.id}/languages/{quote(work.language, safe='')}/segments/{quote(line, safe='')}"
    return TakeShown(
        number=take.number,
        made=take.made or datetime.fromtimestamp(0, UTC).isoformat(),
        recipe=RecipeShown(
            text=recipe.text,
            voice=recipe.voice,
            offset=work.length(recipe.offset),
            seed=recipe.seed,
            engine=recipe.engine,
            person=recipe.person,
        ),
        scores=scores_of(take, status.word_errors if chosen else None),
        chosen=chosen,
        audio=f"{where}/takes/{take.number}/audio",
    )


OPERATIONS = (
    Operation(
        "POST", _LINE + "/hear", "hear", "Speak a line, without the picture", hear, body=Hear, answer=JobShown,
        status=202, errors=(409, 429), repeatable=True,
    ),
    Operation("GET", _LINE + "/takes", "list_takes", "All attempts at a line", takes, answer=TakeList),
    Operation(
        "POST", _LINE + "/takes/{n}/choose", "choose_take", "Use a take of a line from now on", choose, body=NoBody,
        answer=SegmentEdited,
    ),
)  # fmt: skip
