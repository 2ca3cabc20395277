"""Jobs in the API: the list, one job, cancelling it, and the file that it made.

GET  /v1/jobs?project=&status=&page_size=&cursor=     {"data": [Job], "next_cursor": ... or null}
GET  /v1/jobs/{id}                                    Job
POST /v1/jobs/{id}/cancel                             Job
GET  /v1/jobs/{id}/file                               the film, the speech or the timeline that a job made
GET  /v1/webhook                                      {"url": "", "secret": "whsec_..."}
PUT  /v1/webhook {"url": "https://..."}               this address is told of the end of every job ("": nobody)
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from lipdub.errors import InputError, OptionError
from lipdub.web.jobs.deliveries import delivery_of
from lipdub.web.jobs.job import CANCELLED, COMPLETED, FAILED, PROCESSING, QUEUED, Job, NoSuchJob
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts
from lipdub.web.jobs.webhooks import webhook_secret
from lipdub.web.json_body import read_json, typed

_STATES = (QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED)
_MOST_ROWS, _USUAL_ROWS = 500, 50
_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".json": "application/json",
    ".otio": "application/json",
    ".xml": "application/xml",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
}
"""Media types by suffix: the system's table lacks some, and what is not known is not guessed."""

_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class WebhookAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the end of every job is told."""

    url: Annotated[str, Meta(max_length=2000)]


def routes(table: JobTable, state: Path, allowed: AllowedHosts | None = None) -> list[Route]:
    """The routes of jobs. ``state`` is the folder of the studio's own files, where the secret of webhooks lies, and
    ``allowed`` are the hosts to which they may go besides public ones. Errors are ``LipdubError``s: the app makes
    problem documents of them."""
    hosts = allowed or AllowedHosts()

    def every(request: Request) -> Response:
        query = request.query_params
        size, states = page_size(request), tuple(filter(None, query.get("status", "").split(",")))
        if not set(states) <= set(_STATES):
            raise OptionError("status: this is no state of a job", remedy=f"Choose of {', '.join(_STATES)}")
        found = table.jobs(query.get("project", ""), query.get("cursor", ""), size + 1, status=states)
        return _page([job.shown() for job in found[:size]], found[size - 1].id if len(found) > size else None)

    def one(request: Request) -> Response:
        job = _job(table, request)
        webhook = delivery_of(table, job.id)
        return _json(job.shown() | ({} if webhook is None else {"webhook": webhook}))

    def cancel(request: Request) -> Response:
        return _json(table.cancel(request.path_params["id"]).shown())

    def file(request: Request) -> Response:
        return _file(_job(table, request))

    def webhook(_: Request) -> Response:
        return _json({"url": table.webhook(), "secret": webhook_secret(state)})

    def set_webhook(body: bytes) -> Response:
        url = typed(read_json(body), WebhookAsked).url
        if url:
            hosts.check(url)
        table.set_webhook(url)
        return _json({"url": url, "secret": webhook_secret(state)})

    async def put_webhook(request: Request) -> Response:
        return await run_in_threadpool(set_webhook, await request.body())

    listed: tuple[tuple[str, Callable[[Request], Any], str], ...] = (
        ("/v1/jobs", every, "GET"),
        ("/v1/jobs/{id}", one, "GET"),
        ("/v1/jobs/{id}/cancel", cancel, "POST"),
        ("/v1/jobs/{id}/file", file, "GET"),
        ("/v1/webhook", webhook, "GET"),
        ("/v1/webhook", put_webhook, "PUT"),
    )
    return [Route(path, endpoint, methods=[method]) for path, endpoint, method in listed]


def page_size(request: Request) -> int:
    """How many rows a page shall have. Raises ``OptionError``."""
    text = request.query_params.get("page_size", str(_USUAL_ROWS))
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _MOST_ROWS):
        raise OptionError(f"page_size: give a number from 1 to {_MOST_ROWS}")
    return int(text)


def _job(table: JobTable, request: Request) -> Job:
    id = request.path_params["id"]
    job = table.job(id)
    if job is None:
        raise NoSuchJob(id)
    return job


def _file(job: Job) -> Response:
    """The file that a job made. Raises ``InputError`` if it made none, or it is not there any more."""
    named = (job.result or {}).get("_file")
    path = None if named is None else Path(named)
    if path is None or not path.is_file():
        what = "this job made no file" if path is None else "the file that this job made is not there any more"
        raise InputError(what, remedy="Make it again")
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return FileResponse(path, filename=path.name, headers=_PRIVATE, media_type=kind)


def _json(value: object) -> Response:
    return JSONResponse(value, headers=_PRIVATE)


def _page(rows: list[dict[str, object]], cursor: str | None) -> Response:
    return _json({"data": rows, "next_cursor": cursor})
