"""Webhooks: what is sent when a job has ended, signed as Standard Webhooks says (standardwebhooks.com).

The headers webhook-id, webhook-timestamp and webhook-signature come with each. The signature is "v1," and the
HMAC-SHA256 of "id.timestamp.body" in base64; the secret is "whsec_" and 32 bytes in base64. Whoever gets one checks it
with any library of that standard. Nothing of an answer is shown to anybody: it counts only whether it is a 2xx.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import lipdub
from lipdub.disk.os_errors import cause_of
from lipdub.errors import OptionError, OutputError
from lipdub.web.jobs.webhook_address import AllowedHosts, CheckedConnection, Resolve, resolve

TIMEOUT = 10.0
"""Seconds for one delivery, from the first packet to the end of the answer's head."""

_PREFIX = "whsec_"

SENT, AGAIN, GIVEN_UP = "sent", "again", "given up"
"""What came of a delivery: it was taken; it should be tried again; it never will be taken."""


def webhook_secret(state: Path) -> str:
    """The secret that signs the webhooks of the studio whose state is in the folder ``state``; it is made when it is
    first asked for, readable by this user only. Raises ``OutputError``."""
    file = state / "webhook-secret"
    try:
        if not file.exists():
            _make_secret(file)
        secret = file.read_text("ascii").strip()
        _key(secret)
    except (OSError, ValueError) as refused:
        cause = cause_of(refused) if isinstance(refused, OSError) else None
        raise OutputError(
            f"the secret of webhooks cannot be used: {cause.what if cause else 'the file is damaged'}",
            file=file,
            remedy=(cause.remedy if cause else "") or "Remove the file: a new one is made",
        ) from refused
    return secret


def _make_secret(file: Path) -> None:
    """Write a new secret; of several processes that do so at once, one wins. Raises ``OSError``."""
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as out:
            out.write(_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
        with contextlib.suppress(FileExistsError):
            os.link(new, file)
    finally:
        new.unlink(missing_ok=True)


def signature(secret: str, id: str, timestamp: int, body: str) -> str:
    """The signature of a message (the header webhook-signature)."""
    signed = hmac.new(_key(secret), f"{id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _key(secret: str) -> bytes:
    """Raises ``ValueError``."""
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if len(key) < 24:
        raise ValueError("the secret is too short")
    return key


@dataclass(frozen=True)
class Message:
    """One delivery: its ``id`` stays the same however often it is tried."""

    id: str
    url: str
    body: str


@dataclass(frozen=True)
class Sender:
    """Sends messages that ``secret`` signs to where ``allowed`` lets them go."""

    secret: str
    allowed: AllowedHosts = field(default_factory=AllowedHosts)
    timeout: float = TIMEOUT
    resolve: Resolve = resolve
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def send(self, message: Message, timestamp: int) -> str:
        """Send a message once; returns ``SENT``, ``AGAIN`` or ``GIVEN_UP``. Redirects are not followed, and the body of
        the answer is not read."""
        try:
            address = self.allowed.check(message.url)
            number = self.allowed.resolved(address, self.resolve)
        except OptionError:
            return GIVEN_UP
        except (OSError, UnicodeError):
            return AGAIN
        headers = {
            "Host": address.header,
            "Content-Type": "application/json",
            "User-Agent": f"lipdub/{lipdub.__version__}",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.secret, message.id, timestamp, message.body),
            "Connection": "close",
        }
        connection = CheckedConnection(address, number, self.timeout, self.context)
        try:
            with _TimeLimit(connection, self.timeout) as limit:
                connection.request("POST", address.target, message.body.encode(), headers)
                status = connection.getresponse().status
        except (OSError, HTTPException, ValueError):
            return AGAIN
        finally:
            connection.close()
        if limit.passed:
            return AGAIN
        if 200 <= status < 300:
            return SENT
        return GIVEN_UP if status == 410 else AGAIN


class _TimeLimit:
    """Ends a connection that takes longer than ``seconds`` in all: a socket's timeout counts anew with every byte.
    ``passed``: it did."""

    def __init__(self, connection: CheckedConnection, seconds: float) -> None:
        self.passed = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_TimeLimit":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.passed = True
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
