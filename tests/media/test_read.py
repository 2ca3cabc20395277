"""Frames come as filmed, each under its own index; windows are parts of one picture; sound keeps its clock."""

import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.errors import NoSound
from lipdub.media.formats import PlaneReader, planar_format
from lipdub.media.probe import open_clip
from lipdub.media.read import PictureDamage, prefetch, read_frames
from lipdub.media.sound_read import read_sound
from lipdub.timeline.picture import Window

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav, number_in, picture, tone

LOSSLESS = {"codec": "ffv1", "options": ()}


def whole(clip):
    return Window(0, 0, *clip.size)


def test_index_is_frame(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=40, options=(("preset", "slow"), ("g", "12"), ("bf", "3"))))
    got = list(read_frames(clip))
    assert [f.index for f in got] == [number_in(f.planes[0]) for f in got] == list(range(40))
    assert [f.pts for f in got] == clip.times.pts.tolist()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mpg"])
def test_seeking_gives_the_same_bytes(tmp_path, suffix):
    options = (("g", "12"), ("bf", "2"))
    codec = "mpeg1video" if suffix == ".mpg" else "libx264"
    clip = open_clip(make_video(tmp_path / f"a{suffix}", count=40, codec=codec, options=options))
    all_frames = list(read_frames(clip))
    for first in (1, 11, 12, 13, 25, 39):
        got = list(read_frames(clip, first, min(first + 3, 40)))
        assert [f.index for f in got] == list(range(first, min(first + 3, 40)))
        for f in got:
            for a, b in zip(f.planes, all_frames[f.index].planes, strict=True):
                np.testing.assert_array_equal(a, b)


def test_planes_are_the_callers_own(tmp_path):
    clip = open_clip(make_video(tmp_path / "a.mp4", count=20, options=(("bf", "2"),)))
    untouched = [f.planes[0].copy() for f in read_frames(clip)]
    for f, before in zip(read_frames(clip), untouched, strict=True):
        assert all(p.flags.writeable for p in f.planes)
        np.testing.assert_array_equal(f.planes[0], before)
        f.planes[0][:] = 0


@pytest.mark.parametrize("depth", [8, 10])
def test_samples_and_layout(tmp_path, depth):
    name = "yuv420p" if depth == 8 else "yuv422p10le"
    clip = open_clip(make_video(tmp_path / "a.mkv", **LOSSLESS, pixel_format=name, colours=(1, 1, 1, 1)))
    frame = next(read_frames(clip))
    layout = frame.layout
    assert (layout.name, layout.depth, layout.matrix, layout.full_range) == (name, depth, "bt709", False)
    assert frame.planes[0].dtype == (np.uint8 if depth == 8 else np.uint16)
    assert frame.planes[0].max() < 1 << depth
    assert frame.planes[0].max() > 0.6 * (1 << depth)
    assert frame.planes[1].shape == ((48, 64) if depth == 8 else (96, 64))


@pytest.mark.parametrize(
    "name", "yuv420p yuv422p yuv444p yuv411p yuv410p yuv440p yuv420p10le yuva420p bgra gbrp12le".split()
)
def test_rgb_is_the_picture(tmp_path, name):
    clip = open_clip(make_video(tmp_path / "a.mkv", **LOSSLESS, pixel_format=name, count=3))
    frame = list(read_frames(clip))[2]
    seen = frame.rgb(whole(clip)).astype(int)
    smooth = np.s_[30:]
    assert np.abs(seen - picture(2, clip.size))[smooth].mean() < (3 if "41" in name else 1.5)


@given(left=st.integers(0, 120), top=st.integers(0, 90), width=st.integers(0, 60), height=st.integers(0, 60))
@pytest.mark.parametrize("kind", ["plain", "odd", "turned", "wide", "wide and turned"])
def test_any_window_is_part_of_the_whole(tmp_path_factory, kind, left, top, width, height):
    frame, clip, full = _one_frame(tmp_path_factory, kind)
    window = Window(left, top, left + width, top + height).clipped(clip.size)
    part = frame.rgb(window)
    assert part.shape == (window.height, window.width, 3)
    same = full[window.top : window.bottom, window.left : window.right]
    assert part.size == 0 or np.abs(part.astype(int) - same).max() <= 1


_made: dict = {}


def _one_frame(factory, kind):
    if kind not in _made:
        changes = {
            "plain": {}, "odd": {"size": (127, 95)}, "turned": {"rotation": 1, "codec": "libx264"},
            "wide": {"pixel_aspect": Fraction(16, 15), "codec": "libx264"},
            "wide and turned": {"pixel_aspect": Fraction(8, 9), "rotation": 3, "codec": "libx264"},
        }[kind]  # fmt: skip
        clip = open_clip(make_video(factory.mktemp("w") / "a.mkv", **({"count": 1} | LOSSLESS | changes)))
        frame = next(read_frames(clip))
        _made[kind] = frame, clip, frame.rgb(whole(clip))
    return _made[kind]


@pytest.mark.parametrize("rotation", [1, 2, 3])
def test_rotated_pictures_are_seen_upright(tmp_path, rotation):
    clip = open_clip(make_video(tmp_path / "a.mp4", rotation=rotation, options=(("crf", "1"),)))
    seen = next(read_frames(clip)).rgb(whole(clip)).astype(int)
    assert np.abs(seen - np.rot90(picture(0, (128, 96)), rotation)).mean() < 2


def test_wide_pixels_are_seen_square(tmp_path):
    video = {"size": (120, 96), "pixel_aspect": Fraction(3, 2), "options": (("crf", "1"),)}
    seen = next(read_frames(clip := open_clip(make_video(tmp_path / "a.mkv", **video)))).rgb(whole(clip)).astype(int)
    assert seen.shape == (96, 180, 3)
    # Shown column 3k + 1 lies on coded column 2k + 1/2.
    made = picture(0, (120, 96)).astype(int)
    assert np.abs(seen[40:, 1::3] - (made[40:, 0::2] + made[40:, 1::2]) / 2).mean() < 2


def test_untagged_colours_are_guessed_as_players_do(tmp_path):
    small = next(read_frames(open_clip(make_video(tmp_path / "s.mp4", count=1))))
    large = next(read_frames(open_clip(make_video(tmp_path / "l.mp4", count=1, size=(64, 720)))))
    assert (small.layout.matrix, large.layout.matrix) == ("bt601", "bt709")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nv12", "yuv420p"), ("p010le", "yuv420p10le"), ("yuyv422", "yuv422p"), ("rgb24", "gbrp"), ("bgra", "gbrap"),
     ("pal8", "gbrp"), ("rgb48be", "gbrp16le"), ("yuv411p", "yuv411p"), ("gray", "gray"), ("ya8", "gray"),
     ("yuv420p10be", "yuv420p10le"), ("monow", "gray"), ("nv24", "yuv444p"), ("uyyvyy411", "yuv411p")],
)  # fmt: skip
def test_odd_formats_become_the_nearest_planar_one(name, expected):
    assert planar_format(name).name == expected


def test_packed_formats_keep_their_samples():
    source = av.VideoFrame.from_ndarray(picture(3, (128, 96)), "rgb24").reformat(format="yuv420p")
    packed = source.reformat(format="nv12")
    for a, b in zip(
        PlaneReader().planes(packed, "yuv420p", 128, 96), PlaneReader().planes(source, "yuv420p", 128, 96), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_frame_that_cannot_be_decoded_repeats_the_one_before(tmp_path):
    path = make_video(tmp_path / "a.mov", codec="png", pixel_format="rgb24", options=(), count=10)
    clip = open_clip(path)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        spoiled = bytes(packets[4])
    data = path.read_bytes()
    assert data.count(spoiled) == 1
    path.write_bytes(data.replace(spoiled, b"\0" * len(spoiled)))
    damage = PictureDamage()
    got = list(read_frames(clip, damage=damage))
    assert [f.index for f in got] == list(range(10))
    assert [f.pts for f in got] == clip.times.pts.tolist()
    assert damage.repeated == [4]
    numbers = [number_in(f.planes[0]) for f in got]
    assert numbers == [0, 1, 2, 3, 3, 5, 6, 7, 8, 9]


def test_prefetched_passes_everything_on():
    assert list(prefetch(iter(range(50)), 3)) == list(range(50))
    assert list(prefetch([])) == []


def test_prefetched_raises_in_place():
    def broken():
        yield 1
        raise KeyError("two")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(KeyError, match="two"):
        next(items)


def test_prefetched_closes_and_leaves_no_thread():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    items = prefetch(endless(), 2)
    assert next(items) == 0
    items.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_prefetched_runs_ahead_but_not_far():
    made = []

    def count():
        for i in range(100):
            made.append(i)
            yield i

    items = prefetch(count(), 3)
    next(items)
    for _ in range(100):
        if len(made) >= 4:
            break
        time.sleep(0.01)
    assert 4 <= len(made) <= 6
    items.close()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".wav", "pcm_s16le"), (".wav", "pcm_s24le"), (".flac", "flac"), (".wav", "pcm_f32le"), (".wav", "pcm_u8")],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_as_written(tmp_path, suffix, codec, channels):
    decoded = read_sound(make_wav(tmp_path / f"a{suffix}", 0.5, 44100, channels, codec))
    made = tone(0.5, 44100, channels)
    assert (decoded.rate, decoded.start, decoded.samples.dtype) == (44100, 0, np.float32)
    np.testing.assert_allclose(decoded.samples, made, atol=0.01 if codec == "pcm_u8" else 1e-4)


@pytest.mark.parametrize("suffix", [".m4a", ".mp4", ".mkv", ".webm"])
def test_priming_is_not_heard(tmp_path, suffix):
    codec = "libopus" if suffix == ".webm" else "aac"
    decoded = read_sound(make_wav(tmp_path / f"a{suffix}", 0.5, 48000, 1, codec))
    assert abs(decoded.start) < Fraction(1, 1000)
    assert abs(lag_of(decoded, tone(0.5, 48000, 1)[0])) <= 48
    assert abs(decoded.samples.shape[1] - 24000) <= 2048


def lag_of(decoded, made, at=0):
    """Samples by which ``made``, which should begin at instant ``at``, is heard late."""
    begin = round((at - decoded.start) * decoded.rate)
    piece = decoded.samples[0, begin + 3000 : begin + 15000]
    return int(np.argmax(np.correlate(piece, made[4000:14000]))) - 1000


def test_late_sound_starts_late(tmp_path):
    late = read_sound(make_video(tmp_path / "a.mp4", Extra(sound_seconds=0.5, sound_start=Fraction(1, 4)), count=25))
    assert abs(lag_of(late, tone(0.5, 48000, 1)[0], Fraction(1, 4))) <= 5


def test_gaps_are_silent(tmp_path):
    decoded = read_sound(_with_gap(tmp_path / "g.mkv"))
    assert decoded.samples.shape[1] == pytest.approx(48000, abs=60)
    assert np.abs(decoded.samples[0, 20000:38000]).max() == 0
    assert np.abs(decoded.samples[0, 39000:]).max() > 0.2


def _with_gap(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48000, layout="mono")
        stream.time_base = Fraction(1, 48000)
        for begin in (0, 38400):
            frame = av.AudioFrame.from_ndarray(np.full((1, 9600), 9000, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_resampled_mono(tmp_path):
    path = make_wav(tmp_path / "a.wav", 1.0, 44100, 2, "pcm_f32le")
    decoded = read_sound(path, rate=16000, mono=True)
    assert decoded.rate == 16000
    assert decoded.samples.shape == (1, 16000)
    np.testing.assert_allclose(decoded.samples[0, 200:-200], tone(1.0, 16000, 2).mean(0)[200:-200], atol=2e-3)


def test_surround_is_mixed_by_the_standard(tmp_path):
    path = make_wav(tmp_path / "a.wav", 0.2, 48000, 6, "pcm_f32le")
    made = tone(0.2, 48000, 6)
    weights = np.array([0.7071, 0.7071, 1, 0, 0.5, 0.5])
    expected = weights / weights.sum() @ made
    np.testing.assert_allclose(read_sound(path, mono=True).samples[0], expected, atol=1e-4)


def test_no_sound_is_named(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    with pytest.raises(NoSound, match="no sound"):
        read_sound(path)
    with pytest.raises(NoSound, match="stream 3"):
        read_sound(make_wav(tmp_path / "a.wav"), stream=3)


def test_planes_that_may_be_written_lie_in_a_picture_that_an_encoder_can_take(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "a.mkv", count=2))
    frame = next(read_frames(clip))
    assert isinstance(frame.memory, av.VideoFrame)
    frame.planes[0][3, 5] = before = frame.planes[0][3, 5] ^ 255
    assert frame.memory.to_ndarray()[3, 5] == before
    assert (frame.memory.pts, int(frame.memory.pict_type)) == (None, 0), "nothing is left of the decoder's marks"
    assert next(read_frames(clip)).planes[0][3, 5] != before
    assert next(read_frames(clip, shared=True)).memory is None
