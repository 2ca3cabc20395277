"""Projects: list, begin, look at, name, remove; the demo; parts in which nobody is dubbed."""

from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lipdub.web.api.shapes import (
    JobShown,
    NewProject,
    ProjectChange,
    ProjectList,
    ProjectMade,
    ProjectShown,
    Range,
    RangeList,
    RangesEdit,
)
from lipdub.web.forms import Form, read_form
from lipdub.web.json_body import read_json, typed
from lipdub.web.make_project import make_project, remove_project
from lipdub.web.operations import Call, Operation, Page, Reply, as_response, idempotency_key
from lipdub.web.problems import WrongField, WrongType
from lipdub.web.project_views import ranges_of, shown_project
from lipdub.web.ranges import set_ranges
from lipdub.web.studio import Studio

_FILES, _FIELDS = ("video", "script", "audio"), ("to", "name", "consent")


class Confirmed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``confirm`` is the name or the id of the project that is removed."""

    confirm: str = ""


def list_projects(call: Call) -> ProjectList:
    """The projects, in order of their ids."""
    rows = [row for row in call.studio.places.rows() if row.id > call.query.cursor]
    page = rows[: call.query.page_size]
    data = [shown_project(call.studio, row, look=False) for row in page]
    return ProjectList(data=data, next_cursor=page[-1].id if len(rows) > len(page) else None)


async def begin(studio: Studio, request: Request) -> Response:
    """A new project, from a form with files or from JSON that names uploads."""
    kind, key = request.headers.get("content-type", "").split(";")[0].strip().lower(), idempotency_key(request)
    if kind == "application/json":
        raw = await request.body()
        new = typed(read_json(raw), NewProject)
        if not key:
            return as_response(await run_in_threadpool(_begun, studio, new))
        digest = f"begin_project {hash_of(raw)}"
        return as_response(await run_in_threadpool(studio.repeated, key, digest, lambda: _begun(studio, new)))
    if kind != "multipart/form-data":
        raise WrongType("this takes multipart/form-data or application/json", remedy="Set the header Content-Type")
    form = await read_form(request, studio.uploads, _FILES, _FIELDS)
    try:
        new = _of_form(form)
        if not key:
            return as_response(await run_in_threadpool(_begun, studio, new))
        files = sorted((name, upload.name, upload.size) for name, upload in form.files.items())
        digest = f"begin_project {hash_of(repr((sorted(form.values.items()), files)).encode())}"
        return as_response(await run_in_threadpool(studio.repeated, key, digest, lambda: _begun(studio, new)))
    finally:
        await run_in_threadpool(_remove_left, studio, form)


def hash_of(data: bytes) -> str:
    """A digest of what was sent."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _of_form(form: Form) -> NewProject:
    if "video" not in form.files:
        raise WrongField("the field 'video' is missing", "video", remedy="Send a file: -F video=@talk.mp4")
    consent = form.values.get("consent", "").strip().lower()
    if consent not in ("", "true", "false"):
        raise WrongField("consent: expected true or false", "consent")
    ids = {name: form.files[name].id for name in ("script", "audio") if name in form.files}
    ids |= {name: form.values[name] for name in ("script", "audio") if name in form.values}
    texts = {name: form.values[name] for name in ("to", "name") if form.values.get(name)}
    return typed({"consent": consent == "true", "upload_id": form.files["video"].id, **ids, **texts}, NewProject)


def _begun(studio: Studio, new: NewProject) -> Reply:
    made = make_project(studio, new)
    studio.jobs.tell("project", {"project": made.row.id, "language": "", "revision": None})
    job = None if made.job is None else made.job.shown()
    told = ProjectMade(project=shown_project(studio, made.row), job=job)
    return Reply(told, 201, {"Location": f"/v1/projects/{made.row.id}"})


def _remove_left(studio: Studio, form: Form) -> None:
    """Remove the files of a form that no project took."""
    for upload in form.files.values():
        try:
            studio.uploads.remove(upload.id)
        except Exception:
            continue


def demo(call: Call) -> Reply:
    """Make the demo's portrait a project."""
    return Reply(call.studio.add_job("demo", "", "es", {}).shown(), 202)


def get(call: Call) -> ProjectShown:
    """One project."""
    return shown_project(call.studio, call.studio.row(call.path["p"]))


def rename(call: Call) -> ProjectShown:
    """Change what a project is called."""
    row = call.studio.row(call.path["p"])
    name = " ".join(call.body.name.split())
    if not name:
        raise WrongField("name: it is empty", "name")
    call.studio.places.listed.rename(row.id, name)
    call.studio.jobs.tell("project", {"project": row.id, "language": "", "revision": None})
    return shown_project(call.studio, call.studio.row(row.id))


def remove(call: Call) -> None:
    """Remove what the studio made of a project."""
    row = call.studio.row(call.path["p"])
    if call.query.confirm not in (row.shown_name, row.id):
        what = f"confirm: to remove this project, repeat its name: ?confirm={quote(row.shown_name)}"
        raise WrongField(what, "confirm")
    remove_project(call.studio, row)
    call.studio.jobs.tell("project", {"project": row.id, "language": "", "revision": None})


def get_ranges(call: Call) -> RangeList:
    """The parts in which nobody is dubbed."""
    return RangeList(data=ranges_of(call.studio.opened(call.path["p"])))


def put_ranges(call: Call) -> RangeList:
    """Set the parts in which nobody is dubbed."""
    opened = call.studio.opened(call.path["p"])
    set_ranges(opened, RangesEdit(ranges=call.body))
    call.studio.jobs.tell("project", {"project": call.path["p"], "language": "", "revision": None})
    return RangeList(data=ranges_of(call.studio.opened(call.path["p"])))


OPERATIONS = (
    Operation("GET", "/v1/projects", "list_projects", "The projects", list_projects, query=Page, answer=ProjectList),
    Operation(
        "POST", "/v1/projects", "begin_project", "Begin a project: a form with files, or JSON that names uploads",
        raw=begin, body=NewProject, answer=ProjectMade, status=201, errors=(413, 415, 429, 507), repeatable=True,
        takes=("multipart/form-data",),
    ),
    Operation(
        "POST", "/v1/projects/demo", "make_demo", "Make the demo's portrait a project", demo, answer=JobShown,
        status=202, errors=(409,),
    ),
    Operation("GET", "/v1/projects/{p}", "get_project", "One project", get, answer=ProjectShown),
    Operation(
        "PATCH", "/v1/projects/{p}", "rename_project", "Change what a project is called", rename, body=ProjectChange,
        answer=ProjectShown,
    ),
    Operation(
        "DELETE", "/v1/projects/{p}", "remove_project", "Remove what the studio made of a project", remove,
        query=Confirmed, status=204, errors=(409,),
    ),
    Operation("GET", "/v1/projects/{p}/ranges", "get_ranges", "Where nobody is dubbed", get_ranges, answer=RangeList),
    Operation(
        "PUT", "/v1/projects/{p}/ranges", "set_ranges", "Set where nobody is dubbed", put_ranges, body=list[Range],
        answer=RangeList, errors=(409,),
    ),
)  # fmt: skip
