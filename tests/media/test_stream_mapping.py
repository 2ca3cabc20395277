"""What becomes of every stream: kept where the container can, named where it cannot, never lost in silence."""

import inspect
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from av.stream import Disposition

from lipdub.media import packets
from lipdub.media.languages import container_language, same_container_language
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.media.write import WriteOptions, write_clip

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav, picture

PLAIN = WriteOptions()


def again(source, output, dub=None, options=PLAIN):
    clip = open_clip(source)
    return write_clip(clip, read_frames(clip), dub, output, options)


def streams(path):
    with av.open(str(path)) as container:
        return [
            (s.type, s.codec_context.name if s.codec_context else s.name, s.language, Disposition(s.disposition))
            for s in container.streams
        ]


def image(codec):
    """The bytes of a cover picture."""
    context = av.CodecContext.create(codec, "w")
    form = "yuvj420p" if codec == "mjpeg" else "rgb24"
    context.width, context.height, context.pix_fmt, context.time_base = 64, 48, form, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture(0, (64, 48)), "rgb24").reformat(format=form)
    return b"".join(bytes(p) for p in (*context.encode(frame), *context.encode(None)))


def with_cover(path, codec):
    plain = make_video(path.with_name("plain.mp4"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(source.streams.video[0], opaque=True)
        if path.suffix == ".mkv":
            kind = {"mjpeg": "image/jpeg", "png": "image/png"}[codec]
            out.add_attachment("cover", kind, image(codec))
        else:
            cover = out.add_mux_stream(codec, width=64, height=48)
            cover.disposition = Disposition.attached_pic
            packet = av.Packet(image(codec))
            packet.pts = packet.dts = 0
            packet.stream, packet.is_keyframe, packet.time_base = cover, True, Fraction(1, 25)
            out.mux(packet)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    return path


def cover_of(path):
    """The bytes of the cover picture of a file, or None."""
    with av.open(str(path)) as container:
        for stream in container.streams.video:
            if stream.disposition & Disposition.attached_pic:
                return next(bytes(p) for p in container.demux(stream) if p.size)
    return None


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
@pytest.mark.parametrize("origin", [".mp4", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_cover_pictures(tmp_path, codec, origin, suffix):
    source = with_cover(tmp_path / f"a{origin}", codec)
    assert cover_of(source) == image(codec)
    written = again(source, tmp_path / f"b{suffix}")
    moving = [s for s in streams(written.path) if s[0] == "video" and not s[3] & Disposition.attached_pic]
    assert len(moving) == 1
    if suffix in (".mp4", ".mkv"):
        assert cover_of(written.path) == image(codec)
        assert "stream 1 (video): cover picture" in written.copied
    else:
        assert cover_of(written.path) is None
        assert any("stream 1 (video)" in line and "no cover picture" in line for line in written.dropped)


def test_data_tracks_are_named_also_beside_chapters(tmp_path):
    plain = make_video(tmp_path / "plain.mp4", Extra(chapters=True))
    source = tmp_path / "a.mp4"
    with av.open(str(plain)) as file, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(file.streams.video[0], opaque=True)
        data = out.add_data_stream("bin_data")
        out.set_chapters(file.chapters())
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        for at in range(3):
            packet = av.Packet(b"position %d" % at)
            packet.stream, packet.pts, packet.dts, packet.time_base = data, at * 40, at * 40, Fraction(1, 1000)
            out.mux(packet)
    kinds = [s[0] for s in streams(source)]
    assert kinds.count("data") == 2
    for suffix in (".mp4", ".mov", ".mkv", ".webm"):
        written = again(source, tmp_path / f"b{suffix}")
        named = [line for line in (*written.copied, *written.dropped) if line.startswith("stream 1 (data)")]
        lost = f"stream 1 (data): data (bin_data): {_name(suffix)} does not take bin_data"
        assert named == ["stream 1 (data)" if suffix in (".mp4", ".mov") else lost]
        assert "stream 2 (data): 2 chapters" in written.copied
        with av.open(str(written.path)) as container:
            assert len(container.chapters()) == 2


def _name(suffix):
    return {".mkv": "matroska"}.get(suffix, suffix[1:])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_timecode_is_kept(tmp_path, suffix):
    plain = make_video(tmp_path / "a.mp4", Extra(metadata=(("timecode", "01:02:03:04"),)))
    written = again(plain, tmp_path / f"b{suffix}")
    assert any("timecode 01:02:03:04" in line for line in written.copied)
    with av.open(str(written.path)) as container:
        said = {k.lower(): v for s in container.streams for k, v in s.metadata.items()}
    assert said["timecode"] == "01:02:03:04"


def with_subtitles(path, codec):
    marks = {"por": Disposition.forced, "eng": Disposition.hearing_impaired, "deu": Disposition.comment}
    plain = make_video(path.with_name("plain.mp4"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(source.streams.video[0], opaque=True)
        lanes = []
        for language, mark in marks.items():
            lane = out.add_mux_stream(codec)
            lane.time_base, lane.disposition = Fraction(1, 1000), mark
            lane.metadata.update({"language": language, "title": f"In {language}"})
            lanes.append(lane)
        packets = [p for p in source.demux(video=0) if p.size]
        for packet in packets:
            packet.stream = copy
        for lane in lanes:
            for at in (0, 200, 300):
                text = b"words"
                packet = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
                packet.stream, packet.time_base, packet.duration = lane, Fraction(1, 1000), 90
                packet.pts = packet.dts = at
                packets.append(packet)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return path


def test_languages_titles_and_marks_are_kept_or_named(tmp_path):
    for source, same, lossy in (
        (with_subtitles(tmp_path / "a.mkv", "subrip"), ".mkv", None),
        (with_subtitles(tmp_path / "a.mp4", "mov_text"), ".mp4", ".mov"),
    ):
        written = again(source, tmp_path / f"b{same}")
        assert streams(written.path)[1:] == streams(source)[1:]
        assert written.warnings == ()
        if lossy:
            written = again(source, tmp_path / f"c{lossy}")
            assert all(
                same_container_language(a[2], b[2])
                for a, b in zip(streams(source)[1:], streams(written.path)[1:], strict=True)
            )
            assert "stream 1 (subtitle): it is no longer marked as: forced" in written.warnings
            assert any("hearing impaired" in warning for warning in written.warnings)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("language", ["de", "fr", "zh-Hant", "pt-BR", "sv", "nl"])
def test_the_language_of_the_dub_is_kept(tmp_path, suffix, language):
    source, dub = make_video(tmp_path / "a.mp4", count=3), make_wav(tmp_path / "d.wav", 0.1)
    written = again(source, tmp_path / f"b{suffix}", dub, WriteOptions(language=language))
    found = next(s[2] for s in streams(written.path) if s[0] == "audio")
    assert same_container_language(language, found)
    assert not any("language" in warning for warning in written.warnings)


def test_a_language_that_mov_cannot_say_is_named(tmp_path):
    source, dub = make_video(tmp_path / "a.mp4", count=3), make_wav(tmp_path / "d.wav", 0.1)
    assert container_language("zu", "mov") == "zul"
    written = again(source, tmp_path / "b.mov", dub, WriteOptions(language="zu"))
    assert "dub track: its language 'zul' is 'not stated' now" in written.warnings


def test_attached_files_are_kept_or_named(tmp_path):
    plain, source = make_video(tmp_path / "plain.mp4"), tmp_path / "a.mkv"
    with av.open(str(plain)) as file, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(file.streams.video[0], opaque=True)
        out.add_attachment("font.ttf", "application/x-truetype-font", b"font data")
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    written = again(source, tmp_path / "b.mkv")
    with av.open(str(written.path)) as container:
        assert [s.data for s in container.streams if s.type == "attachment"] == [b"font data"]
    for suffix in (".mp4", ".mov", ".webm"):
        written = again(source, tmp_path / f"b{suffix}")
        assert any("font.ttf" in line for line in written.dropped)


def test_transparency_is_kept_or_named(tmp_path):
    source = make_video(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuva420p", count=3, options=())
    kept = again(source, tmp_path / "b.webm")
    with av.open(str(kept.path)) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        packet = next(p for p in container.demux(video=0) if p.size)
        assert decoder.decode(packet)[0].format.name == "yuva420p"
    assert not any("transparency" in line for line in (*kept.warnings, *kept.dropped))
    lost = again(source, tmp_path / "b.mp4")
    assert any("transparency (alpha channel) of the picture is lost" in warning for warning in lost.warnings)
    second = again(kept.path, tmp_path / "c.webm")
    assert any(line.startswith("transparency (alpha channel)") for line in second.dropped)
    with av.open(str(second.path)) as container:
        assert "alpha_mode" not in container.streams.video[0].metadata


def test_prores_4444_goes_into_mp4_without_transparency(tmp_path):
    source = make_video(
        tmp_path / "a.mov", codec="prores_ks", pixel_format="yuva444p10le", count=3, options=(("profile", "4444"),)
    )
    written = again(source, tmp_path / "b.mp4")
    assert probe(written.path).picture.pixel_format == "yuv444p12le"
    assert any("transparency (alpha channel) of the picture is lost" in warning for warning in written.warnings)


def interlaced(path, encoder, pixel_format, first):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25, options={"flags": "+ildct+ilme"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixel_format
        stream.codec_context.field_order = {"tff": 2, "bff": 3}[first]
        if encoder == "libx264":
            stream.options = {"flags": "+ildct+ilme", "x264-params": f"{first}=1"}
        graph = Graph()
        source = graph.add_buffer(width=128, height=96, format=av.VideoFormat(pixel_format), time_base=Fraction(1, 25))
        marker, sink = graph.add("setfield", first), graph.add("buffersink")
        source.link_to(marker)
        marker.link_to(sink)
        graph.configure()
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(picture(number, (128, 96)), "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.push(frame)
            out.mux(stream.encode(graph.pull()))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("first", ["tff", "bff"])
@pytest.mark.parametrize(
    ("origin", "coding", "suffix", "codec"),
    [(".mp4", ("libx264", "yuv420p"), ".mp4", None), (".mp4", ("libx264", "yuv420p"), ".mov", None),
     (".mp4", ("libx264", "yuv420p10le"), ".mp4", "h264"), (".mov", ("prores_ks", "yuv422p10le"), ".mov", None),
     (".mov", ("prores_ks", "yuv422p10le"), ".mkv", "ffv1")],
)  # fmt: skip
def test_interlacing_is_kept(tmp_path, origin, coding, suffix, codec, first):
    source = interlaced(tmp_path / f"a{origin}", *coding, first)
    before = probe(source).picture
    assert before.interlaced
    assert before.field_order == {"tff": "tt", "bff": "bb"}[first]
    written = again(source, tmp_path / f"b{suffix}", None, WriteOptions(codec=codec))
    after = probe(written.path).picture
    assert (after.interlaced, after.field_order) == (True, before.field_order)
    assert not any("interlaced" in warning for warning in written.warnings)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "hevc"), (".webm", "vp9"), (".mp4", "av1")])
def test_interlacing_that_cannot_be_kept_is_named(tmp_path, suffix, codec):
    source = interlaced(tmp_path / "a.mp4", "libx264", "yuv420p", "bff")
    written = again(source, tmp_path / f"b{suffix}", None, WriteOptions(codec=codec))
    told = f"the picture is interlaced (bottom field first); {codec} is written progressive"
    assert told in written.warnings


def test_copied_streams_go_on_to_where_a_file_was_cut_off(tmp_path):
    options = (("crf", "1"), ("preset", "ultrafast"))
    made = make_video(tmp_path / "made.mp4", Extra(1.5), count=40, size=(320, 240), options=options)
    whole = again(made, tmp_path / "whole.mp4").path.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    written = again(cut, tmp_path / "b.mp4")
    with av.open(str(written.path)) as container:
        came = sum(1 for p in container.demux(audio=0) if p.size)
    with av.open(str(cut)) as container:
        listed = len(container.streams.audio[0].index_entries)
    assert 10 < came < listed
    assert f"stream 1 (audio): damaged, {came} of {listed} packets could be read" in written.warnings


@pytest.mark.parametrize(("interval", "told"), [("10", "are missing in it"), ("250", "the file states 1.521 s")])
def test_what_is_missing_of_copied_sound_is_reported(tmp_path, interval, told):
    options = (("crf", "1"), ("preset", "ultrafast"), ("g", interval))
    source = make_video(tmp_path / "a.mkv", Extra(1.5), count=40, size=(320, 240), options=options)
    assert again(source, tmp_path / "whole.mkv").warnings == ()
    data = bytearray(source.read_bytes())
    third, part = len(data) // 3, len(data) // 6
    data[third : third + part] = np.random.default_rng(3).integers(0, 256, part, dtype=np.uint8).tobytes()
    source.write_bytes(data)
    written = again(source, tmp_path / "b.mkv")
    assert any("stream 1 (audio): damaged" in warning and told in warning for warning in written.warnings)


def test_a_read_error_does_not_end_what_is_copied(tmp_path):
    source = make_video(tmp_path / "a.mkv", Extra(0.4))
    with av.open(str(source)) as container:
        whole = sum(1 for p in container.demux(audio=0) if p.size)

    class Breaking:
        """Fails once in the middle of demuxing, as some damaged files do."""

        def __init__(self, container):
            self.container, self.count = container, 0

        def demux(self, streams):
            for packet in self.container.demux(streams):
                yield packet
                self.count += 1
                if self.count == 5:
                    raise av.error.InvalidDataError(1, "broken here")

    errors = packets.ReadErrors()
    with av.open(str(source)) as container:
        read_on = inspect.unwrap(packets.demux_past_errors)
        came = [p for p in read_on(Breaking(container), list(container.streams.audio), errors) if p.size]
    assert (len(came), errors.count) == (whole, 1)


def test_kept_sound_stays_in_time(tmp_path):
    source = make_video(tmp_path / "a.mp4", Extra(0.4))
    written = again(source, tmp_path / "b.mkv")
    before, after = read_sound(source), read_sound(written.path)
    assert before.start == after.start
    np.testing.assert_array_equal(before.samples[:, :18000], after.samples[:, :18000])
