"""The alias ``/v2``: one call takes a clip and what it shall say, in the shape of sync.so's API. Behind it are the same
projects and jobs: a generation is a project of its own and one job ``render`` in it.

    POST /v2/generate                     {"model": "lipdub", "input": [...], "options": {"consent": true}}  →  201
    GET  /v2/generate/{id}
    GET  /v2/generations?page_size=&cursor=

``input`` has one {"type": "video", "assetId" or "url"} and one {"type": "audio", "assetId" or "url"} or {"type":
"text", "script", "language"}. An assetId is the id of a complete upload (/v1/uploads), a url one of a file beside the
studio's projects (file:///...): nothing is fetched from elsewhere. Unlike there, consent has to be stated.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lipdub.errors import OptionError
from lipdub.web.allowed import check_new_voice, check_text
from lipdub.web.api.jobs import page_size
from lipdub.web.jobs.generation import generation
from lipdub.web.jobs.idempotency import Answer, Answers
from lipdub.web.jobs.job import NoSuchJob
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.webhook_address import AllowedHosts
from lipdub.web.json_body import read_json, typed
from lipdub.web.problems import TooLarge

_Short = Annotated[str, Meta(max_length=200)]
_Address = Annotated[str, Meta(max_length=4000)]
_LARGEST = 1 << 20
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_LENGTHS: dict[str, dict[str, str]] = {
    "cut_off": {"if_longer": "cut"},
    "bounce": {"if_longer": "bounce"},
    "remap": {"if_longer": "slow"},
    "silence": {"if_shorter": "rest"},
}
"""What sync_mode means here; "loop" has no equal."""


class Provider(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who speaks a text, and the text itself, as sync.so's clients send it."""

    name: _Short = ""
    voice_id: _Short = ""
    script: Annotated[str, Meta(max_length=20_000)] = ""


class Input(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One input. ``script`` (or that of ``provider``) is spoken in ``language`` by ``voice``."""

    type: Literal["video", "audio", "text"]
    asset_id: _Short = ""
    url: _Address = ""
    ref_id: _Short = ""
    script: Annotated[str, Meta(max_length=20_000)] = ""
    language: _Short = ""
    voice: _Short = ""
    provider: Provider = Provider()


class ActiveSpeaker(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is dubbed: whoever speaks, or whose face is at a pixel of the first frame."""

    auto_detect: bool = True
    frame_number: int = 0
    coordinates: tuple[float, float] | None = None


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """``consent`` states that the people in the clip agreed. ``temperature`` and ``occlusion_detection_enabled`` are
    taken and mean nothing here."""

    consent: bool = False
    sync_mode: Literal["bounce", "loop", "cut_off", "silence", "remap"] = "cut_off"
    active_speaker_detection: ActiveSpeaker = ActiveSpeaker()
    temperature: float = 0.0
    occlusion_detection_enabled: bool = False


class Generate(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A request for a generation."""

    input: Annotated[list[Input], Meta(min_length=2, max_length=2)]
    model: _Short = "lipdub"
    options: Options = Options()
    webhook_url: _Address = ""


@runtime_checkable
class Assets(Protocol):
    """Makes projects out of files that were uploaded, or lie beside the studio's projects."""

    def begin(self, video: "Asset", audio: "Asset | None") -> tuple[str, Path | None]:
        """A new project with the source ``video``; returns its id, and where the dub track ``audio`` is now. Raises
        ``InputError`` for a file that cannot be used, ``OutputError``."""
        ...


class Asset(Struct, frozen=True):
    """A file that is named from outside: the id of an ``upload``, or a ``path`` (unchecked) on this machine."""

    upload: str = ""
    path: str = ""


def routes(table: JobTable, assets: Assets, allowed: AllowedHosts) -> list[Route]:
    """The routes of ``/v2``. ``allowed`` are the hosts to which webhooks may go besides public ones."""
    answers = Answers(table)

    def begin(body: bytes, key: str, base: str) -> Response:
        digest = hashlib.sha256(b"POST /v2/generate\0" + body).hexdigest()

        def answer() -> Answer:
            return Answer(201, _text(_begin(table, assets, allowed, _read(body), base)))

        made = answers.repeated(key, digest, answer) if key else answer()
        return Response(made.body, made.status, dict(_HEADERS), media_type="application/json")

    async def post(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                raise TooLarge(f"the request has more than {_LARGEST} bytes", remedy="Upload files first")
        key = request.headers.get("idempotency-key", "")
        if len(key) > 255 or not key.isascii() or not key.isprintable():
            raise OptionError("Idempotency-Key: give up to 255 printable ASCII characters")
        return await run_in_threadpool(begin, body, key, _base(request))

    def one(request: Request) -> Response:
        job = table.job(request.path_params["id"])
        if job is None or job.door != "v2":
            raise NoSuchJob(request.path_params["id"])
        return JSONResponse(generation(job, _base(request)), headers=_HEADERS)

    def every(request: Request) -> Response:
        size = page_size(request)
        found = table.jobs(after=request.query_params.get("cursor", ""), limit=size + 1, door="v2")
        rows = [generation(job, _base(request)) for job in found[:size]]
        cursor = found[size - 1].id if len(found) > size else None
        return JSONResponse({"generations": rows, "next_cursor": cursor}, headers=_HEADERS)

    return [
        Route("/v2/generate", post, methods=["POST"]),
        Route("/v2/generate/{id}", one, methods=["GET"]),
        Route("/v2/generations", every, methods=["GET"]),
    ]


def _begin(table: JobTable, assets: Assets, allowed: AllowedHosts, asked: Generate, base: str) -> dict[str, Any]:
    """Begin a generation. Raises ``OptionError`` before anything is made if it makes no sense."""
    kinds = sorted(each.type for each in asked.input)
    if kinds not in (["audio", "video"], ["text", "video"]):
        raise OptionError("input: give one video, and one audio or text")
    video = next(each for each in asked.input if each.type == "video")
    said = next(each for each in asked.input if each.type != "video")
    if not asked.options.consent:
        raise OptionError(
            "options.consent: it was not stated that the people in the clip agreed",
            remedy='If they did, send "options": {"consent": true}',
        )
    check_text(said.language, "input.language")
    if asked.webhook_url:
        allowed.check(asked.webhook_url)
    options = _options(asked.options)
    request: dict[str, Any] = {"door": "v2", "model": asked.model, "input": [_shown(each) for each in asked.input]}
    if said.type == "text":
        text, language = said.script or said.provider.script, said.language
        if not text.strip() or not language:
            raise OptionError("input: a text needs script and language", remedy='E.g. "language": "es"')
        check_text(text, "input", rows=True)
        request["line"] = text
        if said.voice:
            check_new_voice(said.voice, "input.voice")
            options["voice"] = [said.voice]
        audio = None
    else:
        audio, language = _asset(said), said.language
    project, track = assets.begin(_asset(video), audio)
    request |= {"options": options, "shown_options": msgspec.to_builtins(asked.options)}
    if track is not None:
        request["audio"] = str(track)
    job = table.add("render", project, language, request, webhook=asked.webhook_url)
    return generation(job, base)


def _options(options: Options) -> dict[str, Any]:
    """The options of the dub. Raises ``OptionError`` for what has no equal here."""
    if options.sync_mode not in _LENGTHS:
        raise OptionError(f"options.sync_mode: there is no '{options.sync_mode}' here", remedy="Use bounce or cut_off")
    speaker = options.active_speaker_detection
    found: dict[str, Any] = dict(_LENGTHS[options.sync_mode])
    if speaker.coordinates is not None:
        if speaker.frame_number != 0:
            raise OptionError("options.active_speaker_detection.frame_number: only the first frame (0) is looked at")
        x, y = speaker.coordinates
        found["face"] = [f"{x:g},{y:g}@0"]
    elif not speaker.auto_detect:
        raise OptionError("options.active_speaker_detection: give coordinates, or auto_detect")
    return found


def _asset(given: Input) -> Asset:
    """The file that an input names. Raises ``OptionError``."""
    if bool(given.asset_id) == bool(given.url):
        raise OptionError(f"input: the {given.type} needs either assetId or url")
    if given.asset_id:
        return Asset(upload=given.asset_id)
    parts = urlsplit(given.url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise OptionError(
            f"input: nothing is fetched from elsewhere, so the url of the {given.type} cannot be used",
            remedy="Upload the file (/v1/uploads) and give its id as assetId",
        )
    return Asset(path=unquote(parts.path))


def _read(body: bytes) -> Generate:
    """Raises ``BadRequest`` or ``WrongField``."""
    return typed(read_json(body), Generate)


def _shown(given: Input) -> Mapping[str, Any]:
    """An input as it is shown again: without what is empty."""
    values = msgspec.to_builtins(given)
    return {
        name: value for name, value in values.items() if value not in ("", {"name": "", "voiceId": "", "script": ""})
    }


def _text(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")
