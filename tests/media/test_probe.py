"""A clip is measured: every frame's instant, its size as shown; bad input is named in plain words."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError, NoPicture, NotMedia
from lipdub.media.probe import container_start, open_clip, probe
from lipdub.media.read import read_frames

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, Video, make_video, make_wav, number_in

MS = Fraction(1, 1000)


def instants(clip):
    return [clip.times.instant(i) for i in range(len(clip))]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(12)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_constant_rates_are_exact(tmp_path, rate, suffix):
    clip = open_clip(make_video(tmp_path / f"a{suffix}", rate=rate))
    assert instants(clip) == [i / rate for i in range(12)]
    assert clip.rate == rate
    assert clip.times.constant_rate == rate
    assert clip.span.duration == 12 / rate


def test_variable_rate_and_late_start(tmp_path):
    pts = (10880, 11392, 12416, 12480, 13888, 14999, 17000)
    video = {"pts": pts, "time_base": Fraction(1, 12800)}
    clip = open_clip(make_video(tmp_path / "a.mp4", Extra(sound_seconds=1.5), **video))
    assert instants(clip) == [Fraction(p, 12800) for p in pts]
    assert clip.times.constant_rate is None
    assert clip.has_sound
    assert clip.start == container_start(clip.path) == 0


@given(steps=st.lists(st.integers(1, 3000), min_size=1, max_size=12), late=st.integers(0, 5000))
def test_any_instants_survive_the_container(tmp_path_factory, steps, late):
    pts = tuple(int(p) for p in late + np.cumsum([0, *steps]))
    path = tmp_path_factory.mktemp("any") / "a.mp4"
    clip = open_clip(make_video(path, pts=pts, time_base=Fraction(1, 12800), size=(64, 48)))
    assert clip.times.pts.tolist() == [p * int(Fraction(1, 12800) / clip.times.time_base) for p in pts]


@pytest.mark.parametrize("codec", ["mpeg4", "libvpx", "libvpx-vp9", "mpeg1video", "libx265", "ffv1"])
def test_what_is_listed_is_what_is_decoded(tmp_path, codec):
    suffix = {"mpeg1video": ".mpg", "libvpx": ".webm", "libvpx-vp9": ".webm", "ffv1": ".mkv"}.get(codec, ".mp4")
    quiet = (("x265-params", "log-level=none"),) if codec == "libx265" else ()
    path = make_video(tmp_path / f"a{suffix}", codec=codec, count=20, options=quiet)
    clip = open_clip(path)
    with av.open(str(path)) as container:
        decoded = [frame.pts for frame in container.decode(video=0)]
    assert clip.times.pts.tolist() == decoded
    assert len(clip) == 20


@pytest.mark.parametrize("options", [(), (("preset", "slow"), ("bf", "3"))])
def test_frames_before_an_edit_list_are_not_shown(tmp_path, options):
    pts = tuple(512 * (i - 3) for i in range(20))
    clip = open_clip(make_video(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 12800), options=options))
    assert instants(clip) == [Fraction(i, 25) for i in range(17)]
    assert [number_in(f.planes[0]) for f in read_frames(clip)] == list(range(3, 20))


@pytest.mark.parametrize("suffix", [".ts", ".avi", ".flv"])
def test_other_containers(tmp_path, suffix):
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    base = Fraction(1, 25) if suffix == ".avi" else None
    clip = open_clip(make_video(tmp_path / f"a{suffix}", codec=codec, count=30, options=(("bf", "2"),), time_base=base))
    assert [number_in(f.planes[0]) for f in read_frames(clip)] == list(range(30))
    assert number_in(next(read_frames(clip, 17)).planes[0]) == 17
    assert clip.times.constant_rate == 25


@pytest.mark.parametrize("name", ["a:b.mp4", "-a.mp4", "a %03d é.mp4"])
def test_any_file_name(tmp_path, monkeypatch, name):
    make_video(tmp_path / "plain.mp4", count=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(open_clip(Path(name))) == 2


def test_raw_stream_without_time_stamps(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.h264", count=9))
    assert len(clip) == 9
    assert [frame.index for frame in read_frames(clip)] == list(range(9))


@pytest.mark.parametrize("rotation", [1, 2, 3])
def test_size_is_upright(tmp_path, rotation):
    clip = open_clip(make_video(tmp_path / "a.mp4", rotation=rotation))
    assert clip.size == ((96, 128) if rotation % 2 else (128, 96))
    assert probe(clip.path).picture.rotation == rotation


def test_size_has_square_pixels(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", size=(144, 96), pixel_aspect=Fraction(16, 15)))
    assert clip.size == (154, 96)
    assert probe(clip.path).picture.pixel_aspect == Fraction(16, 15)


def test_stream_facts(tmp_path):
    path = make_video(
        tmp_path / "a.mp4",
        Extra(sound_seconds=0.5, sound_layout="5.1", metadata=(("title", "Ω"),)),
        colours=(9, 9, 16, 1), pixel_format="yuv420p10le",
    )  # fmt: skip
    facts = probe(path)
    assert "mp4" in facts.container
    assert [s.kind for s in facts.streams] == ["video", "audio"]
    assert facts.streams[1].channels == 6
    assert facts.streams[1].sample_rate == 48000
    assert facts.picture.depth == 10
    assert (facts.picture.colours.matrix, facts.picture.colours.transfer) == (9, 16)
    assert facts.metadata["title"] == "Ω"
    assert facts.has_sound
    assert Fraction(4, 10) < facts.duration < 1


def test_stream_is_chosen(tmp_path):
    path = make_video(tmp_path / "a.mp4", Extra(second_video=Video(size=(64, 48), count=5, rate=Fraction(10))))
    assert (open_clip(path).size, open_clip(path).stream) == ((128, 96), 0)
    second = open_clip(path, 1)
    assert (second.size, len(second), second.stream) == ((64, 48), 5, 1)
    assert next(read_frames(second)).planes[0].shape == (48, 64)
    with pytest.raises(NoPicture, match="no picture stream 2"):
        open_clip(path, 2)


def test_cover_art_is_no_picture(tmp_path):
    path = tmp_path / "a.png"
    make_video(path, count=1, codec="png", pixel_format="rgb24", options=())
    with pytest.raises(NoPicture, match="still"):
        open_clip(path)


def test_bad_input_is_named(tmp_path, capfd):
    whole = make_video(tmp_path / "whole.mp4").read_bytes()
    for name, data in {
        "empty.mp4": b"", "text.mp4": b"this is no film\n" * 40, "text.txt": b"hello\n" * 40,
        "bytes.bin": b"\0\1\2" * 999, "cut.mp4": whole[: len(whole) // 3],
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(NotMedia) as caught:
            open_clip(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(NotMedia, match="folder"):
        open_clip(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        open_clip(tmp_path / "none.mp4")
    with pytest.raises(NoPicture, match="no picture"):
        open_clip(make_wav(tmp_path / "a.wav"))
    assert capfd.readouterr() == ("", "")


def test_cut_off_stream_keeps_what_is_there(tmp_path):
    whole = make_video(tmp_path / "whole.mkv", count=40)
    part = tmp_path / "part.mkv"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    clip = open_clip(part)
    assert 10 < len(clip) < 40
    assert len(list(read_frames(clip))) == len(clip)
