"""Lines through the API: looked at, edited, undone, refused."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lipdub.studio.project.project_folder import ProjectFolder


def state(asked: Any, es: str) -> Any:
    told = asked.get(es).json()
    return [
        {name: segment[name] for name in ("id", "start", "end", "text", "person", "voice", "note", "verdict", "leave")}
        for segment in told["segments"]
    ]


def test_a_language_is_shown(asked: Any, clip: Path) -> None:
    answer = asked.get(asked.project(clip))
    told = answer.json()
    assert answer.headers["etag"] == f'"{told["revision"]}"'
    assert (told["language"], told["status"], told["source_language"]) == ("es", "planned", "en")
    first = told["segments"][0]
    assert (first["id"], first["start"], first["end"], first["text"]) == ("1", 0.2, 0.9, "Hola a todos.")
    assert (first["source_text"], first["state"], first["status"], first["take"]) == (
        "Hello all.",
        "missing",
        "stale",
        0,
    )
    assert asked.get("/v1/projects/talk").json()["languages"][0]["counts"]["missing"] == 2


def test_a_line_is_changed_and_changed_back(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    before = asked.get(es).json()["revision"]
    changed = {"text": "Hola.", "start": 0.25, "offset": -0.04, "note": "first\nsecond", "verdict": "accepted"}
    answer = asked.client.patch(f"{es}/segments/1", json=changed, headers={"If-Match": f'"{before}"'})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert {name: told["segment"][name] for name in changed} == changed
    assert told["revision"] != before
    assert answer.headers["etag"] == f'"{told["revision"]}"'
    undone = asked.client.post(f"{es}/edits", json={"edits": told["undo"], "revision": told["revision"]})
    assert undone.status_code == 200, undone.text
    assert undone.json()["revision"] == before


def test_every_gesture_is_undone(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    before = state(asked, es)
    gestures = (
        [{"op": "split", "segment": "1", "at": 0.5}],
        [{"op": "split", "segment": "1", "at": 0.5, "text": ["Uno", "dos"]}],
        [{"op": "merge", "segment": "1", "with": "2"}],
        [{"op": "remove", "segment": "2"}],
        [{"op": "insert", "segment": {"start": 0.9, "end": 1.0, "text": "¿No?", "note": "new"}}],
        [{"op": "set", "segment": "2", "fields": {"verdict": "rejected", "person": None, "voice": "nanotts"}}],
        [{"op": "split", "segment": "2", "at": 1.5}, {"op": "remove", "segment": "1"}],
    )
    for edits in gestures:
        done = asked.client.post(f"{es}/edits", json={"edits": edits})
        assert done.status_code == 200, done.text
        assert state(asked, es) != before
        assert {each["id"] for each in done.json()["segments"]} <= {each["id"] for each in state(asked, es)}
        assert asked.client.post(f"{es}/edits", json={"edits": done.json()["undo"]}).status_code == 200
        assert state(asked, es) == before


def test_a_rejected_line_is_left(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    told = asked.client.patch(f"{es}/segments/2", json={"verdict": "rejected"}).json()["segment"]
    assert (told["leave"], told["state"], told["status"]) == (True, "left", "kept")


def test_the_second_window_is_told(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    seen = asked.get(es).json()["revision"]
    assert asked.client.patch(f"{es}/segments/1", json={"text": "Uno.", "revision": seen}).status_code == 200
    for headers, body in (({"If-Match": f'"{seen}"'}, {"text": "Dos."}), ({}, {"text": "Dos.", "revision": seen})):
        answer = asked.client.patch(f"{es}/segments/1", json=body, headers=headers)
        assert answer.status_code == 412
        problem = answer.json()
        assert "another window" in problem["detail"]
        assert problem["present"]["segments"][0]["text"] == "Uno."
        assert problem["present"]["revision"] == asked.get(es).json()["revision"]
    assert asked.client.patch(f"{es}/segments/1", json={"note": "x"}).status_code == 200, "without one, it is applied"
    assert asked.client.patch(f"{es}/segments/1", json={"note": "y"}, headers={"If-Match": "junk"}).status_code == 400


def test_all_edits_are_made_or_none(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    before = asked.get(es).json()
    edits = [
        {"op": "set", "segment": "1", "fields": {"text": "Otro."}},
        {"op": "set", "segment": "99", "fields": {"text": "x"}},
    ]
    assert asked.client.post(f"{es}/edits", json={"edits": edits}).status_code == 422
    assert asked.get(es).json() == before


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"text": 5}, "text"),
        ({"text": None}, "text"),
        ({"text": ""}, ""),
        ({"text": "a\0b"}, "text"),
        ({"text": "a\x1b[2Jb"}, "text"),
        ({"text": "x" * 5001}, "text"),
        ({"note": "a\0"}, "note"),
        ({"start": "0:01"}, "start"),
        ({"start": -5}, ""),
        ({"start": 1e300}, "start"),
        ({"start": True}, "start"),
        ({"end": 0.1}, ""),
        ({"offset": 1000}, "offset"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**80}, "seed"),
        ({"leave": "yes"}, "leave"),
        ({"verdict": "perhaps"}, "verdict"),
        ({"voice": "command:touch /tmp/x"}, "voice"),
        ({"voice": "server:http://169.254.169.254/"}, "voice"),
        ({"voice": "kokoro:lexicon=/etc/passwd"}, "voice"),
        ({"voice": "nanotts:../../x"}, "voice"),
        ({"voice": "chatterbox:http://localhost:1"}, "voice"),
        ({"engine": "nothing"}, "engine"),
        ({"engine": "exemplar:x=1"}, "engine"),
        ({"take": 3}, "take"),
        ({"id": "7"}, "id"),
        ({"evil": 1}, "evil"),
        ({}, ""),
        ([], ""),
        ("text", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(asked: Any, clip: Path, fields: Any, about: str) -> None:
    es = asked.project(clip)
    before = asked.get(es).json()
    answer = asked.client.patch(f"{es}/segments/1", json=fields)
    assert answer.status_code == 422, answer.text
    assert answer.json().get("field", "") == about
    assert asked.get(es).json() == before


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1", b'{"text": NaN}', b'{"start": Infinity}', b'{"start": 1e999}', b'{"text": "a", "text": "b"}',
        b'{"text": "\\ud800"}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"seed": ' + b"9" * 10_000 + b"}",
        b'{"text": "a"} x', b"\xef\xbb\xbf{}", b'{"text": "\x01"}',
    ],
)  # fmt: skip
def test_strange_json_is_refused(asked: Any, clip: Path, body: bytes) -> None:
    es = asked.project(clip)
    answer = asked.client.patch(f"{es}/segments/1", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_types_are_refused(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""):
        answer = asked.client.patch(f"{es}/segments/1", content=b'{"text": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "set", "segment": "1"},
        {"op": "set", "fields": {}},
        {"op": "evil"},
        {"segment": "1"},
        {"op": "split", "segment": "1", "at": 5.0},
        {"op": "split", "segment": "1", "at": 0.5, "text": ["one"]},
        {"op": "split", "segment": "1", "at": 0.5, "text": ["one", "a\0"]},
        {"op": "merge", "segment": "1", "with": "1"},
        {"op": "merge", "segment": "1"},
        {"op": "insert", "segment": {"start": 2, "end": 1, "text": "x"}},
        {"op": "insert", "segment": {"start": 1, "end": 2, "text": "x", "id": "1"}},
        {"op": "insert", "segment": {"start": 1, "end": 2, "text": "x", "id": "../../x"}},
        {"op": "insert", "segment": {"start": 1, "end": 2, "text": "x", "voice": "command:ls"}},
        {"op": "remove", "segment": "99"},
        {"op": "remove", "segment": ""},
        5,
    ],
)
def test_edits_that_make_no_sense_are_refused(asked: Any, clip: Path, edit: Any) -> None:
    es = asked.project(clip)
    before = asked.get(es).json()
    assert asked.client.post(f"{es}/edits", json={"edits": [edit]}).status_code == 422
    assert asked.get(es).json() == before


def test_many_edits_at_once(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    edit = {"op": "set", "segment": "1", "fields": {"text": "x"}}
    assert asked.client.post(f"{es}/edits", json={"edits": [edit] * 1001}).status_code == 422
    assert asked.client.post(f"{es}/edits", json={"edits": []}).status_code == 422


def test_a_voice_of_the_project_may_be_named_again(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    folder = ProjectFolder(asked.places.folder / "talk" / "talk.lipdub")
    plan = folder.load_plan("es", Fraction(0))
    from dataclasses import replace

    folder.save_plan(replace(plan, voices=("command:say",)), Fraction(0))
    assert asked.client.patch(f"{es}/segments/1", json={"voice": "command:say"}).status_code == 200
    assert asked.client.patch(f"{es}/segments/1", json={"voice": "command:rm"}).status_code == 422


def test_instants_that_are_no_microseconds_come_back_exactly(asked: Any, clip: Path) -> None:
    es = asked.project(clip, lines=(("1", "1/3", "2/3", "Uno."), ("2", "1", "2", "Dos.")))
    before = asked.get(es).json()
    assert before["segments"][0]["start"] == 0.333333
    done = asked.client.patch(f"{es}/segments/1", json={"start": 0.1, "end": 0.666667}).json()
    assert asked.client.post(f"{es}/edits", json={"edits": done["undo"]}).json()["revision"] == before["revision"]


def test_filters_and_pages(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    asked.client.patch(f"{es}/segments/1", json={"verdict": "accepted"})

    def ids(query: str) -> Any:
        return [each["id"] for each in asked.get(f"{es}/segments{query}").json()["data"]]

    assert (ids(""), ids("?filter=unchecked"), ids("?filter=stale")) == (["1", "2"], ["2"], ["1", "2"])
    assert ids("?filter=unchecked,stale") == ["2"]
    assert (ids("?page_size=1"), ids("?page_size=1&cursor=1")) == (["1"], ["2"])
    for wrong in ("?filter=evil", "?page_size=0", "?cursor=99", "?other=1"):
        assert asked.get(f"{es}/segments{wrong}").status_code == 422


def test_jobs_are_begun_once(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    first = asked.client.post(f"{es}/redo", json={"segments": ["1"]})
    assert first.status_code == 202
    assert asked.get(es).json()["status"] == "queued"
    assert [each["status"] for each in asked.get(es).json()["segments"]] == ["queued", "stale"]
    second = asked.client.post(f"{es}/redo", json={})
    assert (second.status_code, second.json()["job"]["id"]) == (409, first.json()["id"])
    for body in (
        {"segments": ["99"]},
        {"segments": []},
        {"segments": "all"},
        {"changes": {"voice": "command:ls"}},
        {"film": 1},
    ):
        assert asked.client.post(f"{es}/redo", json=body).status_code == 422
    heard = asked.client.post(f"{es}/segments/1/hear", json={"text": "Hola", "voice": "nanotts:es-ES"})
    assert (heard.status_code, heard.json()["kind"]) == (202, "hear")
    assert asked.client.post(f"{es}/segments/2/hear", json={"voice": "server:http://10.0.0.1"}).status_code == 422


def test_the_same_key_gives_the_same_answer(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    key = {"Idempotency-Key": "k1"}
    first, again = (asked.client.post(f"{es}/render", headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert asked.client.post(f"{es}/redo", headers=key, json={}).status_code == 422
    edit = {"edits": [{"op": "insert", "segment": {"start": 0.0, "end": 0.1, "text": "x"}}]}
    answers = [asked.client.post(f"{es}/edits", json=edit, headers={"Idempotency-Key": "k2"}) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len(asked.get(es).json()["segments"]) == 3
    for strange in ("x" * 256, "a b", "ü".encode()):
        assert asked.client.post(f"{es}/render", headers={"Idempotency-Key": strange}).status_code in (400, 422)


@pytest.mark.parametrize("line", ["99", "%2e%2e", "%2e%2e%2f", "a%00", "1%2f..", "x" * 3000])
def test_lines_that_are_not_there(asked: Any, clip: Path, line: str) -> None:
    es = asked.project(clip)
    assert asked.client.patch(f"{es}/segments/{line}", json={"text": "x"}).status_code in (404, 405)
    assert asked.get(f"{es}/segments/{line}/takes").status_code in (404, 405)
    for take in ("1", "0", "-1", "x", "9" * 50, "%2e%2e", "²"):
        answer = asked.client.post(f"{es}/segments/1/takes/{take}/choose")
        assert answer.status_code in (404, 405), answer.text
    for language in ("fr", "%2e%2e", "%2e%2e%2fes", "es%00", "ES"):
        assert asked.get(f"/v1/projects/talk/languages/{language}").status_code in (404, 405)


def test_exports(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    asked.client.patch(f"{es}/segments/1", json={"text": '=HYPERLINK("http://evil")', "note": "look"})
    for kind, begins in (("srt", "1\n00:00:00,2"), ("vtt", "WEBVTT"), ("ttml", "<?xml"), ("markers.csv", "id,start")):
        made = asked.client.post(f"{es}/export", json={"format": kind})
        assert made.status_code == 200, made.text
        answer = asked.get(made.json()["url"])
        assert answer.text.startswith(begins)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        part = asked.get(made.json()["url"], headers={"Range": "bytes=0-2"})
        assert (part.status_code, part.content) == (206, answer.content[:3])
    assert "'=HYPERLINK" in answer.text
    assert asked.client.post(f"{es}/export", json={"format": "otio"}).status_code in (422, 501), "no film was made"
    assert asked.client.post(f"{es}/export", json={"format": "report"}).status_code == 422
    assert asked.client.post(f"{es}/export", json={"format": "exe"}).status_code == 422
    assert asked.client.post(f"{es}/export", json={"format": "film"}).json()["kind"] == "render"
    assert asked.get(f"{es}/film").status_code == 404
    for name in ("%2e%2e", "%2e%2e%2ftalk.lipdub%2fproject.json", "x", "a%00", ".studio"):
        assert asked.get(f"{es}/exports/{name}").status_code in (404, 405)


def test_no_link_leads_out_of_the_exports(asked: Any, clip: Path, tmp_path: Path) -> None:
    es = asked.project(clip)
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = asked.places.folder / "talk" / "films" / "exports"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(secret)
    assert asked.get(f"{es}/exports/link.txt").status_code == 404
    (folder / "link.txt").unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert asked.get(f"{es}/exports/secret.txt").status_code == 404
    assert asked.client.post(f"{es}/export", json={"format": "srt"}).status_code == 507
    assert not list(tmp_path.glob("*.srt"))


def test_parts_in_which_nobody_is_dubbed(asked: Any, clip: Path) -> None:
    es, ranges = asked.project(clip), "/v1/projects/talk/ranges"
    given = [{"start": 0.5, "end": 0.9}, {"start": 1.25, "end": 1.5}]
    assert asked.client.put(ranges, json=given).json()["data"] == given
    assert asked.get("/v1/projects/talk").json()["ranges"] == given
    edit = {"edits": [{"op": "ranges", "ranges": [{"start": 0.1, "end": 0.3}]}]}
    done = asked.client.post(f"{es}/edits", json=edit)
    assert done.status_code == 200, done.text
    assert asked.get(es).json()["segments"][0]["state"] == "left", "it begins in there"
    assert asked.client.post(f"{es}/edits", json={"edits": done.json()["undo"]}).status_code == 200
    assert asked.get(ranges).json()["data"] == given
    for wrong in (
        [{"start": 1, "end": 1}],
        [{"start": -1, "end": 1}],
        [{"start": 1}],
        {},
        [5],
        [{"start": 1, "end": "x"}],
    ):
        assert asked.client.put(ranges, json=wrong).status_code == 422
    assert asked.get(ranges).json()["data"] == given


def test_what_a_redo_would_make(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    asked.client.patch(f"{es}/segments/1", json={"leave": True})
    assert asked.get(f"{es}/stale").json() == {"lines": ["2"], "seconds": None, "film_seconds": None}
    assert asked.get(f"{es}/segments/1/takes").json() == {"data": [], "next_cursor": None}


def test_a_line_of_which_nobody_knows_who_says_it_is_flagged(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    asked.client.patch(f"{es}/segments/1", json={"person": "1"})
    assert [flag["kind"] for flag in asked.get(es).json()["segments"][1]["flags"]] == ["unsure"]
    assert [each["id"] for each in asked.get(f"{es}/segments?filter=flagged").json()["data"]] == ["2"]


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({"language": "es"}, "script"),
        ({"language": "es", "script": "x"}, "script"),
        ({"language": "es", "script": "0" * 32, "audio": "0" * 32}, "script"),
        ({"translate": True}, "language"),
        ({"language": "fr\0", "translate": True}, "language"),
        ({"language": "x" * 36, "translate": True}, "language"),
        ({"language": "fr", "translate": True, "options": {"translator": "command:ls"}}, "options.translator"),
        (
            {"language": "fr", "translate": True, "options": {"translator": "openai:http://10.0.0.1"}},
            "options.translator",
        ),
        ({"language": "fr", "translate": True, "options": {"recogniser": "command"}}, "options.recogniser"),
        ({"language": "fr", "translate": True, "options": {"engine": "exemplar:a=b"}}, "options.engine"),
        ({"language": "fr", "translate": True, "options": {"voices": ["Ana=command:ls"]}}, "options.voices[0]"),
        ({"language": "fr", "translate": True, "options": {"voices": ["server:http://10.0.0.1"]}}, "options.voices[0]"),
        ({"language": "fr", "translate": True, "options": {"weights": "/etc"}}, "options.weights"),
    ],
)
def test_plans_that_make_no_sense_are_refused(asked: Any, clip: Path, body: Any, about: str) -> None:
    asked.project(clip)
    answer = asked.client.post("/v1/projects/talk/languages", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, about), answer.text
    assert asked.get("/v1/jobs").json()["data"] == []


def test_a_language_is_planned_by_translation(asked: Any, clip: Path) -> None:
    asked.project(clip)
    options = {"translator": "argos", "voices": ["nanotts", "Ana=nanotts:es-ES"], "seed": 3}
    body = {"language": "fr", "translate": True, "options": options}
    answer = asked.client.post("/v1/projects/talk/languages", json=body)
    assert (answer.status_code, answer.json()["language"]) == (202, "fr")
    asked_for = asked.studio.jobs.jobs()[0].request
    assert asked_for["options"] == {"translator": "argos", "voice": options["voices"], "seed": 3}


def test_the_other_door_takes_no_other_voices(asked: Any, clip: Path) -> None:
    def upload() -> str:
        data = clip.read_bytes()
        made = asked.client.post("/v1/uploads", json={"name": "a.mp4", "size": len(data)}).json()["id"]
        headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert asked.client.patch(f"/v1/uploads/{made}", content=data, headers=headers).status_code == 204
        return made

    def generate(**said: str) -> Any:
        text = {"type": "text", "script": "Hola.", "language": "es", **said}
        video = {"type": "video", "assetId": upload()}
        return asked.client.post("/v2/generate", json={"input": [video, text], "options": {"consent": True}})

    for voice in ("command:ls", "server:http://169.254.169.254/", "kokoro:lexicon=/etc/passwd"):
        assert generate(voice=voice).status_code == 422
    assert asked.get("/v1/jobs").json()["data"] == []
    answer = generate(voice="nanotts:es-ES")
    assert (answer.status_code, answer.json()["status"]) == (201, "PENDING"), answer.text
    other = {
        "input": [{"type": "video", "url": "file:///etc/passwd"}, {"type": "text", "script": "x", "language": "es"}]
    }
    assert asked.client.post("/v2/generate", json={**other, "options": {"consent": True}}).status_code == 422
