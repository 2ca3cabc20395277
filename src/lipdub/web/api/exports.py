"""Exports: the film, subtitles, timelines for editing software, the report, markers."""

import csv
import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse

from lipdub.disk.publish import write_text
from lipdub.errors import InputError, OutputError
from lipdub.studio.options import TimelineOptions
from lipdub.timeline.time import Span, timecode
from lipdub.web.api.work_shapes import Export, Exported, ExportFormat
from lipdub.web.make_project import FILMS
from lipdub.web.operations import Call, Operation, Reply
from lipdub.web.problems import NotThere
from lipdub.web.project_views import film_file, film_record, reviewed
from lipdub.web.segments import ReviewedLanguage
from lipdub.web.studio import inside
from lipdub.words_to_sound.script.subtitles import captions_for, captions_text

_ONE = "/v1/projects/{p}/languages/{l}"
_TIMELINES, _SUBTITLES = ("otio", "edl", "xml", "aaf"), ("srt", "vtt", "ttml")
EXPORTS = "exports"


def export(call: Call) -> Reply:
    """Write an export, or find the one that is there."""
    work, kind = reviewed(call.studio, call.path["p"], call.path["l"]), call.body.format
    film = film_file(work, film_record(work))
    if kind == "film":
        if film is None:
            return Reply(call.studio.add_job("render", work.id, work.language, {}).shown(), 202)
        return Reply(Exported(url=_film_url(work), name=film.name))
    if kind == "report":
        report = None if film is None else film.with_name(f"{film.stem}.report.json")
        if report is None or not report.is_file():
            raise InputError("there is no report: no film was made here", remedy="Make the film first: POST .../render")
        return _written(work, report.name, report.read_text("utf-8"))
    stem = f"{work.project.folder.path.stem}.{work.language or 'dub'}"
    if kind in _TIMELINES:
        file = _place(work, f"{stem}.{kind}")
        work.project.export(work.language, file, options=TimelineOptions(overwrite=True, film=film))
        return Reply(Exported(url=_url(work, file.name), name=file.name))
    text = markers(work) if kind == "markers.csv" else subtitles(work, kind)
    return _written(work, f"{stem}.{kind}", text)


def fetch(call: Call) -> Reply:
    """The file of an export."""
    work, name = reviewed(call.studio, call.path["p"], call.path["l"]), call.path["name"]
    folder = _folder(work)
    try:
        known = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except OSError:
        known = []
    file = folder / name if name in known and inside(folder, work.project.folder.path.parent) else None
    if file is None or not file.is_file() or not inside(file, folder):
        raise NotThere("there is no such export", remedy="POST .../export makes it")
    return Reply(FileResponse(file, filename=file.name, media_type="application/octet-stream"))


def film(call: Call) -> Reply:
    """The last film of a language; parts of it by Range."""
    work = reviewed(call.studio, call.path["p"], call.path["l"])
    file = film_file(work, film_record(work))
    if file is None:
        raise NotThere("no film was made yet, or it was moved", remedy="POST .../render makes it")
    return Reply(FileResponse(file, filename=file.name))


def subtitles(work: ReviewedLanguage, kind: str) -> str:
    """What is said, as subtitles of the ``kind`` srt, vtt or ttml. Lines with a take are where the take is heard."""
    lines = []
    for status in work.status:
        planned, used = status.planned, status.take
        if status.state == "left" or not planned.line.text.strip():
            continue
        voice = used.voice if used is not None and status.state == "made" else None
        span = planned.line.span if voice is None else voice.span
        text = planned.line.text if voice is None else voice.text
        start = max(Fraction(0), span.start - work.zero)
        end = max(start + Fraction(1, 1000), span.end - work.zero)
        lines.append(replace(planned.line, text=text, span=Span(start, end), language=work.language))
    return captions_text(captions_for(sorted(lines, key=lambda line: line.span)), f".{kind}", work.language)


def markers(work: ReviewedLanguage) -> str:
    """Every line as a row of a CSV file (RFC 4180): times, person, text, verdict, note, state, flags. A text that a
    spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("id", "start", "end", "person", "text", "verdict", "state", "take", "note", "flags"))
    for segment, planned in zip(work.segments(), work.reviewed.plan.lines, strict=True):
        span = planned.line.span
        times = [timecode(at - work.zero) for at in (span.start, span.end)]
        told = (segment.person or "", segment.text, segment.verdict, segment.state, segment.take, segment.note)
        flags = "; ".join(flag.text for flag in segment.flags)
        rows.writerow([_cell(value) for value in (segment.id, *times, *told, flags)])
    return out.getvalue()


def _cell(value: object) -> object:
    text = value if isinstance(value, str) else ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _written(work: ReviewedLanguage, name: str, text: str) -> Reply:
    file = _place(work, name)
    write_text(file, text)
    return Reply(Exported(url=_url(work, file.name), name=file.name))


def _folder(work: ReviewedLanguage) -> Path:
    return work.project.folder.path.parent / FILMS / EXPORTS


def _place(work: ReviewedLanguage, name: str) -> Path:
    """Where an export is written. Raises ``OutputError``."""
    folder = _folder(work)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise OutputError(f"cannot be made ({refused.strerror or refused})", file=folder) from refused
    if not inside(folder, work.project.folder.path.parent):
        raise OutputError("the folder leads to another place", file=folder, remedy="Remove the link")
    return folder / name


def _url(work: ReviewedLanguage, name: str) -> str:
    language = quote(work.language, safe="")
    return f"/v1/projects/{work.id}/languages/{language}/exports/{quote(name, safe='')}"


def _film_url(work: ReviewedLanguage) -> str:
    return f"/v1/projects/{work.id}/languages/{quote(work.language, safe='')}/film"


OPERATIONS = (
    Operation(
        "POST", _ONE + "/export", "export", "Write an export, or find the one that is there", export, body=Export,
        answer=Exported, errors=(409, 501, 507),
    ),
    Operation(
        "GET", _ONE + "/exports/{name}", "get_export", "The file of an export", fetch,
        answers=("application/octet-stream",),
    ),
    Operation("GET", _ONE + "/film", "get_film", "The last film of a language", film, answers=("video/mp4",)),
)  # fmt: skip

__all__ = ["OPERATIONS", "ExportFormat", "markers", "subtitles"]
