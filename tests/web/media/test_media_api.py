"""The API of media: what there is, files in ranges, and no path from a request."""

import io
import json
import os
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_media import SPOKEN, DrawnMedia, drawn_media, record_film
from media_files import make_video
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from lipdub.disk.atomic import written_beside
from lipdub.errors import LipdubError
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.web.api import media
from lipdub.web.jobs.job import Failure
from lipdub.web.jobs.table import JobTable
from lipdub.web.media import playable
from lipdub.web.media.frames import frame_table
from lipdub.web.media.peaks import peaks
from lipdub.web.media.project_media import make_project_media
from lipdub.web.places import Places
from lipdub.web.problems import problem_of

MEDIA = "/v1/projects/talk/media"


@dataclass
class Served:
    """A studio with one project, and a client of its API."""

    drawn: DrawnMedia
    client: TestClient
    table: JobTable

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def serve(folder: Path, drawn: DrawnMedia) -> Served:
    places = Places(folder, ())
    places.make()

    def problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, LipdubError)
        told = problem_of(error)
        return JSONResponse(told.told(), told.status, media_type="application/problem+json")

    app = Starlette(routes=media.routes(places), exception_handlers={LipdubError: problem})
    return Served(drawn, TestClient(app), JobTable(places.database))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "studio"
    served = serve(folder, drawn_media(folder))
    yield served
    served.table.close()


@pytest.fixture
def ready(served: Served) -> Served:
    make_project_media(served.drawn.path)
    return served


def test_before_anything_was_made(served: Served) -> None:
    told = served.get(MEDIA).json()
    assert told["job"] is None
    assert told["languages"]["fr"] == {"film": None}
    for film in (told["source"], told["languages"]["es"]["film"]):
        assert (film["ready"], film["complete"], film["proxied"]) == (False, False, False)
        for name in ("video", "frames", "peaks"):
            answer = served.get(film[name])
            assert answer.status_code == 404
            assert answer.json()["remedy"]


def test_what_is_missing_is_made_by_a_job(served: Served) -> None:
    answer = served.client.post(MEDIA, json={})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["project"]) == ("view", "talk")
    assert served.get(MEDIA).json()["job"]["id"] == job["id"]
    assert served.client.post(MEDIA, json={}).status_code in (409, 422)


def test_nothing_is_made_where_nothing_is_missing(ready: Served) -> None:
    for _ in range(2):
        answer = ready.client.post(MEDIA, json={})
        assert (answer.status_code, answer.json()) == (200, {"job": None})
        ready.drawn.source.unlink(missing_ok=True)
    assert ready.table.jobs("talk") == []


def test_what_failed_is_not_tried_again_and_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.client.post(MEDIA, json={})
    job = served.table.take("worker")
    assert job is not None
    served.table.fail(job.id, "worker", Failure("Not a media file", "It is damaged.", ""))
    again = served.client.post(MEDIA, json={})
    assert (again.status_code, again.json()["job"]["id"]) == (200, job.id)
    monkeypatch.setattr(media, "_PAUSE", 0.0)
    later = served.client.post(MEDIA, json={})
    assert later.status_code == 202
    assert later.json()["id"] != job.id


def test_what_was_made_is_shown(ready: Served) -> None:
    told = ready.get(MEDIA).json()
    for film, file in ((told["source"], ready.drawn.source), (told["languages"]["es"]["film"], ready.drawn.film)):
        assert (film["ready"], film["complete"], film["proxied"], film["why"]) == (True, True, False, "")
        assert ready.get(film["video"]).content == file.read_bytes()
        table = ready.get(film["frames"]).json()
        assert table == frame_table(file).told()
        assert len(table["pts"]) == 51
        sound = ready.get(film["peaks"])
        assert sound.content == peaks(file)
        assert sound.headers["X-Per-Second"] == "100"


def test_a_proxy_is_played_where_the_film_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "studio"
    served = serve(folder, drawn_media(folder, ".mkv"))
    make_project_media(served.drawn.path)
    source = served.get(MEDIA).json()["source"]
    assert (source["ready"], source["proxied"], source["why"]) == (True, True, "is a matroska file")
    video = served.get(source["video"])
    assert video.headers["content-type"] == "video/mp4"
    assert video.content[4:8] == b"ftyp"
    assert served.get(f"{MEDIA}/source/video?of=film").status_code == 404
    served.table.close()


def test_what_can_be_played_at_once_waits_for_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "studio"
    served = serve(folder, drawn_media(folder))
    monkeypatch.setattr(playable, "_MOST_DECODED", 0)
    seen: list[list[tuple[bool, bool]]] = []

    def look(stage: str, done: int, total: int) -> None:
        told = served.get(MEDIA).json()
        films = (told["source"], told["languages"]["es"]["film"])
        if stage == "proxy" and not seen:
            seen.append([(film["ready"], film["complete"]) for film in films])

    make_project_media(served.drawn.path, look)
    assert seen == [[(True, False), (True, False)]]
    told = served.get(MEDIA).json()["source"]
    assert (told["ready"], told["complete"], told["proxied"], told["why"]) == (True, True, True, "")
    served.table.close()


def test_files_come_in_ranges_and_are_not_sent_twice(ready: Served) -> None:
    whole, url = ready.drawn.source.read_bytes(), f"{MEDIA}/source/video"
    first = ready.get(url)
    assert first.headers["accept-ranges"] == "bytes"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["last-modified"]
    part = ready.get(url, range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert ready.get(url, range="bytes=-10").content == whole[-10:]
    assert ready.get(url, range=f"bytes={len(whole)}-").status_code == 416
    stale = ready.get(url, range="bytes=100-199", if_range='"another"')
    assert (stale.status_code, stale.content) == (200, whole)
    same = ready.get(url, range="bytes=100-199", if_range=first.headers["etag"])
    assert same.status_code == 206
    known = ready.get(url, if_none_match=f'"old", {first.headers["etag"]}')
    assert (known.status_code, known.content) == (304, b"")
    assert ready.client.head(url).headers["content-length"] == str(len(whole))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/nobody/media",
        "/v1/projects/..%2Ftalk/media",
        f"{MEDIA}/de/video",
        f"{MEDIA}/..%2F..%2Ftalk.mp4/video",
        f"{MEDIA}/%2Fetc%2Fpasswd/video",
        f"{MEDIA}/../frames",
        f"{MEDIA}/%00/peaks",
        f"{MEDIA}/fr/video",
        "/v1/projects/talk/people/2/picture",
        "/v1/projects/talk/people/..%2Fpeople%2F1/picture",
        "/v1/projects/talk/people/%2E%2E/picture",
        "/v1/projects/talk/languages/es/segments/1/takes/2/audio",
        "/v1/projects/talk/languages/es/segments/1/takes/-1/audio",
        "/v1/projects/talk/languages/es/segments/1/takes/1e3/audio",
        "/v1/projects/talk/languages/es/segments/%2E%2E/takes/1/audio",
        "/v1/projects/talk/languages/..%2Fes/segments/1/takes/1/audio",
        f"/v1/projects/talk/languages/es/segments/1/takes/{'9' * 5000}/audio",
    ],
)
def test_names_from_requests_are_looked_up_only(ready: Served, path: str) -> None:
    answer = ready.get(path)
    assert answer.status_code == 404
    assert str(ready.drawn.path.parent) not in answer.text


@pytest.mark.parametrize("at", ["", "-1", "nan", "1e9", "1/3", "12345678", "٣", "1.5x"])
def test_times_that_are_none_are_refused(ready: Served, at: str) -> None:
    assert ready.client.get("/v1/projects/talk/faces", params={"at": at}).status_code == 422


def test_nobody_is_known_before_the_source_is_analysed(ready: Served) -> None:
    assert ready.get("/v1/projects/talk/faces?at=0.5").json() == []
    assert ready.get("/v1/projects/talk/people/1/picture").headers["content-type"] == "image/jpeg"


def test_links_among_the_pictures_are_not_followed(ready: Served) -> None:
    secret = ready.drawn.path.parent / "secret"
    secret.write_text("nobody's business")
    (ready.drawn.path / "people" / "2.jpg").symlink_to(secret)
    assert ready.get("/v1/projects/talk/people/2/picture").status_code == 404


def test_the_speech_of_a_take_is_heard(ready: Served) -> None:
    answer = ready.get("/v1/projects/talk/languages/es/segments/1/takes/1/audio")
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, 48000, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert np.abs(samples / 32767 - SPOKEN).max() < 1e-4
    assert ready.get(str(answer.url), range="bytes=0-3").content == b"RIFF"


def test_a_damaged_take_is_not_heard(ready: Served) -> None:
    [voice] = ready.drawn.path.glob("takes/es/1/1/voice.npy")
    voice.write_bytes(b"nothing of the kind")
    assert ready.get("/v1/projects/talk/languages/es/segments/1/takes/1/audio").status_code in (404, 422)


def test_a_source_that_is_gone(ready: Served) -> None:
    ready.drawn.source.unlink()
    told = ready.get(MEDIA).json()
    assert (told["source"]["ready"], told["source"]["why"]) == (False, "is not there any more")
    assert told["languages"]["es"]["film"]["ready"]
    assert ready.get(f"{MEDIA}/source/video").status_code == 422
    assert ready.get("/v1/projects/talk/faces?at=0.5").json() == []


def test_a_film_that_was_replaced_by_another_file_is_none(ready: Served) -> None:
    make_video(ready.drawn.film, count=20)
    assert ready.get(MEDIA).json()["languages"]["es"] == {"film": None}
    assert ready.get(f"{MEDIA}/es/video").status_code == 404
    record_film(ProjectFolder(ready.drawn.path), ready.drawn.film)
    assert not ready.get(MEDIA).json()["languages"]["es"]["film"]["ready"]
    make_project_media(ready.drawn.path)
    assert len(ready.get(f"{MEDIA}/es/frames").json()["pts"]) == 21


def test_kept_work_may_go_at_any_time(ready: Served, own_cache: Path) -> None:
    shutil.rmtree(own_cache / "work")
    assert not ready.get(MEDIA).json()["source"]["ready"]
    make_project_media(ready.drawn.path)
    assert ready.get(MEDIA).json()["source"]["ready"]


def test_a_slowed_film_has_a_clock(ready: Served) -> None:
    film = ready.drawn.film
    point = {"file": 0.5, "clip": 0.5}
    told: dict[str, Any] = {
        "output": {"path": str(film), "start": 0.0, "duration": 3.0},
        "length": {"clock": {"points": [point, {"file": 1.5, "clip": 2.5}], "outside": 1.0}},
    }
    with written_beside(film.with_name("talk.es.report.json")) as report:
        report.write_text(json.dumps(told))
    clock = ready.get(MEDIA).json()["languages"]["es"]["film"]["clock"]
    assert clock == {"points": [[0.0, 0.0], [0.5, 0.5], [2.5, 1.5], [3.0, 2.0]]}
    told["length"]["clock"] = {"points": [point], "outside": 2.0}
    film.with_name("talk.es.report.json").write_text(json.dumps(told))
    clock = ready.get(MEDIA).json()["languages"]["es"]["film"]["clock"]
    assert clock == {"points": [[0.0, 0.25], [0.5, 0.5], [3.0, 1.75]]}
    told["output"]["path"] = "/another/film.mp4"
    film.with_name("talk.es.report.json").write_text(json.dumps(told))
    assert "clock" not in ready.get(MEDIA).json()["languages"]["es"]["film"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_film_that_may_not_be_read(ready: Served) -> None:
    ready.drawn.film.chmod(0)
    assert ready.get(f"{MEDIA}/es/video").status_code in (404, 422)
