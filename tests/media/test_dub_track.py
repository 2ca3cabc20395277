"""The dub track: copied to the sample where the container can say its priming, and every change to it is said."""

import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lipdub.media.probe import open_clip
from lipdub.media.read import read_frames
from lipdub.media.sound_read import read_sound
from lipdub.media.write import WriteOptions, write_clip

sys.path.insert(0, str(Path(__file__).parent))
from media_files import make_video, make_wav, tone


def dubbed(folder, dub, suffix, **changes):
    """(the clip, its dub) of a clip of two seconds written with ``dub``."""
    clip = open_clip(make_video(folder / "clip.mp4", **({"count": 50, "size": (64, 48)} | changes)))
    return clip, write_clip(clip, read_frames(clip), dub, folder / f"out{suffix}", WriteOptions())


def payloads(path):
    with av.open(str(path)) as container:
        return b"".join(bytes(p) for p in container.demux(audio=0) if p.size)


def samples_of(path):
    """(when the first comes (s), samples of the first channel) as a plain decoder gives them one after the other."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(audio=0))
    first = decoded[0]
    arrays = [f.to_ndarray() for f in decoded]
    channels = len(first.layout.channels)
    mono = [a.reshape(-1, channels)[:, 0] if first.format.is_packed else a[0] for a in arrays]
    return first.pts * first.time_base, np.concatenate(mono).astype(np.float64)


def lag(decoded, made):
    """By how many samples ``heard`` comes later than ``made``: the best of a cross-correlation."""
    piece = made[4000:12000]
    scores = {d: float(piece @ decoded[4000 + d : 12000 + d]) for d in range(-2000, 2001)}
    norm = {d: np.linalg.norm(decoded[4000 + d : 12000 + d]) for d in scores}
    return max(scores, key=lambda d: scores[d] / norm[d])


def wave_file(path, data, rate, kind=1):
    """A WAV file of ``data`` (samples, channels) that says nothing about what its channels are."""
    size, channels = data.dtype.itemsize, data.shape[1]
    raw = data.tobytes()
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * size, channels * size, 8 * size)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(raw))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(head) + len(raw)) + head + raw)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "suffix"),
    [("d.mp3", "libmp3lame", ".mp4"), ("d.mp3", "libmp3lame", ".mov"), ("d.mp3", "libmp3lame", ".mkv"),
     ("d.m4a", "aac", ".mp4"), ("d.m4a", "aac", ".mkv"), ("d.mka", "aac", ".mkv"), ("d.mka", "aac", ".mp4"),
     ("d.opus", "libopus", ".mp4"), ("d.opus", "libopus", ".mkv"), ("d.opus", "libopus", ".webm"),
     ("d.webm", "libopus", ".mp4"), ("d.webm", "libopus", ".mkv"), ("d.webm", "libopus", ".webm")],
)  # fmt: skip
@pytest.mark.parametrize("late", [0, 10880])
def test_primed_tracks_are_copied_to_the_sample(tmp_path, name, codec, suffix, late):
    track = make_wav(tmp_path / name, 1.0, 48000, 1, codec)
    pts = tuple(late + 512 * i for i in range(50))
    clip, written = dubbed(tmp_path, track, suffix, pts=pts, time_base=Fraction(1, 12800))
    assert written.copied[0].startswith("dub track")
    assert payloads(written.path) == payloads(track)
    begins, decoded = samples_of(written.path)
    first = round((begins - clip.start) * 48000) + lag(decoded, tone(1.0, 48000, 1)[0])
    in_milliseconds = suffix in (".mkv", ".webm") and late
    assert abs(first) <= (48 if in_milliseconds else 5)


@pytest.mark.parametrize(
    ("name", "codec", "suffix", "told"),
    [("d.mp3", "libmp3lame", ".webm", "dub track (opus): webm does not take mp3"),
     ("d.opus", "libopus", ".mov", "dub track (pcm_s16le): mov does not take opus"),
     ("d.wav", "pcm_s16le", ".mp4", "dub track (aac): mp4 does not take pcm_s16le")],
)  # fmt: skip
def test_why_a_track_is_encoded_is_reported(tmp_path, name, codec, suffix, told):
    _, written = dubbed(tmp_path, make_wav(tmp_path / name, 1.0, 48000, 1, codec), suffix)
    assert told in written.encoded
    begins, decoded = samples_of(written.path)
    assert abs(round(begins * 48000) + lag(decoded, tone(1.0, 48000, 1)[0])) <= 2


@pytest.mark.parametrize(("channels", "wanted"), [(9, 8), (16, 8)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_channels_beyond_the_encoder_are_mixed_and_told(tmp_path, channels, wanted, suffix):
    data = np.repeat((tone(1.0, 48000, 1)[0][:, None] * 8000).astype(np.int16), channels, 1)
    data[:, :-1] = 0  # the last one alone sounds
    _, written = dubbed(tmp_path, wave_file(tmp_path / "d.wav", data, 48000), suffix)
    assert any(f"the {channels} channels of the dub track are mixed to {wanted}" in w for w in written.warnings)
    decoded = read_sound(written.path).samples
    assert decoded.shape[0] == wanted
    assert np.abs(decoded).max() > 0.02


def test_a_change_of_rate_is_reported(tmp_path):
    data = (tone(1.0, 192000, 2).T * 8000).astype(np.int16)
    _, written = dubbed(tmp_path, wave_file(tmp_path / "d.wav", data, 192000), ".mp4")
    assert any("resampled from 192000 to 48000 Hz" in w for w in written.warnings)


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    data = tone(1.0, 48000, 1).T.copy()
    data[1000:1100], data[2000], data[3000] = np.nan, np.inf, -np.inf
    _, written = dubbed(tmp_path, wave_file(tmp_path / "d.wav", data, 48000, 3), ".mp4")
    assert any(w.startswith("102 samples of the dub track are not numbers") for w in written.dub_losses)
    decoded = read_sound(written.path).samples[0]
    assert np.isfinite(decoded).all()
    assert lag(decoded.astype(np.float64), tone(1.0, 48000, 1)[0]) == 0


def test_recordings_of_several_rates_in_one_file_are_converted(tmp_path):
    parts = [
        make_wav(tmp_path / "one.mp3", 0.5, 44100, 2, "libmp3lame"),
        make_wav(tmp_path / "two.mp3", 0.5, 48000, 1, "libmp3lame"),
    ]
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(p.read_bytes() for p in parts))
    for suffix in (".mp4", ".mkv", ".webm"):
        _, written = dubbed(tmp_path, joined, suffix)
        assert not written.copied
        assert any("(44100 Hz stereo, then 48000 Hz mono)" in w for w in written.warnings)
        assert abs(read_sound(written.path).samples.shape[1] / read_sound(written.path).rate - 1.06) < 0.1
        written.path.unlink()


@pytest.mark.parametrize(("name", "codec"), [("d.flac", "flac"), ("d.m4a", "aac")])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_lost_stretches_are_silent_and_timing_stays(tmp_path, name, codec, suffix):
    track = make_wav(tmp_path / name, 1.5, 48000, 1, codec)
    data = bytearray(track.read_bytes())
    noise = np.random.default_rng(0).integers(0, 255, 1500, dtype=np.uint8).tobytes()
    data[len(data) // 2 : len(data) // 2 + 1500] = noise
    track.write_bytes(data)
    _, written = dubbed(tmp_path, track, suffix)
    assert any("missing in the dub track: they are silent" in w for w in written.dub_losses)
    begins, decoded = samples_of(written.path)
    assert abs(len(decoded) - 72000) < 2100
    made = tone(1.5, 48000, 1)[0].astype(np.float64)
    shifts = {d: float(decoded[66000 + d : 70000 + d] @ made[66000:70000]) for d in range(-1200, 1200)}
    assert abs(max(shifts, key=lambda d: shifts[d]) + round(begins * 48000)) <= 2


def test_an_empty_track_is_reported(tmp_path):
    empty = wave_file(tmp_path / "d.wav", np.zeros((0, 1), np.int16), 48000)
    for suffix in (".mp4", ".mkv"):
        _, written = dubbed(tmp_path, empty, suffix)
        assert "the dub track is empty: there is no sound in it" in written.dub_losses
        written.path.unlink(missing_ok=True)


def test_sound_is_heard_at_the_time_at_which_it_is_written(tmp_path):
    for name, codec in (("d.mp3", "libmp3lame"), ("d.m4a", "aac"), ("d.opus", "libopus"), ("d.wav", "pcm_s16le")):
        decoded = read_sound(make_wav(tmp_path / name, 1.0, 48000, 1, codec))
        assert decoded.start == 0
        assert lag(decoded.samples[0].astype(np.float64), tone(1.0, 48000, 1)[0]) == 0


def test_sound_of_eight_channels_is_read(tmp_path):
    made = tmp_path / "d.m4a"
    with av.open(str(made), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="7.1")
        packed = np.ascontiguousarray(tone(1.0, 48000, 8).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", "7.1")
        frame.sample_rate = 48000
        resampler = av.AudioResampler(format="fltp", layout="7.1", rate=48000, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    decoded = read_sound(made)
    assert decoded.samples.shape[0] == 8
    _, written = dubbed(tmp_path, made, ".webm")
    assert read_sound(written.path).samples.shape[0] == 8
