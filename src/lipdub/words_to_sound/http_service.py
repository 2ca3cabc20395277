"""HTTP requests to servers of voices and translators: addresses, keys, retries, errors without secrets."""

import base64
import contextlib
import email.utils
import hashlib
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

_RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_LONGEST_WAIT = 30.0
_MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is tried: ``tries`` in all, ``wait`` seconds before the second (doubled before each further
    one), ``timeout`` seconds for each. ``sleep`` waits."""

    tries: int = 3
    wait: float = 1.0
    timeout: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The address of a server: ``url``, and the ``names`` (of a model, of a voice) that followed ``#`` in it."""

    url: str
    names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Address({redacted(self.url)!r}, {self.names!r})"

    @property
    def local(self) -> bool:
        """True if the server is on this machine."""
        host = (urlsplit(self.url).hostname or "").lower()
        return host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith("127.")

    def under(self, path: str) -> str:
        """The URL of ``path`` (e.g. ``/v1/audio/speech``); ``url`` may end in the beginning of ``path`` already."""
        parts = urlsplit(self.url)
        base, wanted = parts.path.rstrip("/"), path.strip("/").split("/")
        for count in range(len(wanted), 0, -1):
            if base == (head := "/" + "/".join(wanted[:count])) or base.endswith(head):
                wanted = wanted[count:]
                break
        return urlunsplit(parts._replace(path="/".join([base, *wanted])))


class HttpStatusError(ServiceError):
    """The server answered with an HTTP ``status`` that is an error."""

    def __init__(self, what: str, status: int, remedy: str = "") -> None:
        self.status = status
        super().__init__(what, remedy=remedy)


_URL = re.compile(r"(?i)\b(https?://)(?:([^\s/?#]*)@)?([^\s?#'\"<>]*)(\?[^\s#'\"<>]*)?")
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""Characters of the shortest value that is redacted outside of its URL; shorter ones would match in any text."""


def redacted(text: str, *secrets: str) -> str:
    """``text`` with "***" in place of the user, password and query values of each URL in it, and of each of
    ``secrets``."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], unquote(secret)}:
            text = text.replace(form, _HIDDEN) if len(form) >= _SHORTEST_SECRET else text
    return _URL.sub(_redacted_url, text)


def _redacted_url(found: "re.Match[str]") -> str:
    scheme, user, rest, query = found.groups()
    parts = (part.partition("=") for part in (query or "?")[1:].split("&"))
    hidden = "&".join(f"{name}={_HIDDEN}" if equals else _HIDDEN for name, equals, _ in parts) if query else ""
    return f"{scheme}{f'{_HIDDEN}@' if user else ''}{rest}{f'?{hidden}' if query else ''}"


def _secrets(url: str) -> tuple[str, ...]:
    """The secret parts of ``url``: user and password, plain and as they are sent, and the values of the query."""
    parts = urlsplit(url)
    login = _login(url)
    values = [value for _, value in parse_qsl(parts.query)] or [parts.query]
    return (*(unquote(part) for part in (parts.username or "", parts.password or "")), login, *values)


def _login(url: str) -> str:
    """User and password of ``url`` as HTTP sends them (RFC 7617); "" if it has none."""
    parts = urlsplit(url)
    if not parts.username and not parts.password:
        return ""
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return base64.b64encode(login.encode()).decode()


def _request_url(url: str) -> str:
    """``url`` as it is requested: without user and password, and in ASCII."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return quote(bare, safe="%/:?#[]@!$&'()*+,;=~")


def parse_address(detail: str, kind: str) -> ServiceAddress:
    """The address ``URL`` or ``URL#NAME,NAME``; ``kind`` is what the server is, for errors ("voice server").

    Raises ``OptionError`` if it is no HTTP address.
    """
    url, _, names = detail.strip().partition("#")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        # The part before an @ may be a password, whatever is wrong with the rest.
        safe = redacted(f"{url.partition('://')[0]}://{_HIDDEN}@{url.rpartition('@')[2]}" if "@" in url else url)
        raise OptionError(f"'{safe}' is no address of a {kind}", remedy="Write one like http://localhost:8000/v1#model")
    return ServiceAddress(url, tuple(n.strip() for n in names.split(",")) if names else ())


def api_key(*variables: str) -> str:
    """The first of the environment ``variables`` that is set; "" if none is.

    Raises ``OptionError``, which does not show the key, if it holds characters that cannot be sent.
    """
    for name in variables:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise OptionError(f"the key in {name} holds characters that no key has", remedy="Set it again")
            return key
    return ""


def service_key(variable: str, where: ServiceAddress) -> str:
    """The key for the service at ``where``: that of the environment ``variable``, else ``OPENAI_API_KEY``, which is
    sent to this machine or over https only; "" if none is set. Raises as ``api_key`` does."""
    trusted = where.local or where.url.startswith("https:")
    return api_key(variable, *(["OPENAI_API_KEY"] if trusted else []))


def post_json(url: str, body: Mapping[str, object], key: str = "", retry: RetryPolicy = RetryPolicy()) -> bytes:
    """Post ``body`` as JSON; the answer, at most 256 MB.

    After timeouts, broken connections, "too many requests" and errors of the server the request is tried again, after
    the time that the server asks for (at most 30 s). User and password in ``url`` are sent unless there is a ``key``.

    Raises ``HttpStatusError`` or another ``ServiceError`` with the URL and the server's message; keys, passwords and
    query values are never shown (see ``redacted``).
    """
    return _post(url, json.dumps(body).encode(), "application/json", key, retry)


def post_file(url: str, field: str, name: str, data: bytes, key: str = "", retry: RetryPolicy = RetryPolicy()) -> bytes:
    """Post the file ``data`` as the ``field`` of a form (RFC 7578), under the file name ``name`` (letters, digits and
    ``-_.`` only); the answer. Tries, limits and errors are those of ``post_json``."""
    assert re.fullmatch(r"[\w.-]+", name + field, re.ASCII), "quoted names are not written"
    border = hashlib.sha256(data).hexdigest()
    head = f'--{border}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    body = f"{head}Content-Type: audio/wav\r\n\r\n".encode() + data + f"\r\n--{border}--\r\n".encode()
    return _post(url, body, f"multipart/form-data; boundary={border}", key, retry)


def _post(url: str, body: bytes, content_type: str, key: str, retry: RetryPolicy) -> bytes:
    request = urllib.request.Request(_request_url(url), body, {"Content-Type": content_type})
    request.add_header("User-Agent", "lipdub")
    if key or _login(url):
        request.add_unredirected_header("Authorization", f"Bearer {key}" if key else f"Basic {_login(url)}")
    secrets = (key, *_secrets(url))
    for left in reversed(range(retry.tries)):
        pause = retry.wait * 2 ** (retry.tries - 1 - left)
        try:
            with urllib.request.urlopen(request, timeout=retry.timeout) as answer:
                read, length = answer.read(_MOST_BYTES + 1), answer.headers.get("Content-Length", "")
            if len(read) > _MOST_BYTES:
                raise ServiceError(f"{redacted(url)} sent an answer of more than 256 MB")
            if length.isdigit() and len(read) < int(length):
                raise IncompleteRead(read, int(length) - len(read))
            return read
        except urllib.error.HTTPError as refused:
            with refused:
                if left == 0 or refused.code not in _RETRIED_STATUSES:
                    raise _status_error(url, refused, secrets) from None
                pause = _retry_after(refused.headers.get("Retry-After"), pause)
        except (OSError, HTTPException, ValueError) as broken:
            if left == 0 or isinstance(broken, ValueError):
                raise _no_answer(url, broken, retry, secrets) from broken
        retry.sleep(pause)
    raise AssertionError("at least one try")


def _retry_after(header: str | None, default: float) -> float:
    """The seconds of a ``Retry-After`` header, which holds a number or a date (RFC 9110, 10.2.3), else ``default``."""
    if not header:
        return default
    with contextlib.suppress(ValueError):
        return min(max(0.0, float(header)), _LONGEST_WAIT)  # in this order nan gives 0
    with contextlib.suppress(ValueError, TypeError):
        return min(max(email.utils.parsedate_to_datetime(header).timestamp() - time.time(), 0.0), _LONGEST_WAIT)
    return default


def _status_error(url: str, refused: urllib.error.HTTPError, secrets: Sequence[str]) -> HttpStatusError:
    """An error with the server's message, in one row and without ``secrets``."""
    message = ""
    with contextlib.suppress(OSError, HTTPException):
        message = refused.read(4000).decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        answer = parse_json(message)
        answer = answer.get("error", answer.get("detail", answer)) if isinstance(answer, dict) else answer
        message = _told(answer)
    remedy = {401: "Check the key", 403: "Check the key", 404: "Check the address and the model", 429: "Try later"}
    short = " ".join(redacted(message, *secrets).split())[:200]
    what = f"{redacted(url)} answers {refused.code}" + (f": {short}" if short else "")
    return HttpStatusError(what.rstrip("."), refused.code, remedy.get(refused.code, ""))


def _told(answer: object) -> str:
    """The message in an error's JSON: a text, a ``message`` (and ``Exception``), or what FastAPI writes about fields
    that it refuses."""
    if isinstance(answer, list):
        return "; ".join(_told(each) for each in answer)
    if not isinstance(answer, dict):
        return str(answer)
    if "msg" in answer and isinstance(place := answer.get("loc", []), list):
        return ": ".join([*(str(part) for part in place[-1:]), str(answer["msg"])])
    texts = [str(answer[name]) for name in ("message", "Exception") if answer.get(name)]
    return ": ".join(texts) if texts else str(answer)


def _no_answer(url: str, broken: Exception, retry: RetryPolicy, secrets: Sequence[str]) -> ServiceError:
    reason = getattr(broken, "reason", broken)
    if isinstance(reason, TimeoutError):
        return ServiceError(f"{redacted(url)} did not answer within {retry.timeout:g} s, {retry.tries} times")
    why = redacted(str(reason), *secrets)
    return ServiceError(f"{redacted(url)} cannot be reached ({why})".rstrip("."), remedy="Is the server running?")
