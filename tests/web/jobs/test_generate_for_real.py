"""``/v2/generate`` through the whole studio: uploads, key and guard, a project, a job, the film and its webhook."""

import json
from pathlib import Path
from typing import Any

import av
import pytest
from tests.studio.conftest import Talk
from tests.web.conftest import Asked
from tests.web.jobs.small_projects import use_small_tools

from lipdub.demo.media_files import write_wave
from lipdub.demo.speech_assets import load_speech
from lipdub.engines.fake import FakeEngine
from lipdub.web.jobs.kinds import JobKinds
from lipdub.web.jobs.worker import Worker


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_tools(monkeypatch.setattr, tmp_path_factory.getbasetemp() / "studio-work")
    monkeypatch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine())


def uploaded(asked: Asked, file: Path) -> str:
    body = file.read_bytes()
    made = asked.client.post("/v1/uploads", json={"name": file.name, "size": len(body)}).json()
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert asked.client.patch(f"/v1/uploads/{made['id']}", content=body, headers=headers).status_code == 204
    return made["id"]


@pytest.mark.parametrize("says", ["track", "text"])
@pytest.mark.usefixtures("small")
def test_a_film_comes_out(asked: Asked, talk: Talk, tmp_path: Path, says: str) -> None:
    said: dict[str, Any] = {"type": "text", "script": "Hola a todos. Buenas noches.", "language": "es"}
    if says == "track":
        write_wave(tmp_path / "track.es.wav", load_speech("es").sound)
        said = {"type": "audio", "assetId": uploaded(asked, tmp_path / "track.es.wav"), "language": "es"}
    speaker = {"coordinates": [128, 128], "frame_number": 0}
    begun = asked.client.post(
        "/v2/generate",
        json={
            "model": "lipsync-2",
            "input": [{"type": "video", "assetId": uploaded(asked, talk.clip)}, said],
            "options": {"consent": True, "active_speaker_detection": speaker},
            "webhookUrl": "https://example.com/hook",
        },
    )
    assert begun.status_code == 201, begun.text
    table = asked.studio.jobs
    assert Worker(table, "one", JobKinds(table.tell, asked.places, 1).run).work_once()
    found = asked.get(f"/v2/generate/{begun.json()['id']}").json()
    assert found["status"] == "COMPLETED", found
    film = tmp_path / "film.mp4"
    answer = asked.client.get(found["outputUrl"])
    assert answer.headers["content-type"] == "video/mp4"
    film.write_bytes(answer.content)
    with av.open(str(film)) as opened:
        assert opened.streams.video[0].frames == 160
        assert opened.streams.audio
    with table.database.reading() as connection:
        told = json.loads(connection.execute("SELECT body FROM deliveries").fetchone()["body"])
    assert (told["id"], told["status"]) == (found["id"], "COMPLETED")
    (project,) = asked.get("/v1/projects").json()["data"]
    assert [each["language"] for each in project["languages"]] == ["es"]


@pytest.mark.usefixtures("small")
def test_the_key_is_needed_and_other_sites_are_refused(asked: Asked) -> None:
    for path in ("/v1/jobs", "/v1/events", "/v1/webhook", "/v2/generations", "/v2/generate/x", "/v1/jobs/x/file"):
        assert asked.client.get(path, headers={"X-Api-Key": "wrong"}).status_code == 401
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for method, path in (("POST", "/v2/generate"), ("POST", "/v1/jobs/x/cancel"), ("PUT", "/v1/webhook")):
        assert asked.client.request(method, path, json={}, headers=evil).status_code == 403
