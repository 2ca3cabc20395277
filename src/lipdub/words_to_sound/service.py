"""Asking a server for help over HTTP: patience where it may help, and plain words where it does not."""

import base64
import contextlib
import email.utils
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

from lipdub.disk.json_text import parse_json
from lipdub.errors import OptionError, ServiceError

_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_LONGEST_WAIT = 30.0
_MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Patience:
    """``tries`` in all, ``wait`` seconds before the second (doubled each time), ``timeout`` seconds for each."""

    tries: int = 3
    wait: float = 1.0
    timeout: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: ``url`` without what followed ``#``; ``named`` is that, cut at commas."""

    url: str
    named: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Address({shown(self.url)!r}, {self.named!r})"

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        host = (urlsplit(self.url).hostname or "").lower()
        return host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith("127.")

    def under(self, path: str) -> str:
        """The URL of ``path`` (``/v1/audio/speech``), whether or not ``url`` ends in part of it."""
        parts = urlsplit(self.url)
        base, wanted = parts.path.rstrip("/"), path.strip("/").split("/")
        for count in range(len(wanted), 0, -1):
            if base == (head := "/" + "/".join(wanted[:count])) or base.endswith(head):
                wanted = wanted[count:]
                break
        return urlunsplit(parts._replace(path="/".join([base, *wanted])))


class Refused(ServiceError):
    """The server answered with an HTTP ``status`` that is an error."""

    def __init__(self, what: str, status: int, remedy: str = "") -> None:
        self.status = status
        super().__init__(what, remedy=remedy)


_URL = re.compile(r"(?i)\b(https?://)(?:([^\s/?#]*)@)?([^\s?#'\"<>]*)(\?[^\s#'\"<>]*)?")
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""Characters that a value must have to be looked for outside of its URL: shorter ones are found in any text."""


def shown(text: str, *secrets: str) -> str:
    """``text`` as it may be shown: every URL in it without user, password and the values of its query, and without the
    ``secrets`` wherever they stand."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], unquote(secret)}:
            text = text.replace(form, _HIDDEN) if len(form) >= _SHORTEST_SECRET else text
    return _URL.sub(_bare, text)


def _bare(found: "re.Match[str]") -> str:
    scheme, user, rest, query = found.groups()
    parts = (part.partition("=") for part in (query or "?")[1:].split("&"))
    hidden = "&".join(f"{name}={_HIDDEN}" if equals else _HIDDEN for name, equals, _ in parts) if query else ""
    return f"{scheme}{f'{_HIDDEN}@' if user else ''}{rest}{f'?{hidden}' if query else ''}"


def _secrets(url: str) -> tuple[str, ...]:
    """What of ``url`` is not for others: user and password, as they are sent, and the values of the query."""
    parts = urlsplit(url)
    login = _login(url)
    values = [value for _, value in parse_qsl(parts.query)] or [parts.query]
    return (*(unquote(part) for part in (parts.username or "", parts.password or "")), login, *values)


def _login(url: str) -> str:
    """User and password of ``url`` as HTTP sends them (RFC 7617), or ""."""
    parts = urlsplit(url)
    if not parts.username and not parts.password:
        return ""
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return base64.b64encode(login.encode()).decode()


def _sent(url: str) -> str:
    """``url`` as it is asked for: without user and password, and in ASCII."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return quote(bare, safe="%/:?#[]@!$&'()*+,;=~")


def address(detail: str, kind: str) -> Address:
    """``URL`` or ``URL#one,two``, of a ``kind`` ("voice server"). Raises ``OptionError`` if it is no HTTP address."""
    url, _, named = detail.strip().partition("#")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        # What stands before an @ may be a password, whatever is wrong with the rest.
        told = shown(f"{url.partition('://')[0]}://{_HIDDEN}@{url.rpartition('@')[2]}" if "@" in url else url)
        raise OptionError(f"'{told}' is no address of a {kind}", remedy="Write one like http://localhost:8000/v1#model")
    return Address(url, tuple(n.strip() for n in named.split(",")) if named else ())


def key_from(*variables: str) -> str:
    """The first of the environment ``variables`` that is set; "" if none is.

    Raises ``OptionError``, which does not show the key, if it holds characters that cannot be sent.
    """
    for name in variables:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise OptionError(f"the key in {name} holds characters that no key has", remedy="Set it anew")
            return key
    return ""


def post(url: str, body: Mapping[str, object], key: str = "", patience: Patience = Patience()) -> bytes:
    """The answer to ``body`` as JSON, at most 256 MB.

    Timeouts, broken connections, "too many requests" and errors of the server are tried again, as late as it asks (at
    most 30 s). User and password in ``url`` are sent unless there is a ``key``. Raises ``ServiceError`` that names the
    URL and what the server said; no key, password or value of a query is ever shown (see ``shown``).
    """
    request = urllib.request.Request(_sent(url), json.dumps(body).encode(), {"Content-Type": "application/json"})
    request.add_header("User-Agent", "lipdub")
    if key or _login(url):
        request.add_unredirected_header("Authorization", f"Bearer {key}" if key else f"Basic {_login(url)}")
    secrets = (key, *_secrets(url))
    for left in reversed(range(patience.tries)):
        pause = patience.wait * 2 ** (patience.tries - 1 - left)
        try:
            with urllib.request.urlopen(request, timeout=patience.timeout) as answer:
                read, length = answer.read(_MOST_BYTES + 1), answer.headers.get("Content-Length", "")
            if len(read) > _MOST_BYTES:
                raise ServiceError(f"{shown(url)} answers more than can be right (over 256 MB)")
            if length.isdigit() and len(read) < int(length):
                raise IncompleteRead(read, int(length) - len(read))
            return read
        except urllib.error.HTTPError as refused:
            with refused:
                if left == 0 or refused.code not in _WORTH_ANOTHER_TRY:
                    raise _refusal(url, refused, secrets) from None
                pause = _asked(refused.headers.get("Retry-After"), pause)
        except (OSError, HTTPException, ValueError) as broken:
            if left == 0 or isinstance(broken, ValueError):
                raise _silence(url, broken, patience, secrets) from broken
        patience.sleep(pause)
    raise AssertionError("at least one try")


def _asked(header: str | None, otherwise: float) -> float:
    """Seconds that ``Retry-After`` asks for: a number or a date (RFC 9110, 10.2.3)."""
    if not header:
        return otherwise
    with contextlib.suppress(ValueError):
        return min(max(0.0, float(header)), _LONGEST_WAIT)  # in this order nan gives 0
    with contextlib.suppress(ValueError, TypeError):
        return min(max(email.utils.parsedate_to_datetime(header).timestamp() - time.time(), 0.0), _LONGEST_WAIT)
    return otherwise


def _refusal(url: str, refused: urllib.error.HTTPError, secrets: Sequence[str]) -> Refused:
    """An error that holds what the server said about it, in one line and without ``secrets``."""
    said = ""
    with contextlib.suppress(OSError, HTTPException):
        said = refused.read(4000).decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        told = parse_json(said)
        told = told.get("error", told) if isinstance(told, dict) else told
        said = str(told.get("message", told)) if isinstance(told, dict) else str(told)
    remedy = {401: "Check the key", 403: "Check the key", 404: "Check the address and the model", 429: "Try later"}
    short = " ".join(shown(said, *secrets).split())[:200]
    what = f"{shown(url)} answers {refused.code}" + (f": {short}" if short else "")
    return Refused(what.rstrip("."), refused.code, remedy.get(refused.code, ""))


def _silence(url: str, broken: Exception, patience: Patience, secrets: Sequence[str]) -> ServiceError:
    reason = getattr(broken, "reason", broken)
    if isinstance(reason, TimeoutError):
        return ServiceError(f"{shown(url)} did not answer within {patience.timeout:g} s, {patience.tries} times")
    why = shown(str(reason), *secrets)
    return ServiceError(f"{shown(url)} cannot be reached ({why})".rstrip("."), remedy="Is the server running?")
