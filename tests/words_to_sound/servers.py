"""A real HTTP server on this machine for tests: each request is answered by the next of a list of answers."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refusal(Exception):
    """Raised by a body's function: the server answers with this ``status`` and JSON instead."""

    def __init__(self, status: int, told: dict) -> None:
        super().__init__(status, told)
        self.status, self.body = status, json.dumps(told).encode()


@dataclass
class Answer:
    """``status`` and ``body`` (or a function of the request's JSON), after ``delay`` seconds."""

    body: bytes | Callable[[dict], bytes] = b""
    status: int = 200
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Served:
    """The address of the server, and the requests that it got: JSON, or the bytes of a ``form``."""

    url: str
    asked: list[dict] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def server(answers: list[Answer]) -> Iterator[Served]:
    """Serve ``answers`` in turn, the last one repeatedly."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(sent) if self.headers["Content-Type"] == "application/json" else {"form": sent}
            served.asked.append(asked)
            served.paths.append(self.path)
            served.keys.append(self.headers["Authorization"])
            answer = left.pop(0) if len(left) > 1 else left[0]
            time.sleep(answer.delay)
            status = answer.status
            try:
                body = answer.body(asked) if callable(answer.body) else answer.body
            except Refusal as refusal:
                status, body = refusal.status, refusal.body
            try:
                self.send_response(status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + (9 if answer.cut else 0)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
