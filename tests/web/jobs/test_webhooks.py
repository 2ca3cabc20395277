"""Webhooks: what is signed, where it may go, and what of attacks on that."""

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.jobs.made_jobs import SetClock

from lipdub.errors import OptionError, OutputError
from lipdub.web.jobs.deliveries import PAUSES, Deliveries, delivery_of
from lipdub.web.jobs.job import Failure
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts, is_public
from lipdub.web.jobs.webhooks import AGAIN, GIVEN_UP, SENT, Message, Sender, signature, webhook_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    """A server that takes webhooks: what came, and what it answers."""

    port: int = 0
    status: int = 200
    location: str = ""
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            if made.location:
                self.send_header("Location", made.location)
            self.end_headers()

        def do_GET(self) -> None:
            made.came.append((self.path, {}, b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def local() -> AllowedHosts:
    return AllowedHosts(("127.0.0.1",))


def test_a_message_is_signed_as_the_standard_says(receiver: Receiver) -> None:
    webhooks = pytest.importorskip("standardwebhooks.webhooks", reason="the standard's own library is not installed")
    import time

    body = json.dumps({"type": "job.completed", "data": {"text": "ñandú"}})
    assert Sender(SECRET, local()).send(Message("msg_1", receiver.url, body), int(time.time())) == SENT
    path, headers, came = receiver.came[0]
    assert path == "/hook?a=b"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert webhooks.Webhook(SECRET).verify(came, headers) == json.loads(body)
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.Webhook(SECRET).verify(came + b" ", headers)


def test_the_signature_of_the_standards_own_example() -> None:
    body = '{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == wanted


def test_the_check_in_the_documents_knows_what_is_signed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "studio.md").read_text("utf-8")
    code = next(block for block in page.split("```") if "def is_signed" in block).removeprefix("python\n")
    known: dict[str, Any] = {}
    exec(code, known)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "17",
        "webhook-signature": signature(SECRET, "msg_1", 17, "ñ"),
    }
    assert known["is_signed"](SECRET, headers, "ñ")
    for name in headers:
        assert not known["is_signed"](SECRET, headers | {name: "2"}, "ñ")
    assert not known["is_signed"](SECRET, headers, "n")


PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "192.0.0.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::127.0.0.1"),
    *("64:ff9b:1::10.0.0.1", "2002:7f00:1::1", "2002:a00:1::", "2001:0:53aa:64c::1", "not a number", ""),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1")


@pytest.mark.parametrize("number", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(number: str) -> None:
    asked = []
    sender = Sender(SECRET, resolve=lambda host, port: (asked.append(host), ["8.8.8.8", number])[1])
    assert not is_public(number)
    assert sender.send(Message("msg_1", "https://hooks.example.com/x", "{}"), 1) == GIVEN_UP
    assert asked == ["hooks.example.com"]


@pytest.mark.parametrize("number", PUBLIC)
def test_public_addresses_are_public(number: str) -> None:
    assert is_public(number)


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_is_judged_alike_in_every_form_of_ipv6(address: object) -> None:
    judged = is_public(str(address))
    assert is_public(f"::ffff:{address}") == judged
    assert is_public(f"64:ff9b::{address}") == judged


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://localhost/",
        "https://api.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://router/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:secret@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com/#fragment",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\r\nX-Other: 1",
        "https://example.com:99999/",
        "https://exämple.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "https://",
        "https:///path",
        "",
        "javascript:alert(1)",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_addresses_that_are_refused_as_text(url: str) -> None:
    with pytest.raises(OptionError, match="webhooks are not sent there"):
        AllowedHosts().check(url)


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://017700000001/"])
def test_numbers_in_other_spellings_lead_nowhere(url: str) -> None:
    """What the text does not show, the resolved address does: the system reads these as 127.0.0.1."""
    try:
        AllowedHosts().check(url)
    except OptionError:
        return
    assert Sender(SECRET).send(Message("msg_1", url, "{}"), 1) in (GIVEN_UP, AGAIN)
    assert Sender(SECRET, resolve=lambda *_: ["127.0.0.1"]).send(Message("msg_1", url, "{}"), 1) == GIVEN_UP


def test_what_the_user_allows() -> None:
    one = AllowedHosts(("nas.local:8080", "[::1]", "Build.Example.com"))
    for url in (
        "http://nas.local:8080/x",
        "http://[::1]:99/",
        "http://build.example.com:1/",
        "https://BUILD.example.com.",
    ):
        one.check(url)
    for url in ("http://nas.local/", "http://nas.local:8081/", "http://[::2]:99/", "http://x.build.example.com/"):
        with pytest.raises(OptionError):
            one.check(url)
    assert one.resolved(one.check("http://nas.local:8080/"), lambda *_: ["192.168.1.2"]) == "192.168.1.2"


def test_the_name_is_resolved_once_and_the_checked_address_is_called(receiver: Receiver) -> None:
    """A name that means something else at the second look (DNS rebinding) gains nothing."""
    asked = []

    def changing(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    allowed = AllowedHosts(("hooks.test",))
    sender = Sender(SECRET, allowed, resolve=changing)
    assert sender.send(Message("msg_1", f"http://hooks.test:{receiver.port}/x", "{}"), 1) == SENT
    assert asked == ["hooks.test"]
    assert receiver.came[0][1]["host"] == f"hooks.test:{receiver.port}"


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    for status in (301, 302, 303, 307, 308):
        receiver.status, receiver.location = status, f"http://127.0.0.1:{receiver.port}/inside"
        assert Sender(SECRET, local()).send(Message("msg_1", receiver.url, "{}"), 1) == AGAIN
    assert {path for path, _, _ in receiver.came} == {"/hook?a=b"}


def test_what_a_receiver_says_decides_and_nothing_of_it_is_kept(receiver: Receiver) -> None:
    wanted = {200: SENT, 204: SENT, 410: GIVEN_UP, 400: AGAIN, 404: AGAIN, 429: AGAIN, 500: AGAIN}
    for status, came in wanted.items():
        receiver.status = status
        assert Sender(SECRET, local()).send(Message("msg_1", receiver.url, "{}"), 1) == came


def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert Sender(SECRET, local()).send(Message("msg_1", f"http://127.0.0.1:{port}/", "{}"), 1) == AGAIN

    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror

    assert Sender(SECRET, resolve=nowhere).send(Message("msg_1", "https://example.com/", "{}"), 1) == AGAIN


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"no http at all\r\n\r\n", b"HTTP/1.1 200 " + b"x" * 99_999]
)
def test_a_receiver_that_drips_or_never_ends_is_left(answer: bytes) -> None:
    """One byte at a time would keep an ordinary timeout waiting for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            try:
                connection.sendall(answer)
                while not ended.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        sender = Sender(SECRET, local(), timeout=0.5)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert sender.send(Message("msg_1", url, "{}"), 1) == AGAIN
    finally:
        ended.set()
        thread.join()
        server.close()


def test_https_asks_for_a_certificate_of_the_name(receiver: Receiver) -> None:
    """The receiver speaks plain http: whoever cannot show a certificate gets nothing."""
    sender = Sender(SECRET, AllowedHosts(("127.0.0.1",)), timeout=2.0)
    assert sender.send(Message("msg_1", f"https://127.0.0.1:{receiver.port}/", "{}"), 1) == AGAIN
    assert receiver.came == []


def test_the_secret_is_made_once_and_belongs_to_the_user(tmp_path: Path) -> None:
    secret = webhook_secret(tmp_path)
    assert secret.startswith("whsec_")
    assert webhook_secret(tmp_path) == secret
    assert [file.name for file in tmp_path.iterdir()] == ["webhook-secret"]
    if os.name == "posix":
        assert (tmp_path / "webhook-secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "webhook-secret").write_text("nothing")
    with pytest.raises(OutputError, match="damaged"):
        webhook_secret(tmp_path)


def ended_job(table: JobTable, url: str) -> str:
    job = table.add("render", "a", "es", {}, webhook=url)
    assert table.take("one") is not None
    assert table.fail(job.id, "one", Failure("Title", "Detail", "Remedy", "input"))
    return job.id


def test_a_job_that_ends_is_told_once_with_what_the_api_shows(table: JobTable, receiver: Receiver) -> None:
    job = ended_job(table, receiver.url)
    deliveries = Deliveries(table, Sender(SECRET, local()))
    assert deliveries.send_next()
    assert not deliveries.send_next()
    told = json.loads(receiver.came[0][2])
    found = table.job(job)
    assert found is not None
    assert (told["type"], told["data"]) == ("job.failed", found.shown())
    assert delivery_of(table, job) == {"status": "sent", "attempts": 1}


def test_deliveries_are_tried_again_later_and_later_and_then_given_up(
    table: JobTable, clock: SetClock, receiver: Receiver
) -> None:
    job = ended_job(table, receiver.url)
    receiver.status = 503
    deliveries = Deliveries(table, Sender(SECRET, local()))
    for pause in PAUSES:
        assert deliveries.send_next()
        assert not deliveries.send_next()
        clock.now += pause
    assert deliveries.send_next()
    clock.now += 1e6
    assert not deliveries.send_next()
    assert delivery_of(table, job) == {"status": "given up", "attempts": len(PAUSES) + 1}
    assert len({headers["webhook-id"] for _, headers, _ in receiver.came}) == 1


def test_a_server_that_dies_while_it_sends_costs_a_lease(table: JobTable, clock: SetClock, receiver: Receiver) -> None:
    ended_job(table, receiver.url)
    deliveries = Deliveries(table, Sender(SECRET, local()))
    assert deliveries._taken() is not None  # and is killed
    assert not deliveries.send_next()
    clock.now += 61
    assert deliveries.send_next()
    assert len(receiver.came) == 1


def test_a_mistake_of_ours_ends_no_thread(table: JobTable, clock: SetClock, caplog: pytest.LogCaptureFixture) -> None:
    job = ended_job(table, "https://example.com/")

    def broken(host: str, port: int) -> list[str]:
        raise KeyError("a text of the user's")

    deliveries = Deliveries(table, Sender(SECRET, resolve=broken))
    for _ in range(len(PAUSES) + 1):
        assert deliveries.send_next()
        clock.now += 1e5
    assert not deliveries.send_next()
    assert delivery_of(table, job) == {"status": "given up", "attempts": len(PAUSES) + 1}
    assert "KeyError" in caplog.text
    assert "a text of the user's" not in caplog.text


def test_threads_send_while_the_block_runs(table: JobTable, receiver: Receiver) -> None:
    for _ in range(3):
        ended_job(table, receiver.url)
    with Deliveries(table, Sender(SECRET, local())):
        end = threading.Event()
        for _ in range(600):
            if len(receiver.came) == 3:
                break
            end.wait(0.05)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.came}) == 3
