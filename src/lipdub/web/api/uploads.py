"""Uploads that can be gone on with (tus 1.0, core): begin one, send parts, ask how much is here."""

from collections.abc import AsyncIterator
from io import FileIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lipdub.web.api.shapes import NewUpload, UploadShown
from lipdub.web.operations import Call, Operation, Reply
from lipdub.web.problems import BadRequest, Busy, TooLarge, WrongType
from lipdub.web.studio import Studio
from lipdub.web.uploads import Upload, write_all

_TYPES = ("application/offset+octet-stream", "application/octet-stream")
_TUS = {"Tus-Resumable": "1.0.0"}


def begin(call: Call) -> Reply:
    """Begin an upload."""
    made = call.studio.uploads.begin(call.body.name, call.body.size)
    return Reply(shown(made), 201, {"Location": f"/v1/uploads/{made.id}", "Upload-Offset": "0", **_TUS})


def state(call: Call) -> Reply:
    """How much of an upload is here."""
    found = call.studio.uploads.upload(call.path["upload"])
    return Reply(shown(found), 200, _offsets(found))


def head(call: Call) -> Reply:
    """The same in headers alone."""
    found = call.studio.uploads.upload(call.path["upload"])
    return Reply(None, 200, {**_offsets(found), "Cache-Control": "no-store"})


def remove(call: Call) -> None:
    """Remove an upload."""
    call.studio.uploads.remove(call.path["upload"])


async def send(studio: Studio, request: Request) -> Response:
    """Take a part of an upload. What came before the connection broke stays."""
    if request.headers.get("content-type", "").split(";")[0].strip() not in _TYPES:
        raise WrongType(f"parts of a file are sent as {_TYPES[0]}", remedy="Set the header Content-Type")
    told = request.headers.get("upload-offset", "")
    if not told.isascii() or not told.isdecimal() or len(told) > 18:
        raise BadRequest("the header Upload-Offset is missing, or no number")
    uploads, id = studio.uploads, request.path_params["upload"]
    found = await run_in_threadpool(uploads.upload, id)
    if int(told) != found.offset:
        raise Busy(f"{found.offset} bytes are here, not {told}", remedy="Go on from there: HEAD tells the offset")
    length = request.headers.get("content-length")
    if length is not None and int(length) > found.size - found.offset:
        raise TooLarge(f"only {found.size - found.offset} bytes are missing")
    with uploads.writing(id) as file:
        left = found.size - uploads.upload(id).offset
        if left != found.size - found.offset:
            raise Busy("another request sent a part meanwhile", remedy="Go on from there: HEAD tells the offset")
        await _written(request.stream(), file, left)
    found = await run_in_threadpool(uploads.upload, id)
    return Response(status_code=204, headers=_offsets(found))


async def _written(chunks: AsyncIterator[bytes], file: FileIO, left: int) -> None:
    """Write what comes, up to ``left`` bytes, in pieces of a megabyte."""
    held = bytearray()
    try:
        async for chunk in chunks:
            if len(held) + len(chunk) > left:
                raise TooLarge(f"only {left} bytes were missing")
            held += chunk
            if len(held) >= 2**20:
                await run_in_threadpool(write_all, file, bytes(held))
                left -= len(held)
                held.clear()
    finally:
        write_all(file, bytes(held))


def shown(upload: Upload) -> UploadShown:
    """An upload as the API shows it."""
    return UploadShown(id=upload.id, name=upload.name, size=upload.size, offset=upload.offset, complete=upload.complete)


def _offsets(upload: Upload) -> dict[str, str]:
    return {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size), **_TUS}


OPERATIONS = (
    Operation(
        "POST", "/v1/uploads", "begin_upload", "Begin an upload that can be gone on with", begin,
        body=NewUpload, answer=UploadShown, status=201, errors=(413, 429, 507), repeatable=True,
    ),
    Operation("GET", "/v1/uploads/{upload}", "get_upload", "How much of an upload is here", state, answer=UploadShown),
    Operation("HEAD", "/v1/uploads/{upload}", "head_upload", "The same in the headers Upload-Offset and -Length", head),
    Operation(
        "PATCH", "/v1/uploads/{upload}", "send_upload", "Send a part from the offset in Upload-Offset on", raw=send,
        status=204, errors=(409, 413, 415, 507), takes=_TYPES[:1],
    ),
    Operation("DELETE", "/v1/uploads/{upload}", "remove_upload", "Remove an upload", remove, status=204, errors=(409,)),
)  # fmt: skip
