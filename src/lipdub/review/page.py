"""One page to look at a dub: source and result under a wipe, the timeline of what changed, and the report.

The page holds everything but the two clips, which it links relative to where it lies; it loads nothing else.
"""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lipdub.review.report import Report, rows
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.time import Span

_PLACE = '{"here": "goes the report"}'


def page(report: Report, folder: Path) -> str:
    """The page as HTML, for a file in ``folder``."""
    template = files("lipdub.review").joinpath("page.html").read_text(encoding="utf-8")
    data = {
        "title": report.output.path.name,
        "subtitle": f"{report.source.path.name} dubbed with {report.dub.path.name}; the lips were made by a machine",
        "source": _link(report.source.path, folder),
        "dubbed": _link(report.output.path, folder),
        "duration": max(float(report.source.duration), 1e-3),
        "frames": report.source.frames,
        "lanes": _lanes(report),
        "rows": rows(report),
        "said": _said(report),
    }
    # "<" is written as an escape, so that no text can end the script element it stands in.
    packed = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return template.replace(_PLACE, packed)


def _link(file: Path, folder: Path) -> str:
    """URL of ``file`` relative to ``folder``; absolute where there is no way between them."""
    try:
        return quote(Path(os.path.relpath(file.absolute(), folder.absolute())).as_posix())
    except ValueError:  # another drive
        return file.absolute().as_uri()


def _said(report: Report) -> list[dict[str, Any]]:
    """Every line that was spoken, in player time, with what it renders and what a person should look at."""
    if report.speech is None:
        return []

    def remark(line: SaidLine) -> str:
        told = [f"{line.rate:.2f}x"] if abs(line.rate - 1) > 0.005 else []
        late = float(line.span.start - line.source_span.start)
        told += [f"{late:+.2f} s"] if abs(late) > 0.08 else []
        return ", ".join([*told, f"{float(line.missing):.2f} s did not fit"] if line.missing else told)

    return [
        {
            "start": round(float(line.span.start - report.source.start), 6),
            "speaker": line.speaker,
            "text": line.text,
            "original": line.original,
            "remark": remark(line),
        }
        for line in report.speech.lines
    ]


def _lanes(report: Report) -> list[dict[str, Any]]:
    """One lane for each face, and one for what concerns no face."""
    faces = sorted({c.cue.face for c in report.changed} | {a.face for a in report.left_alone if a.face is not None})
    lanes = [{"name": f"face {face}", "parts": _parts(report, face)} for face in faces]
    nobody = _parts(report, None)
    return [*lanes, {"name": "no face", "parts": nobody}] if nobody else lanes


def _parts(report: Report, face: int | None) -> list[dict[str, Any]]:
    """Changed and kept spans of one face in player time; kept ones are drawn last, over the cue they interrupt."""

    def part(span: Span, changed: bool, says: str) -> dict[str, Any]:
        start, end = (round(float(t - report.source.start), 6) for t in (span.start, span.end))
        return {"start": start, "end": end, "changed": changed, "says": says}

    changed = [
        part(c.cue.span, True, c.cue.line.text if c.cue.line else "mouth changed")
        for c in report.changed
        if c.cue.face == face
    ]
    return changed + [part(a.span, False, a.reason) for a in report.left_alone if a.face == face]
