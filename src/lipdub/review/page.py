"""The review page of a dub: one HTML file with source and dub under a wipe, a timeline of the changes, and the report.

The two videos are linked relative to the folder of the page; everything else is inside the page, also the times of all
frames (``FrameTable``) and the script that shows exactly one (``frames.js``). Nothing is loaded from a network.
"""

import json
import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lipdub.review.report import Report, summary_rows
from lipdub.timeline.frame_table import FrameTable
from lipdub.timeline.retiming import SAME_CLOCK
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.time import Span

_PLACEHOLDER = '{"placeholder": "replaced by the data of the report"}'

_SCRIPT = "// placeholder: frames.js"

_AUDIBLE_SHIFT = 0.08
"""Seconds by which a line may start earlier or later than its target before the page says so."""

_AUDIBLE_RATE = 0.005
"""Change of tempo from which on the page says so: 1.005 times."""


@dataclass(frozen=True, eq=False)
class PageFrames:
    """When the frames of the ``source`` and of the ``film`` are shown."""

    source: FrameTable
    film: FrameTable


def page(report: Report, folder: Path, frames: PageFrames) -> str:
    """The review page of ``report`` as HTML, for a file in ``folder``."""
    template = files("lipdub.review").joinpath("page.html").read_text(encoding="utf-8")
    title = f"{report.source.path.name} dubbed with {report.dub_track.path.name}; the lips were made by a machine"
    data = {
        "title": report.output.path.name,
        "subtitle": title,
        "source": _link(report.source.path, folder),
        "dubbed": _link(report.output.path, folder),
        "duration": max(float(report.output.duration), 1e-3),
        "frames": {"source": frames.source.told_short(), "film": frames.film.told_short()},
        "clock": _clock(report),
        "tracks": _tracks(report),
        "rows": summary_rows(report),
        "lines": _lines(report),
    }
    # "<" is written as an escape, so that no text can close the script element it stands in.
    packed = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    script = files("lipdub.review").joinpath("frames.js").read_text(encoding="utf-8")
    script = re.sub(r"^export ", "", script, flags=re.MULTILINE)  # a page from a disk may not load modules
    return template.replace(_SCRIPT, script).replace(_PLACEHOLDER, packed)


def _clock(report: Report) -> dict[str, Any]:
    """The times of the film and of the source that belong together, in player time, and by how much the source is
    slowed before and after them."""
    clock, start = SAME_CLOCK if report.length is None else report.length.clock, report.output.start
    points = [[round(float(at - start), 9) for at in (point.clip, point.file)] for point in clock.points]
    return {"points": points or [[0.0, 0.0]], "outside": round(float(clock.outside), 9)}


def _link(file: Path, folder: Path) -> str:
    """URL of ``file`` relative to ``folder``; absolute where no relative path exists."""
    try:
        return quote(Path(os.path.relpath(file.absolute(), folder.absolute())).as_posix())
    except ValueError:  # another drive
        return file.absolute().as_uri()


def _lines(report: Report) -> list[dict[str, Any]]:
    """The spoken lines in player time, each with its original text and a remark on its timing."""
    if report.speech is None:
        return []
    return [
        {
            "start": round(float(line.span.start - report.source.start), 6),
            "speaker": line.speaker,
            "text": line.text,
            "original": line.original,
            "remark": _timing_remark(line),
        }
        for line in report.speech.lines
    ]


def _timing_remark(line: SaidLine) -> str:
    """What a reviewer should know about the timing of a line: tempo, shift of its start, seconds cut off."""
    remarks = [f"{line.rate:.2f}x"] if abs(line.rate - 1) > _AUDIBLE_RATE else []
    shift = float(line.span.start - line.source_span.start)
    remarks += [f"{shift:+.2f} s"] if abs(shift) > _AUDIBLE_SHIFT else []
    remarks += [f"{float(line.missing):.2f} s did not fit"] if line.missing else []
    return ", ".join(remarks)


def _tracks(report: Report) -> list[dict[str, Any]]:
    """The tracks of the timeline: one for each face, and one for the spans that belong to no face."""
    passthrough = {span.face for span in report.passthrough if span.face is not None}
    faces = sorted({rendered.cue.face for rendered in report.cues} | passthrough)
    tracks = [{"name": _track_name(report, face), "spans": _spans(report, face)} for face in faces]
    faceless = _spans(report, None)
    return [*tracks, {"name": "no face", "spans": faceless}] if faceless else tracks


def _track_name(report: Report, face: int) -> str:
    """The number of a face, and whose it is where that is known."""
    persons = dict.fromkeys(one.cue.person for one in report.cues if one.cue.face == face and one.cue.person)
    return ", ".join([f"face {face}", *persons])


def _spans(report: Report, face: int | None) -> list[dict[str, Any]]:
    """Changed and passthrough spans of one face in player time. Passthrough spans come last: they are drawn over the
    cues that they interrupt."""

    def entry(span: Span, changed: bool, label: str) -> dict[str, Any]:
        start, end = (round(float(t - report.source.start), 6) for t in (span.start, span.end))
        return {"start": start, "end": end, "changed": changed, "label": label}

    changed = [
        entry(span, True, rendered.cue.line.text if rendered.cue.line else "mouth changed")
        for rendered in report.cues
        if rendered.cue.face == face
        for span in rendered.changed
    ]
    return changed + [entry(one.span, False, one.reason) for one in report.passthrough if one.face == face]
