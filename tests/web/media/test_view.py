"""Files that browsers show frame by frame are played as they are; of others a proxy is made, with the same frames."""

import errno
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_files import Extra, make_video, number_in

from lipdub.errors import InputError, NotMedia, OutputError
from lipdub.media.probe import open_clip, picture_facts
from lipdub.media.read import read_frames
from lipdub.studio.progress import Listener
from lipdub.timeline.clip import Clip
from lipdub.timeline.picture import Window
from lipdub.web.media import copied_view
from lipdub.web.media import playable as playable_room
from lipdub.web.media import view as view_room
from lipdub.web.media.frames import frame_table
from lipdub.web.media.peaks import kept_peaks
from lipdub.web.media.playable import playable
from lipdub.web.media.proxy import ProxyClock, proxy_size
from lipdub.web.media.tone_mapping import HLG, PQ, tone_mapped
from lipdub.web.media.view import is_complete, make_view, view_of, why_not_played

VARYING = tuple(np.cumsum([0, *[3000, 4500, 1500, 9000, 3003] * 11]).tolist())
REORDERED = (("preset", "medium"), ("bf", "3"), ("crf", "20"))
EVERY = Fraction(1, 90000)
NOT_H264: dict[str, Any] = {"codec": "mpeg4", "options": (("q", "2"),)}


def numbers(file: Path) -> list[int]:
    """The numbers that the frames of a film carry, read from the picture as it is shown."""
    clip = open_clip(file)
    whole = Window(0, 0, *clip.size)
    return [number_in(np.where(frame.rgb(whole)[..., 1] > 125, 255, 0)) for frame in read_frames(clip)]


@pytest.mark.parametrize(
    ("name", "extra", "changes", "why"),
    [
        ("plain.mp4", Extra(), {"options": REORDERED}, ""),
        ("aac.mp4", Extra(sound_seconds=1.0), {}, ""),
        ("mp3.mp4", Extra(sound_seconds=1.0, sound_codec="libmp3lame"), {}, ""),
        ("turned.mp4", Extra(), {"rotation": 1}, ""),
        ("wide pixels.mp4", Extra(), {"pixel_aspect": Fraction(4, 3)}, ""),
        ("full.mp4", Extra(), {"pixel_format": "yuvj420p"}, ""),
        ("sound first.mp4", Extra(sound_seconds=2.0), {"pts": tuple(range(512 * 25, 512 * 55, 512))}, ""),
        ("varying.mp4", Extra(), {"pts": VARYING, "time_base": EVERY}, ""),
        ("varying b.mp4", Extra(), {"pts": VARYING, "time_base": EVERY, "options": REORDERED}, "differently"),
        ("late.mp4", Extra(), {"pts": tuple(range(512 * 25, 512 * 55, 512))}, "begins at 1.000 s"),
        ("opus.mp4", Extra(sound_seconds=1.0, sound_codec="libopus"), {}, "sound in opus"),
        ("ten bits.mp4", Extra(), {"pixel_format": "yuv420p10le"}, "yuv420p10le"),
        ("wide chroma.mp4", Extra(), {"pixel_format": "yuv422p"}, "yuv422p"),
        ("other.mp4", Extra(), {"codec": "mpeg4", "options": ()}, "mpeg4"),
        ("quick.mov", Extra(), {}, "QuickTime"),
        ("kernel.mkv", Extra(), {}, "matroska"),
        ("hlg.mp4", Extra(), {"colours": (9, 9, 18, 1)}, "high dynamic range"),
        ("fast.mp4", Extra(), {"rate": Fraction(120)}, "120 frames"),
    ],
)
def test_what_browsers_play(tmp_path: Path, name: str, extra: Extra, changes: dict, why: str) -> None:
    found = playable(open_clip(make_video(tmp_path / name, extra, **changes)))
    assert (why in found.why) if why else not found.why


def test_long_groups_of_large_frames_are_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (("preset", "ultrafast"), ("g", "50"), ("crf", "30"))
    clip = open_clip(make_video(tmp_path / "a.mp4", count=60, size=(160, 96), options=options))
    assert not playable(clip).slow
    monkeypatch.setattr(playable_room, "_MOST_DECODED", 160 * 96 * 49)
    assert playable(clip).slow
    monkeypatch.setattr(playable_room, "_MOST_DECODED", 160 * 96 * 51)
    assert not playable(clip).slow


def test_a_film_that_is_played_well_needs_no_proxy(tmp_path: Path, own_cache: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", Extra(sound_seconds=1.0), count=30)
    assert view_of(clip) is None
    view = make_view(clip)
    assert (view.file, view.proxied, view.why) == (clip, False, "")
    assert view_of(clip) == view
    assert is_complete(clip)
    assert kept_peaks(clip) is not None
    assert not list(own_cache.glob("work/proxy-*"))


@pytest.mark.parametrize("moved", [0, 3 * 90000 + 7])
def test_a_proxy_has_the_frames_of_the_film_at_their_times(tmp_path: Path, moved: int) -> None:
    pts = tuple(at + moved for at in VARYING)
    extra = Extra(sound_seconds=1.0, sound_start=Fraction(moved, 90000))
    film = make_video(tmp_path / "a.mp4", extra, pts=pts, time_base=EVERY, options=REORDERED, size=(320, 180))
    told: list[tuple[str, int, int]] = []
    view = make_view(film, lambda *step: told.append(step))
    assert view.proxied
    table, shown = frame_table(film), frame_table(view.file)
    assert shown.start == 0
    assert np.abs(table.pts - shown.pts).max() < 1e-6
    assert numbers(view.file) == list(range(len(VARYING)))
    assert told[-1] == ("proxy", len(VARYING), len(VARYING))
    with av.open(str(view.file)) as proxy:
        video = proxy.streams.video[0]
        packets = [packet for packet in proxy.demux(video) if packet.pts is not None]
        assert [packet.pts for packet in packets] == [packet.dts for packet in packets]
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        assert max(np.diff([*keys, len(packets)])) <= 24
        assert proxy.streams.audio[0].codec_context.codec.canonical_name == "aac"
    head = view.file.read_bytes()[:4096]
    assert head.index(b"moov") < head.index(b"mdat") if b"mdat" in head else b"moov" in head
    assert not playable(open_clip(view.file)).why


@pytest.mark.parametrize(
    ("name", "extra", "changes"),
    [
        ("a.mkv", Extra(sound_seconds=1.0, sound_codec="libopus"), {"options": REORDERED}),
        ("a.mov", Extra(sound_seconds=1.0, sound_codec="pcm_s16le"), {"options": REORDERED}),
        ("late.mp4", Extra(), {"pts": tuple(range(512 * 25 + 100, 512 * 65 + 100, 512)), "options": REORDERED}),
        ("turned.mkv", Extra(), {"rotation": 3}),
        ("varying.mov", Extra(), {"pts": VARYING[:40], "time_base": EVERY}),
        ("a.ts", Extra(sound_seconds=1.0), {"time_base": EVERY}),
    ],
)
def test_a_picture_that_browsers_play_is_copied(tmp_path: Path, name: str, extra: Extra, changes: dict) -> None:
    film = make_video(tmp_path / name, extra, count=40, size=(320, 180), **changes)
    view = make_view(film)
    assert view.proxied
    table, shown = frame_table(film), frame_table(view.file)
    assert shown.start == 0
    assert np.abs(table.pts[:-1] - shown.pts[:-1]).max() < 2e-6
    before, after = open_clip(film), open_clip(view.file)
    assert (before.size, bool(extra.sound_seconds)) == (after.size, after.has_sound)
    whole = Window(0, 0, *before.size)
    for one, other in zip(read_frames(before), read_frames(after), strict=True):
        assert np.array_equal(one.rgb(whole), other.rgb(whole))
    assert not playable(after).why


def test_a_copy_with_other_frames_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_video(tmp_path / "a.mkv", count=20)
    monkeypatch.setattr(copied_view, "_same_times", lambda clip, made: False)
    view = make_view(film)
    with av.open(str(view.file)) as proxy:
        assert proxy.streams.video[0].codec_context.width == 128
        assert b"x264" in view.file.read_bytes()
    assert numbers(view.file) == list(range(20))


@pytest.mark.parametrize("rotation", [0, 1, 2, 3])
def test_a_proxy_is_upright(tmp_path: Path, rotation: int) -> None:
    film = make_video(tmp_path / "a.mkv", size=(322, 182), count=4, rotation=rotation, **NOT_H264)
    before, after = open_clip(film), open_clip(make_view(film).file)
    assert after.size == before.size
    assert picture_facts(after).rotation == 0
    whole = Window(0, 0, *before.size)
    for one, other in zip(read_frames(before), read_frames(after), strict=True):
        assert np.abs(one.rgb(whole).astype(int) - other.rgb(whole)).mean() < 4


def test_fields_stay_woven(tmp_path: Path) -> None:
    options = (("flags", "+ildct+ilme"), ("x264-params", "tff=1"), ("crf", "12"))
    film = make_video(tmp_path / "a.mp4", size=(320, 192), count=6, options=options)
    view = make_view(film)
    assert "interlaced" in view.why
    assert numbers(view.file) == list(range(6))


def test_sizes_of_proxies() -> None:
    assert proxy_size((1920, 1080)) == (1280, 720)
    assert proxy_size((1080, 1920)) == (720, 1280)
    assert proxy_size((641, 361)) == (640, 360)
    assert proxy_size((1, 1)) == (2, 2)
    assert proxy_size((10_000, 30)) == (1280, 4)


def test_the_clock_of_a_proxy_is_exact_where_it_can_be(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "a.mp4", rate=Fraction(24000, 1001), count=20))
    clock = ProxyClock.of(clip)
    exact = [clip.times.instant(i) - clip.start for i in range(len(clip))]
    assert [Fraction(clock.at(at + clip.start), clock.scale) for at in exact] == exact


def test_a_proxy_that_is_cancelled_leaves_nothing_and_is_made_later(tmp_path: Path, own_cache: Path) -> None:
    film = make_video(tmp_path / "a.mkv", Extra(sound_seconds=1.0), count=60, **NOT_H264)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "proxy" and done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_view(film, stop)
    assert view_of(film) is None
    assert "mpeg4" in why_not_played(film)
    assert not [file for file in (own_cache / "work").iterdir() if file.name.startswith((".partial", "proxy"))]
    steps: list[str] = []
    assert make_view(film, lambda stage, done, total: steps.append(stage)).proxied
    assert "waveform" not in steps
    assert view_of(film) == make_view(film, stop)


def test_files_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(NotMedia):
        make_view(tmp_path / "text.mp4")
    with pytest.raises(InputError):
        view_of(tmp_path / "not there.mp4")


def test_a_full_disk_leaves_nothing(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_video(tmp_path / "a.mkv", count=20, **NOT_H264)

    def full(clip: Clip, target: Path, listener: Listener) -> None:
        target.write_bytes(b"half a proxy")
        raise av.error.OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(view_room, "write_proxy", full)
    with pytest.raises(OutputError, match="is full"):
        make_view(film)
    assert view_of(film) is None
    assert not [file for file in (own_cache / "work").iterdir() if file.name.startswith((".partial", "proxy"))]


def test_a_film_that_changes_meanwhile_gets_no_proxy(tmp_path: Path) -> None:
    film = make_video(tmp_path / "a.mkv", count=60, **NOT_H264)

    def change(stage: str, done: int, total: int) -> None:
        if stage == "proxy" and done == 40:
            with film.open("ab") as file:
                file.write(b"more")

    with pytest.raises(InputError, match=re.escape("was changed while it was being read")):
        make_view(film, change)
    assert view_of(film) is None


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_bright_light_is_compressed_and_hues_stay(transfer: int) -> None:
    ramp = np.repeat(np.linspace(0, 65535, 512).astype(np.uint16)[None, :, None], 3, axis=2)
    shown = tone_mapped(ramp, transfer, wide=True)[0].astype(int)
    assert (np.diff(shown, axis=0) >= 0).all()
    assert shown[0].max() == 0
    assert shown[-1].min() >= 250
    assert np.ptp(shown, axis=1).max() <= 1
    code = {PQ: 0.58, HLG: 0.75}[transfer]  # white of 203 cd/m2 (ITU-R BT.2408)
    white = tone_mapped(np.full((1, 1, 3), round(code * 65535), np.uint16), transfer, wide=True)
    assert 225 <= white.min() <= white.max() <= 245
    red = tone_mapped(np.array([[[60000, 20000, 20000]]], np.uint16), transfer, wide=False)[0, 0]
    assert red[0] > red[1] + 30
    assert abs(int(red[1]) - int(red[2])) <= 1


def test_white_of_high_dynamic_range_is_white_in_a_proxy(tmp_path: Path) -> None:
    film = tmp_path / "white.mkv"
    with av.open(str(film), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 1
        for index in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p10le")
            for plane, level in zip(frame.planes, (64 + 0.58 * 876, 512, 512), strict=True):
                plane.update(np.full(plane.buffer_size // 2, round(level), "<u2").tobytes())
            frame.pts = index
            frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, 16, 1
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    shown = next(read_frames(open_clip(make_view(film).file))).rgb(Window(0, 0, 64, 48))
    assert 225 <= shown.min() <= shown.max() <= 245


def test_a_proxy_of_high_dynamic_range_is_of_bt709(tmp_path: Path) -> None:
    film = make_video(tmp_path / "a.mp4", count=4, size=(160, 96), colours=(9, 9, 16, 1), pixel_format="yuv420p10le")
    facts = picture_facts(open_clip(make_view(film).file))
    assert (facts.colours.matrix, facts.colours.primaries, facts.colours.transfer) == (1, 1, 1)
    assert facts.pixel_format == "yuv420p"
