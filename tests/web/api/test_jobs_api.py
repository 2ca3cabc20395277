"""Jobs, events and ``/v2`` through HTTP, in an app of their own without key and guard."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from lipdub.errors import InputError, LipdubError
from lipdub.web.api import events, generate_v2, jobs
from lipdub.web.api.generate_v2 import Asset
from lipdub.web.jobs.job import Failure
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts
from lipdub.web.problems import problem_for


@dataclass
class Uploaded:
    """Files that are there, and the projects that were begun with them."""

    folder: Path
    begun: list[tuple[Asset, Asset | None]] = field(default_factory=list)

    def begin(self, video: Asset, audio: Asset | None) -> tuple[str, Path | None]:
        if video.upload == "gone":
            raise InputError("there is no such upload")
        self.begun.append((video, audio))
        return f"talk-{len(self.begun)}", None if audio is None else self.folder / "track.wav"


@dataclass
class Served:
    """A table of jobs and an app that shows it."""

    table: JobTable
    app: Starlette
    client: TestClient
    uploaded: Uploaded
    streams: events.EventStreams

    def get(self, path: str) -> Any:
        return self.client.get(path).json()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    table, uploaded = JobTable(tmp_path / "studio.sqlite3"), Uploaded(tmp_path)
    streams = events.EventStreams(table, heartbeat=0.2)

    def problem(request: Request, error: Exception) -> JSONResponse:
        told = problem_for(error)
        return JSONResponse(told.told(), told.status)

    app = Starlette(
        routes=[
            *jobs.routes(table, tmp_path),
            *events.routes(streams),
            *generate_v2.routes(table, uploaded, AllowedHosts(("127.0.0.1",))),
        ],
        exception_handlers={LipdubError: problem},
    )
    with TestClient(app) as client:
        yield Served(table, app, client, uploaded, streams)
    table.close()


def test_jobs_are_listed_in_pages_and_shown(served: Served) -> None:
    made = [served.table.add("render", f"p{n % 2}", str(n), {}).id for n in range(5)][::-1]
    first = served.get("/v1/jobs?page_size=3")
    assert [job["id"] for job in first["data"]] == made[:3]
    rest = served.get(f"/v1/jobs?page_size=3&cursor={first['next_cursor']}")
    assert ([job["id"] for job in rest["data"]], rest["next_cursor"]) == (made[3:], None)
    assert [job["id"] for job in served.get("/v1/jobs?project=p1")["data"]] == made[1::2]
    served.client.post(f"/v1/jobs/{made[0]}/cancel")
    assert [job["id"] for job in served.get("/v1/jobs?status=cancelled,failed")["data"]] == made[:1]
    assert served.get(f"/v1/jobs/{made[0]}")["status"] == "cancelled"


@pytest.mark.parametrize("query", ["page_size=0", "page_size=501", "page_size=x", "page_size=²", "status=open"])
def test_lists_refuse_what_makes_no_sense(served: Served, query: str) -> None:
    assert served.client.get(f"/v1/jobs?{query}").status_code == 422


def test_unknown_jobs(served: Served) -> None:
    for path in ("/v1/jobs/nothing", "/v1/jobs/nothing/file", "/v2/generate/nothing", "/v1/jobs?cursor=nothing"):
        answer = served.client.get(path)
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no job 'nothing'.")
    assert served.client.post("/v1/jobs/nothing/cancel").status_code == 404
    assert served.client.get("/v1/jobs/..%2f..%2fetc%2fpasswd/file").status_code == 404


def test_the_file_of_a_job(served: Served, tmp_path: Path) -> None:
    film = tmp_path / "größer.es.mp4"
    film.write_bytes(bytes(range(200)))
    job = served.table.add("render", "a", "es", {})
    assert served.client.get(f"/v1/jobs/{job.id}/file").status_code == 422
    served.table.take("one")
    served.table.complete(job.id, "one", {"film": "x", "_file": str(film)})
    answer = served.client.get(f"/v1/jobs/{job.id}/file", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "video/mp4"
    assert str(tmp_path) not in served.client.get(f"/v1/jobs/{job.id}").text
    film.unlink()
    assert "not there any more" in served.client.get(f"/v1/jobs/{job.id}/file").json()["detail"]


def test_an_address_is_told_of_every_job(served: Served) -> None:
    told = served.get("/v1/webhook")
    assert told["url"] == ""
    assert told["secret"].startswith("whsec_")
    assert served.client.put("/v1/webhook", json={"url": "https://example.com/hook"}).json()["secret"] == told["secret"]
    assert served.get("/v1/webhook")["url"] == "https://example.com/hook"
    for number, own in enumerate(("", "https://example.com/hook", "https://example.com/own")):
        job = served.table.add("render", str(number), "es", {}, webhook=own)
        served.table.cancel(job.id)
    with served.table.database.reading() as connection:
        sent = sorted(row["url"] for row in connection.execute("SELECT url FROM deliveries"))
    assert sent == [*["https://example.com/hook"] * 3, "https://example.com/own"]
    served.client.put("/v1/webhook", json={"url": ""})
    assert served.get("/v1/webhook")["url"] == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "http://example.com/"}, 422),
        ({"url": "https://169.254.169.254/"}, 422),
        ({"url": 7}, 422),
        ({"url": "x" * 3000}, 422),
        ({}, 422),
        ({"url": "", "more": 1}, 422),
        ([], 422),
    ],
)
def test_addresses_that_webhooks_may_not_go_to_are_not_taken(served: Served, body: Any, status: int) -> None:
    assert served.client.put("/v1/webhook", json=body).status_code == status
    assert served.get("/v1/webhook")["url"] == ""


def test_how_far_a_webhook_is(served: Served) -> None:
    job = served.table.add("render", "a", "es", {}, webhook="https://example.com/")
    assert "webhook" not in served.get(f"/v1/jobs/{job.id}")
    served.client.post(f"/v1/jobs/{job.id}/cancel")
    assert served.get(f"/v1/jobs/{job.id}")["webhook"] == {"status": "waiting", "attempts": 0}


# Events


async def some(stream: Any, count: int) -> list[dict[str, str]]:
    """The next ``count`` events of a stream; comments and greetings are left out."""
    found: list[dict[str, str]] = []
    async for text in stream:
        for part in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in part.split("\n") if not line.startswith(":") and line)
            if "data" in lines:
                found.append(lines)
        if len(found) >= count:
            break
    await stream.aclose()
    return found


def test_a_client_hears_what_happens_and_resumes_where_it_was(served: Served) -> None:
    table = served.table

    async def listen() -> None:
        streams = events.EventStreams(table)
        before = table.add("render", "before", "es", {})
        task = asyncio.create_task(some(streams.follow(None), 2))
        while not streams._looking:
            await asyncio.sleep(0.01)
        job = table.add("render", "a", "es", {})
        table.tell("project", {"project": "a", "language": "es", "revision": "2"})
        heard = await asyncio.wait_for(task, 60)
        assert [each["event"] for each in heard] == ["job", "project"]
        assert json.loads(heard[0]["data"])["id"] == job.id
        assert streams.clients == 0
        table.cancel(job.id)
        table.add("render", "b", "es", {})
        resumed = await asyncio.wait_for(some(streams.follow(int(heard[1]["id"])), 2), 60)
        assert [json.loads(each["data"])["project"] for each in resumed] == ["a", "b"]
        assert json.loads(resumed[0]["data"])["status"] == "cancelled"
        one = await asyncio.wait_for(some(streams.follow(0, "b"), 1), 60)
        assert json.loads(one[0]["data"])["project"] == "b"
        every = await asyncio.wait_for(some(streams.follow(0), 4), 60)
        assert json.loads(every[0]["data"])["id"] == before.id

    asyncio.run(listen())


def test_a_position_of_another_database_begins_now(served: Served) -> None:
    async def listen() -> None:
        streams = events.EventStreams(served.table)
        task = asyncio.create_task(some(streams.follow(10**12), 1))
        while not streams._looking:
            await asyncio.sleep(0.01)
        served.table.add("render", "a", "es", {})
        assert len(await asyncio.wait_for(task, 60)) == 1

    asyncio.run(listen())


def test_slow_and_quick_clients_all_end_with_the_newest_state(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads late gets what it missed from the database, in batches: nothing is kept for it."""
    monkeypatch.setattr("lipdub.web.api.events._RECENT", 7)
    monkeypatch.setattr("lipdub.web.api.events._BATCH", 5)
    table = served.table

    async def client(streams: events.EventStreams, pause: float, last: asyncio.Event) -> dict[str, str]:
        known: dict[str, str] = {}
        numbers: list[int] = []
        async for text in streams.follow(0):
            for part in filter(lambda part: "data: " in part, text.split("\n\n")):
                lines = dict(line.split(": ", 1) for line in part.split("\n"))
                numbers.append(int(lines["id"]))
                told = json.loads(lines["data"])
                known[told["id"]] = told["status"]
            await asyncio.sleep(pause)
            if last.is_set() and len(known) == 60 and "queued" not in known.values():
                break
        assert numbers == sorted(numbers)
        return known

    async def listen() -> None:
        streams, last = events.EventStreams(table, 0.05), asyncio.Event()
        tasks = [asyncio.create_task(client(streams, pause, last)) for pause in (0.0, 0.0, 0.01, 0.05, 0.1)]
        for number in range(60):
            job = table.add("render", f"p{number}", "es", {})
            await asyncio.sleep(0.002)
            table.cancel(job.id)
        last.set()
        for known in await asyncio.wait_for(asyncio.gather(*tasks), 60):
            assert set(known.values()) == {"cancelled"}
        assert streams.clients == 0

    asyncio.run(listen())


class Server(uvicorn.Server):
    """A server in a thread."""

    def install_signal_handlers(self) -> None:
        pass


def test_over_http_with_heartbeats_and_an_end(served: Served) -> None:
    streams = events.EventStreams(served.table, heartbeat=0.05)
    config = uvicorn.Config(Starlette(routes=events.routes(streams)), port=0, log_level="warning", lifespan="off")
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        served.table.add("render", "a", "es", {})
        url, again = f"http://127.0.0.1:{port}/v1/events", {"Last-Event-ID": "0"}
        with httpx.Client(timeout=60) as client, client.stream("GET", url, headers=again) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            heard = [next(lines) for _ in range(3)]
            assert heard == ["retry: 2000", "id: 0", ""]
            assert next(lines).startswith("id: ")
            assert next(lines) == "event: job"
            assert json.loads(next(lines).removeprefix("data: "))["project"] == "a"
            assert next(line for line in lines if line) == ": still here"
            assert server.config.loaded_app is not None
            streams._closed = True
            assert [line for line in lines if line and not line.startswith(":")] == []
    finally:
        server.should_exit = True
        thread.join()


# The alias


def asked(**changes: Any) -> dict[str, Any]:
    usual = {
        "model": "lipsync-2",
        "input": [{"type": "video", "assetId": "v"}, {"type": "audio", "assetId": "a", "language": "es"}],
        "options": {"consent": True},
    }
    return usual | changes


def generated(served: Served, body: Any, **headers: str) -> Any:
    return served.client.post("/v2/generate", json=body, headers=headers)


def test_a_generation_from_pending_to_completed(served: Served, tmp_path: Path) -> None:
    answer = generated(served, asked(webhookUrl="https://example.com/x"))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["status"], made["model"], made["outputUrl"]) == ("PENDING", "lipsync-2", None)
    assert made["input"] == asked()["input"]
    assert served.uploaded.begun == [(Asset(upload="v"), Asset(upload="a"))]
    job = served.table.take("one")
    assert job is not None
    assert (job.kind, job.project, job.language) == ("render", "talk-1", "es")
    assert job.request["audio"] == str(tmp_path / "track.wav")
    assert served.get(f"/v2/generate/{made['id']}")["status"] == "PROCESSING"
    served.table.complete(job.id, "one", {"seconds": 2.5, "_file": "x"})
    done = served.get(f"/v2/generate/{made['id']}")
    assert (done["status"], done["outputDuration"]) == ("COMPLETED", 2.5)
    assert done["outputUrl"] == f"http://testserver/v1/jobs/{made['id']}/file"
    assert [each["id"] for each in served.get("/v2/generations")["generations"]] == [made["id"]]


@pytest.mark.parametrize(("kind", "status"), [("input", "REJECTED"), ("machine", "FAILED"), ("bug", "FAILED")])
def test_a_generation_that_fails(served: Served, kind: str, status: str) -> None:
    made = generated(served, asked()).json()
    served.table.take("one")
    served.table.fail(made["id"], "one", Failure("Title", "What happened.", "What to do", kind))
    found = served.get(f"/v2/generate/{made['id']}")
    assert (found["status"], found["error"]) == (status, "What happened. What to do")


def test_a_text_is_spoken_and_options_have_their_equals(served: Served) -> None:
    body = asked(
        input=[
            {"type": "text", "provider": {"name": "x", "voiceId": "y", "script": "Hola"}, "language": "es"},
            {"type": "video", "url": "file:///films/a%20b.mp4"},
        ],
        options={"consent": True, "sync_mode": "bounce", "active_speaker_detection": {"coordinates": [12, 34.5]}},
    )
    assert generated(served, body).status_code == 201
    job = served.table.take("one")
    assert job is not None
    assert (job.request["line"], job.language) == ("Hola", "es")
    assert job.request["options"] == {"if_longer": "bounce", "face": ["12,34.5@0"]}
    assert served.uploaded.begun == [(Asset(path="/films/a b.mp4"), None)]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        "x",
        {"input": []},
        asked(options={}),
        asked(options={"consent": "yes"}),
        asked(options={"consent": True, "sync_mode": "loop"}),
        asked(options={"consent": True, "other": 1}),
        asked(options={"consent": True, "active_speaker_detection": {"frame_number": 3, "coordinates": [1, 2]}}),
        asked(input=[{"type": "video", "assetId": "v"}, {"type": "video", "assetId": "v"}]),
        asked(input=[{"type": "video", "assetId": "v"}]),
        asked(input=[{"type": "video"}, {"type": "audio", "assetId": "a"}]),
        asked(input=[{"type": "video", "url": "https://example.com/a.mp4"}, {"type": "audio", "assetId": "a"}]),
        asked(input=[{"type": "video", "url": "file://server/a.mp4"}, {"type": "audio", "assetId": "a"}]),
        asked(input=[{"type": "video", "assetId": "v"}, {"type": "text", "script": "Hola"}]),
        *(
            asked(
                input=[{"type": "video", "assetId": "v"}, {"type": "text", "script": text, "language": to, "voice": by}]
            )
            for text, to, by in (
                ("Hola", "es", "command:rm -rf /"),
                ("Hola", "es", "server:http://169.254.169.254/"),
                ("Ho\x00la", "es", ""),
                ("Hola", "e\x1bs", ""),
            )
        ),
        asked(input=[{"type": "video", "assetId": "gone"}, {"type": "audio", "assetId": "a"}]),
        asked(webhookUrl="http://169.254.169.254/"),
        asked(webhookUrl=7),
    ],
)
def test_generations_that_make_no_sense_are_refused_and_nothing_is_made(served: Served, body: Any) -> None:
    answer = generated(served, body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert served.table.jobs() == []
    assert served.uploaded.begun == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b" " * (1 << 21)])
def test_bodies_that_cannot_be_read(served: Served, raw: bytes) -> None:
    assert served.client.post("/v2/generate", content=raw).status_code == (413 if len(raw) > 1 << 20 else 400)


def test_an_idempotency_key_begins_one_generation(served: Served) -> None:
    first = generated(served, asked(), **{"Idempotency-Key": "k"})
    again = generated(served, asked(), **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(served.uploaded.begun) == 1
    assert generated(served, asked(model="other"), **{"Idempotency-Key": "k"}).status_code == 422
    assert generated(served, asked(), **{"Idempotency-Key": "x" * 300}).status_code == 422
    assert generated(served, asked(), **{"Idempotency-Key": "l"}).json()["id"] != first.json()["id"]
