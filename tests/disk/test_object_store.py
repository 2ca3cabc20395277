"""Objects are put whole and read as they were; what fails for a while is tried again, and what cannot be is told."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from lipdub.disk import object_store
from lipdub.disk.object_store import ObjectStore, check_url, see
from lipdub.errors import MissingExtra, OptionError, ServiceError

SHORT = (0.0, 0.0, 0.0)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    url = f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/store"
    (tmp_path / "store").mkdir()
    return ObjectStore(url, SHORT)


def test_objects_are_put_listed_read_and_removed(store: ObjectStore, tmp_path: Path) -> None:
    store.check()
    assert store.names("runs") == []
    assert store.size("runs/a/1") is None
    (tmp_path / "file").write_bytes(b"12345")
    digest = hashlib.sha256(b"12345").hexdigest()
    for name in ("runs/a/2", "runs/a/1", "runs/b/1"):
        store.put_file(tmp_path / "file", name)
    store.put_bytes(b"123456", "runs/a/2")
    assert store.names("runs/a") == ["runs/a/1", "runs/a/2"]
    assert store.size("runs/a/2") == 6
    store.get_file("runs/b/1", tmp_path / "got", digest)
    assert (tmp_path / "got").read_bytes() == b"12345"
    assert store.get_bytes("runs/a/2") == b"123456"
    assert (store.sent >= 21, store.fetched >= 11) == (True, True)
    store.remove("runs/a")
    store.remove("runs/nothing")
    assert store.names("runs") == ["runs/b/1"]
    with pytest.raises(FileNotFoundError):
        store.get_bytes("runs/a/1")
    with pytest.raises(ServiceError, match="is not there any more"), store.told():
        store.get_bytes("runs/a/1")


def test_damaged_objects_are_not_taken(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes(b"other", "a")
    digest = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(ServiceError, match="a is damaged"):
        store.get_bytes("a", digest)
    with pytest.raises(ServiceError, match="a is damaged"):
        store.get_file("a", tmp_path / "got", digest)


def test_one_machine_sees_what_another_put_there(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_bytes(b"here", "mark")
    see(store.url, "mark")
    with pytest.raises(OptionError, match="does not see in the shared store"):
        see(store.url, "other")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is no URL of a store"),
        ("/mnt/x", "is no URL of a store"),
        ("s3://", "is no URL of a store"),
        ("simplecache::s3://b", "is no URL of a store"),
        ("file://mnt/x", "names no whole path. Write three slashes: file:///mnt/x"),
    ],
)
def test_what_is_no_url_is_told(url: str, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        check_url(url)


def test_stores_that_cannot_be_used_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store.time, "sleep", lambda seconds: pytest.fail("it was tried again"))
    with pytest.raises(OptionError, match="there is no such folder or bucket"):
        ObjectStore(f"file://{tmp_path}/nothing").check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OptionError, match=r"cannot be used: Protocol not known: nosuch"):
        ObjectStore("nosuch://bucket/folder").check()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtra, match=r"needs the package s3fs.*pip install s3fs"):
        ObjectStore("s3://bucket/folder").check()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lipdub\[ray\]'"):
        ObjectStore("s3://bucket/folder").check()


def test_a_password_is_not_shown() -> None:
    assert str(ObjectStore("sftp://me:secret@host/folder")) == "sftp://host/folder"


class Unreliable:
    """Registers the kind of store ``unreliable``, of which each ``every``-th call fails."""

    def __init__(self, refuse: Exception, every: int) -> None:
        from fsspec.implementations.local import LocalFileSystem

        self.refuse, self.every, self.calls = refuse, every, 0

        def tried(name: str) -> Any:
            def call(system: Any, *given: Any, **named: Any) -> Any:
                self.calls += 1
                if self.calls % self.every == 0:
                    raise self.refuse
                return getattr(LocalFileSystem, name)(system, *given, **named)

            return call

        methods = ("put_file", "get_file", "pipe_file", "cat_file", "ls", "mv", "isdir")
        self.kind = type("Unreliable", (LocalFileSystem,), {"protocol": "unreliable", **{m: tried(m) for m in methods}})

    def __call__(self) -> None:
        import fsspec

        fsspec.register_implementation("unreliable", self.kind, clobber=True)


@pytest.fixture
def forgotten() -> Iterator[None]:
    yield
    from fsspec.registry import _registry

    _registry.pop("unreliable", None)


def test_what_fails_for_a_while_is_tried_again(tmp_path: Path, forgotten: None) -> None:
    broken = Unreliable(OSError("busy"), 3)
    broken()
    store = ObjectStore(f"unreliable://{tmp_path}", (0.0,) * 8)
    store.check()
    store.put_bytes(b"123", "a/b")
    assert store.get_bytes("a/b", hashlib.sha256(b"123").hexdigest()) == b"123"
    assert store.names("a") == ["a/b"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "a" / "b"]
    assert broken.calls >= 8


def test_what_fails_for_good_is_told(tmp_path: Path, forgotten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(object_store.time, "sleep", waited.append)
    Unreliable(OSError("busy"), 1)()
    with pytest.raises(ServiceError, match=r"fails again and again: busy\. Check that it runs"):
        ObjectStore(f"unreliable://{tmp_path}").put_bytes(b"1", "a")
    assert waited == list(object_store.PAUSES)
    waited.clear()
    Unreliable(PermissionError("not yours"), 1)()
    with pytest.raises(OptionError, match=r"may not be written to \(not yours\)"):
        ObjectStore(f"unreliable://{tmp_path}").check()
    assert waited == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OptionError, match="may not be written to"):
        ObjectStore(f"file://{tmp_path}").check()
