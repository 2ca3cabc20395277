"""Grids of a constant rate over any frame times, and their windows."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.engines.ltx.frame_grid import make_grid, padded_length, split_windows, times_or_default
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import Span


def every(rate, frames):
    """Times of a constant rate, in a fine time base."""
    base = Fraction(1, 90_000)
    return FrameTimes(np.array([round(i / rate / base) for i in range(frames)]), base, round(1 / rate / base))


@pytest.mark.parametrize(
    ("rate", "generated"),
    [
        (Fraction(24_000, 1001), Fraction(24_000, 1001)), (Fraction(25), Fraction(25)), (Fraction(30), Fraction(30)),
        (Fraction(50), Fraction(25)), (Fraction(60), Fraction(30)), (Fraction(60_000, 1001), Fraction(30_000, 1001)),
        (Fraction(120), Fraction(30)), (Fraction(10), Fraction(10)),
    ],
)  # fmt: skip
def test_a_constant_rate_is_kept_or_divided(rate, generated):
    times = every(rate, 90)
    grid = make_grid(times, times.whole, range(90))
    assert abs(grid.rate - generated) < generated / 10_000
    step = round(rate / generated)
    assert grid.count in (90 // step, 90 // step + 1)
    assert grid.frames[: 90 // step].tolist() == list(range(0, 90, step))[: 90 // step]
    assert [grid.nearest(times.instant(i)) for i in range(0, 80, step)] == list(range(len(range(0, 80, step))))


def test_frames_of_a_slow_clip_are_repeated():
    times = FrameTimes(np.arange(4) * 3, Fraction(1), 3)
    grid = make_grid(times, times.whole, range(4))
    assert grid.rate == 10
    assert grid.count == 120
    assert grid.frames.tolist() == sorted(grid.frames.tolist())
    assert [int(grid.frames[grid.nearest(times.instant(i))]) for i in range(4)] == [0, 1, 2, 3]
    still = FrameTimes(np.array([0]), Fraction(1), 5)
    assert make_grid(still, still.whole, range(1)).frames.tolist() == [0] * 50


def test_without_times_there_are_25_frames_a_second():
    times = times_or_default(None, 30)
    grid = make_grid(times, times.span(10, 30), range(10, 30))
    assert (grid.rate, grid.start, grid.count) == (25, Fraction(10, 25), 20)
    assert grid.frames.tolist() == list(range(10, 30))


@given(st.lists(st.integers(8, 260), min_size=2, max_size=60))
def test_a_variable_rate_gets_a_constant_grid_of_the_nearest_frames(steps):
    times = FrameTimes(np.concatenate([[0], np.cumsum(steps)]), Fraction(1, 1000), 40)
    count = len(times)
    grid = make_grid(times, times.whole, range(count))
    assert grid.rate <= 32
    assert (np.diff(grid.frames) >= 0).all()
    assert 0 <= grid.frames[0]
    assert grid.frames[-1] < count
    for number in range(grid.count):
        at = grid.start + number / grid.rate
        best = min(abs(times.instant(i) - at) for i in range(count))
        assert abs(times.instant(int(grid.frames[number])) - at) == best
    for frame in range(count):
        at = grid.start + grid.nearest(times.instant(frame)) / grid.rate
        assert abs(at - times.instant(frame)) <= max(
            1 / grid.rate, times.whole.end - grid.start - (grid.count - 1) / grid.rate
        )


def test_only_the_given_frames_are_shown():
    times = every(Fraction(25), 50)
    grid = make_grid(times, Span(Fraction(0), Fraction(2)), range(10, 20))
    assert set(grid.frames.tolist()) == set(range(10, 20))
    assert grid.count == 50
    assert make_grid(times, Span(Fraction(1), Fraction(1)), range(25, 26)).count == 1


@given(st.integers(1, 700), st.sampled_from([9, 17, 25, 49, 121]), st.integers(0, 24))
def test_windows_cover_everything_evenly(count, frames, overlap):
    overlap = min(overlap, frames // 3)
    times = every(Fraction(25), count)
    windows = split_windows(make_grid(times, times.whole, range(count)), frames, overlap)
    assert windows[0].start == 0
    assert windows[-1].stop == count
    assert len({len(window) for window in windows}) == 1
    for a, b in pairwise(windows):
        assert a.start < b.start
        assert a.stop - b.start >= overlap
    for a, c in zip(windows, windows[2:], strict=False):
        assert a.stop <= c.start
    assert max(map(len, windows)) <= frames


def test_windows_hold_at_most_the_given_number_of_frames_of_the_clip():
    times = every(Fraction(60), 600)
    grid = make_grid(times, times.whole, range(600))
    windows = split_windows(grid, 121, 24)
    assert max(int(grid.frames[p[-1]] - grid.frames[p[0]]) + 1 for p in windows) <= 121


def test_lengths_are_padded_to_8_k_plus_1():
    assert [padded_length(n) for n in (1, 3, 8, 9, 10, 17, 18, 120, 121)] == [9, 9, 9, 9, 17, 17, 25, 121, 121]
