"""Timelines are written, read by OpenTimelineIO again, and compared frame by frame."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.edit import write_timeline as module
from lipdub.edit.cut_list import REST, VERDICTS, CutList, EditLine, EditMedia, EditTake, cut
from lipdub.edit.marks import COLOURS
from lipdub.edit.timecode import NO_TIMECODE, Timecode, counted_rate, may_drop, parse_timecode, timecode_text
from lipdub.edit.write_timeline import TYPES, check_timeline_name, timeline_notes, write_timeline
from lipdub.errors import MissingExtra, OptionError, OutputError

otio = pytest.importorskip("opentimelineio", reason="the extra edit is not installed: pip install 'lipdub[edit]'")
aaf2 = pytest.importorskip("aaf2", reason="the extra edit is not installed: pip install 'lipdub[edit]'")
for package in ("otio_cmx3600_adapter", "otio_fcp_adapter", "otio_aaf_adapter"):
    pytest.importorskip(package, reason="the extra dev is not installed: pip install 'lipdub[dev]'")
otio_timeline = pytest.importorskip("lipdub.edit.otio_timeline")
from tests.edit.by_adapters import adapter_aaf, adapter_edl, adapter_fcp7  # noqa: E402

F = Fraction
F25 = F(25)

STARTS = {
    F(24000, 1001): ("", "01:00:00:00"),
    F(24): ("", "01:00:00:00"),
    F(25): ("", "10:00:00:00"),
    F(30000, 1001): ("", "01:00:00:00", "00:59:58;10", "10:00:00;00"),
    F(50): ("", "01:00:00:00"),
    F(60000, 1001): ("", "01:00:00;04"),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=20)


PLACES = st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans())
CUTS = st.tuples(
    st.sampled_from([(rate, start) for rate, starts in STARTS.items() for start in starts]),
    st.integers(1, 2000),
    st.lists(st.tuples(PLACES, TEXTS, TEXTS, st.sampled_from(VERDICTS)), max_size=6),
    st.booleans(),
    st.booleans(),
)


def built(drawn: tuple) -> CutList:
    """A cut of up to six lines, which may overlap, some of them on mouths."""
    (rate, text), frames, said, sound, stem = drawn
    start = parse_timecode(text, rate) if text else NO_TIMECODE
    lines, dubbed = [], [(REST, 0, frames // 3)] if stem else []
    for number, ((begin, length, seen), words, person, verdict) in enumerate(said, 1):
        first = min(frames - 1, int(begin * frames))
        stop = min(frames, first + 1 + int(length * (frames - first)))
        takes = tuple(EditTake(n, f"take {n}", Path(f"takes/es/{number}/{n}"), n == 1) for n in (1, 2))
        lines.append(EditLine(str(number), range(first, stop), words, person, verdict, 1, takes))
        dubbed += [(str(number), first, stop)] if seen else []
    source = EditMedia(Path("/films/a talk & more.mp4"), frames, start, sound)
    film = EditMedia(Path("/films/a talk & more.es.mp4"), frames, start)
    stems = (("speech", Path("/films/ü.wav")),) if stem else ()
    return CutList("talk", "es", rate, source, film, cut(frames, dubbed), tuple(lines), stems=stems, size=(640, 360))


def written(made: CutList, folder: Path, ending: str):
    path = folder / f"cut{ending}"
    write_timeline(made, path, path)
    how = {}
    if ending == ".edl":
        drop = made.source.start.drop
        how = {"rate": made.rate.numerator / made.rate.denominator if drop else float(counted_rate(made.rate))}
    return otio.adapters.read_from_file(str(path), **how)


def shown(timeline) -> list[tuple[int, int, str, int]]:
    """(First frame, stop, file, first frame in that file's timecode) of every clip of the picture."""
    out = []
    for clip in timeline.video_tracks()[0].find_clips():
        place, inside = clip.range_in_parent(), clip.source_range
        assert inside.duration == place.duration
        file = Path(clip.media_reference.target_url).name
        numbers = place.start_time.value, place.end_time_exclusive().value, inside.start_time.value
        assert all(number == int(number) for number in numbers)
        out.append((int(numbers[0]), int(numbers[1]), file, int(numbers[2])))
    return out


def wanted(made: CutList) -> list[tuple[int, int, str, int]]:
    media = {True: made.film, False: made.source}
    return [
        (clip.first, clip.stop, media[clip.dubbed].path.as_uri().split("/")[-1], made.source.start.frames + clip.first)
        for clip in made.clips
    ]


@pytest.mark.parametrize("ending", [".otio", ".edl", ".xml"])
@settings(max_examples=30)
@given(drawn=CUTS)
def test_the_cut_is_the_same_to_the_frame(ending: str, drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = built(drawn)
    read = written(made, tmp_path_factory.getbasetemp(), ending)
    assert shown(read) == wanted(made)
    assert read.duration().value == made.frames


@settings(max_examples=30)
@given(drawn=CUTS)
def test_an_edl_is_the_one_that_the_adapter_writes(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made, path = built(drawn), tmp_path_factory.getbasetemp() / "own.edl"
    write_timeline(made, path, path)
    assert path.read_text("utf-8") == adapter_edl(made, {"source": "ATALKMOR", "dub": "ATALKDUB"})


@settings(max_examples=30)
@given(drawn=CUTS)
def test_xml_has_the_elements_that_the_adapter_writes(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made, path = built(drawn), tmp_path_factory.getbasetemp() / "own.xml"
    write_timeline(made, path, path)
    assert elements(ElementTree.parse(path).getroot()) == elements(adapter_fcp7(made))


def elements(element: ElementTree.Element) -> tuple:
    """An element with all that it holds. What XML reads as one kind of space is one here."""
    text = " ".join((element.text or "").split())
    return element.tag, dict(element.attrib), text, [elements(child) for child in element]


@settings(max_examples=8)
@given(drawn=CUTS)
def test_the_cut_in_aaf_is_the_same_to_the_frame(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = built(drawn)
    read = written(made, tmp_path_factory.getbasetemp(), ".aaf")
    assert shown(read) == wanted(made)
    rate = made.rate.numerator / made.rate.denominator
    assert read.global_start_time == otio.opentime.RationalTime(made.source.start.frames, rate)
    heard = [(media(clip), clip.enabled) for track in read.audio_tracks() for clip in track.find_clips()]
    assert heard == [(made.film.path, True), *([(made.source.path, False)] if made.source.has_sound else [])]
    lines = {f"{line.id}{f' {line.person}' if line.person else ''}".strip(): line for line in made.lines}
    marked = [(marker, clip) for clip in read.video_tracks()[0].find_clips() for marker in clip.markers]
    assert len(marked) == len(lines)
    for marker, clip in marked:
        line = lines[next(name for name in lines if marker.name.startswith(f"{name}: "))]
        into = marker.marked_range.start_time - clip.source_range.start_time
        assert (clip.range_in_parent().start_time + into).value == line.frames.start
        assert marker.name.endswith(f"({line.verdict})")
        assert marker.color == COLOURS[line.verdict]


def media(clip) -> Path:
    """The file of a clip."""
    return Path(unquote(clip.media_reference.target_url.removeprefix("file://")))


@settings(max_examples=5)
@given(drawn=CUTS)
def test_aaf_is_read_as_that_of_the_adapter(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made, path = built(drawn), tmp_path_factory.getbasetemp() / "adapter.aaf"
    adapter_aaf(made, path)
    both = written(made, path.parent, ".aaf"), otio.adapters.read_from_file(str(path))
    own, other = ([described(clip) for track in read.tracks[:2] for clip in track.find_clips()] for read in both)
    assert own == other
    assert both[0].name == both[1].name
    assert both[0].global_start_time == both[1].global_start_time


def described(clip) -> tuple:
    """What a clip read from AAF says: its place, and what it refers to (the file, and the tape that it came from)."""
    media = [(ref.target_url, ref.available_range) for ref in clip.media_references().values()]
    return clip.name, clip.source_range, clip.range_in_parent(), media


@settings(max_examples=30)
@given(drawn=CUTS)
def test_otio_keeps_everything(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = built(drawn)
    read = written(made, tmp_path_factory.getbasetemp(), ".otio")
    rate = made.rate.numerator / made.rate.denominator
    assert read.global_start_time == otio.opentime.RationalTime(made.source.start.frames, rate)
    assert F(*read.metadata["lipdub"]["rate"]) == made.rate
    assert all(clip.source_range.start_time.rate == rate for clip in read.find_clips())
    assert [track.enabled for track in read.audio_tracks()] == [True, *[False] * (len(read.audio_tracks()) - 1)]
    assert len(read.audio_tracks()) == 1 + made.source.has_sound + len(made.stems)
    lines = {line.id: line for line in made.lines}
    for clip, asked in zip(read.video_tracks()[0].find_clips(), made.clips, strict=True):
        media = clip.media_references()
        takes = {f"line {id_} take {n}" for id_ in asked.lines if id_ for n in (1, 2)}
        assert media.keys() == {"DEFAULT_MEDIA", *(("source", *takes) if asked.dubbed else ())}
        for name in takes:
            take = media[name].metadata["lipdub"]
            assert isinstance(media[name], otio.schema.ExternalReference) == take["shown"] == (take["take"] == 1)
    marked = [(m, clip) for clip in read.video_tracks()[0].find_clips() for m in clip.markers]
    assert {m.metadata["lipdub"]["line"] for m, _ in marked} == lines.keys()
    for marker, clip in marked:
        line = lines[marker.metadata["lipdub"]["line"]]
        assert marker.metadata["lipdub"]["text"] == line.text
        assert marker.metadata["lipdub"]["verdict"] == marker.comment == line.verdict
        into = marker.marked_range.start_time - clip.source_range.start_time
        assert (clip.range_in_parent().start_time + into).value == line.frames.start


@settings(max_examples=30)
@given(drawn=CUTS)
def test_markers_of_edl_and_xml_are_at_their_frames(drawn: tuple, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = built(drawn)
    starts = sorted(line.frames.start for line in made.lines)
    read = written(made, tmp_path_factory.getbasetemp(), ".xml")
    assert sorted(int(marker.marked_range.start_time.value) for marker in read.tracks.markers) == starts
    if not made.source.start.drop:  # the adapter reads no markers at timecodes with ";"
        read = written(made, tmp_path_factory.getbasetemp(), ".edl")
        markers = [marker for clip in read.video_tracks()[0].find_clips() for marker in clip.markers]
        assert sorted(int(m.marked_range.start_time.value) - made.source.start.frames for m in markers) == starts


def a_cut(rate: F = F25, start: Timecode = NO_TIMECODE) -> CutList:
    source, film = (EditMedia(Path(f"/films/{name}.mp4"), 100, start) for name in ("interview one", "interview one.es"))
    line = EditLine("1", range(10, 20), "Hola <a> & todos", "Ana", "end cut", 1, (EditTake(1, shown=True),))
    return CutList("talk", "es", rate, source, film, cut(100, [("1", 12, 18)]), (line,), size=(640, 360))


@pytest.mark.parametrize(("rate", "last"), [(F(25), "23:59:59:24"), (F(30000, 1001), "23:59:59;29")])
def test_past_midnight_only_an_edl_is_refused(tmp_path: Path, rate: F, last: str) -> None:
    start = parse_timecode(last, rate)
    for ending in (".otio", ".xml", ".aaf"):
        places = [(first, stop, at) for first, stop, _, at in wanted(a_cut(rate, start))]
        assert [
            (first, stop, at) for first, stop, _, at in shown(written(a_cut(rate, start), tmp_path, ending))
        ] == places
    with pytest.raises(OptionError, match="reach midnight"):
        written(a_cut(rate, start), tmp_path, ".edl")
    before = replace(start, frames=start.frames - 100)
    assert shown(written(a_cut(rate, before), tmp_path, ".edl")) == wanted(a_cut(rate, before))


@pytest.mark.parametrize(("start", "mode"), [("00:59:58;10", "DROP FRAME"), ("00:59:58:10", "NON-DROP FRAME")])
def test_an_edl_says_how_its_timecodes_count(tmp_path: Path, start: str, mode: str) -> None:
    rate = F(30000, 1001)
    path = tmp_path / "a.edl"
    write_timeline(a_cut(rate, parse_timecode(start, rate)), path, path)
    rows = path.read_text("utf-8").splitlines()
    assert rows[1] == f"FCM: {mode}"
    assert rows[3].split() == ["001", "INTERVIE", "V", "C", start, *[after(start, 12), start, after(start, 12)]]
    assert rows[3 + 4].split()[1] == "INTERDUB"


def after(start: str, frames: int) -> str:
    rate = F(30000, 1001)
    found = parse_timecode(start, rate)
    return timecode_text(found.frames + frames, rate, found.drop)


def test_final_cut_pro_xml_tells_the_picture_and_disables_what_is_not_heard(tmp_path: Path) -> None:
    rate = F(30000, 1001)
    path = tmp_path / "a.xml"
    write_timeline(a_cut(rate, parse_timecode("01:00:00;02", rate)), path, path)
    assert "<!DOCTYPE xmeml>" in path.read_text("utf-8")
    root = ElementTree.parse(path).getroot()
    told = root.find(".//sequence/media/video/format/samplecharacteristics")
    assert told is not None
    assert [told.findtext(name) for name in ("width", "height", "rate/timebase", "rate/ntsc")] == [
        "640",
        "360",
        "30",
        "TRUE",
    ]
    assert [track.findtext("enabled") for track in root.findall(".//sequence/media/audio/track")] == [None, "FALSE"]
    assert {code.findtext("displayformat") for code in root.iter("timecode")} == {"DF"}
    assert {code.findtext("string") for code in root.iter("timecode")} == {"01:00:00;02"}
    assert root.findtext(".//sequence/marker/comment") == "end cut: Hola <a> & todos"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.fcpxml", "FCPXML is not written"),
        ("a.otioz", "'.otioz' is not a kind of timeline"),
        ("a", "a name without an ending is not a kind of timeline"),
    ],
)
def test_other_types_are_refused(name: str, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        check_timeline_name(Path(name))


@pytest.mark.parametrize("ending", [".edl", ".xml", ".aaf"])
def test_a_rate_without_timecode_is_refused_but_by_otio(tmp_path: Path, ending: str) -> None:
    made = a_cut(F(15))
    path = tmp_path / f"a{ending}"
    with pytest.raises(OptionError, match="no timecode at 15 frames per second"):
        write_timeline(made, path, path)
    assert shown(written(made, tmp_path, ".otio")) == wanted(made)


def test_a_package_that_is_not_installed_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    for ending, says in ((".otio", "OpenTimelineIO.*'opentimelineio'"), (".aaf", "AAF.*'aaf2'")):
        with pytest.raises(MissingExtra, match=rf"{says}.*pip install 'lipdub\[edit\]'"):
            check_timeline_name(Path(f"a{ending}"))
    for ending in (".edl", ".xml"):
        assert check_timeline_name(Path(f"a{ending}")) is TYPES[ending], "needs no package"


@pytest.mark.parametrize("refusal", [otio.exceptions.NotSupportedError, aaf2.exceptions.AAFPropertyError, ValueError])
def test_what_a_package_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type) -> None:
    def refuse(made: CutList, path: Path) -> None:
        raise refusal("not this")

    monkeypatch.setattr(otio_timeline, "write_otio", refuse)
    with pytest.raises(OutputError, match=r"a.otio: OpenTimelineIO cannot hold this cut \(not this\)"):
        write_timeline(a_cut(), tmp_path / "a.otio", tmp_path / "a.otio")


def test_characters_that_xml_does_not_have_are_replaced(tmp_path: Path) -> None:
    line = replace(a_cut().lines[0], text="a\x0bb\ud800 \U0001f600", person="\x00")
    path = tmp_path / "a.xml"
    write_timeline(replace(a_cut(), lines=(line,)), path, path)
    root = ElementTree.parse(path).getroot()
    assert root.findtext(".//sequence/marker/comment") == "end cut: a\ufffdb\ufffd \U0001f600"
    assert shown(otio.adapters.read_from_file(str(path))) == wanted(a_cut())


def test_a_long_line_fits_into_a_marker_of_aaf(tmp_path: Path) -> None:
    line = replace(a_cut().lines[0], text="á" * 100_000, person="A" * 100_000)
    read = written(replace(a_cut(), lines=(line,)), tmp_path, ".aaf")
    assert [len(marker.name) for clip in read.find_clips() for marker in clip.markers] == [1000]


def test_what_a_file_does_not_hold_is_said() -> None:
    many = replace(a_cut(), clips=cut(4000, [("1", k, k + 1) for k in range(0, 4000, 2)]))
    assert timeline_notes(many, Path("a.otio")) == ()
    assert len(timeline_notes(a_cut(), Path("a.edl"))) == 1
    assert "4,000 events" in timeline_notes(many, Path("a.edl"))[1]


def test_rates_that_may_drop_frames() -> None:
    assert [rate for rate in STARTS if may_drop(rate)] == [F(30000, 1001), F(60000, 1001)]
