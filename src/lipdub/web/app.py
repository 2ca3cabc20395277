"""The studio as an ASGI application: the page, the API, and the checks before both."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from lipdub.errors import LipdubError
from lipdub.web import docs_page, page_files
from lipdub.web.api import exports, languages, people, projects, segments, status, uploads
from lipdub.web.described import DESCRIBED
from lipdub.web.guard import BodyLimits, Guard, Hosts
from lipdub.web.json_body import as_json
from lipdub.web.keys import Key
from lipdub.web.openapi import document
from lipdub.web.operations import Operation, routes_of
from lipdub.web.studio import Studio

OPERATIONS: tuple[Operation, ...] = (
    *status.OPERATIONS,
    *projects.OPERATIONS,
    *languages.OPERATIONS,
    *segments.OPERATIONS,
    *people.OPERATIONS,
    *exports.OPERATIONS,
    *uploads.OPERATIONS,
)
"""The calls of the API that are done here."""

_HOUR = 3600.0
_THREADS = 24


@dataclass(frozen=True)
class Access:
    """Who is let in: by which ``key``, under which names of this server (``hosts``)."""

    key: Key
    hosts: Hosts = field(default_factory=Hosts)


class _Bare(Starlette):
    """Starlette without its middleware: the guard answers errors, so that no error is told in the log."""

    def build_middleware_stack(self) -> ASGIApp:
        return self.router


def make_app(studio: Studio, access: Access, others: Sequence[BaseRoute] = ()) -> Guard:
    """The application. ``others`` are the routes of jobs, events and media."""
    routes: list[BaseRoute] = [
        *routes_of(OPERATIONS, studio),
        *others,
        *_documents(),
        *page_files.routes(page_files.page_files()),
    ]
    limits = BodyLimits(studio.limits.body_bytes, studio.limits.upload_bytes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_remove_old_uploads, studio)
            yield
            tasks.cancel_scope.cancel()

    return Guard(_Bare(routes=routes, lifespan=lifespan), access.key, access.hosts, limits)


async def _remove_old_uploads(studio: Studio) -> None:
    """Remove uploads that nobody goes on with, every hour."""
    while True:
        with suppress(LipdubError, OSError):
            await anyio.to_thread.run_sync(studio.uploads.remove_old)
        await anyio.sleep(_HOUR)


def _documents() -> list[Route]:
    told = document((*OPERATIONS, *DESCRIBED))
    as_bytes, page = as_json(told), docs_page.docs_page(told)

    def openapi(_: Request) -> Response:
        return Response(as_bytes, media_type="application/json")

    def docs(_: Request) -> Response:
        return HTMLResponse(page)

    def style(_: Request) -> Response:
        return Response(docs_page.CSS, media_type="text/css; charset=utf-8")

    return [Route("/openapi.json", openapi), Route("/docs", docs), Route("/docs.css", style)]
