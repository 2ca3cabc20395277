"""The calls of the API as values: what each takes and returns, and the function that does it.

From one table come the routes, the checks of what is sent, and the API's document (``openapi``).
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lipdub.web.json_body import as_json, read_json, typed
from lipdub.web.problems import BadRequest, WrongField, WrongType

if TYPE_CHECKING:
    from lipdub.web.studio import Studio

_TAG = re.compile(r'^(?:W/)?"([^"]*)"$')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class NoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that says nothing."""


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a list is wanted: ``page_size`` entries after the ``cursor`` of an earlier answer."""

    page_size: int = 50
    cursor: str = ""

    def __post_init__(self) -> None:
        """Refuse pages of no entries, or too many."""
        if not 1 <= self.page_size <= 500:
            raise WrongField("page_size: give 1 to 500", "page_size")


@dataclass(frozen=True)
class Call:
    """One call: the ``studio``, the parts of the ``path`` by name, the ``body`` and the ``query`` as the operation
    types them, and the ``revision`` of If-Match ("": none)."""

    studio: "Studio"
    path: Mapping[str, str]
    body: Any = None
    query: Any = None
    revision: str = ""
    request: Request | None = None


@dataclass(frozen=True)
class Reply:
    """What a call answers: a value for JSON (None: nothing), its status, and headers."""

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One call of the API.

    ``do`` gets the ``Call`` and returns a ``Reply`` or the value of one; it runs in a thread. ``body`` and ``query``
    are the types of what is sent, ``answer`` that of what is returned, with ``status``. ``errors`` are the statuses of
    problems that are its own. ``repeatable``: it may be repeated with the same Idempotency-Key.
    ``raw`` does it instead, with the request as it comes: files. Without either, another module has the route, and it
    is only described here. ``answers`` and ``takes`` are media types other than JSON.
    """

    method: str
    path: str
    name: str
    summary: str
    do: Callable[[Call], Any] | None = None
    body: Any = None
    query: Any = None
    answer: Any = None
    status: int = 200
    errors: Sequence[int] = ()
    repeatable: bool = False
    raw: "Callable[[Studio, Request], Awaitable[Response]] | None" = None
    answers: Sequence[str] = ()
    takes: Sequence[str] = ()

    @property
    def parts(self) -> list[str]:
        """The names of the variable parts of the path."""
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)


def routes_of(operations: Sequence[Operation], studio: "Studio") -> list[Route]:
    """The routes of the operations that are done here."""
    return [_route(each, studio) for each in operations if each.do is not None or each.raw is not None]


def _route(operation: Operation, studio: "Studio") -> Route:
    async def endpoint(request: Request) -> Response:
        if operation.raw is not None:
            return await operation.raw(studio, request)
        return await _answer(operation, studio, request)

    return Route(operation.path, endpoint, methods=[operation.method], name=operation.name)


async def _answer(operation: Operation, studio: "Studio", request: Request) -> Response:
    query = typed(_query(request), operation.query or NoBody, texts=True)
    raw = await request.body() if operation.body is not None else b""
    call = Call(
        studio,
        request.path_params,
        body=None if operation.body is None else _body(raw, operation.body, request),
        query=query,
        revision=_if_match(request),
        request=request,
    )
    do, key = operation.do, idempotency_key(request)
    assert do is not None, "only operations that are done here have routes"

    def done() -> Reply:
        return _reply(do(call), operation)

    if key and operation.repeatable:
        digest = hashlib.sha256(b"\0".join((operation.name.encode(), request.url.path.encode(), raw))).hexdigest()
        return as_response(await run_in_threadpool(studio.repeated, key, digest, done))
    return as_response(await run_in_threadpool(done))


def idempotency_key(request: Request) -> str:
    """The key with which a request may be repeated; "" if there is none. Raises ``BadRequest`` if it cannot be one."""
    key = request.headers.get("idempotency-key", "")
    if key and not _KEY.fullmatch(key):
        raise BadRequest("the header Idempotency-Key holds what cannot be a key", remedy="Give 1 to 255 characters")
    return key


def _reply(done: Any, operation: Operation) -> Reply:
    return done if isinstance(done, Reply) else Reply(done, operation.status)


def as_response(reply: Reply) -> Response:
    """What a call answers, as it is sent."""
    if isinstance(reply.value, Response):
        return reply.value
    if reply.value is None:
        return Response(status_code=reply.status if reply.status != 200 else 204, headers=dict(reply.headers))
    body = as_json(reply.value)
    return Response(body, reply.status, dict(reply.headers), media_type="application/json")


def _query(request: Request) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in out:
            raise WrongField(f"{name}: it is given twice", name)
        out[name] = value
    return out


def _body(raw: bytes, kind: Any, request: Request) -> Any:
    told = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if told not in ("application/json", "") or (raw and not told):
        raise WrongType(f"this takes application/json, not '{told[:60]}'", remedy="Set the header Content-Type")
    return typed(read_json(raw) if raw.strip() else {}, kind)


def _if_match(request: Request) -> str:
    given = request.headers.get("if-match", "")
    if given in ("", "*"):
        return ""
    found = _TAG.match(given.strip())
    if found is None:
        raise BadRequest("the header If-Match holds no entity tag", remedy='Give one revision: If-Match: "REVISION"')
    return found[1]
