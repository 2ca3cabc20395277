"""Files that come in: in parts, with strange names, too large, broken off."""

import os
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from lipdub.errors import OutputError
from lipdub.web.limits import Limits
from lipdub.web.uploads import Uploads, file_name

PART = {"Content-Type": "application/offset+octet-stream"}


def begin(asked: Any, size: int, name: str = "talk.mp4") -> str:
    answer = asked.client.post("/v1/uploads", json={"name": name, "size": size})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def send(asked: Any, where: str, data: bytes, offset: int, **headers: str) -> Any:
    return asked.client.patch(where, content=data, headers={**PART, "Upload-Offset": str(offset), **headers})


def break_off(asked: Any, where: str, data: bytes) -> None:
    """Send the beginning of a part, and close the connection."""
    told = [{"type": "http.request", "body": data, "more_body": True}, {"type": "http.disconnect"}]
    headers = {**PART, "Host": "127.0.0.1", "X-Api-Key": asked.client.headers["x-api-key"], "Upload-Offset": "0"}
    scope = {
        "type": "http", "method": "PATCH", "path": where, "raw_path": where.encode(), "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    sent = []

    async def receive() -> Any:
        return told.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    anyio.run(asked.app, scope, receive, send)
    assert sent == [], "nobody is there to get an answer"


def test_an_upload_is_gone_on_with_where_it_broke_off(asked: Any) -> None:
    data = os.urandom(3 * 2**20 + 17)
    where = begin(asked, len(data))

    break_off(asked, where, data[: 2**20])
    head = asked.client.head(where)
    offset = int(head.headers["upload-offset"])
    assert offset == 2**20
    assert head.headers["upload-length"] == str(len(data))
    assert send(asked, where, data[offset:], offset).status_code == 204
    state = asked.get(where).json()
    assert (state["offset"], state["complete"], state["name"]) == (len(data), True, "talk.mp4")
    file = asked.studio.uploads.upload(where.rpartition("/")[2]).file
    assert file.read_bytes() == data


def test_a_wrong_offset_is_told(asked: Any) -> None:
    where = begin(asked, 10)
    assert send(asked, where, b"abc", 0).headers["upload-offset"] == "3"
    for offset in (0, 2, 4, 10):
        answer = send(asked, where, b"abc", offset)
        assert answer.status_code == 409
        assert "3 bytes are here" in answer.json()["detail"]
    for strange in ("", "-1", "1e3", "³", "9" * 30, " 3"):
        answer = asked.client.patch(where, content=b"abc", headers={**PART, "Upload-Offset": strange.encode()})
        assert answer.status_code in (400, 409), strange
    assert asked.get(where).json()["offset"] == 3


def test_more_than_was_told_is_refused(asked: Any) -> None:
    where = begin(asked, 4)
    assert send(asked, where, b"abcde", 0).status_code == 413
    answer = asked.client.patch(where, content=iter([b"abc", b"de"]), headers={**PART, "Upload-Offset": "0"})
    assert answer.status_code == 413
    assert asked.get(where).json()["offset"] <= 4


def test_only_one_request_writes(asked: Any) -> None:
    where = begin(asked, 10)
    id = where.rpartition("/")[2]
    with asked.studio.uploads.writing(id):
        assert send(asked, where, b"abc", 0).status_code == 409
        assert asked.client.delete(where).status_code == 409
    assert send(asked, where, b"abc", 0).status_code == 204
    assert asked.client.delete(where).status_code == 204
    assert asked.get(where).status_code == 404
    assert not list(asked.places.uploads.iterdir())


def test_other_types_are_refused(asked: Any) -> None:
    where = begin(asked, 3)
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""):
        assert send(asked, where, b"abc", 0, **{"Content-Type": kind}).status_code == 415


class TestLimits:
    """Small limits."""

    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(upload_bytes=1000, uploads=2)

    def test_sizes_and_numbers(self, asked: Any) -> None:
        for size, status in ((0, 422), (-1, 422), (1001, 413), (10**30, 413), (1000, 201), (1, 201), (1, 429)):
            answer = asked.client.post("/v1/uploads", json={"name": "a", "size": size})
            assert answer.status_code == status, answer.text
        assert asked.client.post("/v1/uploads", json={"name": "a", "size": 1.5}).status_code == 422
        assert asked.client.post("/v1/uploads", json={"name": "a", "size": True}).status_code == 422

    def test_forms(self, asked: Any) -> None:
        form = {"consent": "true"}
        answer = asked.client.post("/v1/projects", data=form, files={"video": ("a.mp4", b"x" * 1001)})
        assert answer.status_code == 413
        assert not list(asked.places.uploads.iterdir())
        answer = asked.client.post("/v1/projects", data=form, files={"video": ("a.mp4", b"x" * (3 * 2**20))})
        assert answer.status_code == 413
        assert not list(asked.places.uploads.iterdir())


@pytest.mark.parametrize(
    "id", ["x", "%2e%2e", "%2e%2e%2fkey", "a" * 32 + "%2f%2e%2e", "A" * 32, "0" * 31, "0" * 32, "..%00", "key"]
)
def test_ids_lead_nowhere_else(asked: Any, id: str) -> None:
    (asked.places.state / "key").write_text("secret")
    for method in ("GET", "HEAD", "PATCH", "DELETE"):
        answer = asked.client.request(method, f"/v1/uploads/{id}", headers={**PART, "Upload-Offset": "0"})
        assert answer.status_code in (404, 405), answer.text
    assert (asked.places.state / "key").read_text() == "secret"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("talk.mp4", "talk.mp4"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/shadow", "shadow"),
        ("a\0b.mp4", "ab.mp4"),
        ("a\nb\x1b[31m.mp4", "ab[31m.mp4"),
        ("..", "file"),
        (".hidden", "hidden"),
        ("", "file"),
        ("CON.mp4", "_CON.mp4"),
        ("nul", "_nul"),
        ("a.mp4 ", "a.mp4"),
        ("a:stream.mp4", "astream.mp4"),
        ("日本語.mp4", "日本語.mp4"),
        ("x" * 300 + ".mp4", "x" * 116 + ".mp4"),
        ("日" * 300 + ".mp4", "日" * 38 + ".mp4"),
        ("a\u202egpj.mp4", "agpj.mp4"),
        ("e\u0301.mp4", "é.mp4"),
        ("half \ud800.mp4", "half.mp4"),
        ("a.b c/d.verylongsuffix", "d.verylongsuffix"),
    ],
)
def test_names_become_plain(given: str, name: str) -> None:
    made = file_name(given)
    assert made == name
    assert len(made.encode()) <= 121
    assert Path(made).name == made


def test_strange_names_are_taken_as_plain_ones(asked: Any) -> None:
    for name in ("../../x.mp4", "a\0b", "n" * 4096):
        where = begin(asked, 1, name)
        assert "/" not in asked.get(where).json()["name"]
    assert asked.client.post("/v1/uploads", json={"name": "n" * 4097, "size": 1}).status_code == 422


def test_old_uploads_are_removed(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 1000)
    old, new, busy = (uploads.begin(name, 10) for name in ("old", "new", "busy"))
    yesterday = time.time() - 25 * 3600
    for each in (old, busy):
        for file in tmp_path.glob(f"{each.id}.*"):
            os.utime(file, (yesterday, yesterday))
    with uploads.writing(busy.id):
        assert uploads.remove_old() == 1
    assert {uploads.upload(each.id).name for each in (new, busy)} == {"new", "busy"}
    assert not list(tmp_path.glob(f"{old.id}*"))


def test_a_full_disk_is_told_and_keeps_what_is_there(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from lipdub.web.api import uploads as api

    where = begin(asked, 10)
    assert send(asked, where, b"abc", 0).status_code == 204

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(api, "write_all", full)
    answer = send(asked, where, b"def", 3)
    assert answer.status_code == 507
    assert "full" in answer.json()["detail"] or "space" in answer.json()["detail"]
    monkeypatch.undo()
    assert asked.get(where).json()["offset"] == 3
    assert send(asked, where, b"defghij", 3).status_code == 204


def test_no_room_is_told_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 99, 1))
    with pytest.raises(OutputError, match="no room"):
        Uploads(tmp_path, 1000).begin("a", 10)
