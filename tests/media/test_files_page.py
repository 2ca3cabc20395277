"""``docs/files.md`` says what the code does: every row of its tables is made, written, and looked at."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from lipdub.media.encoder import CONTAINERS, PICTURE_CODECS
from lipdub.media.encoder_settings import ALLOWED_SETTINGS
from lipdub.media.languages import same_container_language
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import read_frames
from lipdub.media.segments import plan_segments
from lipdub.media.sei import T35, SeiMessage
from lipdub.media.side_data import hdr10_messages
from lipdub.media.write import WriteOptions, write_clip

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, Video, make_video, make_wav
from test_side_data import DEEP, HDR10, HDR_PLUS, captions_of, carrying
from test_stream_mapping import cover_of, interlaced, with_cover, with_subtitles

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def tables():
    """Every table of the page: its head, and its rows as (first cell, other cells)."""
    found, rows = [], []
    for line in (*PAGE.read_text("utf-8").splitlines(), ""):
        if line.startswith("|"):
            rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
        elif rows:
            head, _, *body = rows
            found.append((head, [(row[0], row[1:]) for row in body]))
            rows = []
    return found


CODECS, CHOSEN, SETTINGS, PARTS, CARRIED, BY_CODEC, DUB, REST = tables()


def cases(table):
    """(row, column, cell) of every cell of a table that says something."""
    head, rows = table
    return [
        pytest.param(row, column, cell, id=f"{row[:24]}-{column}")
        for row, cells in rows
        for column, cell in zip(head[1:], cells, strict=True)
        if cell != "-"
    ]


def again(source, suffix, dub=None, **options):
    clip = open_clip(source)
    return write_clip(clip, read_frames(clip), dub, source.with_name(f"out.{suffix}"), WriteOptions(**options))


def named(written, *words):
    """True if the report names a loss in a line with all of ``words``."""
    return any(all(word in line for word in words) for line in (*written.dropped, *written.warnings))


SOURCES = {
    "8 bit": {},
    "10 or 12 bit": {"pixel_format": "yuv420p10le"},
    "10 bit, interlaced": {
        "pixel_format": "yuv420p10le",
        "options": (("flags", "+ildct+ilme"), ("x264-params", "tff=1")),
    },
    "ProRes": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": ()},
    "ProRes, interlaced": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": (("flags", "+ildct+ilme"),)},
}


@pytest.mark.parametrize(("row", "column", "cell"), cases(CODECS))
def test_the_codec_of_the_picture(tmp_path, row, column, cell):
    source = make_video(tmp_path / "a.mov", count=2, **SOURCES[row])
    assert again(source, column).codec == cell


@pytest.mark.parametrize(("row", "column", "cell"), cases(CHOSEN))
def test_codecs_to_choose_from(row, column, cell):
    assert cell == ", ".join(PICTURE_CODECS[CONTAINERS[f".{row}"]])
    assert len(CHOSEN[1]) == len(set(CONTAINERS.values()))


@pytest.mark.parametrize(("row", "column", "cell"), cases(SETTINGS))
def test_settings_to_choose_from(row, column, cell):
    choice = ALLOWED_SETTINGS[row]
    allowed = {"--crf": choice.crf, "--preset": choice.presets}[column]
    assert cell == (f"{allowed[0]} to {allowed[-1]}" if allowed else "none")
    assert [name for name, _ in SETTINGS[1]] == list(ALLOWED_SETTINGS)


GOPS = (("g", "25"), ("preset", "ultrafast"), ("x264-params", "scenecut=0"))
PRORES = {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": ()}
COPIED_FROM = {
    "h264 in mp4, closed GOPs": (".mp4", {"options": GOPS}),
    "h264 in mov, closed GOPs": (".mov", {"options": GOPS}),
    "h264 in mkv, closed GOPs": (".mkv", {"options": GOPS}),
    "h264 in mkv, 10 bit": (".mkv", {"options": GOPS, "pixel_format": "yuv420p10le"}),
    "h264, open GOPs": (".mp4", {"options": (("x264-params", "open-gop=1:keyint=25:scenecut=0:bframes=3"),)}),
    "h264, interlaced": (".mp4", {"options": (*GOPS[:2], ("flags", "+ildct+ilme"), ("x264-params", "tff=1"))}),
    "h264, 4:4:4": (".mp4", {"options": GOPS, "pixel_format": "yuv444p"}),
    "h264 in ts": (".ts", {"options": GOPS}),
    "prores in mov, 4:2:2": (".mov", PRORES),
    "prores in mov, 4444": (".mov", PRORES | {"pixel_format": "yuv444p10le"}),
    "ffv1 in mkv, made by lipdub": (".mkv", {"codec": "ffv1", "options": ()}),
    "ffv1 in mkv, other settings": (".mkv", {"codec": "ffv1", "options": (("slices", "9"),)}),
    "hevc in mp4": (".mp4", {"codec": "libx265", "options": (("x265-params", "keyint=25:log-level=none"),)}),
    "vp9 in webm": (".webm", {"codec": "libvpx-vp9", "options": (("g", "25"), ("cpu-used", "8"), ("b", "200k"))}),
    "av1 in mkv": (".mkv", {"codec": "libsvtav1", "options": (("preset", "12"), ("svtav1-params", "keyint=25"))}),
    "mpeg2video in mpg": (".mpg", {"codec": "mpeg2video", "options": ()}),
}


@pytest.mark.parametrize(("row", "column", "cell"), cases(PARTS))
def test_which_parts_of_the_picture_are_copied(tmp_path, row, column, cell):
    suffix, changes = COPIED_FROM[row]
    source = make_video(tmp_path / f"a{suffix}", count=75, size=(64, 48), **changes)
    output = tmp_path / f"out{suffix if suffix in CONTAINERS else '.mp4'}"
    codec = row.split()[0].strip(",") if "chosen" in column else None
    plan = plan_segments(open_clip(source), [range(30, 40)], output, WriteOptions(codec=codec))
    assert ("copied in parts" if plan.copied_frames else "encoded") == cell
    assert bool(plan.reason) == (cell == "encoded")


def times_of(path):
    clip = open_clip(path)
    return [clip.times.instant(i) for i in range(len(clip))]


def times_kept(source, written):
    before, after = times_of(source), times_of(written.path)
    if len(before) != len(after):
        return "named"
    worst = max(abs(a - b) for a, b in zip(before, after, strict=True))
    rounded = any("milliseconds" in warning for warning in written.warnings)
    return "kept" if worst == 0 else "to the millisecond" if worst <= Fraction(1, 2000) and rounded else "lost"


VARIABLE = {"pts": (0, 512, 1536, 1600, 3000, 4001), "time_base": Fraction(1, 12800)}


def mirrored(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_rotation(90, hflip=True)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def the_same(attribute, *words):
    """A check that an attribute of the picture is as before, or its loss is named."""

    def check(source, written):
        kept = getattr(probe(source).picture, attribute) == getattr(probe(written.path).picture, attribute)
        return "kept" if kept else "named" if named(written, *words) else "lost"

    return check


def fields(source, written):
    before, after = probe(source).picture, probe(written.path).picture
    kept = (before.interlaced, before.field_order) == (after.interlaced, after.field_order)
    return "kept" if kept and before.interlaced else "named" if named(written, "interlaced") else "lost"


def alpha(_, written):
    with av.open(str(written.path)) as file:
        video = file.streams.video[0]
        kept = video.metadata.get("alpha_mode") == "1" or "yuva" in (video.codec_context.pix_fmt or "")
    return "kept" if kept else "named" if named(written, "transparency") else "lost"


def hdr10(source, written):
    values = hdr10_messages(probe(source).picture)
    kept = values == HDR10 == hdr10_messages(probe(written.path).picture)
    return (
        "kept" if kept else "named" if named(written, "HDR10 mastering") and named(written, "light level") else "lost"
    )


def captions(source, written):
    kept = captions_of(source) == captions_of(written.path)
    return "kept" if kept else "named" if named(written, "closed captions") else "lost"


def reported(kept, lost):
    """A check of what the report says, for what a decoder does not give out."""
    return lambda _, written: (
        "kept" if any(kept in line for line in written.copied) else "named" if named(written, lost) else "lost"
    )


def deep(path, added=(), **more):
    plain = make_video(path.with_name("plain.mp4"), count=3, **DEEP)
    return carrying(path, plain, "hevc", list(added), captions=False, **more)


DOLBY = b"\x7c\x01\x19\x08\x09"

PICTURE = {
    "number of frames": (
        lambda path: make_video(path, **VARIABLE),
        lambda source, written: "kept" if len(open_clip(source)) == len(open_clip(written.path)) else "lost",
    ),
    "time of every frame, also at a variable rate": (lambda path: make_video(path, **VARIABLE), times_kept),
    "start offset of the picture": (
        lambda path: make_video(
            path, Extra(0.3), pts=tuple(1007 + 512 * i for i in range(4)), time_base=Fraction(1, 12800)
        ),
        times_kept,
    ),
    "rotation and mirroring (display matrix)": (mirrored, the_same("matrix", "turn")),
    "pixels that are not square": (
        lambda path: make_video(path, count=2, pixel_aspect=Fraction(16, 15)),
        the_same("pixel_aspect", "pixel aspect ratio"),
    ),
    "interlacing, with its field order": (lambda path: interlaced(path, "libx264", "yuv420p", "bff"), fields),
    "transparency (alpha channel)": (
        lambda path: make_video(path.with_suffix(".mkv"), codec="ffv1", pixel_format="yuva420p", count=2, options=()),
        alpha,
    ),
    "HDR10 mastering display, content light level": (lambda path: deep(path, HDR10), hdr10),
    "closed captions (CEA-608/708) in the picture": (
        lambda path: carrying(path, make_video(path.with_name("plain.mp4"), count=4), "h264"),
        captions,
    ),
    "HDR10+": (lambda path: deep(path, [SeiMessage(T35, HDR_PLUS)]), reported("HDR10+", "HDR10+")),
    "Dolby Vision": (
        lambda path: deep(path, raw=len(DOLBY).to_bytes(4, "big") + DOLBY),
        reported("Dolby Vision", "Dolby Vision"),
    ),
}


@pytest.mark.parametrize(("row", "column", "cell"), cases(CARRIED))
def test_what_the_picture_carries(tmp_path, row, column, cell):
    make, inspect = PICTURE[row]
    source = make(tmp_path / "a.mp4")
    assert inspect(source, again(source, column)) == cell


@pytest.mark.parametrize(("row", "column", "cell"), cases(BY_CODEC))
def test_what_each_codec_carries(tmp_path, row, column, cell):
    make, inspect = PICTURE[row]
    source = make(tmp_path / "a.mp4")
    assert inspect(source, again(source, "mkv", codec=column)) == cell


TRACKS = {
    "AAC (m4a)": ("d.m4a", "aac"),
    "MP3": ("d.mp3", "libmp3lame"),
    "Opus": ("d.opus", "libopus"),
    "FLAC": ("d.flac", "flac"),
    "ALAC": ("d.m4a", "alac"),
    "AC-3": ("d.ac3", "ac3"),
    "PCM, 16 bit (WAV)": ("d.wav", "pcm_s16le"),
    "PCM, 24 bit (WAV)": ("d.wav", "pcm_s24le"),
}


@pytest.mark.parametrize(("row", "column", "cell"), cases(DUB))
def test_the_dub_track(tmp_path, row, column, cell):
    name, codec = TRACKS[row]
    source, track = make_video(tmp_path / "a.mp4", count=10), make_wav(tmp_path / name, 0.4, 48000, 1, codec)
    written = again(source, column, track)
    (told,) = [line for line in (*written.copied, *written.encoded) if line.startswith("dub track")]
    with av.open(str(written.path)) as out, av.open(str(track)) as before:
        written_codec = out.streams.audio[0].codec_context.codec.canonical_name
        was = before.streams.audio[0].codec_context.codec.canonical_name
        payload = b"".join(bytes(p) for p in out.demux(audio=0) if p.size)
        copied = payload == b"".join(bytes(p) for p in before.demux(audio=0) if p.size)
    assert ("copied" if copied and written_codec == was else written_codec) == cell
    assert (told in written.copied) == (cell == "copied")
    assert (": " in told) == (cell != "copied")


def stream_fate(number, kind):
    """A check that packets of a stream of the source are in the new file, or that the report names it."""

    def check(source, written):
        with av.open(str(source)) as before, av.open(str(written.path)) as after:
            payload = [bytes(p) for p in before.demux(before.streams[number]) if p.size]
            same = any(
                [bytes(p) for p in file.demux(stream) if p.size] == payload
                for stream in after.streams
                if stream.type == kind
                for file in [after]
                if not file.seek(0)
            )
        told = any(line.startswith(f"stream {number} ({kind})") for line in written.copied)
        return "copied" if same and told else "named" if named(written, f"stream {number} ({kind})") else "lost"

    return check


def subtitles(source, written):
    texts = []
    for path in (source, written.path):
        with av.open(str(path)) as file:
            tracks = list(file.streams.subtitles)
            texts.append([b"words" in bytes(p) for p in file.demux(tracks) if p.size > 2] if tracks else [])
    told = any("(subtitle)" in line for line in written.copied)
    return "copied" if texts[0] == texts[1] and told else "named" if named(written, "(subtitle)") else "lost"


def forced(_, written):
    with av.open(str(written.path)) as file:
        kept = any(s.disposition & Disposition.forced for s in file.streams.subtitles)
    return "kept" if kept else "named" if named(written, "marked", "forced") else "lost"


def language(_, written):
    with av.open(str(written.path)) as file:
        return "kept" if same_container_language(file.streams.audio[0].language, "de") else "lost"


def chapters(_, written):
    with av.open(str(written.path)) as file:
        return "kept" if [c["metadata"]["title"] for c in file.chapters()] == ["One", "Two"] else "lost"


def cover(source, written):
    return "kept" if cover_of(written.path) == cover_of(source) else "named" if named(written, "cover") else "lost"


def attached(_, written):
    with av.open(str(written.path)) as file:
        kept = any(s.type == "attachment" and s.data == b"font data" for s in file.streams)
    return "kept" if kept else "named" if named(written, "font.ttf") else "lost"


def timecode(_, written):
    with av.open(str(written.path)) as file:
        tracks = [s for s in file.streams if s.type == "data" and s.metadata.get("timecode") == "01:02:03:04"]
        tags = [v for s in file.streams.video for k, v in s.metadata.items() if k.lower() == "timecode"]
    return "kept" if tracks else "as a tag" if tags == ["01:02:03:04"] else "lost"


def data(_, written):
    with av.open(str(written.path)) as file:
        tracks = [s for s in file.streams if s.type == "data"]
        kept = bool(tracks) and [bytes(p) for p in file.demux(tracks) if p.size] == [b"position 0", b"position 1"]
    return "kept" if kept else "named" if named(written, "(data)", "bin_data") else "lost"


def metadata(_, written):
    with av.open(str(written.path)) as file:
        said = {key.lower(): value for key, value in file.metadata.items()}
    return "kept" if (said.get("title"), said.get("comment")) == ("Film", "as it was") else "lost"


def with_font(path):
    plain, source = make_video(path.with_name("plain.mp4"), count=3), path.with_suffix(".mkv")
    with av.open(str(plain)) as file, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(file.streams.video[0], opaque=True)
        out.add_attachment("font.ttf", "application/x-truetype-font", b"font data")
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    return source


def with_data(path):
    plain = make_video(path.with_name("plain.mp4"))
    with av.open(str(plain)) as file, av.open(str(path), "w") as out:
        copy, track = out.add_stream_from_template(file.streams.video[0], opaque=True), out.add_data_stream("bin_data")
        for number, packet in enumerate(p for p in file.demux(video=0) if p.size):
            packet.stream = copy
            out.mux(packet)
            if number < 2:
                said = av.Packet(b"position %d" % number)
                said.stream, said.pts, said.dts, said.time_base = track, number * 40, number * 40, Fraction(1, 1000)
                said.duration = 40
                out.mux(said)
    return path


def sounding(path):
    return make_video(path, Extra(0.4))


EVERYTHING = {
    "the clip's own sound (AAC), without a dub track": (sounding, stream_fate(1, "audio"), {}),
    "the clip's own sound (AAC), with a dub track": (sounding, stream_fate(1, "audio"), {"dub": True}),
    "the clip's own sound (AAC), with --keep-original-audio": (
        sounding, stream_fate(1, "audio"), {"dub": True, "keep_original_audio": True},
    ),
    "a second picture (h264)": (
        lambda path: make_video(path, Extra(second_video=Video(size=(64, 48)))), stream_fate(1, "video"), {},
    ),
    "subtitles (mov_text, of mp4 and mov)": (lambda path: with_subtitles(path, "mov_text"), subtitles, {}),
    "subtitles (SubRip, of mkv)": (
        lambda path: with_subtitles(path.with_suffix(".mkv"), "subrip"), subtitles, {},
    ),
    "forced mark of subtitles (mov_text)": (lambda path: with_subtitles(path, "mov_text"), forced, {}),
    "language of the dub track": (
        lambda path: make_video(path, count=3), language, {"dub": True, "language": "de"},
    ),
    "chapters": (lambda path: make_video(path, Extra(chapters=True)), chapters, {}),
    "cover picture": (lambda path: with_cover(path, "mjpeg"), cover, {}),
    "attached files (fonts)": (with_font, attached, {}),
    "timecode track": (
        lambda path: make_video(path, Extra(metadata=(("timecode", "01:02:03:04"),)), count=3), timecode, {},
    ),
    "other data tracks (bin_data, as of GoPro cameras)": (with_data, data, {}),
    "title and comment of the file": (
        lambda path: make_video(path, Extra(metadata=(("title", "Film"), ("comment", "as it was"))), count=3),
        metadata, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "column", "cell"), cases(REST))
def test_everything_else(tmp_path, row, column, cell):
    make, inspect, options = EVERYTHING[row]
    source, options = make(tmp_path / "a.mp4"), dict(options)
    dub = make_wav(tmp_path / "d.wav", 0.3) if options.pop("dub", False) else None
    assert inspect(source, again(source, column, dub, **options)) == cell


def test_every_row_is_checked():
    assert [row for row, _ in CARRIED[1]] == list(PICTURE)
    assert {row for row, _ in BY_CODEC[1]} <= set(PICTURE)
    assert [row for row, _ in DUB[1]] == list(TRACKS)
    assert [row for row, _ in REST[1]] == list(EVERYTHING)
    assert [row for row, _ in CODECS[1]] == list(SOURCES)
    assert [row for row, _ in PARTS[1]] == list(COPIED_FROM)
