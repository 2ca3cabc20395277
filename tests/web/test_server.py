"""``lipdub studio`` as a process: its address, its end, a second one, a taken port, ends without warning."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lipdub.errors import MissingExtra, OptionError
from lipdub.web.impatient_http import ImpatientHttp
from lipdub.web.server import address, hosts_of, listening_socket

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "lipdub", "studio", "--folder", str(folder), "--no-browser", *more]


@contextmanager
def running(folder: Path, *more: str, **environment: str) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """A studio: its process, its address without the key, and the header with the key."""
    process = subprocess.Popen(
        command(folder, "--port", "0", *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        where, _, key = line.partition("?key=")
        assert where.startswith("http://"), f"{line}{process.stderr and process.stderr.read()}"
        yield process, where, {"X-Api-Key": key}
    finally:
        process.kill()
        process.communicate()


def ended(process: Any) -> tuple[int, str]:
    """The exit code and what was written to stderr."""
    _, told = process.communicate(timeout=60)
    return process.returncode, told


def test_a_studio_answers_and_ends_cleanly(tmp_path: Path) -> None:
    with running(tmp_path / "studio") as (process, where, key):
        assert where.startswith("http://127.0.0.1:")
        assert httpx.get(where).status_code == 401
        assert httpx.get(f"{where}v1/status", headers=key).json()["jobs"] == {"queued": 0, "processing": 0}
        assert httpx.get(f"{where}?key={key['X-Api-Key']}").status_code == 303
        assert httpx.get(where, headers={**key, "Host": "evil.example"}).status_code == 403

        again = subprocess.run(command(tmp_path / "studio", "--port", "0"), capture_output=True, text=True, check=False)
        assert again.returncode == 4
        assert f"runs already, at {where}" in again.stderr
        port = where.rstrip("/").rpartition(":")[2]
        taken = subprocess.run(command(tmp_path / "b", "--port", port), capture_output=True, text=True, check=False)
        assert taken.returncode == 2
        assert f"port {port} is taken" in taken.stderr
        assert not (tmp_path / "b").exists()

        with httpx.stream("GET", f"{where}v1/events", headers=key, timeout=60) as events:
            assert events.status_code == 200
            process.send_signal(signal.SIGINT)
            code, told = ended(process)
    assert code == 0, told
    assert key["X-Api-Key"] not in told
    assert "Traceback" not in told
    assert not list((tmp_path / "studio" / ".studio").glob(".server-*"))
    assert not workers_of(tmp_path / "studio")


def workers_of(folder: Path) -> list[str]:
    """The command lines of processes that work for a studio."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline") if Path("/proc").is_dir() else ():
        try:
            words = file.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if "lipdub.web.jobs.worker" in words and str(folder) in words:
            found.append(" ".join(words))
    return found


def test_nothing_is_lost_when_it_is_killed(tmp_path: Path, clip: Path) -> None:
    from tests.web.conftest import write_project

    folder = tmp_path / "studio"
    write_project(folder / "talk.lipdub", clip)
    line = "v1/projects/talk/languages/es/segments/1"
    with running(folder) as (process, where, key):
        sent = httpx.post(f"{where}v1/uploads", headers=key, json={"name": "a.mp4", "size": 10}).json()["id"]
        part = {**key, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert httpx.patch(f"{where}v1/uploads/{sent}", headers=part, content=b"abc").status_code == 204
        for number in range(5):
            told = httpx.patch(where + line, headers=key, json={"text": f"Hola {number}."})
            assert told.status_code == 200
        process.send_signal(signal.SIGKILL)
        ended(process)
    with running(folder) as (_, where, again):
        assert again == key, "the key stays"
        assert (
            httpx.get(f"{where}v1/projects/talk/languages/es", headers=key).json()["segments"][0]["text"] == "Hola 4."
        )
        assert httpx.head(f"{where}v1/uploads/{sent}", headers=key).headers["upload-offset"] == "3"


def test_a_request_that_never_ends_stops_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "studio") as (process, where, key):
        name, _, port = where.removeprefix("http://").rstrip("/").partition(":")
        slow = [socket.create_connection((name, int(port))) for _ in range(30)]
        head = f"PATCH /v1/uploads/x HTTP/1.1\r\nHost: {name}\r\nX-Api-Key: {key['X-Api-Key']}\r\n"
        for number, each in enumerate(slow):
            each.sendall(head.encode() + (b"Content-Length: 1000\r\n\r\nabc" if number % 2 else b"X-Slow: "))
        assert httpx.get(f"{where}v1/status", headers=key, timeout=60).status_code == 200
        junk = socket.create_connection((name, int(port)))
        junk.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n")
        assert b"400" in junk.recv(1000)
        process.send_signal(signal.SIGTERM)
        code, told = ended(process)
        for each in (*slow, junk):
            each.close()
    assert code == 0, told
    assert "Traceback" not in told


def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    import uvicorn
    from uvicorn.server import ServerState

    monkeypatch.setattr(ImpatientHttp, "patience", 0.1)

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def main() -> list[bytes]:
        config, state = uvicorn.Config(answers, log_config=None, ws="none", lifespan="off"), ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: ImpatientHttp(config, state, {}), "127.0.0.1", 0)
        port, got = server.sockets[0].getsockname()[1], []
        for sent in (
            b"",
            b"GET / HTTP/1.1\r\nX-Slow: ",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-Slow: ",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            got.append(await reader.read())  # until it is closed
            writer.close()
        server.close()
        return got

    nothing, slow, second = asyncio.run(main())
    assert (nothing, slow) == (b"", b"")
    assert second.startswith(b"HTTP/1.1 204")


def test_others_are_let_in_only_with_a_key_that_cannot_be_guessed(tmp_path: Path) -> None:
    told = subprocess.run(
        command(tmp_path / "a", "--host", "0.0.0.0"), capture_output=True, text=True, check=False,
        env={**os.environ, "LIPDUB_STUDIO_KEY": "short"}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (told.returncode, "can be guessed" in told.stderr) == (2, True)
    own = "a-key-of-my-own-0123456789"
    with running(tmp_path / "a", "--host", "0.0.0.0", LIPDUB_STUDIO_KEY=own) as (process, where, key):
        assert key["X-Api-Key"] == own
        port = where.rstrip("/").rpartition(":")[2]
        for host, status in (("127.0.0.1", 200), ("192.168.1.7", 200), ("evil.example", 403)):
            answer = httpx.get(f"http://127.0.0.1:{port}/v1/status", headers={**key, "Host": f"{host}:{port}"})
            assert answer.status_code == status
        process.send_signal(signal.SIGINT)
        _, told = ended(process)
    assert "not encrypted" in told


def test_places_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.lipdub").mkdir()
    for given, words in (("missing", "no such folder"), ("empty.lipdub", "no lipdub project")):
        done = subprocess.run(
            [*command(tmp_path / "s"), str(tmp_path / given)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert words in done.stderr


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lipdub.cli.studio import StudioCommandOptions, studio

    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lipdub\[studio\]'"):
        studio(options=StudioCommandOptions(folder=tmp_path))


def test_ports_and_hosts_that_make_no_sense() -> None:
    for host, port in (("127.0.0.1", -1), ("127.0.0.1", 70000), ("no.such.host.invalid", 0), ("x" * 300, 0)):
        with pytest.raises(OptionError), listening_socket(host, port):
            pass
    assert address("0.0.0.0", 1) == "http://localhost:1/"
    assert address("::1", 1) == "http://[::1]:1/"
    assert hosts_of("0.0.0.0").takes("10.0.0.1:80")
    assert not hosts_of("127.0.0.1").takes("10.0.0.1:80")
    assert hosts_of("studio.lan").takes("STUDIO.lan")
