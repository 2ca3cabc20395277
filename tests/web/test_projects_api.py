"""Projects through the API: begun from forms and uploads, looked at, removed; bad files and bad forms."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import write_project

from lipdub.web.limits import Limits

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/etc/passwd\n#EXT-X-ENDLIST\n"
SESSION = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
SCRIPT = "1\n00:00:00,200 --> 00:00:01,000\nHola.\n"


def post(asked: Any, clip: Path, files: dict[str, Any] | None = None, **fields: str) -> Any:
    video = {"video": ("talk.mp4", clip.read_bytes(), "video/mp4")}
    return asked.client.post("/v1/projects", data={"consent": "true", **fields}, files={**video, **(files or {})})


def upload(asked: Any, data: bytes, name: str) -> str:
    made = asked.client.post("/v1/uploads", json={"name": name, "size": len(data)}).json()["id"]
    headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    assert asked.client.patch(f"/v1/uploads/{made}", content=data, headers=headers).status_code == 204
    return made


def test_a_form_makes_a_project_and_plans_it(asked: Any, clip: Path) -> None:
    answer = post(asked, clip, {"script": ("talk.es.srt", SCRIPT.encode())}, to="es", name="My talk")
    assert answer.status_code == 201, answer.text
    made, job = answer.json()["project"], answer.json()["job"]
    assert answer.headers["location"] == "/v1/projects/my-talk"
    assert (made["id"], made["name"], made["status"], made["consent"]) == ("my-talk", "My talk", "queued", True)
    source = made["source"]
    assert (source["width"], source["height"], source["rate"], source["duration"]) == (64, 48, "25", 2.0)
    assert (job["kind"], job["language"], job["status"]) == ("plan", "es", "queued")
    folder = asked.places.folder / "my-talk"
    assert (folder / "talk.mp4").read_bytes() == clip.read_bytes()
    assert (folder / "inputs" / "talk.es.srt").read_text() == SCRIPT
    assert asked.studio.jobs.jobs()[0].request["script"] == str(folder / "inputs" / "talk.es.srt")
    assert not list(asked.places.uploads.iterdir())
    assert asked.get("/v1/projects").json()["data"][0]["id"] == "my-talk"


def test_uploads_make_a_project(asked: Any, clip: Path) -> None:
    video, script = upload(asked, clip.read_bytes(), "talk.mp4"), upload(asked, SCRIPT.encode(), "a.srt")
    body = {"upload_id": video, "consent": True}
    for _ in range(2):
        answer = asked.client.post("/v1/projects", json=body, headers={"Idempotency-Key": "once"})
        assert (answer.status_code, answer.json()["project"]["id"]) == (201, "talk")
        assert answer.json()["project"]["status"] == "empty"
    assert len(asked.get("/v1/projects").json()["data"]) == 1
    other = {**body, "name": "other"}
    assert asked.client.post("/v1/projects", json=other, headers={"Idempotency-Key": "once"}).status_code == 422
    answer = asked.client.post("/v1/projects/talk/languages", json={"language": "es", "script": script})
    assert (answer.status_code, answer.json()["kind"]) == (202, "plan")
    again = {"language": "es", "script": upload(asked, SCRIPT.encode(), "a.srt")}
    answer = asked.client.post("/v1/projects/talk/languages", json=again)
    assert answer.status_code == 409
    assert answer.json()["job"]["kind"] == "plan"


def test_consent_is_needed(asked: Any, clip: Path) -> None:
    for consent in ("", "false"):
        answer = post(asked, clip, consent=consent)
        assert (answer.status_code, answer.json()["field"]) == (422, "consent")
        assert "agreed to be dubbed" in answer.json()["detail"]
    assert post(asked, clip, consent="maybe").status_code == 422
    assert asked.get("/v1/projects").json()["data"] == []
    assert not list(asked.places.uploads.iterdir())
    video = upload(asked, clip.read_bytes(), "talk.mp4")
    for body in ({}, {"consent": False}, {"consent": "true"}, {"consent": 1}):
        assert asked.client.post("/v1/projects", json={"upload_id": video, **body}).status_code == 422
    assert asked.get(f"/v1/uploads/{video}").status_code == 200, "it is not lost"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("junk.mp4", b"no video at all", "urn:lipdub:not-media"),
        ("list.m3u8", PLAYLIST, "urn:lipdub:not-media"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/passwd\n", ""),
        ("page.sdp", SESSION, "urn:lipdub:not-media"),
        ("x.png", b"\x89PNG\r\n\x1a\n" + bytes(64), ""),
        ("empty.mp4", b"", "urn:lipdub:wrong-field"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_refused(asked: Any, clip: Path, name: str, data: bytes, kind: str) -> None:
    answer = asked.client.post("/v1/projects", data={"consent": "true"}, files={"video": (name, data)})
    assert answer.status_code == 422, answer.text
    assert not kind or answer.json()["type"] == kind
    assert asked.get("/v1/projects").json()["data"] == []
    assert not list(asked.places.uploads.iterdir())
    assert not [path for path in asked.places.folder.iterdir() if path.name != ".studio"]


def test_bad_scripts_and_tracks_are_refused_before_anything_is_made(asked: Any, clip: Path) -> None:
    for files in (
        {"script": ("a.srt", b"")},
        {"script": ("a.srt", b"\0\0\0\1junk")},
        {"script": ("a.exe", SCRIPT.encode())},
        {"script": ("a.json", b"[" * 100_000)},
        {"audio": ("a.wav", b"no sound")},
        {"audio": ("a.mp4", clip.read_bytes())},
        {"script": ("a.srt", SCRIPT.encode()), "audio": ("a.wav", b"x")},
    ):
        answer = post(asked, clip, files, to="es")
        assert answer.status_code == 422, answer.text
        assert asked.get("/v1/projects").json()["data"] == []
        assert not list(asked.places.uploads.iterdir()), files


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "/etc",
        "a\0b",
        "..",
        "x" * 200,
        "日本",
        "CON",
        "a/b\\c",
        "<script>alert(1)</script>",
        ".studio",
        "inputs",
    ],
)
def test_no_name_leads_out_of_the_folder(asked: Any, clip: Path, name: str) -> None:
    before = set(asked.places.folder.parent.rglob("*"))
    answer = post(asked, clip, name=name)
    assert answer.status_code == 201, answer.text
    made = set(asked.places.folder.parent.rglob("*")) - before
    folder = asked.places.folder / answer.json()["project"]["id"]
    assert made == {folder, folder / "talk.mp4"}


@pytest.mark.parametrize(
    "file", ["../../../evil.mp4", "..\\..\\evil.mp4", "inputs", "films", "talk.lipdub", "a" * 300 + ".mp4"]
)
def test_no_file_name_leads_out_of_the_folder(asked: Any, clip: Path, file: str) -> None:
    files = {"video": (file, clip.read_bytes()), "script": (f"{file}.srt", SCRIPT.encode())}
    answer = asked.client.post("/v1/projects", data={"consent": "true", "name": "talk", "to": "es"}, files=files)
    assert answer.status_code == 201, answer.text
    folder = asked.places.folder / "talk"
    assert sorted(path.parent for path in folder.rglob("*") if path.is_file()) == [folder, folder / "inputs"]


def test_projects_of_one_name_are_kept_apart(asked: Any, clip: Path) -> None:
    assert [post(asked, clip).json()["project"]["id"] for _ in range(3)] == ["talk", "talk-2", "talk-3"]


def test_paths_are_taken_beside_projects_only(asked: Any, clip: Path, tmp_path: Path) -> None:
    inside = asked.places.folder / "own.mp4"
    inside.write_bytes(clip.read_bytes())
    (asked.places.folder / "link.mp4").symlink_to(clip)
    secret = asked.places.state / "x.mp4"
    secret.write_bytes(clip.read_bytes())
    for path in (
        clip,
        asked.places.folder / "link.mp4",
        secret,
        asked.places.folder / ".." / "x.mp4",
        "own.mp4",
        "/etc/passwd",
        "a\0",
        "",
        asked.places.folder,
    ):
        answer = asked.client.post("/v1/projects", json={"path": str(path), "consent": True})
        assert (answer.status_code, answer.json()["field"]) == (422, "path"), path
    answer = asked.client.post("/v1/projects", json={"path": str(inside), "consent": True})
    assert answer.status_code == 201
    assert asked.client.delete("/v1/projects/own?confirm=own").status_code == 204
    assert inside.exists(), "it was not uploaded"


def test_strange_forms_are_refused(asked: Any) -> None:
    url, kind = "/v1/projects", "multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\nabc'
    for content, type in (
        (b"", kind),
        (b"junk", kind),
        (part, kind),
        (part + b"\r\n", kind),
        (part + b"\r\n--b--\r\n", "multipart/form-data"),
        (part + b"\r\n--b--\r\n", f"multipart/form-data; boundary={'b' * 300}"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--b--\r\n", kind),
        (b"--b\r\n\r\nabc\r\n--b--\r\n", kind),
        (b"--b\r\n" + b"X: y\r\n" * 1000 + b"\r\nabc\r\n--b--\r\n", kind),
        (b"--b\r\nX: " + b"y" * 100_000, kind),
        (b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n' + b"e" * 100_000 + b"\r\n--b--\r\n", kind),
        (b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n\xff\xfe\r\n--b--\r\n', kind),
        (b'--b\r\nContent-Disposition: form-data; name="evil"\r\n\r\nabc\r\n--b--\r\n', kind),
        (b'--b\r\nContent-Disposition: form-data; name="to"; filename="a"\r\n\r\nabc\r\n--b--\r\n', kind),
        (part + b"\r\n" + part + b"\r\n--b--\r\n", kind),
        (
            b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(99))
            + b"--b--\r\n",
            kind,
        ),
    ):
        answer = asked.client.post(url, content=content, headers={"Content-Type": type})
        assert answer.status_code in (400, 413, 422), (content[:80], answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert not list(asked.places.uploads.iterdir()), content[:80]
    assert asked.client.post(url, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_a_project_is_named_and_removed(asked: Any, clip: Path) -> None:
    post(asked, clip)
    answer = asked.client.patch("/v1/projects/talk", json={"name": "  Another   name "})
    assert answer.json()["name"] == "Another name"
    for wrong in ({"name": ""}, {"name": " "}, {"name": 5}, {"name": "x" * 201}, {"nam": "x"}, {}):
        assert asked.client.patch("/v1/projects/talk", json=wrong).status_code == 422
    assert asked.client.delete("/v1/projects/talk").status_code == 422
    assert asked.client.delete("/v1/projects/talk?confirm=wrong").status_code == 422
    (asked.places.folder / "talk" / "mine.txt").write_text("of the user")
    job = asked.studio.add_job("plan", "talk", "es", {})
    assert asked.client.delete("/v1/projects/talk?confirm=Another name").status_code == 409
    asked.studio.jobs.cancel(job.id)
    assert asked.client.delete("/v1/projects/talk?confirm=Another name").status_code == 204
    assert os.listdir(asked.places.folder / "talk") == ["mine.txt"]
    assert asked.get("/v1/projects/talk").status_code == 404


def test_a_project_that_was_made_elsewhere_is_not_removed(asked: Any, clip: Path) -> None:
    asked.project(clip)
    assert asked.get("/v1/projects/talk").json()["removable"] is False
    assert asked.client.delete("/v1/projects/talk?confirm=talk").status_code == 422
    assert asked.get("/v1/projects/talk").status_code == 200


def test_the_demo_is_removed(asked: Any, clip: Path) -> None:
    folder = asked.places.folder / "demo"
    write_project(folder / "demo.lipdub", clip)
    for name in ("portrait.jpg", "portrait.en.mp4", "mine.txt"):
        (folder / name).write_text("x")
    assert asked.get("/v1/projects/demo").json()["removable"] is True
    assert asked.client.delete("/v1/projects/demo?confirm=demo").status_code == 204
    assert os.listdir(folder) == ["mine.txt"]
    begun = asked.client.post("/v1/projects/demo")
    assert (begun.status_code, begun.json()["kind"]) == (202, "demo")
    assert asked.client.post("/v1/projects/demo").status_code == 409


def test_a_damaged_project_and_one_of_a_newer_version_are_shown_as_such(asked: Any, clip: Path) -> None:
    for name, text in (("a", "{"), ("b", '{"lipdub": "project", "version": 99}'), ("c", "[" * 100_000), ("d", "")):
        folder = asked.places.folder / f"{name}.lipdub"
        folder.mkdir()
        (folder / "project.json").write_text(text)
    asked.project(clip)
    found = {each["id"]: each for each in asked.get("/v1/projects").json()["data"]}
    assert found["talk"]["status"] == "ready"
    for name in "abcd":
        assert found[name]["status"] == "failed"
        assert found[name]["problem"]["detail"]
        assert asked.get(f"/v1/projects/{name}/languages/es").status_code == 422
    assert "newer" in found["b"]["problem"]["detail"]


def test_a_source_that_vanished_is_told(asked: Any, clip: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(clip.read_bytes())
    es = asked.project(gone)
    assert asked.get("/v1/projects/talk").json()["source"]["exists"] is True
    gone.unlink()
    shown = asked.get("/v1/projects/talk").json()
    assert shown["source"] == {**shown["source"], "exists": False, "name": "gone.mp4"}
    assert asked.get(es).status_code in (200, 422)


def test_pages_of_projects(asked: Any, clip: Path) -> None:
    for name in ("a", "b", "c"):
        asked.project(clip, name)
    first = asked.get("/v1/projects?page_size=2").json()
    assert ([each["id"] for each in first["data"]], first["next_cursor"]) == (["a", "b"], "b")
    second = asked.get("/v1/projects?page_size=2&cursor=b").json()
    assert ([each["id"] for each in second["data"]], second["next_cursor"]) == (["c"], None)
    for wrong in ("page_size=0", "page_size=501", "page_size=x", "evil=1", "page_size=1&page_size=2"):
        assert asked.get(f"/v1/projects?{wrong}").status_code == 422


class TestLimits:
    """Small limits."""

    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(projects=1, seconds=1.5, queued_jobs=1)

    def test_length_and_number(self, asked: Any, clip: Path) -> None:
        answer = post(asked, clip)
        assert answer.status_code == 422
        assert "hours long" in answer.json()["detail"]
        asked.project(clip)
        assert post(asked, clip).status_code == 429

    def test_jobs(self, asked: Any, clip: Path) -> None:
        es = asked.project(clip)
        assert asked.client.post(f"{es}/render").status_code == 202
        assert asked.client.post(f"{es}/redo", json={}).status_code == 429


@pytest.mark.parametrize(
    "id", ["x", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc", "a%00b", ".studio", "x" * 5000, "talk%2f..", "%ff"]
)
def test_ids_of_projects_lead_nowhere_else(asked: Any, clip: Path, id: str) -> None:
    asked.project(clip)
    for path in ("", "/languages/es", "/people", "/ranges", "/languages/es/film", "/languages/es/exports/key"):
        assert asked.get(f"/v1/projects/{id}{path}").status_code in (404, 405)
