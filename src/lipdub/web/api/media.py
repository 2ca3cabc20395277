"""What the page plays and draws: films, tables of their frames, waveforms, faces, pictures of people, speech of takes.

GET  /v1/projects/{p}/media                      what there is; see ``_shown``
POST /v1/projects/{p}/media                      make what is missing: a job "view" (202; else see ``make``)
GET  /v1/projects/{p}/media/{what}/video         a file that browsers play (what: "source", or a language)
GET  /v1/projects/{p}/media/{what}/frames        {"pts": [...], "rate", "timecode", "drop", "constant"}
GET  /v1/projects/{p}/media/{what}/peaks         int8 pairs (least, greatest), X-Per-Second of them in a second
GET  /v1/projects/{p}/faces?at=SECONDS           [{"person", "box": [left, top, width, height]}], 0..1
GET  /v1/projects/{p}/people/{id}/picture        JPEG
GET  /v1/projects/{p}/languages/{l}/segments/{s}/takes/{n}/audio    WAV

Files are sent with ETag and Last-Modified, and in ranges. No name from a request becomes part of a path: ids are looked
up among those of the project. Nothing is decoded here: that is done by the job "view", in another process.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from lipdub.errors import InputError, OptionError
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.web.jobs.table import JobTable
from lipdub.web.media.faces import faces_at, picture_of
from lipdub.web.media.frames import kept_table
from lipdub.web.media.peaks import PER_SECOND, kept_peaks
from lipdub.web.media.project_media import (
    SOURCE,
    ProjectMedia,
    ShownFilm,
    film_clock,
    film_of,
    project_media,
    source_of,
)
from lipdub.web.media.take_sound import take_sound
from lipdub.web.media.view import view_of
from lipdub.web.places import Places
from lipdub.web.problems import NotThere

_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_KEPT = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
"""Browsers ask each time whether a file is still the same, by its ETag."""

_MAKE = "Make it: POST to the media of the project"
_PAUSE = 30.0
"""Seconds after a failed job before the same is tried again."""

_MOST_SECONDS = 1_000_000


def routes(places: Places, table: JobTable | None = None) -> list[Route]:
    """The routes of media. ``table`` takes the job that makes what is missing (None: that of ``places``). Their
    errors are ``LipdubError``s: the app makes problem documents of them."""
    media, project = _Media(places, table), "/v1/projects/{p}"
    listed: tuple[tuple[str, Callable[[Request], Response], str], ...] = (
        (f"{project}/media", media.every, "GET"),
        (f"{project}/media", media.make, "POST"),
        (f"{project}/media/{{what}}/video", media.video, "GET"),
        (f"{project}/media/{{what}}/frames", media.frames, "GET"),
        (f"{project}/media/{{what}}/peaks", media.peaks, "GET"),
        (f"{project}/faces", media.faces, "GET"),
        (f"{project}/people/{{id}}/picture", media.picture, "GET"),
        (f"{project}/languages/{{l}}/segments/{{s}}/takes/{{n}}/audio", media.take, "GET"),
    )
    return [Route(path, do, methods=[method]) for path, do, method in listed]


class _Media:
    """The answers. Starlette calls them in threads."""

    def __init__(self, places: Places, table: JobTable | None) -> None:
        self._places, self._given = places, table

    @property
    def _table(self) -> JobTable:
        if self._given is None:
            self._given = JobTable(self._places.database)
        return self._given

    def every(self, request: Request) -> Response:
        """What there is of the source and of the films."""
        id = request.path_params["p"]
        shown = _shown(id, project_media(self._project(request)))
        running = [job for job in self._table.jobs(id, status=("queued", "processing")) if job.kind == "view"]
        return JSONResponse({**shown, "job": running[0].shown() if running else None}, headers=_FRESH)

    def make(self, request: Request) -> Response:
        """Make what is missing. 200 and no job if nothing is; 200 and the job that failed, if it did just now: pages
        ask again after each job."""
        id = request.path_params["p"]
        if project_media(self._project(request)).complete:
            return JSONResponse({"job": None}, headers=_FRESH)
        views = [job for job in self._table.jobs(id) if job.kind == "view"]
        if views and views[0].status == "failed" and self._table.clock() - views[0].ended < _PAUSE:
            return JSONResponse({"job": views[0].shown()}, headers=_FRESH)
        job = self._table.add("view", id, "", {})
        return JSONResponse(job.shown(), status_code=202, headers=_FRESH)

    def video(self, request: Request) -> Response:
        """A film, in ranges. ?of=film or ?of=proxy: that one, so that a file does not change while it is played."""
        film = self._film(request)
        view, wanted = view_of(film), re.match(r"film|proxy", request.query_params.get("of", ""))
        proxied = view is not None and view.proxied
        if view is not None and wanted is not None and proxied != (wanted[0] == "proxy"):
            view = None
        if view is None:
            raise NotThere("browsers cannot play this film yet", remedy=_MAKE)
        return _file(request, view.file, "video/mp4")

    def frames(self, request: Request) -> Response:
        """The table of the frames of a film."""
        table = kept_table(self._film(request))
        if table is None:
            raise NotThere("the frames of this film are not listed yet", remedy=_MAKE)
        return JSONResponse(table.told(), headers=_FRESH)

    def peaks(self, request: Request) -> Response:
        """The waveform of a film."""
        found = kept_peaks(self._film(request))
        if found is None:
            raise NotThere("there is no waveform of this film yet", remedy=_MAKE)
        return _file(request, found, "application/octet-stream", {"X-Per-Second": str(PER_SECOND)})

    def faces(self, request: Request) -> Response:
        """The faces in a frame of the source."""
        at = _seconds(request.query_params.get("at", ""))
        found = faces_at(self._project(request), at)
        return JSONResponse([{"person": face.person, "box": face.box} for face in found], headers=_FRESH)

    def picture(self, request: Request) -> Response:
        """The picture of a person."""
        found = picture_of(self._project(request), request.path_params["id"])
        if found is None:
            raise NotThere("there is no picture of this person")
        return _file(request, found, "image/jpeg")

    def take(self, request: Request) -> Response:
        """The speech of a take."""
        given = request.path_params
        number = int(given["n"]) if re.fullmatch(r"[0-9]{1,6}", given["n"]) else 0
        found = take_sound(self._project(request), given["l"], given["s"], number)
        if found is None:
            raise NotThere("there is no speech of such a take")
        return _file(request, found, "audio/wav")

    def _project(self, request: Request) -> Path:
        """The folder of the project of a request. Raises ``NotThere`` for one that has no manifest yet, too."""
        try:
            folder = self._places.project(request.path_params["p"])
        except InputError as unknown:
            raise NotThere(unknown.what, remedy=unknown.remedy) from unknown
        if not ProjectFolder(folder).exists:
            raise NotThere("nothing of this project was planned yet", remedy="Plan a language of it first")
        return folder

    def _film(self, request: Request) -> Path:
        """The source of a project, or the film of a language, by the name ``what`` of a request."""
        project, what = self._project(request), request.path_params["what"]
        film = source_of(project) if what == SOURCE else film_of(project, what)
        if film is None:
            raise NotThere("there is no such film", remedy="Make it, or look whether it was moved")
        return film


def _shown(id: str, media: ProjectMedia) -> dict[str, Any]:
    """{"source": film, "languages": {language: {"film": film or null}}}, and a film is {"video", "frames", "peaks":
    addresses, "proxied", "ready", "complete", "made", "why"}.

    ``ready``: it can be played, with its frames and waveform; ``complete``: nothing is left to make (a proxy that is
    faster to seek in). ``why`` browsers do not play the film itself, or why a source is not shown. A film whose picture
    was slowed has "clock": {"points": [[time of the film, time of the source], ...]}, between which both run evenly.
    """
    films: dict[str, Any] = {language: {"film": None} for language in media.languages}
    for language, film in media.films.items():
        clock = film_clock(film)
        told = _film_shown(id, language, film) | ({} if clock is None else {"clock": {"points": clock}})
        films[language] = {"film": told}
    gone = {"video": None, "frames": None, "peaks": None, "proxied": False, "ready": False, "complete": True, "made": 0}
    source = gone | {"why": "is not there any more"} if media.source is None else _film_shown(id, SOURCE, media.source)
    return {"source": source, "languages": films}


def _film_shown(id: str, what: str, film: ShownFilm) -> dict[str, Any]:
    base = f"/v1/projects/{quote(id, safe='')}/media/{quote(what, safe='')}"
    proxied = film.view is not None and film.view.proxied
    return {
        "video": f"{base}/video?of={'proxy' if proxied else 'film'}",
        "frames": f"{base}/frames",
        "peaks": f"{base}/peaks",
        "proxied": proxied,
        "ready": film.playable,
        "complete": film.complete,
        "made": round(film.made, 3),
        "why": film.why,
    }


def _file(request: Request, file: Path, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    """A file as it is; a part of it if the request asks for a range (RFC 9110, 14), and nothing if the browser has it
    already."""
    try:
        state = file.stat()
    except OSError as gone:
        raise NotThere("this file was removed meanwhile", remedy=_MAKE) from gone
    answer = FileResponse(file, media_type=kind, headers={**_KEPT, **(headers or {})}, stat_result=state)
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if answer.headers["etag"] in known:
        return Response(status_code=304, headers={**_KEPT, "ETag": answer.headers["etag"]})
    return answer


def _seconds(text: str) -> Fraction:
    """An instant that a request names. Raises ``OptionError``."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,12})?", text, re.ASCII) or Fraction(text) > _MOST_SECONDS:
        raise OptionError("at: this is no time in seconds", remedy="Write, for example, at=12.5")
    return Fraction(text)
