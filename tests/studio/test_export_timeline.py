"""The cut of a project's film: made with a fake engine, exported, read again and compared with what the film shows."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import lipdub
from lipdub.cli.main import app
from lipdub.edit.timecode import Timecode
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import InputError, OptionError, OutputError
from lipdub.media.embedded_timecode import embedded_timecode
from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_blocks import sound_blocks, sound_format
from lipdub.studio.options import TimelineOptions
from lipdub.studio.project.open_project import OpenProject
from lipdub.timeline.film_record import FilmRecord

otio = pytest.importorskip("opentimelineio", reason="the extra edit is not installed: pip install 'lipdub[edit]'")

GIVEN = lipdub.DubOptions(
    speech_features="light", consent=True, face=("largest",), engine="fake", page=False, workers=1, overwrite=True
)
START = "10:00:00:00"


@dataclass(frozen=True)
class Made:
    """A project whose film is made, and its source."""

    project: OpenProject
    source: Path
    film: Path

    def read(self, name: str, **options: object):
        """Its cut as ``name``, written and read again."""
        path = self.film.with_name(name)
        self.project.export("", path, options=TimelineOptions(overwrite=True, **options))  # type: ignore[arg-type]
        return otio.adapters.read_from_file(str(path))


@pytest.fixture(scope="module")
def made(talk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Six lines; the fifth is left as filmed, and the second has two takes, of which the film shows the first."""
    folder = tmp_path_factory.mktemp("export")
    source = folder / "talk.mp4"
    with_sound_and_timecode(talk.clip, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lipdub.studio.session.default_root", lambda: folder / "work")
        patch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))
        project = lipdub.open_project(folder / "talk.lipdub", source)
        speech = lipdub.SpeechOptions(script=talk.script, to="es", asr_check=False, subtitles="none")
        given = lipdub.ProjectOptions(GIVEN, speech)
        project.plan(given=given)
        edit(project, lambda lines: lines[4].update(leave=True))
        plain = lipdub.ProjectOptions(GIVEN, lipdub.SpeechOptions(asr_check=False, subtitles="none"))
        told = lipdub.SpeechOptions(asr_check=False, subtitles="ttml", stems=folder / "stems", loudness="loud")
        project.render("es", folder / "talk.es.mp4", lipdub.ProjectOptions(GIVEN, told))
        project.redo("es", "2", lipdub.LineChange(seed=3), plain)
        project.choose("es", "2", 1)
        yield Made(project, source, folder / "talk.es.mp4")


def with_sound_and_timecode(clip: Path, made: Path) -> None:
    """``clip`` with stereo noise of 6.4 s and the timecode ``START``."""
    with av.open(str(clip)) as read, av.open(str(made), "w") as out:
        picture = out.add_stream_from_template(read.streams.video[0])
        picture.metadata["timecode"] = START
        sound = out.add_stream("aac", rate=48_000, layout="stereo")
        noise = np.random.default_rng(0).standard_normal((2, 300 * 1024)).astype(np.float32) * 0.02
        for first in range(0, noise.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise[:, first : first + 1024]), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, first, Fraction(1, 48_000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)


def edit(project: OpenProject, change) -> str:
    """Change the lines of the plan; returns what the file held before."""
    file = project.folder.plan("es")
    before = file.read_text("utf-8")
    told = json.loads(before)
    change(told["lines"])
    file.write_text(json.dumps(told), "utf-8")
    return before


def differing(made: Made) -> list[int]:
    """The frames that the film shows otherwise than its source: the fake engine paints over the lips, by up to 150
    levels; encoding alone changes no sample by more than 13."""
    both = zip(read_frames(open_clip(made.source)), read_frames(open_clip(made.film)), strict=True)
    strong = [
        max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(one.planes, two.planes, strict=True))
        for one, two in both
    ]
    return [frame for frame, most in enumerate(strong) if most > 14]


def test_the_dub_is_cut_in_where_the_film_differs_from_its_source(made: Made) -> None:
    read = made.read("talk.otio")
    clips = list(read.video_tracks()[0].find_clips())
    assert read.global_start_time == otio.opentime.RationalTime(900_000, 25)
    assert read.duration().value == len(open_clip(made.source))
    dubbed = set()
    for clip in clips:
        inside, place = clip.source_range, clip.range_in_parent()
        assert inside.start_time.value == 900_000 + place.start_time.value
        dub = clip.metadata["lipdub"]["dubbed"]
        assert Path(clip.media_reference.target_url).name == (made.film if dub else made.source).name
        if dub:
            frames = range(int(place.start_time.value), int(place.end_time_exclusive().value))
            dubbed |= set(frames)
    changed = differing(made)
    assert changed
    assert set(changed) <= dubbed
    assert len(dubbed - set(changed)) <= 2 * len(clips), "no more than the softest frame at either end"


def test_lines_are_markers_with_verdict_person_and_take(made: Made) -> None:
    read = made.read("markers.otio")
    told = {
        marker.metadata["lipdub"]["line"]: (marker.metadata["lipdub"], marker.color)
        for clip in read.find_clips()
        for marker in clip.markers
    }
    assert told.keys() == {"1", "2", "3", "4", "5", "6"}
    assert (told["5"][0]["verdict"], told["5"][1], told["5"][0]["take"]) == ("left as filmed", "WHITE", 0)
    assert {told[line][0]["verdict"] for line in "12346"} <= {"made", "closures missed", "end cut"}
    assert told["1"][0]["text"] == "Buenos días."
    assert told["1"][0]["take"] == told["2"][0]["take"] == 1
    second = next(clip for clip in read.find_clips() if clip.name.startswith("2"))
    media = second.media_references()
    assert media.keys() == {"DEFAULT_MEDIA", "source", "line 2 take 1", "line 2 take 2"}
    assert isinstance(media["line 2 take 2"], otio.schema.MissingReference)
    assert media["line 2 take 2"].metadata["lipdub"]["folder"] == "takes/es/2/2"


def test_another_take_or_an_edited_line_is_told_until_the_film_is_made_again(made: Made) -> None:
    def change(lines: list[dict]) -> None:
        lines[1]["take"] = 2
        lines[2]["text"] = "Otra cosa."

    before = edit(made.project, change)
    try:
        done = made.project.export("es", made.film.with_name("stale.otio"))
    finally:
        made.project.folder.plan("es").write_text(before, "utf-8")
    assert [line.verdict for line in done.cut.lines[1:3]] == ["changed", "changed"]
    assert any("does not show what the plan says in line 2, 3" in note for note in done.notes)


def test_all_kinds_at_once_from_the_command_line(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made.film.parent / "edit"
    folder.mkdir()
    files = [folder / f"talk.es{ending}" for ending in (".otio", ".edl", ".xml", ".aaf")]
    words = [word for file in files for word in ("--otio", str(file))]
    assert app(["export", str(made.project.folder.path), "--to", "es", *words], result_action="return_value") == 0
    assert {file.name for file in folder.iterdir()} == {file.name for file in files}
    assert "160 frames from 10:00:00:00, 25 a second" in capsys.readouterr().out
    assert START in files[1].read_text("utf-8")


@pytest.mark.parametrize(
    ("names", "options", "error", "why"),
    [
        ((), {}, OptionError, "no file is named"),
        (("a.otio", "a.otio"), {}, OptionError, "named twice"),
        (("a.otio", "a.doc"), {}, OptionError, "'.doc' is not a kind of timeline"),
        (("a.otio",), {"rate": "24"}, OptionError, "the source has 25 frames a second, and another rate loses frames"),
        (("a.otio",), {"rate": "often"}, OptionError, "--rate often: this is not a number"),
        (("a.otio",), {"film": "none.mp4"}, InputError, "no such file"),
        (("there.otio",), {}, OutputError, "exists already"),
        (("none/a.otio",), {}, OutputError, "folder does not exist"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(made: Made, tmp_path: Path, names, options, error, why) -> None:
    (tmp_path / "there.otio").write_text("mine")
    if "film" in options:
        options = {"film": tmp_path / options["film"]}
    with pytest.raises(error, match=why):
        made.project.export("es", *(tmp_path / name for name in names), options=TimelineOptions(**options))
    assert [file.name for file in tmp_path.iterdir()] == ["there.otio"]


def test_a_film_of_another_rate_is_refused_and_a_moved_one_is_found(made: Made, tmp_path: Path) -> None:
    from lipdub.demo.media_files import write_synthetic_clip

    other = tmp_path / "other.mp4"
    write_synthetic_clip(other, [np.zeros((64, 64, 3), np.uint8)] * 5, Fraction(24))
    with pytest.raises(InputError, match=r"other.mp4: it has 24 frames a second, and the film that was made has 25"):
        made.project.export("es", tmp_path / "a.otio", options=TimelineOptions(film=other))
    moved = tmp_path / "moved.mp4"
    shutil.copy(made.film, moved)
    done = made.project.export("es", tmp_path / "a.otio", options=TimelineOptions(film=moved))
    assert done.cut.film.path == moved


def recorded(made: Made, **changes: object) -> FilmRecord:
    """Write the record of the film with ``changes``; returns the true one."""
    file = made.project.folder.film("es")
    record = FilmRecord.load(file)
    replace(record, **changes).save(file)  # type: ignore[arg-type]
    return record


def test_a_project_without_a_film_and_a_film_that_is_gone(made: Made, tmp_path: Path) -> None:
    file = made.project.folder.film("es")
    true = recorded(made, film=tmp_path / "gone.mp4")
    try:
        with pytest.raises(InputError, match=r"gone.mp4: the film is not there any more.* --film FILE"):
            made.project.export("es", tmp_path / "a.otio")
        file.unlink()
        with pytest.raises(InputError, match=r"no film in 'es' was made yet.*lipdub dub --project"):
            made.project.export("es", tmp_path / "a.otio")
    finally:
        true.save(file)


def test_a_picture_of_varying_rate_is_cut_at_the_nearest_frames_and_it_is_said(made: Made, tmp_path: Path) -> None:
    true = recorded(made, constant=False, rate=Fraction(24))
    try:
        done = made.project.export("es", tmp_path / "a.otio")
        other = made.project.export("es", tmp_path / "b.otio", options=TimelineOptions(rate="30000/1001"))
    finally:
        true.save(made.project.folder.film("es"))
    assert any("varies: the timeline has 24 frames a second" in note and "21 ms" in note for note in done.notes)
    assert done.cut.variable
    assert done.cut.frames == round(true.length * 24)
    assert (other.cut.rate, other.cut.frames) == (Fraction(30000, 1001), round(true.length * Fraction(30000, 1001)))


def test_a_longer_picture_ends_with_the_film_alone_and_a_slower_one_is_refused(made: Made, tmp_path: Path) -> None:
    true = FilmRecord.load(made.project.folder.film("es"))
    recorded(made, frames=true.frames + 40, length=true.length + Fraction(40, 25))
    try:
        done = made.project.export("es", tmp_path / "a.otio")
        assert (done.cut.frames, done.cut.source.frames) == (true.frames + 40, true.frames)
        last = otio.adapters.read_from_file(str(tmp_path / "a.otio")).video_tracks()[0][-1]
        assert (last.name, last.duration().value, last.media_references().keys()) == (
            "added frames",
            40,
            {"DEFAULT_MEDIA"},
        )
        recorded(made, own_frames=3)
        with pytest.raises(InputError, match="shows its source more slowly"):
            made.project.export("es", tmp_path / "b.otio")
    finally:
        true.save(made.project.folder.film("es"))


def test_a_timecode_that_the_rate_does_not_have_is_not_used(made: Made, tmp_path: Path) -> None:
    true = recorded(made, timecode="10:00:00;00")
    try:
        done = made.project.export("es", tmp_path / "a.otio")
    finally:
        true.save(made.project.folder.film("es"))
    assert done.cut.source.start == Timecode()
    assert any("the embedded timecode was not used" in note for note in done.notes)


def test_stems_are_as_long_as_the_film_and_add_up_to_its_mix(made: Made) -> None:
    files = [made.film.parent / "stems" / f"talk.es.{part}.wav" for part in ("speech", "music-effects", "mix")]
    speech, background, mix = (np.concatenate(list(sound_blocks(file)), 1) for file in files)
    shape = sound_format(made.source)
    length = open_clip(made.film).span.duration
    assert {sound_format(file) for file in files} == {shape}
    assert speech.shape == background.shape == mix.shape == (len(shape.channels), int(length * shape.rate))
    np.testing.assert_allclose(speech + background, mix, atol=2 / 2**23)
    assert np.abs(speech).max() > 0.1
    assert np.abs(background).max() > 0.02
    heard = np.concatenate(list(sound_blocks(made.film)), 1)[:, : mix.shape[1]]
    assert np.corrcoef(heard.ravel(), mix[:, : heard.shape[1]].ravel())[0, 1] > 0.99, (
        "at the film's time, to the sample"
    )
    assert [path.name for _, path in made.project.export("es", made.film.with_name("stems.otio")).cut.stems] == [
        file.name for file in files
    ]
    options = made.project.project.options
    assert "stems" not in options


def test_subtitles_as_ttml_lie_beside_the_film(made: Made) -> None:
    text = made.film.with_suffix(".ttml").read_text("utf-8")
    assert 'xml:lang="es"' in text
    assert "Mucha paciencia." in text
    assert "Muchas gracias." not in text, "the line that is left as filmed"


def test_the_timecode_of_a_file_is_found(made: Made) -> None:
    assert embedded_timecode(made.source) == embedded_timecode(made.film) == START


def test_a_take_that_an_earlier_film_shows_is_media_of_that_film(made: Made) -> None:
    true = FilmRecord.load(made.project.folder.film("es"))
    second = made.film.with_name("second.es.mp4")
    plain = lipdub.ProjectOptions(GIVEN, lipdub.SpeechOptions(asr_check=False, subtitles="none"))
    made.project.choose("es", "2", 2)
    try:
        made.project.render("es", second, plain)
        read = made.read("second.otio")
        line = next(clip for clip in read.find_clips() if clip.name.startswith("2"))
        media = line.media_references()
        assert (
            Path(media["DEFAULT_MEDIA"].target_url).name == Path(media["line 2 take 2"].target_url).name == second.name
        )
        assert Path(media["line 2 take 1"].target_url).name == made.film.name
        assert media["line 2 take 1"].available_range == media["DEFAULT_MEDIA"].available_range
        with made.film.open("ab") as file:  # it was written over by something else
            file.write(b"more")
        line = next(clip for clip in made.read("third.otio").find_clips() if clip.name.startswith("2"))
        assert isinstance(line.media_references()["line 2 take 1"], otio.schema.MissingReference)
    finally:
        made.project.choose("es", "2", 1)
        true.save(made.project.folder.film("es"))
