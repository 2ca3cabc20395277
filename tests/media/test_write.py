"""What is written: every frame at its instant, tags and streams kept, the dub as it came, and nothing on failure."""

import errno
import os
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.disk.publish import Outputs
from lipdub.errors import NoSound, OptionError, OutputError
from lipdub.media import film_writer, output_options
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.media.write import WriteOptions, check_output, encoder_opens, write_clip, write_pending

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, Video, make_video, make_wav, number_in, picture, tone

HALF_MS = Fraction(1, 2000)
PLAIN = WriteOptions()


def instants(clip):
    return [clip.times.instant(i) for i in range(len(clip))]


def again(source, output, dub=None, options=PLAIN):
    """Write ``source`` unchanged; (its clip, the output's clip, the report)."""
    clip = open_clip(source)
    written = write_clip(clip, read_frames(clip), dub, output, options)
    assert [p.name for p in output.parent.glob(".*")] == []
    return clip, open_clip(output), written


def payloads(path, stream=0):
    with av.open(str(path)) as container:
        return b"".join(bytes(p) for p in container.demux(audio=stream) if p.size)


CLIPS = {
    "film": {"rate": Fraction(24000, 1001)},
    "ntsc": {"rate": Fraction(30000, 1001)},
    "vfr": {"pts": (0, 512, 1536, 1600, 3000, 4000, 4111, 6000, 9000), "time_base": Fraction(1, 12800)},
    "late": {"pts": tuple(10880 + 512 * i for i in range(8)), "time_base": Fraction(1, 12800)},
    "b-frames": {"count": 30, "options": (("preset", "slow"), ("bf", "3"))},
    "vfr and b-frames": {
        "pts": (0, 512, 1536, 1600, 3000, 4000, 4111, 6000, 9000, 9800, 10500, 12000),
        "time_base": Fraction(1, 12800),
        "options": (("preset", "slow"), ("bf", "3")),
    },
    "one frame": {"count": 1},
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_every_instant_is_kept(tmp_path, name, suffix):
    source = make_video(tmp_path / "a.mp4", Extra(sound_seconds=0.4), **CLIPS[name])
    clip, out, written = again(source, tmp_path / f"b{suffix}", make_wav(tmp_path / "d.wav", 0.3))
    errors = [abs(a - b) for a, b in zip(instants(clip), instants(out), strict=True)]
    exact = suffix in (".mp4", ".mov")
    assert max(errors) <= (0 if exact else HALF_MS)
    last = abs(clip.times.last * clip.times.time_base - out.times.last * out.times.time_base)
    assert last <= (0 if exact else 2 * HALF_MS)
    assert any("milliseconds" in w for w in written.warnings) == (not exact and max(errors) > 0)
    assert [number_in(f.planes[0]) for f in read_frames(out)] == list(range(len(clip)))


@given(steps=st.lists(st.integers(16, 4000), min_size=1, max_size=10), late=st.integers(0, 5000))
@settings(max_examples=15)
def test_any_instants_are_kept(tmp_path_factory, steps, late):
    folder = tmp_path_factory.mktemp("any")
    pts = tuple(int(p) for p in late + np.cumsum([0, *steps]))
    source = make_video(folder / "a.mkv", pts=pts, time_base=Fraction(1, 1000), size=(64, 48))
    clip, out, _ = again(source, folder / "b.mp4")
    assert instants(clip) == instants(out)


@pytest.mark.parametrize(
    "changes",
    [{"colours": (6, 5, 6, 1)}, {"colours": (1, 1, 1, 1)}, {"colours": (9, 9, 16, 1), "pixel_format": "yuv420p10le"},
     {"pixel_format": "yuvj420p"}, {"colours": (1, 1, 1, 2)}, {"pixel_format": "yuv444p"},
     {"pixel_format": "yuv422p10le", "colours": (1, 1, 1, 1)}, {"pixel_aspect": Fraction(16, 15), "size": (144, 96)},
     {"rotation": 1}, {"rotation": 3, "pixel_aspect": Fraction(8, 9)},
     {"options": (("flags", "+ildct+ilme"), ("x264-params", "tff=1"))}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_picture_is_described_as_before(tmp_path, changes, suffix):
    source = make_video(tmp_path / "a.mp4", count=3, **changes)
    clip, out, written = again(source, tmp_path / f"b{suffix}")
    before, after = probe(source).picture, probe(out.path).picture
    same = replace(after, codec=before.codec, profile=before.profile)
    if before.depth > 8:
        same = replace(same, field_order=before.field_order)
    assert same == before
    assert out.size == clip.size
    assert not written.warnings
    for a, b in zip(read_frames(clip), read_frames(out), strict=True):
        assert np.abs(a.planes[0].astype(int) - b.planes[0]).mean() < 1.5 * 2 ** (before.depth - 8)


def test_ten_bits_become_hevc_and_prores_stays(tmp_path):
    deep = make_video(tmp_path / "a.mkv", pixel_format="yuv420p10le", count=3)
    _, out, written = again(deep, tmp_path / "b.mp4")
    assert (written.codec, probe(out.path).picture.pixel_format) == ("hevc", "yuv420p10le")
    with av.open(str(out.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
    master = make_video(tmp_path / "a.mov", codec="prores_ks", pixel_format="yuv422p10le", count=3, options=())
    _, out, written = again(master, tmp_path / "c.mov")
    assert (written.codec, probe(out.path).picture.profile) == ("prores", probe(master).picture.profile)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_few_deep_frames_are_written(tmp_path, count):
    changes = {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": ()}
    source = make_video(tmp_path / "a.mov", count=count, **changes)
    clip, out, written = again(source, tmp_path / "b.mp4")
    assert written.codec == "hevc"
    assert instants(clip) == instants(out)


def test_nothing_reaches_the_terminal(tmp_path, capfd):
    source = make_video(tmp_path / "a.mkv", pixel_format="yuv420p10le", count=3)
    capfd.readouterr()
    again(source, tmp_path / "b.mp4")
    again(source, tmp_path / "b.webm")
    assert capfd.readouterr() == ("", "")


def test_odd_pictures_are_written(tmp_path):
    source = make_video(tmp_path / "a.mkv", codec="ffv1", size=(127, 95), options=(), count=3)
    _, out, written = again(source, tmp_path / "b.mp4")
    assert out.size == (128, 96)
    assert any("one pixel larger" in w for w in written.warnings)


@pytest.mark.parametrize(
    ("dub", "codec", "suffix"),
    [("d.wav", "pcm_s16le", ".mov"), ("d.wav", "pcm_s24le", ".mkv"), ("d.flac", "flac", ".mp4"),
     ("d.flac", "flac", ".mkv"), ("d.m4a", "aac", ".mp4"), ("d.m4a", "aac", ".mov"), ("d.webm", "libopus", ".webm"),
     ("d.m4a", "alac", ".mp4")],
)  # fmt: skip
def test_a_dub_that_fits_is_copied_bit_for_bit(tmp_path, dub, codec, suffix):
    source = make_video(tmp_path / "a.mp4", Extra(sound_seconds=1.0), count=25)
    track = make_wav(tmp_path / dub, 0.8, 48000, 1, codec)
    _, out, written = again(source, tmp_path / f"b{suffix}", track)
    assert payloads(track) == payloads(out.path)
    assert written.copied[0].startswith("dub track")
    assert written.dub_short > 0.1
    a, b = read_sound(track), read_sound(out.path)
    assert abs(a.start - b.start) < Fraction(1, 1000)
    n = min(a.samples.shape[1], b.samples.shape[1])
    np.testing.assert_array_equal(a.samples[:, :n], b.samples[:, :n])


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".webm", "opus")])
@pytest.mark.parametrize("late", [0, 10880])
@pytest.mark.parametrize(("rate", "channels"), [(48000, 1), (44100, 2), (22050, 1), (48000, 6)])
def test_a_dub_that_does_not_fit_is_encoded_in_place(tmp_path, suffix, codec, late, rate, channels):
    pts = tuple(late + 512 * i for i in range(25))
    source = make_video(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 12800), size=(64, 48))
    clip, out, written = again(source, tmp_path / f"b{suffix}", make_wav(tmp_path / "d.wav", 0.8, rate, channels))
    assert written.encoded[1].startswith(f"dub track ({codec}): {suffix[1:]} does not take pcm_s16le")
    decoded = read_sound(out.path)
    assert decoded.samples.shape[0] == channels
    made = tone(0.8, decoded.rate, channels)[0]
    at = round((clip.start - decoded.start) * decoded.rate)
    piece = decoded.samples[0, at + 6000 : at + 14000]
    lag = int(np.argmax(np.correlate(piece, made[7000:13000]))) - 1000
    assert abs(lag) <= decoded.rate // 500


@pytest.mark.parametrize(("suffix", "lossless"), [(".mp4", False), (".mov", True), (".mkv", True)])
def test_a_long_dub_is_cut_where_the_picture_ends(tmp_path, suffix, lossless):
    source = make_video(tmp_path / "a.mp4", count=25)
    _, out, written = again(source, tmp_path / f"b{suffix}", make_wav(tmp_path / "d.wav", 1.5))
    assert written.dub_cut == Fraction(1, 2)
    assert any("0.500 s longer" in w for w in written.warnings)
    assert read_sound(out.path).samples.shape[1] <= 48000 + 2048
    if lossless:
        np.testing.assert_array_equal(
            read_sound(out.path).samples[0, :48000], read_sound(tmp_path / "d.wav").samples[0, :48000]
        )


def _rich(path):
    """Two picture streams, sound, subtitles, chapters and metadata."""
    extra = Extra(
        0.5, second_video=Video(size=(64, 48), rate=Fraction(30000, 1001)), subtitles=True, chapters=True,
        metadata=(("title", "Film"), ("comment", "as it was")),
    )  # fmt: skip
    return make_video(path, extra)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_everything_else_is_kept(tmp_path, suffix):
    source = _rich(tmp_path / f"a{suffix}")
    options = WriteOptions(metadata={"AI_DUBBED": "mouths and speech are synthetic"}, language="pt-BR")
    clip, out, written = again(source, tmp_path / f"b{suffix}", make_wav(tmp_path / "d.wav", 0.3), options)
    facts = probe(out.path)
    assert sorted(s.kind for s in facts.streams if s.kind != "data") == ["audio", "subtitle", "video", "video"]
    assert facts.metadata["title"] == "Film"
    assert facts.metadata.get("comment", facts.metadata.get("COMMENT")) == "as it was"
    assert facts.metadata["AI_DUBBED"] == "mouths and speech are synthetic"
    assert [s.language for s in facts.streams if s.kind == "audio"] == ["por"]
    assert len(written.dropped) == 1
    with av.open(str(out.path)) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["One", "Two"]
    second = open_clip(source, 1)
    numbers = {open_clip(out.path, i).size: open_clip(out.path, i) for i in range(2)}
    assert instants(numbers[clip.size]) == instants(clip)
    slack = 0 if suffix == ".mp4" else HALF_MS
    pairs = zip(instants(numbers[second.size]), instants(second), strict=True)
    assert all(abs(a - b) <= slack for a, b in pairs)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_cover_art_and_attachments(tmp_path, suffix):
    source = _with_cover(tmp_path / "a.mkv" if suffix != ".mp4" else tmp_path / "a.mp4")
    _, out, written = again(source, tmp_path / f"b{suffix}")
    facts = probe(out.path)
    kinds = [s.codec for s in facts.streams if s.kind in ("video", "attachment")]
    cover = {".mp4": ["h264", "mjpeg"], ".mkv": ["h264", "mjpeg", "font.ttf"], ".webm": ["vp9"]}
    assert kinds == cover[suffix]
    assert (len(written.dropped) > 0) == (suffix == ".webm")


def _with_cover(path):
    """A clip with a cover picture; in Matroska with an attached file too."""
    plain = make_video(path.with_stem("plain"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(source.streams.video[0], opaque=True)
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        if path.suffix == ".mkv":
            out.add_attachment("font.ttf", "application/x-truetype-font", b"font data")
        art = av.VideoFrame.from_ndarray(picture(0, (64, 48)), "rgb24").reformat(format="yuvj420p")
        art.pts = 0
        out.mux(cover.encode(art) + cover.encode(None))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    return path


def test_what_a_container_refuses_is_listed(tmp_path):
    _, out, written = again(_rich(tmp_path / "a.mkv"), tmp_path / "b.mp4", make_wav(tmp_path / "d.wav", 0.3))
    assert any("subtitle" in line for line in written.dropped)
    assert [s.kind for s in probe(out.path).streams if s.kind == "subtitle"] == []


def test_original_sound_is_kept_on_request(tmp_path):
    source = make_video(tmp_path / "a.mp4", Extra(sound_seconds=0.4))
    dub = make_wav(tmp_path / "d.flac", 0.3, codec="flac")
    _, out, _ = again(source, tmp_path / "b.mp4", dub, WriteOptions(keep_original_audio=True))
    assert payloads(out.path, 0) == payloads(dub)
    assert payloads(out.path, 1) == payloads(source)
    with av.open(str(out.path)) as container:
        assert [bool(s.disposition & av.stream.Disposition.default) for s in container.streams.audio] == [True, False]


def test_without_a_dub_the_sound_stays(tmp_path):
    source = make_video(tmp_path / "a.mp4", Extra(sound_seconds=0.4))
    _, out, written = again(source, tmp_path / "b.mp4")
    assert payloads(out.path) == payloads(source)
    assert written.dropped == ()
    np.testing.assert_array_equal(read_sound(out.path).samples, read_sound(source).samples)


def test_program_stream_comes_out(tmp_path):
    source = make_video(tmp_path / "a.mpg", Extra(0.4, sound_codec="mp2"), codec="mpeg1video")
    clip, out, _ = again(source, tmp_path / "b.mp4", make_wav(tmp_path / "d.wav", 0.3))
    assert instants(clip) == instants(out)
    assert len(clip) == 12


def test_second_picture_can_be_the_one(tmp_path):
    clip = open_clip(_rich(tmp_path / "a.mp4"), 1)
    write_clip(clip, read_frames(clip), None, tmp_path / "b.mp4", PLAIN)
    out = open_clip(tmp_path / "b.mp4")
    assert out.size == (64, 48)
    assert instants(out) == instants(clip)


def test_encoders_are_tried_in_silence(capfd):
    assert encoder_opens("libx264")
    assert encoder_opens("libx265")
    assert encoder_opens("libsvtav1")
    assert not encoder_opens("no_such_encoder")
    assert not encoder_opens("libopus")
    assert capfd.readouterr() == ("", "")


def test_hardware_falls_back_with_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(output_options, "hardware_encoding", lambda *_: None)
    source = make_video(tmp_path / "a.mp4", count=3)
    _, _, written = again(source, tmp_path / "b.mp4", None, WriteOptions(hardware=True))
    assert written.encoder == "libx264"
    assert any("hardware" in w for w in written.warnings)


def test_refusals_come_early(tmp_path):
    source = make_video(tmp_path / "a.mp4", count=2)
    there = tmp_path / "there.mp4"
    there.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        check_output(source, there, PLAIN)
    check_output(source, there, WriteOptions(overwrite=True))
    with pytest.raises(OutputError, match="input"):
        check_output(source, source, WriteOptions(overwrite=True))
    with pytest.raises(OutputError, match="folder does not exist"):
        check_output(source, tmp_path / "no" / "b.mp4", PLAIN)
    with pytest.raises(OptionError, match="file type"):
        check_output(source, tmp_path / "b.xyz", PLAIN)
    with pytest.raises(OptionError, match="cannot be written into"):
        check_output(source, tmp_path / "b.webm", WriteOptions(codec="h264"))
    with pytest.raises(OptionError, match="not a picture codec"):
        check_output(source, tmp_path / "b.mp4", WriteOptions(codec="wonder"))
    assert there.read_bytes() == b"precious"


def test_a_failure_leaves_nothing(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4"))
    output = tmp_path / "b.mp4"
    before = sorted(p.name for p in tmp_path.iterdir())

    def interrupted():
        yield from read_frames(clip, 0, 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clip(clip, interrupted(), None, output, PLAIN)
    with pytest.raises(NoSound):
        write_clip(clip, read_frames(clip), clip.path, output, PLAIN)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    clip = open_clip(make_video(tmp_path / "a.mp4"))
    output = tmp_path / "b.mp4"
    output.write_bytes(b"old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(film_writer.FilmWriter, "mux", full)
    with pytest.raises(OutputError, match=r"b\.mp4.*the disk is full"):
        write_clip(clip, read_frames(clip), None, output, WriteOptions(overwrite=True))
    assert output.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    dead = tmp_path / ".lipdub-0123.part"
    dead.touch()
    os.utime(dead, (0, 0))
    clip = open_clip(source)
    with Outputs() as others:
        alive = others.part(tmp_path / "other.mp4").path
        os.utime(alive, (0, 0))
        write_clip(clip, read_frames(clip), None, output, PLAIN)
        assert alive.exists()
    assert output.exists()
    assert not dead.exists()


def test_a_part_is_written_and_published_by_who_asked_for_it(tmp_path):
    clip, target = open_clip(make_video(tmp_path / "a.mp4", count=3)), tmp_path / "b.mov"
    with Outputs() as outputs:
        part = outputs.part(target)
        written = write_pending(clip, read_frames(clip), None, part, PLAIN)
        assert written.path == target
        assert not target.exists()
        assert "mov" in probe(part.path).container
        outputs.publish()
    assert len(open_clip(target)) == 3


def test_what_stands_there_meanwhile_is_not_replaced(tmp_path):
    clip, target = open_clip(make_video(tmp_path / "a.mp4", count=3)), tmp_path / "b.mp4"

    def slow():
        yield from read_frames(clip)
        target.write_bytes(b"of another")

    with pytest.raises(OutputError, match="meanwhile"):
        write_clip(clip, slow(), None, target, PLAIN)
    assert target.read_bytes() == b"of another"


def test_the_errors_of_an_encoder_are_not_blamed_on_the_disk(tmp_path, monkeypatch):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=3))

    def wrong(*_, **__):
        raise ValueError("the encoder cannot do that")

    monkeypatch.setattr(film_writer.FilmWriter, "mux", wrong)
    with pytest.raises(OutputError, match="the encoder cannot do that") as told:
        write_clip(clip, read_frames(clip), None, tmp_path / "b.mp4", PLAIN)
    assert "space" not in str(told.value)
