"""Peaks are the least and the greatest sample of every 10 ms, wherever the blocks end; from where players begin."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import Extra, make_video

from lipdub.media.sound_read import read_sound
from lipdub.web.media.peaks import PER_SECOND, kept_peaks, make_peaks, pairs_of, peaks


def direct(samples: np.ndarray, rate: int) -> np.ndarray:
    count = -(-samples.shape[1] * PER_SECOND // rate)
    parts = (samples[:, k * rate // PER_SECOND : (k + 1) * rate // PER_SECOND] for k in range(count))
    return np.rint(np.array([[part.min(), part.max()] for part in parts]).clip(-1, 1) * 127)


@given(
    st.sampled_from([8000, 11025, 22050, 44100, 48000]), st.lists(st.integers(0, 9000), max_size=12), st.integers(0, 9)
)
def test_blocks_do_not_matter(rate: int, cuts: Sequence[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1.2, 1.2, (2, 9001)).astype(np.float32)
    blocks = np.split(samples, sorted(cuts), axis=1)
    got = np.concatenate(list(pairs_of(blocks, rate)))
    assert np.array_equal(got, direct(samples, rate))


def test_silence_and_nothing_and_no_number() -> None:
    assert list(pairs_of([], 48000)) == []
    assert list(pairs_of([np.zeros((2, 0), np.float32)], 48000)) == []
    odd = np.full((1, 480), np.nan, np.float32)
    assert np.concatenate(list(pairs_of([odd], 48000))).tolist() == [[0, 0]]


def test_peaks_begin_where_players_do(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", Extra(sound_seconds=1.5, sound_start=Fraction(1)), count=60)
    found = np.frombuffer(peaks(clip), np.int8).reshape(-1, 2)
    assert not found[:95].any()
    sound = read_sound(clip)
    silence = np.zeros((len(sound.samples), round(sound.start * sound.rate)), np.float32)
    expected = direct(np.concatenate([silence, sound.samples], axis=1), sound.rate)
    assert abs(len(found) - len(expected)) <= 1
    most = min(len(found), len(expected))
    assert np.abs(found[:most] - expected[:most]).max() <= 1


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", count=20)
    assert kept_peaks(clip) is None
    assert peaks(clip) == b""
    assert kept_peaks(clip) is not None


def test_work_that_is_cancelled_leaves_nothing(tmp_path: Path, own_cache: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", Extra(sound_seconds=20.0), count=20)

    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_peaks(clip, stop)
    assert kept_peaks(clip) is None
    assert not [file for file in (own_cache / "work").iterdir() if file.name.startswith((".partial", "peaks"))]
    assert len(peaks(clip)) >= 2 * 20 * PER_SECOND
