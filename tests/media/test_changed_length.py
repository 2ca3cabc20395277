"""Films whose picture is longer or shorter than the file's: what is read, copied, encoded, and put beside it."""

import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lipdub.media import shown_order
from lipdub.media.dub_track import dub_length
from lipdub.media.probe import open_clip
from lipdub.media.read import PictureDamage, read_frames
from lipdub.media.segments import plan_segments, segment_recipe
from lipdub.media.shown_order import shown_runs
from lipdub.media.write import WriteOptions
from lipdub.timeline.clip import Clip, FileFrames, FrameTimes
from lipdub.timeline.clip_length import bounced, cut_short, held, paused, slowed, slowed_during
from lipdub.timeline.retiming import AddedTime
from lipdub.timeline.time import Span

sys.path.insert(0, str(Path(__file__).parent))
from media_files import Extra, make_video, make_wav, number_in
from segment_films import encode, mux

X264 = (("crf", "20"), ("preset", "veryfast"), ("x264-params", "keyint=25:min-keyint=25:scenecut=0:bframes=3"))
NTSC = Fraction(30000, 1001)
VARIABLE = tuple(np.cumsum([3, *([33, 34, 66, 33, 100, 40] * 20)]).tolist()[:60])
SOURCES = {
    "25": {"count": 60, "options": X264},
    "29.97": {"count": 60, "rate": NTSC, "options": X264},
    "variable": {"count": 60, "pts": VARIABLE, "time_base": Fraction(1, 1000), "options": X264},
    "late": {"count": 60, "pts": tuple(6400 + 512 * i for i in range(60)), "options": X264},
}


def changed(clip: Clip, how: str) -> Clip:
    """The clip, longer or shorter by about a second."""
    end = clip.span.end
    match how:
        case "hold":
            return held(clip, end + Fraction(107, 100))
        case "bounce":
            return bounced(clip, end + Fraction(307, 100), 31)
        case "pause":
            return paused(clip, [wait(clip.times.instant(len(clip) // 2), Fraction(2, 5)), wait(end, Fraction(1, 5))])
        case "lines":
            middle, third = clip.times.instant(len(clip) // 2), clip.times.instant(len(clip) // 3)
            return slowed_during(clip, [AddedTime(Span(third, middle), Fraction(2, 7)), wait(end, Fraction(1, 3))])
        case "slow":
            return slowed(clip, end + Fraction(12345, 48000))
    return cut_short(clip, end - Fraction(31, 100))


def wait(at: Fraction, seconds: Fraction) -> AddedTime:
    return AddedTime(Span(at, at), seconds)


def numbers(path: Path) -> list[tuple[Fraction, int]]:
    """(When each frame of a film is shown, the number that it carries)."""
    film = open_clip(path)
    return [(film.times.instant(f.index), number_in(f.planes[0] / 255)) for f in read_frames(film)]


def film(clip: Clip, output: Path, changes: tuple[range, ...] = (), dub: Path | None = None, **options: object):
    """(How ``clip`` was made of segments, what was written); the frames of ``changes`` are painted over."""
    how = WriteOptions(**options)  # type: ignore[arg-type]
    plan = plan_segments(clip, changes, output, how)
    files = {number: output.with_name(f"{output.stem}-{number}.segment") for number in plan.encoded}
    for number, file in files.items():
        encode(clip, plan, number, changes, file)
    return plan, mux(clip, plan, files, output, how, dub)


@pytest.mark.parametrize("how", ["hold", "bounce", "slow", "cut", "pause", "lines"])
@pytest.mark.parametrize("name", SOURCES)
def test_every_frame_is_written_at_its_own_time(tmp_path: Path, name: str, how: str) -> None:
    clip = changed(open_clip(make_video(tmp_path / "a.mp4", **SOURCES[name])), how)
    _, written = film(clip, tmp_path / "out.mp4", (range(1, 2), range(len(clip) - 4, len(clip) - 3)))
    assert written.frames == len(clip)
    expected = [(clip.times.instant(i), clip.file_frame(i)) for i in range(len(clip))]
    assert numbers(tmp_path / "out.mp4") == expected
    out = open_clip(tmp_path / "out.mp4")
    assert out.span.end == clip.span.end
    assert out.warnings == ()


@pytest.mark.parametrize("how", ["hold", "bounce", "cut"])
def test_gops_of_the_file_are_copied_bit_for_bit(tmp_path: Path, how: str) -> None:
    source = make_video(tmp_path / "a.mp4", count=160, options=X264)
    clip = changed(open_clip(source), how)
    plan, _ = film(clip, tmp_path / "out.mp4", (range(60, 70), range(len(clip) - 2, len(clip) - 1)))
    own = min(len(clip), 160)
    copied = {i for s in plan.segments if s.copied for i in range(s.first, s.stop)}
    assert copied == {*range(50), *range(75, 160 if own == 160 else 150)}
    theirs, ours = packets(source), packets(tmp_path / "out.mp4")
    at = {clip.times.instant(i) for i in copied}
    assert at <= {when for when in ours if theirs.get(when) == ours[when]}


def packets(path: Path) -> dict[Fraction, bytes]:
    """The packets of a picture by display time."""
    with av.open(str(path)) as file:
        return {(p.pts or 0) * p.time_base: bytes(p) for p in file.demux(video=0) if p.size}


def test_a_slowed_picture_is_encoded_and_says_so(tmp_path: Path) -> None:
    clip = changed(open_clip(make_video(tmp_path / "a.mp4", count=60, options=X264)), "slow")
    plan = plan_segments(clip, (range(50, 55),), tmp_path / "out.mp4", WriteOptions())
    assert not plan.copied_frames
    assert "shown at other times" in plan.reason


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_part_is_read_as_it_is_shown(tmp_path: Path, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.mp4"
    if not source.exists():
        make_video(source, count=48, options=(("preset", "ultrafast"), ("g", "20"), ("bf", "2"), ("crf", "10")))
    monkeypatch.setattr(shown_order, "_KEPT_BYTES", 0)
    clip = open_clip(source)
    turns = data.draw(st.lists(st.integers(0, 47), min_size=1, max_size=5))
    order = np.array([turns[0]], np.int64)
    for turn in turns[1:]:
        step = 1 if turn >= order[-1] else -1
        order = np.append(order, np.arange(order[-1], turn + step, step))
    times = FrameTimes(np.arange(len(order)) * 7, Fraction(1, 100), 7)
    clip = replace(clip, times=times, filmed=FileFrames(order, clip.times, clip.rate))
    first = data.draw(st.integers(0, len(order) - 1))
    stop = data.draw(st.integers(first + 1, len(order)))
    frames = list(read_frames(clip, first, stop, shared=data.draw(st.booleans())))
    assert [f.index for f in frames] == list(range(first, stop))
    assert [f.pts for f in frames] == [7 * i for i in range(first, stop)]
    assert [number_in(f.planes[0] / 255) for f in frames] == order[first:stop].tolist()
    runs = list(shown_runs(clip, first, stop))
    assert [i for run in runs for i in range(run.first, run.first + run.count)] == list(range(first, stop))


def test_added_frames_are_the_callers_own(tmp_path: Path) -> None:
    clip = changed(open_clip(make_video(tmp_path / "a.mp4", count=10)), "hold")
    frames = list(read_frames(clip))
    frames[-1].planes[0][:] = 0
    assert frames[-2].planes[0].any()


def test_pictures_are_shown_backwards_without_keeping_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_order, "_KEPT_BYTES", 0)
    clip = open_clip(make_video(tmp_path / "a.mp4", count=50, options=(("g", "999"), ("preset", "ultrafast"))))
    longest = []

    def counted(wanted: range):
        longest.append(len(wanted))
        yield from (shown_order.DecodedPicture(av.VideoFrame(2, 2)) for _ in wanted)

    assert len(list(shown_order.pictures_backwards(counted, range(3, 50), clip.size))) == 47
    assert max(longest) == 8


def test_damage_is_told_of_the_frames_that_are_shown(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", count=30, options=X264)
    clip = open_clip(source)
    broken = FrameTimes(np.append(clip.times.pts, clip.times.pts[-1] + 40), clip.times.time_base, 40)
    clip = bounced(replace(clip, times=broken), broken.whole.end + Fraction(1, 5), 28)
    damage = PictureDamage()
    frames = [number_in(f.planes[0] / 255) for f in read_frames(clip, damage=damage)]
    assert frames[30] == 29
    assert damage.repeated == [i for i in range(len(clip)) if clip.file_frame(i) == 30]


def rich(path: Path) -> Path:
    return make_video(
        path,
        Extra(sound_seconds=0.48, subtitles=True, chapters=True, second_video=None),
        count=12,
    )


def texts(path: Path) -> list[tuple[Fraction, Fraction]]:
    """(Begin, length) of the subtitles of a film."""
    with av.open(str(path)) as file:
        base = file.streams.subtitles[0].time_base
        assert base is not None
        found = [((p.pts or 0) * base, (p.duration or 0) * base) for p in file.demux(subtitles=0) if p.size > 2]
    return found


def chapters(path: Path) -> list[tuple[float, float]]:
    with av.open(str(path)) as file:
        return [(float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])) for c in file.chapters()]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_chapters_are_slowed_with_the_picture(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(rich(tmp_path / f"a{suffix}"))
    dub = make_wav(tmp_path / "dub.wav", 0.6)
    slow = slowed(clip, clip.start + dub_length(dub))
    assert slow.clock.slowest == Fraction(5, 4)
    _, written = film(slow, tmp_path / f"out{suffix}", dub=dub)
    assert [float(at) for at, _ in texts(tmp_path / f"out{suffix}")] == pytest.approx([0.125, 0.375], abs=2e-3)
    assert [float(length) for _, length in texts(tmp_path / f"out{suffix}")] == pytest.approx([0.1875] * 2, abs=2e-3)
    expected = [(0, 0.25), (0.25, 0.6)]
    assert np.allclose(chapters(tmp_path / f"out{suffix}"), expected, atol=2e-3)
    assert (written.dub_cut, written.dub_short) == (0, 0)
    assert not any("slowed" in told for told in written.warnings)


def test_streams_that_cannot_be_slowed_are_named(tmp_path: Path) -> None:
    clip = open_clip(rich(tmp_path / "a.mp4"))
    slow = slowed(clip, clip.span.end * 2)
    _, written = film(slow, tmp_path / "out.mp4")
    assert any(told.startswith("stream 1 (audio) is dropped: the picture is slowed") for told in written.warnings)
    assert any(told.startswith("stream 1 (audio)") for told in written.dropped)


def test_a_held_picture_leaves_the_other_streams_as_they_are(tmp_path: Path) -> None:
    clip = open_clip(rich(tmp_path / "a.mp4"))
    dub = make_wav(tmp_path / "dub.wav", 1.0)
    longer = held(clip, clip.start + dub_length(dub))
    _, written = film(longer, tmp_path / "out.mp4", dub=dub, keep_original_audio=True)
    assert texts(tmp_path / "out.mp4") == texts(clip.path)
    assert chapters(tmp_path / "out.mp4") == chapters(clip.path)
    assert written.dub_cut == 0
    assert written.dub_short < 1 / clip.rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_lies_behind_a_cut_is_cut_and_named(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(rich(tmp_path / f"a{suffix}"))
    short = cut_short(clip, Fraction(7, 40))
    assert len(short) == 5
    _, written = film(
        short, tmp_path / f"out{suffix}", dub=make_wav(tmp_path / "dub.wav", 0.2), keep_original_audio=True
    )
    ((at, length),) = texts(tmp_path / f"out{suffix}")
    assert float(at + length) == pytest.approx(0.2, abs=2e-3)
    assert np.allclose(chapters(tmp_path / f"out{suffix}"), [(0, 0.2)], atol=2e-3)
    assert sum("cut where the picture is cut, at 0:00:00.200" in told for told in written.warnings) == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_chapters_wait_with_the_picture(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(rich(tmp_path / f"a{suffix}"))
    still = paused(clip, [wait(Fraction(1, 4), Fraction(2, 5))])
    assert still.clock.still == (Span(Fraction(6, 25), Fraction(16, 25)),)
    _, written = film(still, tmp_path / f"out{suffix}")
    assert [float(at) for at, _ in texts(tmp_path / f"out{suffix}")] == pytest.approx([0.1, 0.7], abs=2e-3)
    assert np.allclose(chapters(tmp_path / f"out{suffix}"), [(0, 0.2), (0.2, 0.88)], atol=2e-3)
    warned = [told for told in written.warnings if "the picture is slowed or held" in told]
    assert [told[:16] for told in warned] == ["stream 1 (audio)"]


def test_gops_before_a_pause_are_copied(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "a.mp4", count=160, options=X264))
    still = paused(clip, [wait(Fraction(4), Fraction(1))])
    plan, _ = film(still, tmp_path / "out.mp4", (range(60, 70),))
    assert {i for s in plan.segments if s.copied for i in range(s.first, s.stop)} == {*range(50), *range(75, 100)}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_gops_before_a_slowed_line_are_copied_and_nothing_is_decoded_late(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / f"a{suffix}", count=160, options=X264)
    clip = open_clip(source)
    slow = slowed_during(clip, [AddedTime(Span(Fraction(4), Fraction(5)), Fraction(3))])
    plan, written = film(slow, tmp_path / f"out{suffix}", (range(60, 70),))
    copied = {i for s in plan.segments if s.copied for i in range(s.first, s.stop)}
    assert copied == {*range(50), *range(75, 100)}
    assert any(told == "picture (h264): 75 of 160 frames" for told in written.copied)
    assert numbers(tmp_path / f"out{suffix}") == [(slow.times.instant(i), i) for i in range(160)]
    theirs, ours = packets(source), packets(tmp_path / f"out{suffix}")
    assert all(theirs[clip.times.instant(i)] == ours[clip.times.instant(i)] for i in copied)
    with av.open(str(tmp_path / f"out{suffix}")) as file:
        found = [(p.dts or 0, p.pts or 0, p.time_base) for p in file.demux(video=0) if p.size]
    if suffix == ".mp4":  # Matroska stores no decoding times
        assert all(dts <= pts for dts, pts, _ in found)
        assert all(a[0] < b[0] for a, b in pairwise(found))
        assert max((pts - dts) * base for dts, pts, base in found) < 1, "decoded shortly before it is shown"


def test_a_picture_with_a_coarse_clock_is_slowed_exactly_and_encoded(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "a.mp4", count=60, options=X264))
    coarse = replace(clip, times=FrameTimes(np.arange(60, dtype=np.int64), Fraction(1, 25)))
    slow = slowed_during(coarse, [AddedTime(Span(Fraction(1), Fraction(2)), Fraction(1, 3))])
    plan = plan_segments(slow, (range(50, 55),), tmp_path / "out.mp4", WriteOptions())
    assert not plan.copied_frames
    assert "shown at other times" in plan.reason


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_chapters_are_slowed_with_a_line(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(rich(tmp_path / f"a{suffix}"))
    slow = slowed_during(clip, [AddedTime(Span(Fraction(1, 5), Fraction(2, 5)), Fraction(1, 5))])
    _, written = film(slow, tmp_path / f"out{suffix}")
    expected = [(at, at + length) for at, length in texts(clip.path)]
    expected = [(slow.instant(begin), slow.instant(end)) for begin, end in expected]
    found = [(at, at + length) for at, length in texts(tmp_path / f"out{suffix}")]
    assert np.allclose(np.array(found, float), np.array(expected, float), atol=2e-3)
    assert np.allclose(chapters(tmp_path / f"out{suffix}"), [(0, 0.2), (0.2, 0.68)], atol=2e-3)
    assert any("stream 1 (audio) is dropped: the picture is slowed or held" in told for told in written.warnings)


@pytest.mark.parametrize("how", ["slow", "cut", "pause", "lines"])
def test_captions_follow_their_frames(tmp_path: Path, how: str) -> None:
    from test_side_data import carrying

    source = carrying(tmp_path / "a.mp4", make_video(tmp_path / "plain.mp4", count=30), "h264")
    clip = changed(open_clip(source), how)
    _, written = film(clip, tmp_path / "out.mp4", (range(len(clip)),))
    assert not any("captions" in told for told in written.dropped)
    shown = int(clip.first_shown.sum())
    assert any(f"closed captions (CEA-608/708) ({shown} frames)" in told for told in written.copied)


def test_the_recipe_of_a_segment_tells_which_frames_are_shown(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "a.mp4", count=30))
    one, other = held(clip, clip.span.end + 1), bounced(clip, clip.span.end + 1, 3)
    assert one.times.pts.tolist() == other.times.pts.tolist()
    plan = plan_segments(one, (range(30),), tmp_path / "b.mp4", WriteOptions(), copy=False)
    last = len(plan.segments) - 1
    assert segment_recipe(one, plan, last) != segment_recipe(other, plan, last)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("d.wav", "pcm_s16le"), ("d.flac", "flac"), ("d.m4a", "aac"), ("d.mp3", "mp3"), ("d.mka", "libopus")],
)
def test_the_length_of_a_dub_is_that_of_its_sound(tmp_path: Path, name: str, codec: str) -> None:
    dub = make_wav(tmp_path / name, 1.234, codec=codec)
    exact = codec in ("pcm_s16le", "flac")
    assert abs(dub_length(dub) - Fraction(1234, 1000)) <= (0 if exact else Fraction(3, 100))
