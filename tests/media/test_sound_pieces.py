"""Sound that is encoded in pieces: packets depend on samples nearby, joints cannot be heard, files are checked."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lipdub.errors import OutputError
from lipdub.media import sound_pieces
from lipdub.media.sound_blocks import SoundFormat
from lipdub.media.sound_encoding import SoundEncoding, pieced_encoding
from lipdub.media.sound_piece_file import SUFFIX, PiecedSound, read_piece, remove_old_pieces, write_piece
from lipdub.media.sound_pieces import PieceGrid, aac_window, encode_in_pieces, encode_piece

RATE = 48000
ENCODINGS = {
    "aac": SoundEncoding("aac", RATE, "mono", "fltp", {"b": "192000"}),
    "aac stereo": SoundEncoding("aac", RATE, "stereo", "fltp", {"b": "256000"}),
    "opus": SoundEncoding("libopus", RATE, "mono", "flt", {"b": "96000"}),
}


def sound(seconds, channels, seed=0):
    """Syllables: bursts of harmonics and of noise with pauses, (channels, samples) float32."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    loud = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.3, 0, 1) ** 2
    pitch = np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    voiced = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 20)) * 0.15
    rows = [loud * voiced + 0.02 * (1 - loud) * generator.standard_normal(len(time)) for _ in range(channels)]
    return np.array(rows, np.float32)


def frames(samples, how):
    size = how.open().frame_size
    for first in range(0, samples.shape[1], size):
        part = samples[:, first : first + size]
        part = part if how.format == "fltp" else part.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), how.format, how.layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        yield frame


def encoded(samples, how):
    return list(encode_in_pieces(frames(samples, how), how.open))


def at_once(samples, how):
    encoder = how.open()
    return [packet for frame in (*frames(samples, how), None) for packet in encoder.encode(frame)]


@pytest.mark.parametrize(("name", "length"), [("aac", 60), ("aac stereo", 20), ("opus", 20)])
def test_a_change_of_a_second_changes_packets_nearby_only(name, length):
    how, middle = ENCODINGS[name], length // 2
    before = sound(length, len(av.AudioLayout(how.layout).channels))
    after = before.copy()
    after[:, middle * RATE : (middle + 1) * RATE] = sound(1, len(before), seed=7) * 0.7
    one, other = encoded(before, how), encoded(after, how)
    assert [p.pts for p in one] == [p.pts for p in other]
    changed = [a.pts / RATE for a, b in zip(one, other, strict=True) if bytes(a) != bytes(b)]
    assert changed
    assert min(changed) > middle - 1
    assert max(changed) < middle + 1 + 5


@pytest.mark.parametrize("name", ["aac", "opus"])
def test_there_are_as_many_packets_as_without_pieces(name):
    how = ENCODINGS[name]
    size = how.open().frame_size
    piece = round(4 * RATE / size)
    for packets in (1, 2, piece - 33, piece - 32, piece - 1, piece, piece + 1, piece + 9, 2 * piece + 1):
        samples = sound(packets * size / RATE - 0.001, 1)
        assert [p.pts for p in encoded(samples, how)] == [p.pts for p in at_once(samples, how)]


def noise(samples, packets, how):
    """Mean power of the error of each packet's samples, which are mono."""
    decoder = av.CodecContext.create({"libopus": "opus"}.get(how.encoder, how.encoder), "r")
    decoder.extradata, decoder.options = how.open().extradata, {"err_detect": "explode"}
    heard = np.concatenate(
        [f.to_ndarray().reshape(len(samples), -1) for p in (*packets, None) for f in decoder.decode(p)], 1
    )
    heard = heard[:, -packets[0].pts if how.encoder == "aac" else 0 :][:, : samples.shape[1]]
    error = ((heard - samples[:, : heard.shape[1]]) ** 2).mean(0)
    size = how.open().frame_size
    return error[: len(error) // size * size].reshape(-1, size).mean(1)


@pytest.mark.parametrize("name", ["aac", "opus"])
def test_joints_are_no_noisier_than_the_rest(name, monkeypatch):
    how = ENCODINGS[name]
    samples = sound(30, 1)
    whole = noise(samples, at_once(samples, how), how)
    pieces = noise(samples, encoded(samples, how), how)
    step = round(4 * RATE / how.open().frame_size)
    near = [k + d for k in range(step, len(whole), step) for d in range(-2, 10) if k + d < len(whole)]
    assert pieces[near].mean() < 1.15 * whole[near].mean()
    assert pieces.mean() < 1.05 * whole.mean()
    monkeypatch.setattr(sound_pieces, "_PRE_ROLL", 1)
    assert noise(samples, encoded(samples, how), how)[near].mean() > 1.3 * whole[near].mean()


def test_windows_of_aac_are_read():
    quiet, click = np.zeros((1, 12 * 1024), np.float32), np.zeros((1, 12 * 1024), np.float32)
    click[:, 6 * 1024 + 700 :] = 0.5 * np.random.default_rng(1).standard_normal(click[:, 6 * 1024 + 700 :].shape)
    windows = [aac_window(bytes(p)) for p in at_once(quiet, ENCODINGS["aac"])[1:]]
    assert {window[:2] for window in windows} == {(0, 0)}
    sequences = [aac_window(bytes(p))[1] for p in at_once(click, ENCODINGS["aac"])[1:]]
    assert 2 in sequences
    assert sequences[sequences.index(2) - 1] == 1
    assert aac_window(b"\xc0\x00\x00\x00") is None


def seen(packets: list[av.Packet]) -> list[tuple[object, ...]]:
    return [(p.pts, p.dts, p.duration, bytes(p), [(s.data_type, bytes(s)) for s in p.iter_sidedata()]) for p in packets]


def pieces_of(samples: np.ndarray, name: str, folder: Path) -> PiecedSound:
    how = ENCODINGS[name]
    grid = PieceGrid(how.open().frame_size, RATE, samples.shape[1])
    every = list(frames(samples, how))
    files = []
    for number in reversed(range(grid.count)):
        first, stop = grid.fed(number)
        fed = every[first // grid.size : -(-stop // grid.size)]
        packets = encode_piece(fed, how.open(), first=number == 0, last=number == grid.count - 1)
        files.insert(0, folder / f"{number}{SUFFIX}")
        write_piece(files[0], packets)
    return PiecedSound(how, Fraction(samples.shape[1], RATE), tuple(files))


@pytest.mark.parametrize("name", list(ENCODINGS))
@pytest.mark.parametrize("seconds", [0.01, 3.99, 4.3, 9.1, 12.02])
def test_pieces_that_were_encoded_alone_are_the_whole(name: str, seconds: float, tmp_path: Path) -> None:
    samples = sound(seconds, len(av.AudioLayout(ENCODINGS[name].layout).channels))
    pieced = pieces_of(samples, name, tmp_path)
    assert seen(list(pieced.packets())) == seen(encoded(samples, ENCODINGS[name]))


def test_damage_is_noticed(tmp_path: Path) -> None:
    pieced = pieces_of(sound(9, 1), "aac", tmp_path)
    file, content = pieced.files[1], pieced.files[1].read_bytes()
    for damaged in (b"", content[:-1], content[:200] + b"x" + content[201:]):
        file.write_bytes(damaged)
        with pytest.raises(OutputError, match="cut off or altered"):
            read_piece(file, RATE)
    file.unlink()
    with pytest.raises(OutputError, match="cannot be read"):
        list(pieced.packets())


def test_pieces_that_are_not_used_any_more_are_removed(tmp_path: Path) -> None:
    pieced = pieces_of(sound(5, 1), "aac", tmp_path)
    for name in (f"old{SUFFIX}", f"old.part{SUFFIX}"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "mine.txt").write_text("mine")
    remove_old_pieces(tmp_path, pieced)
    assert set(tmp_path.iterdir()) == {*pieced.files, tmp_path / "mine.txt"}


@pytest.mark.parametrize(
    ("container", "channels", "rate", "encoder"),
    [
        ("mp4", ("FL", "FR"), 44_100, "aac"),
        ("mp4", ("FL", "FR", "FC", "LFE", "BL", "BR"), 48_000, "aac"),
        ("mp4", ("FC",), 47_999, None),  # would be resampled
        ("webm", ("FC",), 48_000, "libopus"),
        ("webm", ("FC",), 44_100, None),
        ("mov", ("FC",), 48_000, None),  # PCM
        ("matroska", ("FC",), 48_000, None),  # FLAC
    ],
)
def test_which_sound_is_encoded_in_pieces(container: str, channels: tuple, rate: int, encoder: str | None) -> None:
    how = pieced_encoding(container, SoundFormat(rate, channels))
    assert (how and how.encoder) == encoder
