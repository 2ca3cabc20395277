"""Damaged, cut off and joined files: reading goes on, nothing is lost in silence, and both numbers are told."""

import os
import random
import struct
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import InputError, LipdubError, NotMedia
from lipdub.media.container import open_input
from lipdub.media.frame_timestamps import strictly_increasing
from lipdub.media.packets import clock_joins, demux
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import PictureDamage, read_frames
from lipdub.media.sound_damage import SoundDamage, SoundLog
from lipdub.media.sound_read import SoundReadOptions, read_sound
from lipdub.media.write import WriteOptions, write_clip
from lipdub.timeline.time import Span

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav, number_in, tone

F = Fraction
MS = F(1, 1000)


def numbers(clip, *where):
    return [int(number_in(frame.planes[0])) for frame in read_frames(clip, *where)]


def remuxed(source: Path, target: Path, options=None, change=lambda number, at: at) -> Path:
    """The packets of the first picture stream, each at the time that ``change`` gives it."""
    with av.open(str(source)) as read, av.open(str(target), "w", container_options=options or {}) as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(p for p in read.demux(video=0) if p.size):
            later = change(number, packet.pts) - packet.pts
            packet.pts, packet.dts, packet.stream = packet.pts + later, packet.dts + later, stream
            out.mux_one(packet)
    return target


def spoilt(path: Path, first: float, stop: float, seed: int = 1) -> Path:
    """``path`` with noise in place of a part of its bytes (0..1 of the whole)."""
    data = bytearray(path.read_bytes())
    a, b = int(first * len(data)), int(stop * len(data))
    data[a:b] = random.Random(seed).randbytes(b - a)
    path.write_bytes(data)
    return path


def cut(path: Path, part: float) -> Path:
    """``path`` without its end."""
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    return path


def read_with_damage(path: Path, **options):
    log = SoundLog()
    return read_sound(path, reading=SoundReadOptions(log=log), **options), log.damage


def test_an_mp4_cut_off_behind_its_index_says_so_with_both_numbers(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", count=60)
    clip = open_clip(cut(remuxed(whole, tmp_path / "a.mp4", {"movflags": "faststart"}), 0.6))
    assert 20 < len(clip) < 50
    (told,) = clip.warnings
    assert "states 60 frames (2.400 s)" in told
    assert f"{len(clip)} ({float(clip.span.duration):.3f} s) could be read" in told
    assert numbers(clip) == list(range(len(clip)))


@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_a_file_that_states_its_length_and_ends_early_says_so(tmp_path, suffix):
    clip = open_clip(cut(make_video(tmp_path / f"a{suffix}", count=60), 0.6))
    assert any("ends early" in told and f"({len(clip)} frames)" in told for told in clip.warnings)
    assert numbers(clip) == list(range(len(clip)))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts", ".mpg", ".avi", ".flv", ".wmv"])
def test_whole_files_are_not_doubted(tmp_path, suffix):
    codec = {".webm": "libvpx-vp9", ".mpg": "mpeg2video", ".avi": "mpeg4", ".wmv": "msmpeg4"}.get(suffix, "libx264")
    tone_codec = {".webm": "libopus", ".mpg": "mp2", ".avi": "mp2", ".wmv": "mp2"}.get(suffix, "aac")
    base = {".avi": F(1, 25), ".wmv": MS}.get(suffix)
    # The sound lasts longer than the picture: the length of the file is not that of the picture.
    extra = Extra(sound_seconds=2.0, sound_codec=tone_codec)
    options = () if suffix in (".webm", ".wmv") else (("bf", "2"),)
    path = make_video(tmp_path / f"a{suffix}", extra, count=30, codec=codec, options=options, time_base=base)
    assert open_clip(path).warnings == ()
    assert read_with_damage(path)[1].warnings_about("it") == ()


def test_uneven_frame_times_are_not_doubted(tmp_path):
    steps = np.random.default_rng(0).integers(200, 3000, 40)
    pts = tuple(int(p) for p in np.cumsum([0, *steps]))
    assert open_clip(make_video(tmp_path / "a.mp4", pts=pts, time_base=F(1, 12800))).warnings == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mpg", ".avi"])
def test_reading_goes_on_behind_a_broken_middle(tmp_path, suffix):
    codec = {".mpg": "mpeg2video", ".avi": "mpeg4"}.get(suffix, "libx264")
    base = F(1, 25) if suffix == ".avi" else None
    count = 240 if suffix == ".mkv" else 60  # there reading goes on with the next cluster, 5 s long
    video = {"codec": codec, "count": count, "options": (("g", "10"),), "time_base": base}
    path = make_video(tmp_path / f"a{suffix}", **video)
    clip = open_clip(spoilt(path, 0.4, 0.42) if suffix == ".mkv" else spoilt(path, 0.6, 0.65))
    damage = PictureDamage()
    got = [int(number_in(frame.planes[0])) for frame in read_frames(clip, damage=damage)]
    assert got[:10] == list(range(10)), "what is before the damage"
    assert got[-10:] == list(range(count - 10, count)), "what is behind the damage"
    late = clip.times.instant(len(clip) - 1) - clip.times.instant(len(clip) - 10)
    assert late == F(9, 25), "frames keep their time"
    assert damage.repeated or damage.corrupt or clip.warnings


def test_lost_stretches_of_the_picture_are_named(tmp_path):
    clip = open_clip(spoilt(make_video(tmp_path / "a.mkv", count=60, options=(("g", "10"),)), 0.4, 0.5))
    missing = 60 - len(clip)
    assert missing > 3
    assert any(f"about {missing} frames are missing (0:00:0" in told for told in clip.warnings)


def test_a_damaged_first_frame_does_not_change_the_times(tmp_path):
    path = make_video(tmp_path / "a.mov", codec="png", pixel_format="rgb24", options=(), count=10)
    whole = open_clip(path).times.pts.tolist()
    with av.open(str(path)) as container:
        first = bytes(next(p for p in container.demux(video=0) if p.size))
    path.write_bytes(path.read_bytes().replace(first, b"\0" * len(first)))
    assert len(open_clip(path)) >= 9
    assert set(open_clip(path).times.pts.tolist()) <= set(whole)


def test_frames_with_equal_times_are_all_kept(tmp_path):
    made = make_video(tmp_path / "a.mkv", count=40, time_base=MS, codec="mjpeg", pixel_format="yuvj420p", options=())
    clip = open_clip(remuxed(made, tmp_path / "b.mkv", None, lambda i, at: at - 40 if i in (10, 20) else at))
    assert numbers(clip) == list(range(40))
    assert numbers(clip, 19, 23) == [19, 20, 21, 22]
    assert [clip.times.instant(i) for i in range(40)] == [F(i, 25) for i in range(40)], "a free place was theirs"
    assert any("2 of 40 frames had the same time stamp" in told for told in clip.warnings)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_any_times_rise_and_right_ones_stay(pts):
    out, finer, moved = strictly_increasing(pts, 5)
    assert all(a < b for a, b in pairwise(out))
    assert out[0] == min(pts) * finer
    assert moved == sum(new != old * finer for new, old in zip(out, pts, strict=True))
    if all(a < b for a, b in pairwise(pts)):
        assert (out, finer, moved) == (pts, 1, 0)


def joined(tmp_path: Path, suffix: str, first: int = 75, second: int = 50, **changes) -> Path:
    """Two recordings, the second counting its frames from 100, put one behind the other byte by byte."""
    codec, sound_codec = {".ts": ("libx264", "aac"), ".mpg": ("mpeg2video", "mp2")}[suffix]
    paths = []
    for name, count in (("a", first), ("b", second)):
        extra = Extra(sound_seconds=count / 25, sound_codec=sound_codec)
        video = {"count": count, "codec": codec, "options": (("g", "15"), ("bf", "2"))} | changes
        paths.append(make_video(tmp_path / f"{name}{suffix}", extra, **video))
    both = tmp_path / f"both{suffix}"
    both.write_bytes(b"".join(path.read_bytes() for path in paths))
    return both


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_recordings_go_on(tmp_path, suffix):
    path = joined(tmp_path, suffix)
    clip, first = open_clip(path), open_clip(tmp_path / f"a{suffix}")
    assert numbers(clip) == [*range(75), *range(50)]
    assert clip.times.constant_rate == 25
    assert numbers(clip, 100, 103) == [25, 26, 27], "places are found in the second, too"
    assert any("2 recordings joined" in told and "0:00:03." in told for told in clip.warnings)
    track, damage = read_with_damage(path)
    two = read_sound(tmp_path / f"b{suffix}")
    assert abs(track.span.duration - 5) < F(1, 10)
    assert damage.warnings_about("it") == ()
    # The second recording's sound is where its own file has it, but for the encoder's frames.
    with open_input(path) as container:
        (join,) = clock_joins(container)
    begin = round((two.start + join.shift - track.start) * track.rate)
    piece, own = track.samples[0, begin + 8000 : begin + 40000], two.samples[0, 9600:38400]
    assert abs(int(np.argmax(np.correlate(piece, own))) - 1600) < 0.03 * track.rate
    assert join.shift == first.span.duration


def test_recordings_joined_three_times_and_without_sound(tmp_path):
    part = make_video(tmp_path / "a.ts", count=30, options=(("bf", "2"),)).read_bytes()
    (tmp_path / "b.ts").write_bytes(part * 3)
    clip = open_clip(tmp_path / "b.ts")
    assert numbers(clip) == [*range(30)] * 3
    assert clip.times.constant_rate == 25
    assert any("3 recordings joined" in told for told in clip.warnings)


def test_copied_packets_are_continued_with_the_rest(tmp_path):
    with open_input(joined(tmp_path, ".ts")) as container:
        last: dict[int, Fraction] = {}
        for packet in demux(container, *container.streams):
            at = packet.dts * packet.time_base
            assert at >= last.get(packet.stream_index, at) - F(1, 10)
            last[packet.stream_index] = at
    assert all(at > 4 for at in last.values())


def test_a_clock_that_runs_over_goes_on(tmp_path):
    made = make_video(tmp_path / "a.ts", Extra(sound_seconds=3.0, sound_codec="mp2"), count=75, options=())
    over = tmp_path / "over.ts"
    with av.open(str(made)) as read, av.open(str(over), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in read.streams}
        for packet in read.demux():
            if packet.size:
                packet.pts += 2**33 - 261_000  # 33 bits at 90 kHz; the muxer itself adds 1.4 s
                packet.dts += 2**33 - 261_000
                packet.stream = streams[packet.stream_index]
                out.mux_one(packet)
    clip = open_clip(over)
    assert numbers(clip) == list(range(75))
    assert clip.times.constant_rate == 25
    assert 0 <= clip.start == min(clip.span.start, read_sound(over).start)
    assert clip.warnings == ()
    assert abs(read_sound(over).span.duration - 3) < F(1, 10)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".flac", "flac"), (".m4a", "aac"), (".mp3", "libmp3lame"), (".mka", "flac"), (".wv", "wavpack"),
     (".opus", "libopus"), (".m4a", "alac"), (".ac3", "ac3")],
)  # fmt: skip
def test_sound_goes_on_behind_damage_and_stays_in_time(tmp_path, suffix, codec):
    path = make_wav(tmp_path / f"a{suffix}", 6.0, codec=codec)
    whole, none = read_with_damage(path)
    assert none.gaps == ()
    track, damage = read_with_damage(spoilt(path, 0.4, 0.45, 2))
    assert track.span.duration == pytest.approx(whole.span.duration, abs=0.1)
    assert damage.gaps
    assert all(F(2) < span.start < span.end < F(9, 2) or codec == "flac" for span in damage.gaps)
    (told,) = damage.warnings_about("the dub track")
    assert told.startswith("the dub track lacks ")
    # What is behind the damage is where it was.
    own, piece = whole.samples[0, 240_000:260_000], track.samples[0, 235_000:265_000]
    assert abs(int(np.argmax(np.correlate(piece, own))) - 5000) < 4000


@pytest.mark.parametrize(("suffix", "codec"), [(".flac", "flac"), (".mp3", "libmp3lame"), (".wav", "pcm_s16le")])
def test_sound_that_ends_early_is_told_with_both_numbers(tmp_path, suffix, codec):
    track, damage = read_with_damage(cut(make_wav(tmp_path / f"a{suffix}", 4.0, codec=codec), 0.6))
    (told,) = damage.warnings_about("the dub track")
    assert "4.000 s by what its file states" in told
    assert f"{float(track.span.duration):.3f} s could be read" in told


def write_floats(path: Path, samples: np.ndarray) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, F(1, 48000)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_samples_that_are_no_numbers_are_silent_and_counted(tmp_path):
    samples = tone(1.0, 48000, 1)[0].copy()
    samples[[100, 200, 300]] = [np.nan, np.inf, -np.inf]
    track, damage = read_with_damage(write_floats(tmp_path / "a.wav", samples))
    assert np.isfinite(track.samples).all()
    assert (track.samples[0, [100, 200, 300]] == 0).all()
    assert damage.not_finite == 3
    assert any("3 samples that are not numbers" in told for told in damage.warnings_about("it"))
    assert np.isfinite(read_sound(tmp_path / "a.wav", rate=16000, mono=True).samples).all()


def test_silent_and_short_and_empty_tracks_are_reported(tmp_path):
    assert read_with_damage(write_floats(tmp_path / "a.wav", np.zeros(48000)))[1].warnings_about("it") == (
        "it is completely silent",
    )
    (told,) = read_with_damage(make_wav(tmp_path / "b.wav", 0.1))[1].warnings_about("it")
    assert told == "it is only 0.100 s long"
    wav = make_wav(tmp_path / "c.wav", 0.1)
    data = wav.read_bytes()
    begin = data.index(b"data") + 4
    wav.write_bytes(data[:begin] + bytes(4))
    track, damage = read_with_damage(wav)
    assert track.samples.shape[1] == 0
    assert damage.warnings_about("it") == ("it holds no samples at all",)


def test_damage_survives_being_kept():
    damage = SoundDamage(F(1, 3), F(5), False, F(9, 2), (Span(F(1), F(4, 3)),), 7, 0.25, 12)
    assert SoundDamage.from_json(damage.to_json()) == damage
    assert any("12 channels" in told for told in damage.warnings_about("it"))


def test_reading_stops_where_it_is_reported(tmp_path):
    path = make_wav(tmp_path / "a.flac", 30.0, 16000, 1, "flac")
    log = SoundLog()
    track = read_sound(path, reading=SoundReadOptions(F(2), log))
    assert 2 < track.span.duration < 3
    assert not log.whole
    assert log.damage.warnings_about("it") == ()
    np.testing.assert_array_equal(track.samples, read_sound(path).samples[:, : track.samples.shape[1]])


def test_headers_that_state_years_take_no_memory(tmp_path):
    made = make_wav(tmp_path / "a.mka", 1.0, codec="flac")
    data = bytearray(made.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a double
    data[at : at + 8] = struct.pack(">d", 1e15)
    made.write_bytes(data.replace(b"DURATION", b"DURATIOM"))
    assert probe(made).duration > 10**11
    track, damage = read_with_damage(made)
    assert track.samples.shape[1] == 48000
    assert track.samples.base.nbytes < 200e6
    assert any("ends early" in told for told in damage.warnings_about("it"))
    wav = make_wav(tmp_path / "a.wav", 1.0)
    data = bytearray(wav.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 4_000_000_000)
    wav.write_bytes(data)
    track, damage = read_with_damage(wav)
    assert track.samples.base.nbytes < 50e6
    assert any("41666.667 s" in told for told in damage.warnings_about("it"))


@pytest.mark.parametrize("side", [20000, 60000])
def test_pictures_larger_than_any_film_are_refused(tmp_path, side):
    path = make_video(tmp_path / "a.mkv", codec="ffv1", options=(), size=(320, 48), count=3)
    data = bytearray(path.read_bytes())
    at = data.index(b"\xb0\x82\x01\x40") + 2  # Matroska's PixelWidth
    data[at : at + 2] = struct.pack(">H", side)
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"{side} x 48 pixels; up to 16384"):
        open_clip(path)


def test_time_stamps_that_leap_by_days_are_refused(tmp_path):
    made = make_video(tmp_path / "a.mkv", count=20, time_base=MS, codec="mjpeg", pixel_format="yuvj420p", options=())
    far = remuxed(made, tmp_path / "b.mkv", None, lambda i, at: at + 10**9 * (i > 10))
    with pytest.raises(NotMedia, match="time stamps cover"):
        open_clip(far)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", Path("/dev/zero")):
        with pytest.raises(LipdubError, match="pipe, a socket or a device"):
            probe(path)


def with_two_sounds(path: Path, default: int | None) -> Path:
    """A clip with a rising and a steady tone; ``default`` is marked so."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tracks = [out.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(2)]
        for number, track in enumerate(tracks):
            track.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = 0, F(1, 25)
        out.mux(video.encode(frame))
        for number, track in enumerate(tracks):
            samples = np.full((1, 16000), 8000 * (number + 1), np.int16)
            block = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            block.sample_rate, block.pts, block.time_base = 16000, 0, F(1, 16000)
            out.mux([*track.encode(block), *track.encode(None)])
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize(("default", "wanted", "number"), [(1, None, 1), (0, None, 0), (None, None, 0), (1, 0, 0)])
def test_the_sound_that_players_play_is_heard(tmp_path, default, wanted, number):
    path = with_two_sounds(tmp_path / "a.mkv", default)
    clip = open_clip(path, sound=wanted)
    assert clip.sound == number
    level = 8000 * (number + 1) / 32768
    assert read_sound(path, stream=wanted).samples.max() == pytest.approx(level)
    assert read_sound(path, stream=clip.sound).samples.max() == pytest.approx(level)
    with pytest.raises(LipdubError, match="no sound stream 2"):
        open_clip(path, sound=2)


def test_of_a_dub_track_the_default_sound_is_taken(tmp_path):
    clip = open_clip(make_video(tmp_path / "clip.mp4", count=25))
    dub = with_two_sounds(tmp_path / "dub.mkv", 1)
    write_clip(clip, read_frames(clip), dub, tmp_path / "out.mkv", WriteOptions())
    assert read_sound(tmp_path / "out.mkv").samples.max() == pytest.approx(16000 / 32768)


def test_a_dub_track_with_samples_that_are_no_numbers_is_written(tmp_path):
    clip = open_clip(make_video(tmp_path / "clip.mp4", count=25))
    samples = tone(1.0, 48000, 1)[0].copy()
    samples[[100, 200, 300]] = [np.nan, np.inf, -np.inf]
    written = write_clip(
        clip, read_frames(clip), write_floats(tmp_path / "a.wav", samples), tmp_path / "out.mp4", WriteOptions()
    )
    assert written.encoded[-1].startswith("dub track (aac)")
    assert np.abs(read_sound(tmp_path / "out.mp4").samples).max() > 0.1
