"""The report as JSON and as a summary."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

from lipdub.errors import OutputError
from lipdub.review.report import (
    ClosureCount,
    FaceMetrics,
    MediaFile,
    Recipe,
    RenderedCue,
    Report,
    StageTime,
    StreamSummary,
    SyncScore,
    summary_rows,
    summary_table,
)
from lipdub.timeline.cue import Cue, PassthroughSpan
from lipdub.timeline.lines import Line
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.time import Span


def span(start: float, end: float) -> Span:
    return Span(Fraction(str(start)), Fraction(str(end)))


def example(folder: Path = Path("talks")) -> Report:
    return Report(
        source=MediaFile(folder / "talk.mp4", Fraction(20), 600),
        dub_track=MediaFile(folder / "talk.es.wav", Fraction(39, 2)),
        output=MediaFile(folder / "talk.es.mp4", Fraction(20), 600),
        recipe=Recipe(
            lipdub_version="0.1.0",
            engine="exemplar",
            seed=0,
            prior="the shipped prior",
            speech_features="light speech features: --speech-features light was given",
            options={"face": "auto", "crf": None},
            models=(ModelUsed("face-landmarks", "Apache-2.0"),),
        ),
        cues=(
            RenderedCue(Cue(span(0.5, 6), 0), 165, (span(0.5, 6),)),
            RenderedCue(Cue(span(5, 12), 1), 208, (span(5, 8), span(9, 12))),
        ),
        passthrough=tuple(PassthroughSpan(span(12 + i, 12.5 + i), f"reason {i}", i % 2 or None) for i in range(7)),
        faces=(
            FaceMetrics(
                0, 0.83, SyncScore(0.71, -0.04), SyncScore(0.68), ClosureCount(14, 13), {"flicker": float("nan")}
            ),
            FaceMetrics(1, 0.4),
        ),
        streams=StreamSummary(("sound: aac",), ("picture: h264",), ("data: timecode",)),
        timings=(StageTime("analyse", 12.5, 600), StageTime("assign speakers", 0.2)),
        consent={"clip": "talk.mp4", "when": "2025-01-01T00:00:00+00:00", "how": "stated by flag"},
        notes=("the width of the mouth was completed from the aperture",),
        warnings=("face 1 never opens its mouth wide: look at [0:00:05]",),
    )


def test_the_json_holds_every_field() -> None:
    packed = json.loads(example().to_json())
    assert packed["version"] == 2
    assert packed["output"] == {"path": "talks/talk.es.mp4", "duration": 20.0, "frames": 600, "start": 0.0}
    assert packed["cues"][1]["cue"]["span"] == {"start": 5.0, "end": 12.0}
    assert packed["passthrough"][1] == {"span": {"start": 13.0, "end": 13.5}, "reason": "reason 1", "face": 1}
    assert packed["faces"][0]["closures"] == {"requested": 14, "found": 13}
    assert packed["faces"][0]["metrics"]["flicker"] is None
    assert packed["recipe"]["models"] == [{"name": "face-landmarks", "licence": "Apache-2.0"}]
    assert packed["consent"]["how"] == "stated by flag"


def test_cues_carry_their_ids_and_persons() -> None:
    line = Line("Hola.", span(1, 2), "es", id="7")
    cue = Cue(span(1, 2), 0, line, id="c1", person="p2")
    packed = replace(example(), cues=(RenderedCue(cue, 25, (cue.span,)),)).to_dict()["cues"][0]
    assert (packed["cue"]["id"], packed["cue"]["person"], packed["cue"]["line"]["id"]) == ("c1", "p2", "7")
    assert packed["frames_changed"] == 25
    assert packed["changed"] == [{"start": 1.0, "end": 2.0}]


def test_only_what_was_changed_counts_as_changed() -> None:
    """A face that is dubbed in 36 of 393 frames, although its cue lasts all the time."""
    cue = Cue(span(0, 15.72), 0)
    some = (RenderedCue(cue, 36, (span(1, 1.8), span(4, 4.64))), RenderedCue(replace(cue, face=1), 0, ()))
    report = replace(example(), cues=some)
    assert report.seconds_changed == Fraction(144, 100)
    assert dict(summary_rows(report))["Changed"] == ["1.4 of 20.0 s: 2 cues on 2 faces, 36 frames"]


def test_it_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "talk.es.report.json"
    example().write(path)
    assert os.listdir(tmp_path) == ["talk.es.report.json"]
    assert json.loads(path.read_text())["source"]["frames"] == 600
    with pytest.raises(OutputError):
        example().write(tmp_path / "nowhere" / "r.json")


def test_the_summary_table_is_short_and_fits_the_terminal() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(summary_table(example()))
    console.file.close()
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= 100
    assert len(shown.splitlines()) <= 25
    for part in (
        "talk.es.mp4 (0:00:20.000, 600 frames)",
        "10.5 of 20.0 s: 2 cues on 2 faces, 373 frames",
        "and 2 shorter",
        "face 0: 0.71 (-40 ms) before, 0.68 (+0 ms) after",
        "face 0: 13 of 14 found closed",
        "analyse 12.5 s (48 fps), assign speakers 0.2 s",
        "look at [0:00:05]",
    ):
        assert part in shown


def test_many_faces_are_summed_up() -> None:
    one = example().faces[0]
    assert one.dub_sync is not None
    syncs = [replace(one.dub_sync, score=score / 100) for score in range(50, 90)]
    faces = [replace(one, face=n, dub_sync=sync, closures=ClosureCount(2, 2)) for n, sync in enumerate(syncs)]
    faces[7] = replace(faces[7], closures=ClosureCount(requested=2, found=1))
    rows = dict(summary_rows(replace(example(), faces=tuple(faces))))
    assert [row.split(":")[0] for row in rows["Sync"][:-1]] == [f"face {n}" for n in range(5)]
    assert rows["Sync"][-1] == "the other 35 faces: 0.72 after (median)"
    assert rows["Lip closures"] == ["79 of 80 found closed on 40 faces", "face 7: 1 of 2 found closed"]


def test_empty_rows_of_the_summary_are_left_out() -> None:
    bare = Report(
        MediaFile(Path("a.mp4"), Fraction(1), 25),
        MediaFile(Path("a.wav"), Fraction(1)),
        MediaFile(Path("b.mp4"), Fraction(1), 25),
        Recipe("0", "exemplar", 0, "p", "h"),
    )
    assert [name for name, _ in summary_rows(bare)] == ["Output", "Changed", "Recipe"]
    assert bare.seconds_changed == 0
