"""What every request passes before anything of the studio sees it: host, origin, key, size; and the headers of every
answer.

* **Host**: only names of ours. A page of somebody else's whose name was made to lead to this machine (DNS rebinding)
  sends its own name.
* **Origin**: browsers say where a request comes from. Another site, and another port of this machine, is refused, and
  there are no CORS headers.
* **Key**: the header ``X-Api-Key``, or the cookie that ``GET /?key=...`` sets.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect

from lipdub.web.json_body import as_json
from lipdub.web.keys import HEADER, Key
from lipdub.web.problems import (
    MEDIA_TYPE,
    BadRequest,
    KeyNeeded,
    Problem,
    Refused,
    TooLarge,
    TooSlow,
    problem_for,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every answer: nothing from elsewhere, nothing inline."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)

LOCKED_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>lipdub studio</title>
<h1>The key is missing</h1>
<p>Open the address that <code>lipdub studio</code> printed when it was started. It ends in <code>?key=…</code>.</p>
</html>
"""

ENTERED_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>lipdub studio</title>
<p><a href="/">lipdub studio</a></p></html>
"""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PARTS = (b"application/offset+octet-stream", b"application/octet-stream")
_FORM_ROOM = 2**20  # names and boundaries of a form
_OWN_PLACES = frozenset({"same-origin", "none"})


@dataclass(frozen=True)
class BodyLimits:
    """The largest body (bytes): ``usual``, and that of the calls which take files. For ``patience`` seconds nothing may
    come of a body that is not complete."""

    usual: int = 4 * 2**20
    file_bytes: int = 8 * 2**30
    patience: float = 60.0

    def of(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> int:
        """The limit for a request."""
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        form = (method, path, kind) == ("POST", "/v1/projects", b"multipart/form-data")
        part = method == "PATCH" and path.startswith("/v1/uploads/") and kind in _PARTS
        return self.file_bytes + _FORM_ROOM if form or part else self.usual


@dataclass(frozen=True)
class Hosts:
    """Which names of this server a request may give. ``addresses``: any literal address is taken, too, as for a server
    that others on the network reach; such a name cannot be made to lead here by somebody else."""

    names: frozenset[str] = _LOCAL
    addresses: bool = False

    def takes(self, header: str) -> bool:
        """True if the header Host is one of ours."""
        try:
            name = urlsplit(f"//{header}").hostname or ""
            port = urlsplit(f"//{header}").port
        except ValueError:
            return False
        if not header or "@" in header or "/" in header or port == 0:
            return False
        if name.rstrip(".") in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.addresses


@dataclass
class Guard:
    """The studio's ``app`` behind its checks. Raises nothing: what the app raises is answered as a problem."""

    app: App
    key: Key
    hosts: Hosts = field(default_factory=Hosts)
    limits: BodyLimits = field(default_factory=BodyLimits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets: the server refuses them
        sent = SentAnswer(send)
        try:
            await self._checked(scope, receive, sent)
        except ClientDisconnect:
            return
        except Exception as error:
            if sent.begun:
                raise _Broken from None  # the server cuts the connection, and logs nothing of the user's
            problem = problem_for(error)
            await _send_problem(sent, problem, close=isinstance(error, TooLarge | TooSlow | BadRequest))

    async def _checked(self, scope: Scope, receive: Receive, send: "SentAnswer") -> None:
        headers = _single_headers(scope)
        method, path = scope["method"], scope["path"]
        if not self.hosts.takes(headers.get(b"host", b"").decode("latin-1")):
            raise Refused("this server does not answer to that name", remedy="Use the address that it printed")
        if path == "/" and method in ("GET", "HEAD") and b"key=" in scope["query_string"]:
            await self._enter(scope, send)
            return
        try:
            by_cookie = self._check_key(headers)
            check_origin(method, headers, by_cookie)
        except KeyNeeded as needed:
            if method in ("GET", "HEAD") and b"text/html" in headers.get(b"accept", b""):
                await _send(send, 401, b"text/html; charset=utf-8", LOCKED_PAGE.encode())
                return
            raise needed
        limit = self.limits.of(method, path, headers)
        await self.app(scope, Body(receive, limit, self.limits.patience, headers), send)

    def _check_key(self, headers: Mapping[bytes, bytes]) -> bool:
        """True if the cookie was the key, False if the header was. Raises ``KeyNeeded``."""
        given = headers.get(HEADER.encode())
        if given is not None:
            if self.key.is_key(given.decode("latin-1")):
                return False
            raise KeyNeeded("the key in X-Api-Key is not the one of this studio", remedy="Use the one that it printed")
        if self.key.is_cookie(_cookie(headers.get(b"cookie", b""), self.key.cookie_name)):
            return True
        raise KeyNeeded("the key is missing", remedy="Send it as X-Api-Key, or open the address that was printed")

    async def _enter(self, scope: Scope, send: "SentAnswer") -> None:
        """``GET /?key=...``: set the cookie and go to the page without the key in its address."""
        given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8).get("key", [""])
        if not self.key.is_key(given[0]):
            await _send(send, 401, b"text/html; charset=utf-8", LOCKED_PAGE.encode())
            return
        headers = _single_headers(scope)
        cookie = f"{self.key.cookie_name}={self.key.cookie}; Path=/; HttpOnly; SameSite=Strict"
        if headers.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin"):
            await _send(send, 303, b"text/plain", b"", [(b"set-cookie", cookie.encode()), (b"location", b"/")])
            return
        # Opened from a file or another page: after a redirect, browsers would not send a strict cookie.
        kind = b"text/html; charset=utf-8"
        await _send(send, 200, kind, ENTERED_PAGE.encode(), [(b"set-cookie", cookie.encode())])


class _Broken(Exception):
    """An answer that had begun could not be ended."""


@dataclass
class SentAnswer:
    """Sends an answer with the headers that all have; remembers whether it was ``begun``."""

    send: Send
    begun: bool = False

    async def __call__(self, message: Message) -> None:
        """One part of an answer."""
        if message["type"] == "http.response.start":
            self.begun = True
            have = {name.lower() for name, _ in message.get("headers", [])}
            extra = [(name, value) for name, value in HEADERS if name not in have]
            if b"cache-control" not in have:
                extra.append((b"cache-control", b"no-store"))
            message["headers"] = [*message.get("headers", []), *extra]
        await self.send(message)


@dataclass
class Body:
    """Receives a body of at most ``limit`` bytes. Raises ``TooLarge``, and ``TooSlow`` if nothing comes for
    ``patience`` seconds before it is complete."""

    receive: Receive
    limit: int
    patience: float
    headers: Mapping[bytes, bytes]
    taken: int = 0
    complete: bool = False

    def __post_init__(self) -> None:
        """Refuse a body that says that it is too large."""
        told = self.headers.get(b"content-length", b"0")
        if not told.isdigit():
            raise BadRequest("the header Content-Length is no number")
        if len(told) > 18 or int(told) > self.limit:
            raise TooLarge(_too_large(self.limit))

    async def __call__(self) -> Message:
        """One part of the body; afterwards, what the server tells of the connection."""
        if self.complete:
            return await self.receive()
        try:
            message = await asyncio.wait_for(self.receive(), self.patience)
        except TimeoutError:
            raise TooSlow("nothing came for a minute", remedy="Uploads can be gone on with: PATCH") from None
        self.taken += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.taken > self.limit:
            raise TooLarge(_too_large(self.limit))
        return message


def check_origin(method: str, headers: Mapping[bytes, bytes], by_cookie: bool) -> None:
    """Raise ``Refused`` if a browser says that another site, or another port of this machine, makes the request.

    A request that changes something and is allowed by the cookie has to say where it comes from, as all browsers do.
    """
    origin, place = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"").decode("latin-1")
    own = headers.get(b"host", b"")
    away = Refused("the request comes from another site", remedy="Send X-Api-Key from a program, not from a page")
    if origin is not None and origin not in (b"http://" + own, b"https://" + own):
        raise away
    if place and place not in _OWN_PLACES:
        opens_page = method == "GET" and headers.get(b"sec-fetch-mode") == b"navigate"
        if not opens_page or headers.get(b"sec-fetch-dest", b"document") != b"document":
            raise away
    if by_cookie and method not in SAFE_METHODS and origin is None and not place:
        raise Refused(
            "a change with the cookie has to say where it comes from",
            remedy="Programs send the key as X-Api-Key instead",
        )


def _too_large(limit: int) -> str:
    size = f"{limit / 2**30:.0f} GiB" if limit >= 2**30 else f"{limit / 2**20:.0f} MiB"
    return f"more than {size} was sent, which is not taken here"


def _single_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name. Raises ``BadRequest`` if one that decides is there twice."""
    out: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in out and name in (b"host", b"origin", b"content-length", b"content-type", HEADER.encode()):
            raise BadRequest(f"the header {name.decode('latin-1')} is there twice")
        out[name] = out[name] + b"; " + value if name in out and name == b"cookie" else value
    return out


def _cookie(header: bytes, name: str) -> str:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


async def _send(
    send: Send, status: int, kind: bytes, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    sizes = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*sizes, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})


async def _send_problem(send: Send, problem: Problem, *, close: bool = False) -> None:
    body = as_json(problem.told())
    headers = [(b"connection", b"close")] if close else []
    await _send(send, problem.status, MEDIA_TYPE.encode(), body, headers)
