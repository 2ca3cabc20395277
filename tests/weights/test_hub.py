"""Kokoro's second source, the hub: a server on this machine answers as the hub does, whole, damaged, busy and slow."""

import hashlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from lipdub import weights
from lipdub.cli.models import run_fetch
from lipdub.errors import WeightsError
from lipdub.weights import ModelEntry, ModelFile, WebSource

BROKEN = "af_nova.bin"
"""The file that something happens to."""


@dataclass
class Hub:
    """What the server has, and what it does with the file ``BROKEN``: ``faults``, one for each time it is asked."""

    contents: dict[str, bytes]
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    ranges: bool = True


def contents_of(entry: ModelEntry) -> dict[str, bytes]:
    """A few bytes for each file, other ones for each."""
    return {file.name: f"{file.name} ".encode() * 40 for file in entry.files}


def handler(hub: Hub) -> type[http.server.BaseHTTPRequestHandler]:
    """Answers every /OWNER/REPOSITORY/.../FILE with a redirection to /cdn/FILE, and that with the content."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1]
            if not self.path.startswith("/cdn/"):
                self.send_response(302)
                self.send_header("Location", f"/cdn/{name}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = self.headers.get("Range", "")
            hub.asked.append(f"{name} {asked}".strip())
            fault = hub.faults.pop(0) if name == BROKEN and hub.faults else ""
            if fault.isdigit():
                self.send_error(int(fault))
                return
            data = hub.contents["kokoro.onnx" if name.endswith(".onnx") else name]
            begun = int(asked.removeprefix("bytes=").rstrip("-")) if asked and hub.ranges else 0
            self.send_response(206 if begun else 200)
            self.send_header("Content-Length", str(len(data) - begun))
            self.end_headers()
            part = {"damaged": data[::-1], "half": data[begun : begun + 100]}.get(fault, data[begun:])
            if fault == "slow":
                self.wfile.write(part[:10])
                time.sleep(0.6)
                return
            self.wfile.write(part)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    real = next(m for m in weights.catalogue() if m.name == "kokoro")
    contents = contents_of(real)
    files = tuple(ModelFile(n, len(data), hashlib.sha256(data).hexdigest()) for n, data in contents.items())
    assert isinstance(real.sources[1], WebSource)
    monkeypatch.setattr(weights, "catalogue", lambda: (replace(real, files=files, sources=real.sources[1:]),))
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIPDUB_WEIGHTS", raising=False)
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "all")
    made = Hub(contents)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setattr(weights, "_open", opener(f"http://127.0.0.1:{server.server_port}"))
        monkeypatch.setattr(weights, "_PAUSE", 0.0)
        yield made
        server.shutdown()


def opener(here: str) -> Callable[..., object]:
    """Asks the server at ``here`` for the path of an address, as ``weights`` asks the host of it."""

    def opened(url: str, begun: int = 0) -> object:
        assert url.startswith("https://")
        headers = {"Range": f"bytes={begun}-"} if begun else {}
        return urlopen(Request(here + urlsplit(url).path, headers=headers), timeout=0.3)

    return opened


def test_the_command_fetches_every_file_by_the_redirections(hub: Hub) -> None:
    assert run_fetch(("kokoro",), None, yes=True) == 0
    folder = weights.cache_folder() / "kokoro"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == hub.contents
    assert len(hub.asked) == len(hub.contents)
    assert weights.present("kokoro") == folder


@pytest.mark.parametrize("faults", [["half"], ["half", "half"], ["503"], ["429", "half"], ["slow"]])
def test_what_passes_is_tried_again(hub: Hub, faults: list[str]) -> None:
    hub.faults = list(faults)
    said: list[str] = []
    folder = weights.fetch("kokoro", say=said.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == hub.contents
    assert sum("trying again" in line for line in said) == len(faults)
    if faults == ["half", "half"]:
        assert [a for a in hub.asked if a.startswith(BROKEN)] == [
            BROKEN,
            f"{BROKEN} bytes=100-",
            f"{BROKEN} bytes=200-",
        ]


def test_a_server_without_ranges_sends_the_whole_file_again(hub: Hub) -> None:
    hub.ranges, hub.faults = False, ["half"]
    folder = weights.fetch("kokoro", say=lambda line: None)
    assert (folder / BROKEN).read_bytes() == hub.contents[BROKEN]


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        (["damaged"], rf"{BROKEN}: its SHA-256 is .* it should be"),
        (["half"] * 3, r"the connection broke after 300 of \d+ bytes \(https://[^ ]*af_nova\.bin\)"),
        (["404"], r"the server answers 404 \(Not Found\) \(https://[^ ]*af_nova\.bin\)"),
        (["403"], r"the server answers 403"),
        (["503"] * 3, r"the server answers 503 \(Service Unavailable\)"),
        (["slow"] * 3, r"nothing came for \d+ s \(https://[^ ]*af_nova\.bin\)"),
    ],
)
def test_what_does_not_pass_is_a_sentence_and_leaves_nothing(hub: Hub, faults: list[str], sentence: str) -> None:
    hub.faults = list(faults)
    with pytest.raises(WeightsError, match=sentence):
        weights.fetch("kokoro", say=lambda line: None)
    assert not (weights.cache_folder() / "kokoro").exists()
    assert not list(weights.cache_folder().glob(".fetching*"))
    assert weights.present("kokoro") is None
    assert len([a for a in hub.asked if a.startswith(BROKEN)]) == len(faults)


def test_no_server_at_all_is_a_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_open", opener("http://127.0.0.1:1"))
    with pytest.raises(WeightsError, match=r"no connection: .*kokoro\.onnx"):
        weights.fetch("kokoro", say=lambda line: None)


def test_half_a_model_on_disk_is_fetched_again(hub: Hub) -> None:
    folder = weights.fetch("kokoro", say=lambda line: None)
    (folder / BROKEN).write_bytes(hub.contents[BROKEN][:70])
    said: list[str] = []
    assert weights.present("kokoro", say=said.append) is None
    assert BROKEN in said[0]
    weights.fetch("kokoro", say=lambda line: None)
    assert (folder / BROKEN).read_bytes() == hub.contents[BROKEN]
