"""Which addresses webhooks may go to, and a connection to exactly the address that was checked.

A server that calls addresses which others choose can be made to call what only it can reach (OWASP: server side request
forgery). So only https on port 443 of public addresses is called, but for hosts that the user names. The name is
resolved once, every address that it has is checked, and the connection goes to one of these, whatever the name means a
moment later (DNS rebinding).
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from lipdub.errors import OptionError

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses (as text) of a host; raises ``OSError``."""

_LONGEST = 2000
_PORTS = {"https": 443, "http": 80}
_EMBEDDING = (
    ("64:ff9b::/96", 0),
    ("64:ff9b:1::/48", 0),
    ("::/96", 0),
    ("2002::/16", 80),
)
"""IPv6 ranges whose addresses hold one of IPv4, and how many bits from the right (RFC 6052, 8215, 4291, 3056)."""

_TEREDO = ipaddress.ip_network("2001::/32")


@dataclass(frozen=True)
class WebhookAddress:
    """Where a webhook goes: ``scheme``, ``host`` and ``port``, and the ``target`` that is asked for there (path and
    query)."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def header(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that the user names, each as HOST or HOST:PORT: they may have private addresses, and be spoken to by
    http; with a port, on that port, else on any."""

    hosts: tuple[str, ...] = ()

    def allows(self, host: str, port: int) -> bool:
        """True if the user named this host."""
        for named in self.hosts:
            name, number = _split(named)
            if name == host and number in (0, port):
                return True
        return False

    def check(self, url: str) -> WebhookAddress:
        """The address of ``url``. Raises ``OptionError`` if webhooks may not go there, as far as its text tells."""
        address = _parsed(url)
        if self.allows(address.host, address.port):
            return address
        if address.scheme != "https" or address.port != 443:
            raise _refused("only https on port 443 is called")
        if _is_number(address.host):
            _check_public(address.host)
        elif "." not in address.host or address.host.endswith((".localhost", ".local", ".internal", ".home.arpa")):
            raise _refused("it is a name of this network")
        return address

    def resolved(self, address: WebhookAddress, resolve: Resolve) -> str:
        """The address (as text) to connect to. All that the name has must be allowed. Raises ``OptionError`` if one is
        not, ``OSError`` if there is none."""
        found = resolve(address.host, address.port)
        if not found:
            raise OSError("the name has no address")
        if not self.allows(address.host, address.port):
            for each in found:
                _check_public(each)
        return found[0]


class CheckedConnection(HTTPConnection):
    """A connection to the numeric address ``number``, where the server must prove to be ``address.host`` (https)."""

    def __init__(self, address: WebhookAddress, number: str, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(address.host, address.port, timeout=timeout)
        self._address, self._number, self._context, self._limit = address, number, context, timeout

    def connect(self) -> None:
        """Connect to the number that was checked; the name is not looked up again."""
        self.sock = socket.create_connection((self._number, self._address.port), self._limit)
        if self._address.scheme == "https":
            host = self._address.host
            tls = self._context.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)
            self.sock = tls  # from here on it can be ended from outside, also while hands are shaken
            tls.do_handshake()


def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host``, as the system knows them (getaddrinfo(3))."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(number: str) -> bool:
    """True if ``number`` is an address that the whole internet can reach, also by the address of IPv4 that it may
    hold."""
    try:
        address = ipaddress.ip_address(number.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address.is_site_local or address in _TEREDO:
            return False
        for network, right in _EMBEDDING:
            if address in ipaddress.ip_network(network):
                return is_public(str(ipaddress.IPv4Address((int(address) >> right) & 0xFFFFFFFF)))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _check_public(number: str) -> None:
    if not is_public(number):
        raise _refused("it leads to this machine or to a private network")


def _parsed(url: str) -> WebhookAddress:
    """The parts of ``url``. Raises ``OptionError``."""
    if len(url) > _LONGEST or not url.isascii() or any(letter <= " " or letter == "\\" for letter in url):
        raise _refused("it is no address of the web")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused("it is no address of the web") from None
    if parts.scheme not in _PORTS or not host:
        raise _refused("it is no address of the web")
    if "@" in parts.netloc or parts.fragment:
        raise _refused("it holds a user, a password or a fragment")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookAddress(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, target)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _split(named: str) -> tuple[str, int]:
    """The host and the port (0: any) of ``HOST``, ``HOST:PORT``, ``[::1]`` or ``[::1]:PORT``."""
    text = named.strip().lower()
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host.rstrip("."), int(port) if port.isdecimal() else 0


def _refused(why: str) -> OptionError:
    return OptionError(
        f"webhooks are not sent there: {why}",
        remedy="Give an https address; for one in your own network, start the studio with --webhook-host HOST",
    )
