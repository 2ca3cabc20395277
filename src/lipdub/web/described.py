"""The calls that other modules have routes for (jobs, events, media), for the API's document."""

from typing import Any

from msgspec import Struct

from lipdub.web.api.jobs import WebhookAsked
from lipdub.web.api.shapes import JobShown, Told
from lipdub.web.operations import NoBody, Operation, Page

_P = "/v1/projects/{p}"
_BINARY = ("application/octet-stream",)


class JobList(Told, frozen=True):
    """Jobs, the newest first."""

    data: list[JobShown]
    next_cursor: str | None = None


class JobPage(Struct, frozen=True):
    """Which jobs are wanted."""

    project: str = ""
    status: str = ""
    page_size: int = 50
    cursor: str = ""


class OfProject(Struct, frozen=True):
    """Of which project ("": of all)."""

    project: str = ""


class Instant(Struct, frozen=True):
    """An instant of the source, in seconds."""

    at: float


class FaceShown(Told, frozen=True):
    """A face in a frame: whose it is, and where (left, top, width, height, in parts of the picture)."""

    person: str
    box: tuple[float, float, float, float]


class Frames(Told, frozen=True):
    """When every frame is shown, and the end of the last one (s)."""

    pts: list[float]
    rate: str
    timecode: str
    drop: bool


class Webhook(Told, frozen=True):
    """Where the end of every job is told ("": nowhere), and the secret that signs it."""

    url: str
    secret: str


class MediaShown(Told, frozen=True):
    """What a page can play of a project."""

    source: dict[str, Any]
    languages: dict[str, Any]
    job: JobShown | None = None


class Generation(Told, frozen=True, rename="camel"):
    """A generation, in the shape of sync.so's API."""

    id: str
    created_at: str
    status: str
    output_url: str | None = None
    error: str | None = None


DESCRIBED = (
    Operation("GET", "/v1/jobs", "list_jobs", "Jobs, the newest first", query=JobPage, answer=JobList),
    Operation("GET", "/v1/jobs/{id}", "get_job", "One job", answer=JobShown),
    Operation("POST", "/v1/jobs/{id}/cancel", "cancel_job", "Cancel a job", answer=JobShown),
    Operation("GET", "/v1/jobs/{id}/file", "get_job_file", "The file that a job made", answers=_BINARY),
    Operation("GET", "/v1/webhook", "get_webhook", "Where the end of jobs is told, and the secret", answer=Webhook),
    Operation("PUT", "/v1/webhook", "set_webhook", "Tell the end of jobs there", body=WebhookAsked, answer=Webhook),
    Operation(
        "GET", "/v1/events", "listen", "What happens, as server-sent events", query=OfProject,
        answers=("text/event-stream",), errors=(429,),
    ),
    Operation("GET", _P + "/faces", "get_faces", "The faces in a frame", query=Instant, answer=list[FaceShown]),
    Operation("GET", _P + "/media", "get_media", "What can be played", answer=MediaShown),
    Operation("POST", _P + "/media", "make_media", "Make what is missing", body=NoBody, answer=JobShown, status=202),
    Operation("GET", _P + "/media/{what}/frames", "get_frames", "The times of all frames", answer=Frames),
    Operation("GET", _P + "/media/{what}/peaks", "get_peaks", "The wave form: int8 min, max", answers=_BINARY),
    Operation("GET", _P + "/media/{what}/video", "get_video", "A film that browsers play", answers=("video/mp4",)),
    Operation("GET", _P + "/people/{id}/picture", "get_picture", "A person's picture", answers=("image/jpeg",)),
    Operation(
        "GET", _P + "/languages/{l}/segments/{s}/takes/{n}/audio", "get_take_audio", "The speech of a take",
        answers=("audio/flac",),
    ),
    Operation(
        "POST", "/v2/generate", "generate", "A dub in one call, in the shape of sync.so's API", body=dict[str, Any],
        answer=Generation, status=201, repeatable=True,
    ),
    Operation("GET", "/v2/generate/{id}", "get_generation", "One generation", answer=Generation),
    Operation("GET", "/v2/generations", "list_generations", "Generations, the newest first", query=Page),
)  # fmt: skip
