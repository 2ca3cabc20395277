"""Films made of segments: copied packets stay as they are, every frame keeps its time, decoders get over every join."""

import errno
import multiprocessing
import pickle
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.errors import OutputError
from lipdub.media import splice
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import read_frames
from lipdub.media.segment_check import PacketDigest
from lipdub.media.segments import SegmentMismatch, encode_segment, plan_segments, segment_recipe
from lipdub.media.write import WriteOptions
from lipdub.timeline.take import Segment

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav, number_in
from segment_films import CHANGED, decoded, encode, make_film, mux
from test_side_data import captions_of, carrying

GOPS = (("crf", "20"), ("g", "25"), ("preset", "superfast"), ("x264-params", "scenecut=0"))
OVER = WriteOptions(overwrite=True)


def gops(*more):
    """Options of a source with closed GOPs of 25 frames."""
    return (*GOPS[:3], ("x264-params", ":".join(["scenecut=0", *more])))


def packets(path):
    with av.open(str(path)) as file:
        return [(p.pts * p.time_base, p.dts and p.dts * p.time_base, bytes(p)) for p in file.demux(video=0) if p.size]


def varied(count):
    steps = [512, 1024, 64, 1436, 1000, 111, 1889]
    return tuple(sum(steps[i % 7] for i in range(n)) for n in range(count))


H264 = {
    "pyramid": {"options": gops("bframes=3", "b-pyramid=normal")},
    "two b-frames": {"options": gops("bframes=2", "b-pyramid=none")},
    "no b-frames": {"options": gops("bframes=0")},
    "baseline": {"options": (*gops(), ("profile", "baseline"))},
    "main": {"options": (*gops(), ("profile", "main"))},
    "ntsc": {"rate": Fraction(30000, 1001)},
    "vfr": {"pts": varied(150), "time_base": Fraction(1, 12800)},
    "late": {"pts": tuple(10880 + 512 * i for i in range(150)), "time_base": Fraction(1, 12800)},
    "10 bit": {"pixel_format": "yuv420p10le", "codec_of_output": "h264"},
    "4:2:2": {"pixel_format": "yuv422p"},
    "full range": {"pixel_format": "yuvj420p"},
    "odd macroblocks": {"size": (150, 90)},
    "rotated": {"rotation": 1},
    "wide pixels and colours": {"pixel_aspect": Fraction(16, 15), "colours": (6, 5, 6, 1)},
    "chroma sited at the top": {"options": gops("chromaloc=2")},
}


@pytest.mark.parametrize("name", H264)
def test_gops_of_h264_without_a_change_are_copied(tmp_path, name):
    changes = {"count": 150, "options": GOPS, "size": (64, 48)} | H264[name]
    codec = changes.pop("codec_of_output", None)
    source = make_video(tmp_path / "a.mp4", **changes)
    film = make_film(source, tmp_path / "b.mp4", options=WriteOptions(codec=codec))
    assert film.plan.reason == ""
    copied = [i for s in film.plan.segments if s.copied for i in range(s.first, s.stop)]
    assert copied == [*range(50), *range(75, 100), *range(125, 150)]
    before, after = packets(source), packets(film.path)
    assert sorted(pts for pts, _, _ in before) == sorted(pts for pts, _, _ in after)
    assert [dts for _, dts, _ in before] == [dts for _, dts, _ in after]
    assert [before[i] for i in copied] == [after[i] for i in copied]
    shown, new = decoded(source), decoded(film.path)
    assert [at for at, _ in shown] == [at for at, _ in new]
    assert [shown[i] for i in copied] == [new[i] for i in copied]
    assert all(shown[i] != new[i] for part in CHANGED for i in part)
    was, now = open_clip(source), open_clip(film.path)
    assert (was.times.last, was.times.time_base, was.size) == (now.times.last, now.times.time_base, now.size)
    assert replace(probe(film.path).picture, profile=None) == replace(probe(source).picture, profile=None)
    assert "picture (h264): 100 of 150 frames" in film.written.copied
    assert "picture (h264): 50 of 150 frames" in film.written.encoded


@st.composite
def sources(draw):
    """(What ``make_video`` makes, changed ranges): H.264 of any GOPs, reordering and frame times."""
    count = draw(st.integers(40, 90))
    steps = draw(st.lists(st.sampled_from([512, 1024, 300, 40]), min_size=count, max_size=count))
    words = [
        f"keyint={draw(st.integers(7, 20))}", "min-keyint=1", f"scenecut={draw(st.sampled_from([0, 40]))}",
        f"bframes={draw(st.integers(0, 4))}", f"b-pyramid={draw(st.sampled_from(['none', 'normal']))}",
        f"ref={draw(st.integers(1, 4))}", f"open-gop={draw(st.sampled_from([0, 0, 0, 1]))}",
        f"cabac={draw(st.integers(0, 1))}", f"weightp={draw(st.integers(0, 2))}",
    ]  # fmt: skip
    starts = sorted(draw(st.sets(st.integers(0, (count - 1) // 8), min_size=1, max_size=3)))
    changed = [range(8 * at, min(count, 8 * at + draw(st.integers(1, 8)))) for at in starts]
    late = draw(st.integers(0, 4000))
    video = {
        "pts": tuple(late + sum(steps[:n]) for n in range(count)),
        "time_base": Fraction(1, 5120),
        "rate": Fraction(10),
    }
    return video | {"size": (64, 48), "options": (("preset", "fast"), ("x264-params", ":".join(words)))}, changed


@given(source=sources(), suffix=st.sampled_from([".mp4", ".mkv"]))
@settings(max_examples=25, deadline=None)
def test_any_h264_is_right_after_it_was_cut_and_joined(tmp_path_factory, source, suffix):
    folder = tmp_path_factory.mktemp("any")
    video, changed = source
    film = make_film(make_video(folder / f"a{suffix}", **video), folder / "b.mp4", changed)
    result = open_clip(film.path)
    assert [film.clip.times.instant(i) for i in range(len(film.clip))] == [
        result.times.instant(i) for i in range(len(result))
    ]
    copied = {i for s in film.plan.segments if s.copied for i in range(s.first, s.stop)}
    for before, after in zip(read_frames(film.clip), read_frames(result), strict=True):
        same = all(map(np.array_equal, before.planes, after.planes))
        assert same or before.index not in copied
        assert number_in(after.planes[0]) == before.index


@pytest.mark.parametrize("source_suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_copies_from_and_into_every_container(tmp_path, source_suffix, suffix):
    source = make_video(tmp_path / f"a{source_suffix}", Extra(6), count=150, options=gops("bframes=3"), size=(64, 48))
    film = make_film(source, tmp_path / f"b{suffix}", dub=make_wav(tmp_path / "d.wav", 5.5))
    assert film.plan.copied_frames == 100
    shown, new = decoded(source), decoded(film.path)
    assert max(abs(Fraction(a[0]) - Fraction(b[0])) for a, b in zip(shown, new, strict=True)) <= Fraction(1, 2000)
    for segment in film.plan.segments:
        same = [a[1] == b[1] for a, b in zip(shown[segment.first : segment.stop], new[segment.first :], strict=False)]
        assert all(same) == segment.copied
    with av.open(str(film.path)) as file:
        assert [s.type for s in file.streams] == ["video", "audio"]


def test_players_can_begin_anywhere_in_a_film_of_segments(tmp_path):
    source = make_video(tmp_path / "a.mp4", count=150, options=gops("bframes=3"))
    film = make_film(source, tmp_path / "b.mp4", [range(60, 75)])
    clip = open_clip(film.path)
    for first in (3, 48, 51, 74, 76, 140):
        (frame,) = read_frames(clip, first, first + 1)
        assert number_in(frame.planes[0]) == first


INTRA = {
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": (("profile", "lt"),)},
    "prores.mkv": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "options": (("profile", "hq"),)},
    "ffv1.mkv": {"codec": "ffv1", "options": ()},
}


@pytest.mark.parametrize("name", INTRA)
def test_frames_of_intra_codecs_are_copied_one_by_one(tmp_path, name):
    source = make_video(tmp_path / name, count=90, size=(64, 48), **INTRA[name])
    codec = "ffv1" if "ffv1" in name else None
    film = make_film(source, tmp_path / f"b{source.suffix}", [range(40, 45)], WriteOptions(codec=codec))
    assert film.plan.reason == ""
    (part,) = (s for s in film.plan.segments if not s.copied)
    assert part == (Segment(36, 48) if codec else Segment(40, 45))
    shown, new = decoded(source), decoded(film.path)
    assert [at for at, _ in shown] == [at for at, _ in new]
    same = [a == b for a, b in zip(shown, new, strict=True)]
    assert all(same[: part.first])
    assert all(same[part.stop :])
    assert not any(same[40:45])
    with av.open(str(source)) as before, av.open(str(film.path)) as after:
        assert before.streams.video[0].codec_context.codec_tag == after.streams.video[0].codec_context.codec_tag


WHOLE = {
    "open GOPs": (".mp4", {"options": (("g", "25"), ("x264-params", "open-gop=1:scenecut=0:bframes=3"))}, "open"),
    "HRD": (
        ".mp4",
        {"options": (("g", "25"), ("b", "400k"), ("x264-params", "nal-hrd=vbr:vbv-maxrate=400:vbv-bufsize=400"))},
        "buffer",
    ),
    "interlaced": (".mp4", {"options": (("g", "25"), ("flags", "+ildct+ilme"), ("x264-params", "tff=1"))}, "interl"),
    "4:4:4": (".mp4", {"pixel_format": "yuv444p"}, "profile"),
    "transport stream": (".ts", {}, "start codes"),
    "MPEG-2": (".mpg", {"codec": "mpeg2video", "options": ()}, "mpeg2video"),
    "HEVC": (".mp4", {"codec": "libx265", "options": (("x265-params", "log-level=none:keyint=25"),)}, "hevc"),
    "VP9": (".webm", {"codec": "libvpx-vp9", "options": (("g", "25"), ("cpu-used", "8"), ("b", "200k"))}, "vp9"),
    "10 bit": (".mp4", {"pixel_format": "yuv420p10le"}, "the new picture is hevc"),
    "ProRes of 12 bit": (
        ".mov",
        {"codec": "prores_ks", "pixel_format": "yuv444p10le", "options": (("profile", "4444"),)},
        "yuv444p12",
    ),
    "FFV1 of other settings": (".mkv", {"codec": "ffv1", "options": (("slices", "9"),)}, "other settings"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_safe_to_copy_is_encoded_with_the_reason(tmp_path, name):
    suffix, changes, reason = WHOLE[name]
    source = make_video(tmp_path / f"a{suffix}", **{"count": 75, "options": GOPS, "size": (64, 48)} | changes)
    codec = {"HEVC": "hevc", "FFV1 of other settings": "ffv1"}.get(name)
    output = tmp_path / f"b{suffix if suffix in ('.webm', '.mkv', '.mov') else '.mp4'}"
    film = make_film(source, output, [range(30, 40)], WriteOptions(codec=codec))
    assert film.plan.copied_frames == 0
    assert reason in film.plan.reason
    assert len(decoded(output)) == 75


def test_hardware_encoders_do_not_write_parts(tmp_path, monkeypatch):
    source = make_video(tmp_path / "a.mp4", count=75, options=GOPS)
    plan = plan_segments(open_clip(source), [range(30, 40)], tmp_path / "b.mp4", OVER)
    hard = replace(plan.encoding, encoder="h264_nvenc")
    monkeypatch.setattr("lipdub.media.segments.chosen_encoding", lambda *_: hard)
    assert "h264_nvenc" in plan_segments(open_clip(source), [range(30, 40)], tmp_path / "b.mp4", OVER).reason


def cut_in_front(path, source):
    """``source`` with an edit list that leaves out its first ten frames, which stay in the file."""
    with (
        av.open(str(source)) as file,
        av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled"}) as out,
    ):
        video = file.streams.video[0]
        copy = out.add_stream_from_template(video, opaque=True)
        for packet in file.demux(video):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - 5120, packet.dts - 5120, copy
                out.mux(packet)
    return path


def test_frames_that_an_edit_list_leaves_out_prevent_copies(tmp_path):
    plain = make_video(tmp_path / "a.mp4", count=150, options=GOPS)
    film = make_film(cut_in_front(tmp_path / "b.mp4", plain), tmp_path / "c.mp4")
    assert "not shown" in film.plan.reason
    assert len(decoded(film.path)) == len(film.clip) == 140


def test_a_file_that_was_cut_off_is_written_to_its_end(tmp_path):
    source = make_video(tmp_path / "a.mkv", count=150, options=GOPS)
    (tmp_path / "b.mkv").write_bytes(source.read_bytes()[:-9000])
    film = make_film(tmp_path / "b.mkv", tmp_path / "c.mp4", [range(60, 75)])
    assert len(decoded(film.path)) == len(film.clip) < 150


def test_joined_recordings_are_encoded_as_a_whole(tmp_path):
    part = make_video(tmp_path / "a.ts", count=50, options=GOPS).read_bytes()
    (tmp_path / "b.ts").write_bytes(part * 2)
    film = make_film(tmp_path / "b.ts", tmp_path / "c.mp4", [range(60, 75)])
    assert "joined" in film.plan.reason
    assert len(decoded(film.path)) == 100


def test_captions_stay_in_copied_and_in_encoded_frames(tmp_path):
    plain = make_video(tmp_path / "plain.mp4", count=150, options=gops("bframes=3"))
    source = carrying(tmp_path / "a.mp4", plain, "h264")
    film = make_film(source, tmp_path / "b.mp4")
    assert film.plan.copied_frames == 100
    assert captions_of(film.path) == captions_of(source)
    assert any("closed captions (CEA-608/708) (150 frames)" in line for line in film.written.copied)


def test_a_film_without_changes_is_copied_as_a_whole(tmp_path):
    source = make_video(tmp_path / "a.mp4", count=60, options=GOPS)
    film = make_film(source, tmp_path / "b.mp4", [])
    assert film.plan.segments == (Segment(0, 60, copied=True),)
    assert packets(source) == packets(film.path)
    assert not any("picture" in line for line in film.written.encoded)


ENCODERS = {
    "h264": (".mp4", WriteOptions(codec="h264")),
    "hevc": (".mp4", WriteOptions(codec="hevc", preset="ultrafast")),
    "vp9": (".webm", WriteOptions(codec="vp9", preset="8")),
    "av1": (".mkv", WriteOptions(codec="av1", preset="12")),
    "prores": (".mov", WriteOptions(codec="prores")),
    "ffv1": (".mkv", WriteOptions(codec="ffv1")),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_one_worker_writes_the_same_film_as_many(tmp_path, name):
    suffix, options = ENCODERS[name]
    changes = {"count": 90, "options": gops("bframes=3"), "size": (64, 48), "rate": Fraction(12000, 1001)}
    source = make_video(tmp_path / "a.mp4", Extra(7), **changes)
    film = make_film(source, tmp_path / f"b{suffix}", [range(60, 75)], options, copy=False)
    assert len(film.plan.segments) == 2
    files = {number: tmp_path / f"again-{number}.segment" for number in film.files}
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        for number in sorted(files, reverse=True):
            workers.apply(
                encode, (film.clip, pickle.loads(pickle.dumps(film.plan)), number, [range(60, 75)], files[number])
            )
    for number, file in files.items():
        assert file.read_bytes() == film.files[number].read_bytes()
    mux(film.clip, film.plan, files, tmp_path / f"c{suffix}", options)
    again = (tmp_path / f"c{suffix}").read_bytes()
    if suffix in (".mp4", ".mov"):  # Matroska files hold a random number
        assert again == film.path.read_bytes()
    assert packets(tmp_path / f"c{suffix}") == packets(film.path)
    assert len(decoded(film.path)) == 90
    reading = (open_clip(film.path).times.instant(i) - film.clip.times.instant(i) for i in range(90))
    assert max(map(abs, reading)) <= (0 if suffix in (".mp4", ".mov") else Fraction(1, 2000))


@pytest.mark.parametrize("name", ENCODERS)
def test_segments_may_have_fewer_frames_than_encoders_delay(tmp_path, name):
    suffix, options = ENCODERS[name]
    source = make_video(tmp_path / "a.mp4", count=22, rate=Fraction(1), size=(64, 48), options=gops("bframes=3"))
    film = make_film(source, tmp_path / f"b{suffix}", [range(5, 6)], options, copy=False)
    assert [len(segment) for segment in film.plan.segments] == [4, 4, 4, 4, 4, 2]
    shown = [number_in(frame.planes[0]) for frame in read_frames(open_clip(film.path))]
    assert shown == list(range(22))


def test_odd_sizes_are_padded_as_in_whole_films(tmp_path):
    source = make_video(tmp_path / "a.mkv", count=230, size=(65, 49), codec="ffv1", pixel_format="yuv444p", options=())
    film = make_film(source, tmp_path / "b.mkv", copy=False, options=WriteOptions(codec="h264"))
    assert len(film.plan.segments) == 2
    assert len(decoded(film.path)) == 230


def test_alpha_of_vp9_comes_through_files_of_segments(tmp_path):
    source = make_video(tmp_path / "a.mkv", count=12, codec="ffv1", pixel_format="yuva420p", size=(64, 48), options=())
    film = make_film(source, tmp_path / "b.webm", [range(2, 5)])
    with av.open(str(film.path)) as file:
        assert file.streams.video[0].metadata["alpha_mode"] == "1"
        assert all(p.has_sidedata("matroska_block_additional") for p in file.demux(video=0) if p.size)


def test_a_decoder_that_would_fail_at_a_join_is_noticed(tmp_path, monkeypatch):
    source = make_video(tmp_path / "a.mp4", count=150, options=gops("bframes=3", "ref=3"))
    monkeypatch.setattr(splice, "_free_number", lambda *_: 0)
    with pytest.raises(SegmentMismatch, match=r"b\.mp4: the picture was not written as planned.*join"):
        make_film(source, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()
    assert make_film(source, tmp_path / "b.mp4", copy=False).written.frames == 150


def test_packets_that_differ_from_the_source_are_noticed(tmp_path, monkeypatch):
    source = make_video(tmp_path / "a.mp4", count=150, options=GOPS)

    class OfOtherPackets(PacketDigest):
        def value(self):
            return b"of other packets"

    monkeypatch.setattr("lipdub.media.segments.PacketDigest", OfOtherPackets)
    with pytest.raises(SegmentMismatch, match="are not those of the source"):
        make_film(source, tmp_path / "b.mp4")


def test_files_of_segments_are_checked(tmp_path):
    source = make_video(tmp_path / "a.mp4", count=230, options=GOPS, size=(64, 48))
    film = make_film(source, tmp_path / "b.mp4", copy=False)
    arguments = (film.clip, film.plan)
    swapped = {0: film.files[1], 1: film.files[0]}
    with pytest.raises(SegmentMismatch, match="holds another segment"):
        mux(*arguments, swapped, tmp_path / "c.mp4", OVER)
    other = plan_segments(film.clip, CHANGED, film.path, WriteOptions(preset="slow"), copy=False)
    encode(film.clip, other, 1, CHANGED, tmp_path / "other.segment")
    with pytest.raises(SegmentMismatch, match="other settings"):
        mux(*arguments, film.files | {1: tmp_path / "other.segment"}, tmp_path / "c.mp4", OVER)
    whole = film.files[1].read_bytes()
    for size in (0, 20, 300, len(whole) - 1):
        (tmp_path / "cut.segment").write_bytes(whole[:size])
        with pytest.raises(OutputError, match=r"cut\.segment: is no complete segment"):
            mux(*arguments, film.files | {1: tmp_path / "cut.segment"}, tmp_path / "c.mp4", OVER)
    with pytest.raises(OutputError, match="gone"):
        mux(*arguments, film.files | {1: tmp_path / "gone.segment"}, tmp_path / "c.mp4", OVER)


def test_a_segment_appears_only_when_it_is_complete(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=30, options=GOPS))
    plan = plan_segments(clip, [range(30)], tmp_path / "b.mp4", OVER)

    def interrupted():
        yield from read_frames(clip, 0, 20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_segment(clip, plan, 0, interrupted(), tmp_path / "0.segment")
    with pytest.raises(AssertionError, match="20 frames of 30"):
        encode_segment(clip, plan, 0, read_frames(clip, 0, 20), tmp_path / "0.segment")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_errors_of_a_segment_name_what_failed(tmp_path, monkeypatch):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=30, options=GOPS))
    plan = plan_segments(clip, [range(30)], tmp_path / "b.mp4", OVER)

    def damaged():
        yield from read_frames(clip, 0, 20)
        raise OSError(errno.EIO, "a damaged input")

    with pytest.raises(OSError, match="a damaged input"):
        encode_segment(clip, plan, 0, damaged(), tmp_path / "0.segment")
    with pytest.raises(OutputError, match=r"gone/0\.segment: cannot be written"):
        encode_segment(clip, plan, 0, read_frames(clip), tmp_path / "gone" / "0.segment")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lipdub.media.segment_file.SegmentFileWriter.write", full)
    with pytest.raises(OutputError, match=r"0\.segment: cannot be written: the disk is full"):
        encode_segment(clip, plan, 0, read_frames(clip), tmp_path / "0.segment")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_the_recipe_tells_what_decides_the_bytes(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=150, options=GOPS))
    plan = plan_segments(clip, CHANGED, tmp_path / "b.mp4", OVER)
    one, other = plan.encoded
    assert segment_recipe(clip, plan, one) == segment_recipe(open_clip(clip.path), plan, one)
    assert segment_recipe(clip, plan, one) != segment_recipe(clip, plan, other)
    finer = plan_segments(clip, CHANGED, tmp_path / "b.mp4", replace(OVER, crf=10))
    assert segment_recipe(clip, finer, one) != segment_recipe(clip, plan, one)


def test_inputs_are_never_outputs(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=60, options=GOPS))
    plan = plan_segments(clip, [], tmp_path / "b.mp4", OVER)
    with pytest.raises(OutputError, match="one of the inputs"):
        mux(clip, plan, {}, clip.path, OVER)
