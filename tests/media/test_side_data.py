"""What a picture carries besides pixels: captions and HDR come out on the frames they came in on, or are named."""

import io
import struct
import sys
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.media.encoder import PICTURE_CODECS
from lipdub.media.probe import open_clip, probe
from lipdub.media.read import read_frames
from lipdub.media.sei import (
    CONTENT_LIGHT,
    MASTERING_DISPLAY,
    T35,
    SeiMessage,
    insert_sei,
    length_prefix_size,
    sei_messages,
)
from lipdub.media.side_data import SIDE_DATA_KINDS, SideDataCopier, hdr10_messages, side_data_report
from lipdub.media.write import WriteOptions, write_clip

sys.path.insert(0, str(Path(__file__).parent))
from media_files import make_video

CAPTIONS = b"\xb5\x00\x31GA94\x03\xc1\xff\xfc\x94%c\xff"
HDR_PLUS = b"\xb5\x00\x3c\x00\x01\x04\x01"
DISPLAY = struct.pack(">8H2I", 8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 10_000_000, 1)
HDR10 = [SeiMessage(MASTERING_DISPLAY, DISPLAY), SeiMessage(CONTENT_LIGHT, struct.pack(">2H", 1000, 400))]
DEEP = {
    "codec": "libx265",
    "pixel_format": "yuv420p10le",
    "colours": (9, 9, 16, 1),
    "options": (("x265-params", "log-level=none"),),
}


def carrying(path, plain, codec, added=(), captions=True, raw=b""):
    """The clip ``plain`` with messages on every frame: captions that count the packets, and ``added``."""
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        video = source.streams.video[0]
        copy = out.add_stream_from_template(video, opaque=True)
        count = 0
        for packet in source.demux(video):
            if packet.size == 0:
                continue
            own = [SeiMessage(T35, CAPTIONS % count)] if captions else []
            full = av.Packet(insert_sei(bytes(packet), codec, [*own, *added]) + raw)
            full.pts, full.dts, full.time_base, full.duration = (
                packet.pts, packet.dts, packet.time_base, packet.duration,
            )  # fmt: skip
            full.is_keyframe, full.stream = packet.is_keyframe, copy
            out.mux(full)
            count += 1
    return path


def captions_of(path):
    with av.open(str(path)) as container:
        return [
            [bytes(data) for data in frame.side_data if data.type.name == "A53_CC"]
            for frame in container.decode(video=0)
        ]


def again(source, output, codec=None):
    clip = open_clip(source)
    return write_clip(clip, read_frames(clip), None, output, WriteOptions(codec=codec))


def test_lengths_that_look_like_start_codes_are_lengths():
    for size in (1, 255, 256, 300, 511, 512):
        unit = b"\x65" + bytes(range(1, 256)) * 3
        packet = size.to_bytes(4, "big") + unit[:size]
        full = insert_sei(packet, "h264", [SeiMessage(T35, b"words")])
        assert full.endswith(packet)
        assert [m.payload for m in sei_messages(full, "h264", 4)] == [b"words"]


@given(
    found=st.lists(st.builds(SeiMessage, st.integers(0, 600), st.binary(max_size=600)), min_size=1, max_size=4),
    codec=st.sampled_from(["h264", "hevc"]),
    zeros=st.integers(0, 5),
)
def test_messages_come_back_from_packets(found, codec, zeros):
    found = [*found, SeiMessage(5, bytes(zeros) + b"\x01" + bytes(zeros))]
    first = b"\x65" if codec == "h264" else b"\x26\x01"
    for packet in (b"\x00\x00\x00\x01" + first + b"picture", b"\x00\x00\x01" + first + b"picture"):
        full = insert_sei(packet, codec, found)
        assert full.endswith(packet)
        assert list(sei_messages(full, codec, 0)) == found
    coded = (len(first) + 7).to_bytes(4, "big") + first + b"picture"
    full = insert_sei(coded, codec, found)
    assert full.endswith(coded)
    assert list(sei_messages(full, codec, 4)) == found


def test_damaged_packets_hold_no_messages():
    for data in (b"", b"\x00", b"\x00\x00\x01", b"\x00\x00\x01\x06\xff\xff", b"\x00\x00\x01\x06\x04\xff\x01"):
        assert list(sei_messages(data, "h264", 0)) == []
        assert list(sei_messages(data, "h264", 4)) == []
    assert length_prefix_size("h264", None) == length_prefix_size("h264", b"\x01") == 0


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", None), (".mkv", None), (".mov", None), (".mp4", "hevc"), (".mkv", "hevc")]
)
def test_closed_captions_stay_on_their_frames(tmp_path, suffix, codec):
    plain = make_video(tmp_path / "plain.mp4", count=20, options=(("preset", "slow"), ("bf", "3")))
    source = carrying(tmp_path / "a.mp4", plain, "h264")
    assert len({tuple(on) for on in captions_of(source)}) == 20
    written = again(source, tmp_path / f"b{suffix}", codec)
    assert captions_of(written.path) == captions_of(source)
    assert "closed captions (CEA-608/708) (20 frames)" in written.copied


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", None), (".mkv", "ffv1"), (".mp4", "av1")])
def test_captions_that_cannot_be_kept_are_named(tmp_path, suffix, codec):
    source = carrying(tmp_path / "a.mp4", make_video(tmp_path / "plain.mp4", count=4), "h264")
    written = again(source, tmp_path / f"b{suffix}", codec)
    assert any(line.startswith("closed captions (CEA-608/708) (4 frames): cannot be kept") for line in written.dropped)


def test_captions_of_mpeg2_are_kept(tmp_path):
    plain = make_video(tmp_path / "plain.mpg", count=6, codec="mpeg2video", options=())
    data = plain.read_bytes()
    picture = b"\x00\x00\x01\x01"  # the first slice of every picture
    user = b"\x00\x00\x01\xb2" + (CAPTIONS % 5).removeprefix(b"\xb5\x00\x31")
    source = tmp_path / "a.m2v"
    with av.open(str(plain)) as container:
        coded = [bytes(p) for p in container.demux(video=0) if p.size]
    source.write_bytes(b"".join(unit.replace(picture, user + picture, 1) for unit in coded))
    assert len(data) > 0
    with_times = tmp_path / "a.ts"
    with av.open(str(source)) as raw, av.open(str(with_times), "w") as out:
        copy = out.add_stream_from_template(raw.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in raw.demux(video=0) if p.size):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), copy
            out.mux(packet)
    before = captions_of(with_times)
    assert any(before)
    written = again(with_times, tmp_path / "b.mp4")
    assert sum(map(len, captions_of(written.path))) == sum(map(len, before))


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", None), (".mkv", None), (".mov", "hevc"), (".mp4", "h264"), (".webm", None)]
)
def test_hdr10_values_are_kept(tmp_path, suffix, codec):
    plain = make_video(tmp_path / "plain.mp4", count=4, **DEEP)
    source = carrying(tmp_path / "a.mp4", plain, "hevc", HDR10, captions=False)
    assert hdr10_messages(probe(source).picture) == HDR10
    written = again(source, tmp_path / f"b{suffix}", codec)
    assert hdr10_messages(probe(written.path).picture) == HDR10
    assert {"HDR10 mastering display", "HDR10 content light level"} <= set(written.copied)
    assert written.dropped == ()


@pytest.mark.parametrize(("suffix", "codec"), [(".mov", "prores"), (".mp4", "vp9"), (".mkv", "ffv1")])
def test_hdr10_values_that_cannot_be_kept_are_named(tmp_path, suffix, codec):
    plain = make_video(tmp_path / "plain.mp4", count=3, **DEEP)
    written = again(carrying(tmp_path / "a.mp4", plain, "hevc", HDR10, captions=False), tmp_path / f"b{suffix}", codec)
    assert f"HDR10 mastering display: cannot be kept in {codec}; screens use their default" in written.dropped
    assert any(line.startswith("HDR10 content light level") for line in written.dropped)


def test_hdr10_plus_is_kept_and_dolby_vision_is_named(tmp_path):
    plain = make_video(tmp_path / "plain.mp4", count=4, **DEEP)
    unit = b"\x7c\x01\x19\x08\x09"  # a unit of the type that Dolby Vision uses, after the picture
    source = carrying(
        tmp_path / "a.mp4", plain, "hevc", [SeiMessage(T35, HDR_PLUS)], captions=False,
        raw=len(unit).to_bytes(4, "big") + unit,
    )  # fmt: skip
    written = again(source, tmp_path / "b.mp4")
    assert "HDR10+ values of every scene (4 frames)" in written.copied
    assert any(line.startswith("Dolby Vision (4 frames): cannot be kept in hevc") for line in written.dropped)


def test_a_stereo_layout_is_named(tmp_path):
    options = (("x264-params", "frame-packing=3"),)
    source = make_video(tmp_path / "a.mp4", count=3, options=options)
    written = again(source, tmp_path / "b.mp4")
    assert "stereo 3D layout: cannot be kept in h264" in written.dropped


def test_every_kind_is_kept_or_named(tmp_path):
    picture = probe_of_a_clip(tmp_path)
    for codec in {codec for codecs in PICTURE_CODECS.values() for codec in codecs}:
        for name in (*SIDE_DATA_KINDS, "SOMETHING_NEW"):
            facts = replace(picture, side_data=((name, b""),))
            with ExitStack() as stack:
                kept, lost = side_data_report(facts, SideDataCopier(tmp_path / "a.mp4", 0, facts, codec, stack), codec)
            assert (len(kept), len(lost)) == (0, 1), (name, codec)


def probe_of_a_clip(folder):
    return probe(make_video(folder / "a.mp4", count=1)).picture


def test_half_of_the_hdr10_values_are_named(tmp_path):
    facts = replace(probe_of_a_clip(tmp_path), side_data=(("MASTERING_DISPLAY_METADATA", bytes(88)),))
    assert hdr10_messages(facts) == []
    with ExitStack() as stack:
        _, lost = side_data_report(facts, SideDataCopier(tmp_path / "a.mp4", 0, facts, "hevc", stack), "hevc")
    assert lost == ["HDR10 mastering display: incomplete in the source"]


def test_captions_of_frames_that_are_gone_are_reported(tmp_path):
    source = carrying(tmp_path / "a.mp4", make_video(tmp_path / "plain.mp4", count=6), "h264")
    with ExitStack() as stack:
        facts = probe(source).picture
        carried = SideDataCopier(source, 0, facts, "h264", stack)
        out = stack.enter_context(av.open(io.BytesIO(), "w", format="matroska"))
        packet = av.Packet(b"\x00\x00\x00\x01\x65picture")
        packet.pts, packet.time_base, packet.stream = 5 * 512, Fraction(1, 12800), out.add_stream("libx264")
        carried.with_side_data(packet)
        _, lost = side_data_report(facts, carried, "h264")
    assert lost == ["closed captions (CEA-608/708): 6 frames with them were read, 1 of them could be given them again"]
