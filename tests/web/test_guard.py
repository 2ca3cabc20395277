"""Attacks on the door: other names, other sites, no key, huge and strange requests."""

import logging
from pathlib import Path
from typing import Any

import pytest

from lipdub.errors import OptionError, OutputError
from lipdub.web.keys import Key, kept_key, own_key

KEY = "test-key-of-the-studio-0123456789"
PATHS = ("/", "/app.js", "/docs", "/openapi.json", "/v1/status", "/v1/projects", "/v1/jobs", "/v1/events", "/nothing")


@pytest.fixture
def bare(asked: Any) -> Any:
    """A client without a key."""
    from starlette.testclient import TestClient

    return TestClient(asked.app, base_url="http://127.0.0.1:8765", follow_redirects=False)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "HEAD"])
def test_nothing_is_answered_without_the_key(bare: Any, path: str, method: str) -> None:
    for headers in (
        {},
        {"X-Api-Key": ""},
        {"X-Api-Key": KEY[:-1]},
        {"X-Api-Key": KEY + "0"},
        {"Cookie": f"lipdub_key_8765={KEY}"},
    ):
        answer = bare.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert "lipdub_key" not in answer.headers.get("set-cookie", "")
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_browser_without_the_key_gets_a_page_that_says_what_to_do(bare: Any) -> None:
    answer = bare.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "lipdub studio" in answer.text
    assert KEY not in answer.text


def test_the_key_in_the_address_becomes_a_cookie(bare: Any) -> None:
    answer = bare.get(f"/?key={KEY}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert KEY not in cookie
    assert bare.get("/v1/status").status_code == 200, "the client keeps it"
    assert bare.get("/?key=wrong").status_code == 401
    assert bare.get(f"/v1/status?key={KEY}", headers={"Cookie": ""}).status_code in (401, 422), "only on the page"


def test_a_page_that_was_opened_from_a_file_enters_without_a_redirect(bare: Any) -> None:
    answer = bare.get(f"/?key={KEY}", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 200
    assert "url=/" in answer.text
    assert KEY not in answer.text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7", "",
     "[::2]", "user@127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1/evil", "0.0.0.0", "localhost,b.example"],
)  # fmt: skip
def test_other_names_of_the_server_are_refused(asked: Any, host: str) -> None:
    """DNS rebinding: somebody's name was made to lead to this machine."""
    answer = asked.get("/v1/status", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:lipdub:refused"


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "localhost:1", "[::1]:8765", "LOCALHOST"])
def test_own_names_are_taken(asked: Any, host: str) -> None:
    assert asked.get("/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://127.0.0.1:8765.evil.example"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "junk"},
    ],
)
def test_other_sites_change_nothing(asked: Any, clip: Path, headers: dict[str, str]) -> None:
    es = asked.project(clip)
    for more in ({}, {"Content-Type": "text/plain"}):
        answer = asked.client.post(f"{es}/render", headers={**headers, **more})
        assert answer.status_code == 403
    assert asked.get("/v1/jobs").json()["data"] == []


def test_other_sites_read_nothing(asked: Any) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}):
        assert asked.get("/v1/projects", headers=headers).status_code == 403
    answer = asked.get("/v1/projects")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_cookie_alone_changes_nothing(bare: Any, asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    bare.get(f"/?key={KEY}")
    assert bare.post(f"{es}/render").status_code == 403
    assert bare.post(f"{es}/render", headers={"Origin": "http://127.0.0.1:8765"}).status_code == 202


def test_every_answer_has_the_headers(asked: Any) -> None:
    for path in ("/", "/docs", "/docs.css", "/v1/projects", "/nothing", "/openapi.json"):
        headers = asked.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] in ("no-store", "no-cache")
    assert asked.get("/v1/projects").headers["cache-control"] == "no-store"


def test_huge_bodies_are_refused_before_they_are_read(asked: Any) -> None:
    asked_for = []

    def body() -> Any:
        for number in range(64):
            asked_for.append(number)
            yield b" " * 2**20

    answer = asked.client.post("/v1/uploads", content=body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    answer = asked.client.post(
        "/v1/uploads", content=b"{}", headers={"Content-Type": "application/json", "Content-Length": "9" * 18}
    )
    assert answer.status_code == 413
    answer = asked.client.post("/v1/uploads", content=b"{}", headers={"Content-Length": "-1"})
    assert answer.status_code == 400


def test_only_calls_that_take_files_take_much(asked: Any, clip: Path) -> None:
    es, size = asked.project(clip), {"Content-Length": str(5 * 2**20)}
    for method, path, kind in (
        ("POST", f"{es}/edits", "multipart/form-data; boundary=b"),
        ("POST", f"{es}/edits", "application/octet-stream"),
        ("PATCH", "/v1/projects/talk", "application/offset+octet-stream"),
        ("POST", "/v1/projects", "application/json"),
        ("POST", "/v1/uploads", "application/octet-stream"),
        ("POST", "/v2/generate", "application/json"),
        ("PUT", "/v1/webhook", "application/json"),
        ("POST", "/v1/projects/talk/media", "multipart/form-data; boundary=b"),
    ):
        answer = asked.client.request(method, path, content=b"x", headers={"Content-Type": kind, **size})
        assert answer.status_code == 413, path
    whole = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", **size}
    assert asked.client.patch(f"/v1/uploads/{'0' * 32}", content=b"x", headers=whole).status_code == 404


def test_headers_that_come_twice_are_refused(asked: Any) -> None:
    import httpx

    for name in ("Host", "Origin", "X-Api-Key", "Content-Type"):
        headers = httpx.Headers([("Host", "127.0.0.1:8765"), ("X-Api-Key", KEY), (name, "a"), (name, "b")])
        assert asked.client.request("GET", "/v1/status", headers=headers.raw).status_code in (400, 403)


def test_an_unforeseen_error_tells_nothing(
    asked: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("secret text of the user's in /home/user/secret.mp4")

    monkeypatch.setattr(type(asked.places), "rows", fails)
    with caplog.at_level(logging.DEBUG):
        answer = asked.get("/v1/projects")
    assert answer.status_code == 500
    problem = answer.json()
    assert "secret" not in answer.text
    assert problem["reference"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_of_the_users_is_logged(asked: Any, clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    es = asked.project(clip, "verysecret")
    with caplog.at_level(logging.DEBUG, "lipdub"), caplog.at_level(logging.DEBUG, "uvicorn"):
        asked.client.patch(f"{es}/segments/1", json={"text": "geheim geheim"})
        asked.client.patch(f"{es}/segments/1", json={"voice": "command:geheim"})
        asked.get("/v1/projects/geheim")
    own = [record for record in caplog.records if record.name.startswith(("lipdub", "uvicorn"))]
    assert "geheim" not in "".join(record.getMessage() for record in own)


def test_the_key_is_kept_for_this_user_only(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = kept_key(file)
    assert len(key) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    assert kept_key(file) == key
    file.write_text("short")
    assert kept_key(file) != "short", "a damaged one is replaced"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="link"):
        kept_key(file)
    assert key not in repr(Key(key))


@pytest.mark.parametrize("text", ["short", "x" * 600, "with a space in it, long", "ümläut-ümläut-ümläut"])
def test_a_key_that_can_be_guessed_is_refused(text: str) -> None:
    with pytest.raises(OptionError):
        own_key(text)


def test_keys_are_compared_whatever_is_given() -> None:
    key = Key(KEY)
    assert key.is_key(KEY)
    assert key.is_cookie(key.cookie)
    for wrong in ("", KEY[:-1], KEY + "x", "\udcff", "x" * 10**6, key.cookie):
        assert not key.is_key(wrong)
    assert not key.is_cookie(KEY)
