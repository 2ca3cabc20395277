"""The studio's page: its files are read once, and no name from outside becomes part of a path."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lipdub.web.problems import NotThere

FOLDER = Path(__file__).parent / "page"

FRAMES = FOLDER.parents[1] / "review" / "frames.js"
"""The script that shows exactly one frame: review pages have it inside, the studio's page loads it as a module."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}

_NO_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>lipdub studio</title>
<h1>lipdub studio</h1><p>This installation has no page. The API is here: <a href="/docs">docs</a>.</p></html>
"""


@dataclass(frozen=True)
class PageFile:
    """One file of the page: its content, its type and its tag."""

    content: bytes
    type: str
    tag: str


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """The files of the page by their path, with slashes, and ``FRAMES``. Files of other types are left out."""
    out = {}
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        kind = _TYPES.get(file.suffix, "text/plain; charset=utf-8" if file.name.startswith("LICENSE") else "")
        if kind and file.is_file():
            out[file.relative_to(folder).as_posix()] = _page_file(file.read_bytes(), kind)
    out[FRAMES.name] = _page_file(FRAMES.read_bytes(), _TYPES[FRAMES.suffix])
    out.setdefault("index.html", _page_file(_NO_PAGE, _TYPES[".html"]))
    return out


def routes(files: dict[str, PageFile]) -> list[Route]:
    """The routes of the page: ``/`` and its files. They come last: every other address is tried before."""

    def answer(request: Request) -> Response:
        name = request.path_params.get("file", "index.html")
        found = files.get(str(PurePosixPath(name)))
        if found is None:
            raise NotThere("there is nothing at this address")
        headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.type)

    return [Route("/", answer, methods=["GET"]), Route("/{file:path}", answer, methods=["GET"])]


def _page_file(content: bytes, kind: str) -> PageFile:
    return PageFile(content, kind, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
