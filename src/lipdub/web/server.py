"""Runs a studio: one process that answers, and the workers that do the jobs."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from lipdub.disk.lock_file import create_locked, is_locked, remove_if_unlocked
from lipdub.errors import InputError, OptionError, OutputError
from lipdub.web.app import Access, make_app
from lipdub.web.guard import Hosts
from lipdub.web.impatient_http import ImpatientHttp
from lipdub.web.keys import Key, kept_key
from lipdub.web.limits import Limits
from lipdub.web.places import SUFFIX, Places
from lipdub.web.work import Work, begin_work

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_LOCK = ".server-"
_CONNECTIONS = 300
_HEADERS = 32 * 2**10
_LAST_SECONDS = 2
_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))


@dataclass(frozen=True)
class StudioOptions:
    """How a studio runs: where it listens (``port`` 0: any free one), the ``key`` ("": the one that is kept), how many
    ``jobs`` are done at a time, and the hosts that webhooks may go to besides public ones."""

    host: str = "127.0.0.1"
    port: int = 8765
    key: str = ""
    jobs: int = 1
    webhook_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


def run_studio(places: Places, options: StudioOptions, ready: Callable[[str], None]) -> None:
    """Run the studio until it is asked to end (SIGINT, SIGTERM). ``ready`` is told the address, with the key.

    Raises ``OptionError`` for a host or port that cannot be used, ``InputError`` for a place that is not there,
    ``OutputError`` if a studio with the same folder runs already, or the folder cannot be used.
    """
    _check_given(places)
    with ExitStack() as stack:
        listening = stack.enter_context(listening_socket(options.host, options.port))
        port = listening.getsockname()[1]
        places.make()
        stack.enter_context(alone(places, address(options.host, port)))
        key = Key(options.key or kept_key(places.state / "key"), port)
        work = stack.enter_context(begin_work(places, options.limits, options.jobs, options.webhook_hosts))
        app = make_app(work.studio, Access(key, hosts_of(options.host)), work.routes)
        _log_to_stderr()
        server = _Server(
            uvicorn.Config(
                app,
                http=ImpatientHttp,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                h11_max_incomplete_event_size=_HEADERS,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=_LAST_SECONDS,
            ),
            work,
            lambda: ready(f"{address(options.host, port)}?key={key.text}"),
        )
        server.run(sockets=[listening])


def address(host: str, port: int) -> str:
    """The address of the page."""
    name = "localhost" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"


def hosts_of(host: str) -> Hosts:
    """The names by which a server that listens at ``host`` may be called."""
    if host in LOCAL_NAMES:
        return Hosts(LOCAL_NAMES)
    names = {host, socket.gethostname(), socket.getfqdn(), *LOCAL_NAMES}
    return Hosts(frozenset(name.lower() for name in names if name), addresses=True)


@contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens at ``host`` and ``port`` (0: any free one). Raises ``OptionError``."""
    if not 0 <= port <= 65535:
        raise OptionError(f"--port {port} is no port", remedy="Give 1 to 65535, or 0 for any that is free")
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as refused:
        raise OptionError(f"--host {host} is not known", remedy="Give an address of this machine") from refused
    family, kind, protocol, _, place = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(128)
        made.set_inheritable(False)
    except OSError as refused:
        made.close()
        taken = refused.errno in (98, 48, 10048)  # EADDRINUSE of Linux, macOS and Windows
        what = f"port {port} is taken" if taken else f"port {port} cannot be opened ({refused.strerror or refused})"
        remedy = "Choose another one with --port, or --port 0 for any that is free"
        raise OptionError(f"{what} at {host}", remedy=remedy) from refused
    with made:
        yield made


@contextmanager
def alone(places: Places, told: str) -> Iterator[None]:
    """Keep other studios out of the folder while the block runs. The file that says so holds the address ``told``.

    Raises ``OutputError``, which says where the other one is, if there is one.
    """
    try:
        held = create_locked(places.state, _LOCK)
    except OSError as refused:
        raise OutputError(f"cannot be written to ({refused.strerror or refused})", file=places.state) from refused
    try:
        held.path.chmod(0o600)
        held.path.write_text(told, "utf-8")
        for other in places.state.glob(f"{_LOCK}*"):
            if other != held.path and not remove_if_unlocked(other) and is_locked(other):
                raise OutputError(
                    f"a studio with this folder runs already, at {_told_by(other)}",
                    file=places.folder,
                    remedy="Use that one, or give this one another folder with --folder",
                )
        yield
    finally:
        held.path.unlink(missing_ok=True)
        held.release()


def _told_by(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeError):
        return file.read_text("utf-8")[:200] or "an unknown address"
    return "an unknown address"


def _check_given(places: Places) -> None:
    for given in places.given:
        if not given.is_dir():
            raise InputError("there is no such folder", file=given, remedy="Give projects, or folders that hold some")
        if given.suffix == SUFFIX and not (given / "project.json").is_file():
            raise InputError(
                "there is no lipdub project here", file=given, remedy="Begin one: lipdub plan CLIP --project FOLDER"
            )


def _log_to_stderr() -> None:
    """Warnings and errors go to stderr. What the studio logs holds nothing of the user's."""
    for name in ("lipdub", "uvicorn"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("lipdub studio: %(message)s"))
            logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    logging.getLogger("uvicorn.error").addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Tracebacks of the server may hold texts of the user's: only the class of the error is told."""
    if record.exc_info and record.exc_info[0] is not None:
        record.msg, record.args = f"an answer was broken off ({record.exc_info[0].__name__})", ()
        record.exc_info = record.exc_text = None
    return "timeout graceful shutdown" not in str(record.msg)


class _Server(uvicorn.Server):
    """A server that ends at the first signal, with the exit code 0, and ends streams of events before it waits."""

    def __init__(self, config: uvicorn.Config, work: Work, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._work, self._ready = work, ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that ask to end while the block runs; they are not raised again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [each for each in _STOPS if signal.getsignal(each) is not signal.SIG_IGN]
        former = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End soon; the second time at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and tell the address."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, then everything else."""
        self._work.end_streams()
        await super().shutdown(sockets=sockets)
