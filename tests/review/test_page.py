"""The review page is one file, links its clips relative to its folder, and no text can inject HTML."""

import json
import os
import re
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from lipdub.disk.publish import write_text
from lipdub.review.page import PageFrames
from lipdub.review.page import page as page_of
from lipdub.review.report import MediaFile, Recipe, RenderedCue, Report, SpeechReport, summary_rows
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.frame_table import FrameTable
from lipdub.timeline.lines import Line
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.time import Span
from lipdub.web.page_files import page_files


def report(folder: Path) -> Report:
    late = Fraction(17, 20)

    def span(a: int, b: int) -> Span:
        return Span(a + late, b + late)

    line = Line("</script><b>hola & adiós</b>", span(1, 3), "es")
    return Report(
        source=MediaFile(folder / "source files" / "talk #1.mov", Fraction(10), 250, late),
        dub_track=MediaFile(folder / "es.wav", Fraction(9)),
        output=MediaFile(folder / "out" / "talk.es.mp4", Fraction(10), 250, late),
        recipe=Recipe("0.1.0", "exemplar", 0, "prior", "hearing"),
        cues=(
            RenderedCue(Cue(span(1, 3), 4, line), 50, (span(1, 3),)),
            RenderedCue(Cue(span(5, 8), 2), 50, (span(5, 7),)),
        ),
        passthrough=(PassthroughSpan(span(2, 3), "<i>covered</i>", 4), PassthroughSpan(span(8, 9), "no face")),
    )


def evenly(frames: int, start: Fraction) -> FrameTable:
    """So many frames, 25 a second, of a file whose clock begins at ``start``."""
    first = start * 100
    times = FrameTimes(np.arange(frames, dtype=np.int64) * 4 + int(first), Fraction(1, 100), 4)
    return FrameTable(times, start, Fraction(25), True, "10:00:00:00")


def page(report: Report, folder: Path) -> str:
    tables = (evenly(file.frames, file.start) for file in (report.source, report.output))
    return page_of(report, folder, PageFrames(*tables))


def data_of(html: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_the_report(tmp_path: Path) -> None:
    data = data_of(page(report(tmp_path), tmp_path / "out"))
    assert data["source"] == "../source%20files/talk%20%231.mov"
    assert data["dubbed"] == "talk.es.mp4"
    assert data["title"] == "talk.es.mp4"
    assert data["duration"] == 10
    table = {"unit": [1, 100], "first": 0, "steps": [[4, 250]], "start": 0.85}
    labels = {"rate": "25/1", "timecode": "10:00:00:00", "drop": False, "constant": True}
    assert data["frames"] == {"source": table | labels, "film": table | labels}
    assert data["rows"] == [[name, lines] for name, lines in summary_rows(report(tmp_path))]


def test_timeline_tracks_are_faces_in_player_time(tmp_path: Path) -> None:
    tracks = data_of(page(report(tmp_path), tmp_path))["tracks"]
    assert [track["name"] for track in tracks] == ["face 2", "face 4", "no face"]
    assert tracks[0]["spans"] == [{"start": 5, "end": 7, "changed": True, "label": "mouth changed"}]
    assert [(s["start"], s["end"], s["changed"]) for s in tracks[1]["spans"]] == [(1, 3, True), (2, 3, False)]
    assert tracks[1]["spans"][0]["label"] == "</script><b>hola & adiós</b>"
    everybody = replace(report(tmp_path), passthrough=())
    assert len(data_of(page(everybody, tmp_path))["tracks"]) == 2
    known = replace(report(tmp_path), cues=(RenderedCue(Cue(Span(Fraction(1), Fraction(3)), 4, person="Ana"), 50, ()),))
    assert [track["name"] for track in data_of(page(known, tmp_path))["tracks"]] == ["face 4, Ana", "no face"]


def test_spoken_lines_are_listed_in_player_time(tmp_path: Path) -> None:
    late = Fraction(17, 20)
    aim = Span(1 + late, 3 + late)
    lines = (
        SaidLine(Span(1 + late, Fraction(5, 2) + late), aim, "Hola.", "Hello.", "Ana", "nanotts"),
        SaidLine(Span(4 + late, 5 + late), Span(3 + late, 5 + late), "Adiós.", rate=1.2, missing=Fraction(1, 4)),
    )
    shown = data_of(page(replace(report(tmp_path), speech=SpeechReport("es", lines)), tmp_path))["lines"]
    assert shown[0] == {"start": 1, "speaker": "Ana", "text": "Hola.", "original": "Hello.", "remark": ""}
    assert shown[1]["remark"] == "1.20x, +1.00 s, 0.25 s did not fit"
    assert data_of(page(report(tmp_path), tmp_path))["lines"] == []


def test_text_cannot_inject_html_and_nothing_is_loaded(tmp_path: Path) -> None:
    html = page(report(tmp_path), tmp_path)
    assert html.count("</script>") == 2
    assert "<b>hola" not in html
    assert "<i>covered" not in html
    assert not re.search(r"https?:|//[a-z]|<link|@import|url\(", html)


def test_links_are_relative_to_the_folder_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    path = Path("out/talk.es.review.html")
    write_text(path, page(report(Path()), path.parent))
    assert os.listdir("out") == ["talk.es.review.html"]
    assert data_of(path.read_text(encoding="utf-8"))["source"] == "../source%20files/talk%20%231.mov"


def test_the_script_uses_only_elements_and_data_that_exist(tmp_path: Path) -> None:
    html = page(report(tmp_path), tmp_path)
    script = html.rpartition("<script>")[2]
    assert set(re.findall(r'\$\("(\w+)"\)', script)) <= set(re.findall(r'\bid="(\w+)"', html))
    assert set(re.findall(r"\bdata\.(\w+)", script)) == set(data_of(html))


def test_the_script_of_frames_is_inside_and_the_same_as_in_the_studio(tmp_path: Path) -> None:
    own = files("lipdub.review").joinpath("frames.js").read_text("utf-8")
    assert page_files()["frames.js"].content.decode() == own
    html = page(report(tmp_path), tmp_path)
    assert "placeholder" not in html
    assert "\nexport " not in html
    for name in re.findall(r"^export (?:async )?function (\w+)", own, re.MULTILINE):
        assert f"function {name}(" in html
