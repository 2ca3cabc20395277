"""A small studio that keeps everything in memory: what the page asks for, with made media.

It answers as the studio's API does (``docs/studio.md``) but plans and renders nothing: jobs take a moment and end well.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import made_media
import uvicorn
from mock_dub import SPANS, Dub, Refused
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
PEOPLE = [("1", "Ana", 0), ("2", "Ben", 1)]


@dataclass
class Project:
    """A project as the mock keeps it."""

    id: str
    name: str
    seconds: float = 16
    dubs: dict[str, Dub] = field(default_factory=dict)
    ranges: list[dict[str, float]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=lambda: {p: n for p, n, _ in PEOPLE})


def write_media(folder: Path) -> dict[str, bytes]:
    """Write ``source.mp4`` and ``film.mp4`` into ``folder``; gives the peaks of their sound."""
    spoken = [(start + 0.05, end - 0.1) for start, end in SPANS]
    return {
        "source": made_media.write_clip(folder / "source.mp4", SPANS, dubbed=False),
        "film": made_media.write_clip(folder / "film.mp4", spoken, dubbed=True),
    }


class Mock:
    """The state of the studio and its answers."""

    def __init__(self, folder: Path, peaks: dict[str, bytes] | None = None, wait: float = 0.25) -> None:
        self.folder, self.wait = folder, wait
        self.projects = {
            "talk": Project("talk", "Bread, a talk", dubs={"es": Dub("es"), "fr": Dub("fr", 5)}),
            "long": Project("long", "Five hundred lines", 1000, {"es": Dub("es", 500, 1000)}),
        }
        self.jobs: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.running: set[asyncio.Task[None]] = set()
        self.seen: list[tuple[str, str, Any]] = []
        self.peaks = write_media(folder) if peaks is None else peaks

    # --- what is shown

    def project(self, request: Request) -> Project:
        found = self.projects.get(request.path_params["p"])
        if found is None:
            raise Refused(404, "There is no such project", "it was not found in the studio's folder")
        return found

    def dub(self, request: Request) -> Dub:
        return self.project(request).dubs[request.path_params["l"]]

    def shown(self, project: Project) -> dict[str, Any]:
        base = f"/v1/projects/{project.id}"
        languages = []
        for dub in project.dubs.values():
            counts = {
                state: sum(s["state"] == state for s in dub.segments)
                for state in ("made", "missing", "changed", "left")
            }
            status = "stale" if counts["changed"] or counts["missing"] else "completed"
            languages.append(
                {
                    "language": dub.language,
                    "status": status,
                    "revision": str(dub.revision),
                    "counts": counts,
                    "film": dub.film,
                }
            )
        people = [
            {"id": p, "name": project.names[p], "picture": f"{base}/people/{p}/picture", "lane": lane,
             "spans": [{"start": 0, "end": project.seconds}]}
            for p, _, lane in PEOPLE
        ]  # fmt: skip
        source = {
            "name": f"{project.id}.mp4", "duration": project.seconds, "width": 640, "height": 360, "frames": 400,
            "rate": "25", "digest": "0" * 64, "exists": True,
        }  # fmt: skip
        busy = [job for job in self.jobs.values() if job["project"] == project.id and job["status"] == "processing"]
        status = "processing" if busy else "ready" if project.dubs else "empty"
        return {
            "id": project.id, "name": project.name, "status": status, "source": source, "languages": languages,
            "people": people, "ranges": project.ranges, "consent": True, "job": busy[0] if busy else None,
        }  # fmt: skip

    def language(self, request: Request) -> dict[str, Any]:
        dub, project = self.dub(request), self.project(request)
        return {
            "language": dub.language, "status": "completed", "revision": str(dub.revision), "source_language": "en",
            "segments": deepcopy(dub.segments), "left_as_filmed": dub.left, "notes": [], "film": dub.film,
            "shots": [{"start": a, "end": b} for a, b in ((0.0, 6.48), (6.48, 13.6), (13.6, project.seconds))],
        }  # fmt: skip

    # --- jobs

    def tell(self, event: str, data: dict[str, Any]) -> None:
        self.events.append((event, deepcopy(data)))

    def start(self, kind: str, project: str, language: str, end: Any, total: int = 4) -> Response:
        for job in self.jobs.values():
            same = (job["kind"], job["project"], job["language"]) == (kind, project, language)
            if same and job["status"] in ("queued", "processing"):
                raise Refused(409, "This is being made already", "a job for this language is in work", job=job)
        ident = f"j{len(self.jobs) + 1}"
        job = {
            "id": ident, "kind": kind, "project": project, "language": language, "status": "queued", "attempts": 1,
            "progress": None, "created": "2026-11-29T12:00:00+00:00", "started": None, "ended": None,
        }  # fmt: skip
        self.jobs[ident] = job
        self.tell("job", job)
        task = asyncio.ensure_future(self._work(job, end, total))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return JSONResponse(job, 202)

    async def _work(self, job: dict[str, Any], end: Any, total: int) -> None:
        for done in range(total + 1):
            if job["status"] == "cancelled":
                return
            job |= {
                "status": "processing",
                "progress": {"stage": "render" if done else "plan", "done": done, "total": total},
            }
            self.tell("job", job)
            await asyncio.sleep(self.wait)
        if job["status"] == "cancelled":
            return
        job |= {"status": "completed", "result": end() or {}, "ended": "2026-11-29T12:00:09+00:00"}
        self.tell("job", job)

    def told(self, project: str, language: str) -> None:
        dub = self.projects[project].dubs[language]
        self.tell("project", {"project": project, "language": language, "revision": str(dub.revision)})

    # --- answers

    async def edit(self, request: Request) -> Response:
        dub, body = self.dub(request), await request.json()
        self.seen.append(("edits", request.path_params["p"], body))
        dub.check(body.get("revision") or request.headers.get("if-match"))
        ranges = [one for one in body["edits"] if one["op"] == "ranges"]
        project, undo = self.project(request), []
        for one in ranges:
            undo.append({"op": "ranges", "ranges": project.ranges})
            project.ranges = one["ranges"]
        answer = dub.apply([one for one in body["edits"] if one["op"] != "ranges"])
        answer["undo"] += undo
        self.told(project.id, dub.language)
        return JSONResponse(answer, headers={"ETag": f'"{dub.revision}"'})

    async def patch(self, request: Request) -> Response:
        dub, fields = self.dub(request), await request.json()
        self.seen.append(("patch", request.path_params["s"], fields))
        dub.check(request.headers.get("if-match"))
        answer = dub.apply([{"op": "set", "segment": request.path_params["s"], "fields": fields}])
        self.told(request.path_params["p"], dub.language)
        return JSONResponse(answer["segments"][0] | {"revision": answer["revision"], "undo": answer["undo"]})

    async def redo(self, request: Request) -> Response:
        dub, body = self.dub(request), await request.json()
        stale = [one["id"] for one in dub.segments if one["status"] == "stale"]
        chosen = stale if body["segments"] == "stale" else body["segments"]
        self.seen.append(("redo", request.path_params["p"], chosen))
        self.seen.append(("changes", request.path_params["p"], body.get("changes")))

        def end() -> None:
            dub.made_again(chosen)
            dub.film = {"name": f"talk.{dub.language}.mp4", "made": str(dub.revision), "url": "#"}
            self.told(request.path_params["p"], dub.language)

        return self.start("redo", request.path_params["p"], dub.language, end)

    async def hear(self, request: Request) -> Response:
        line = self.dub(request).line(request.path_params["s"])
        base = f"/v1/projects/{request.path_params['p']}/media/film/video"
        result = {"audio": base, "start": line["start"], "end": line["end"], "rate": 1.12, "missing": 0}
        return self.start("hear", request.path_params["p"], request.path_params["l"], lambda: result, 1)

    async def stale(self, request: Request) -> Response:
        stale = [one["id"] for one in self.dub(request).segments if one["status"] == "stale"]
        return JSONResponse({"lines": stale, "seconds": 21 * len(stale), "film_seconds": 18})

    async def takes(self, request: Request) -> Response:
        audio = f"/v1/projects/{request.path_params['p']}/media/film/video"
        return JSONResponse(
            {"data": self.dub(request).listed_takes(request.path_params["s"], audio), "next_cursor": None}
        )

    async def choose(self, request: Request) -> Response:
        dub = self.dub(request)
        line = dub.line(request.path_params["s"])
        line["take"] = int(request.path_params["n"])
        dub.revision += 1
        self.told(request.path_params["p"], dub.language)
        return JSONResponse({**line, "revision": str(dub.revision)})

    async def export(self, request: Request) -> Response:
        self.seen.append(("export", request.path_params["p"], (await request.json())["format"]))
        return JSONResponse({"url": "/v1/files/token-of-the-export"})

    async def add_language(self, request: Request) -> Response:
        project, body = self.project(request), await request.json()

        def end() -> None:
            project.dubs[body["language"]] = Dub(body["language"], 6)
            self.told(project.id, body["language"])

        return self.start("plan", project.id, body["language"], end)

    async def create(self, request: Request) -> Response:
        body = await request.json()
        self.seen.append(("create", "", body))
        if body.get("consent") is not True:
            raise Refused(
                422, "Do the people agree?", "consent: say that the people who are shown agree", field="consent"
            )
        ident = body["name"].lower().replace(" ", "-")
        self.projects[ident] = project = Project(ident, body["name"])

        def end() -> None:
            project.dubs[body.get("to", "es")] = Dub(body.get("to", "es"))
            self.told(ident, body.get("to", "es"))

        self.start("plan", ident, body.get("to", "es"), end)
        return JSONResponse({"project": self.shown(project), "job": None}, 201)

    async def demo(self, request: Request) -> Response:
        def end() -> dict[str, str]:
            self.projects["demo"] = Project("demo", "demo", dubs={"es": Dub("es", 2)})
            self.told("demo", "es")
            return {"project": "demo"}

        return self.start("demo", "demo", "es", end)

    async def upload(self, request: Request) -> Response:
        if request.method == "POST":
            ident = f"u{len(self.uploads) + 1}"
            self.uploads[ident] = {"got": 0} | await request.json()
            return JSONResponse({"id": ident, "offset": 0}, 201, headers={"Location": f"/v1/uploads/{ident}"})
        kept = self.uploads[request.path_params["u"]]
        if request.method == "PATCH":
            if int(request.headers["upload-offset"]) != kept["got"]:
                raise Refused(409, "Wrong offset", "the upload is elsewhere")
            kept["got"] += len(await request.body())
            return Response(status_code=204, headers={"Upload-Offset": str(kept["got"])})
        return Response(headers={"Upload-Offset": str(kept["got"]), "Upload-Length": str(kept["size"])})

    async def cancel(self, request: Request) -> Response:
        job = self.jobs[request.path_params["j"]]
        job |= {"status": "cancelled", "ended": "2026-11-29T12:00:09+00:00"}
        self.tell("job", job)
        return JSONResponse(job)

    async def rename(self, request: Request) -> Response:
        self.project(request).names[request.path_params["who"]] = (await request.json())["name"]
        return JSONResponse(self.shown(self.project(request))["people"][int(request.path_params["who"]) - 1])

    def media(self, request: Request) -> Response:
        project = self.project(request)
        base = f"/v1/projects/{project.id}/media"
        urls = {what: {k: f"{base}/{what}/{k}" for k in ("video", "frames", "peaks")} for what in ("source", "film")}
        films = {
            lang: {"film": urls["film"] | {"ready": True, "made": (dub.film or {}).get("made")} if dub.film else None}
            for lang, dub in project.dubs.items()
        }
        return JSONResponse({"source": urls["source"] | {"proxied": False, "ready": True}, "languages": films})

    def frames(self, request: Request) -> Response:
        pts = [n / 25 for n in range(401)]
        return JSONResponse({"pts": pts, "rate": "25/1", "timecode": "10:00:00:00", "drop": False})

    def stream(self, request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            sent = int(request.headers.get("last-event-id", len(self.events)))
            yield ": hello\n\n"
            while not self.stopped:
                for number, (event, data) in enumerate(self.events[sent:], sent + 1):
                    yield f"id: {number}\nevent: {event}\ndata: {json.dumps(data)}\n\n"
                    sent = number
                await asyncio.sleep(0.03)

        return StreamingResponse(lines(), media_type="text/event-stream")

    stopped = False

    def status(self, request: Request) -> Response:
        voices = [{"name": n, "label": n, "languages": ["es"]} for n in ("nanotts", "kokoro")]
        return JSONResponse(
            {"version": "0.1.0", "jobs": {"queued": 0, "processing": 0}, "limits": {"upload_bytes": 8 << 30},
             "voices": voices, "engines": ["exemplar", "ltx"], "consent_statement": "Everybody agreed."}
        )  # fmt: skip


def app(mock: Mock) -> Starlette:
    """The routes over ``mock``, and the page."""

    def get(answer: Any) -> Any:
        async def called(request: Request) -> Response:
            found = answer(request)
            return found if isinstance(found, Response) else JSONResponse(found)

        return called

    def file(request: Request) -> Response:
        return FileResponse(mock.folder / f"{request.path_params['what']}.mp4")

    def peaks(request: Request) -> Response:
        body = mock.peaks[request.path_params["what"]]
        return Response(body, media_type="application/octet-stream", headers={"X-Per-Second": "100"})

    def faces(request: Request) -> Response:
        return JSONResponse(made_media.boxes_at(float(request.query_params["at"])))

    def picture(request: Request) -> Response:
        return Response(made_media.person_picture(request.path_params["who"]), media_type="image/jpeg")

    async def refused(request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refused)
        body = {"type": "about:blank", "title": refusal.title, "status": refusal.status, "detail": refusal.detail}
        return JSONResponse(body | refusal.more, refusal.status, media_type="application/problem+json")

    async def set_ranges(request: Request) -> Response:
        mock.project(request).ranges = await request.json()
        return JSONResponse(mock.project(request).ranges)

    listed = lambda data: {"data": data, "next_cursor": None}  # noqa: E731
    one, lang = "/v1/projects/{p}", "/v1/projects/{p}/languages/{l}"
    line = lang + "/segments/{s}"
    routes = [
        Route("/v1/status", mock.status),
        Route("/v1/projects", get(lambda r: listed([mock.shown(p) for p in mock.projects.values()]))),
        Route("/v1/projects", mock.create, methods=["POST"]),
        Route("/v1/projects/demo", mock.demo, methods=["POST"]),
        Route(one, get(lambda r: mock.shown(mock.project(r)))),
        Route(one + "/ranges", set_ranges, methods=["PUT"]),
        Route(one + "/languages", mock.add_language, methods=["POST"]),
        Route(one + "/media", get(lambda r: mock.media(r)), methods=["GET", "POST"]),
        Route(one + "/media/{what}/video", get(file)),
        Route(one + "/media/{what}/frames", get(mock.frames)),
        Route(one + "/media/{what}/peaks", get(peaks)),
        Route(one + "/faces", get(faces)),
        Route(one + "/people/{who}/picture", get(picture)),
        Route(one + "/people/{who}", mock.rename, methods=["PATCH"]),
        Route(lang, get(mock.language)),
        Route(lang + "/edits", mock.edit, methods=["POST"]),
        Route(lang + "/stale", mock.stale),
        Route(lang + "/redo", mock.redo, methods=["POST"]),
        Route(lang + "/export", mock.export, methods=["POST"]),
        Route(line, mock.patch, methods=["PATCH"]),
        Route(line + "/hear", mock.hear, methods=["POST"]),
        Route(line + "/takes", mock.takes),
        Route(line + "/takes/{n}/choose", mock.choose, methods=["POST"]),
        Route("/v1/uploads", mock.upload, methods=["POST"]),
        Route("/v1/uploads/{u}", mock.upload, methods=["PATCH", "HEAD"]),
        Route("/v1/jobs", get(lambda r: listed(list(mock.jobs.values())))),
        Route("/v1/jobs/{j}/cancel", mock.cancel, methods=["POST"]),
        Route("/v1/jobs/{j}", get(lambda r: mock.jobs[r.path_params["j"]])),
        Route("/v1/events", get(mock.stream)),
        Route("/v1/files/{token}", get(lambda r: Response(b"...", headers={"Content-Disposition": "attachment"}))),
        Route("/favicon.ico", get(lambda r: RedirectResponse("/icon.svg"))),
        Route("/frames.js", get(lambda r: FileResponse(str(files("lipdub.review") / "frames.js")))),
        Mount("/", StaticFiles(directory=str(files("lipdub.web") / "page"), html=True)),
    ]
    made = Starlette(routes=routes, exception_handlers={Refused: refused})
    return made


class WithPolicy:
    """Adds the headers that the studio sends with its page."""

    def __init__(self, inner: Starlette) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(b"content-security-policy", CSP.encode()), (b"cache-control", b"no-store")]
            await send(message)

        await self.inner(scope, receive, sent)


@contextlib.contextmanager
def served(mock: Mock, port: int = 0) -> Iterator[str]:
    """Serve ``mock`` on a port of this machine while the block runs; gives its address."""
    config = uvicorn.Config(WithPolicy(app(mock)), port=port, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    mock.stopped = False
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        mock.stopped = server.should_exit = server.force_exit = True
        thread.join(10)
