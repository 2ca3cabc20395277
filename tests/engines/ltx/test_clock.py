"""Constant grids over any frame times, and the windows into them."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.engines.ltx.frame_grid import grid, padded, times_or_default, windows
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.time import Span


def every(rate, frames):
    """Times of a constant rate, in a fine time base."""
    base = Fraction(1, 90_000)
    return FrameTimes(np.array([round(i / rate / base) for i in range(frames)]), base, round(1 / rate / base))


@pytest.mark.parametrize(
    ("rate", "made"),
    [
        (Fraction(24_000, 1001), Fraction(24_000, 1001)), (Fraction(25), Fraction(25)), (Fraction(30), Fraction(30)),
        (Fraction(50), Fraction(25)), (Fraction(60), Fraction(30)), (Fraction(60_000, 1001), Fraction(30_000, 1001)),
        (Fraction(120), Fraction(30)), (Fraction(10), Fraction(10)),
    ],
)  # fmt: skip
def test_a_constant_rate_is_kept_or_divided(rate, made):
    times = every(rate, 90)
    clock = grid(times, times.whole, range(90))
    assert abs(clock.rate - made) < made / 10_000
    step = round(rate / made)
    assert clock.count in (90 // step, 90 // step + 1)
    assert clock.shown[: 90 // step].tolist() == list(range(0, 90, step))[: 90 // step]
    assert [clock.near(times.instant(i)) for i in range(0, 80, step)] == list(range(len(range(0, 80, step))))


def test_a_slide_show_is_shown_again_and_again():
    times = FrameTimes(np.arange(4) * 3, Fraction(1), 3)
    clock = grid(times, times.whole, range(4))
    assert clock.rate == 10
    assert clock.count == 120
    assert clock.shown.tolist() == sorted(clock.shown.tolist())
    assert [int(clock.shown[clock.near(times.instant(i))]) for i in range(4)] == [0, 1, 2, 3]
    still = FrameTimes(np.array([0]), Fraction(1), 5)
    assert grid(still, still.whole, range(1)).shown.tolist() == [0] * 50


def test_without_times_there_are_25_frames_a_second():
    times = times_or_default(None, 30)
    clock = grid(times, times.span(10, 30), range(10, 30))
    assert (clock.rate, clock.start, clock.count) == (25, Fraction(10, 25), 20)
    assert clock.shown.tolist() == list(range(10, 30))


@given(st.lists(st.integers(8, 260), min_size=2, max_size=60))
def test_a_varying_rate_gets_a_constant_grid_that_shows_the_nearest_frames(steps):
    times = FrameTimes(np.concatenate([[0], np.cumsum(steps)]), Fraction(1, 1000), 40)
    frames = len(times)
    clock = grid(times, times.whole, range(frames))
    assert clock.rate <= 32
    assert (np.diff(clock.shown) >= 0).all()
    assert 0 <= clock.shown[0]
    assert clock.shown[-1] < frames
    for number in range(clock.count):
        at = clock.start + number / clock.rate
        best = min(abs(times.instant(i) - at) for i in range(frames))
        assert abs(times.instant(int(clock.shown[number])) - at) == best
    for frame in range(frames):
        at = clock.start + clock.near(times.instant(frame)) / clock.rate
        assert abs(at - times.instant(frame)) <= max(
            1 / clock.rate, times.whole.end - clock.start - (clock.count - 1) / clock.rate
        )


def test_frames_that_may_not_be_shown_are_not():
    times = every(Fraction(25), 50)
    clock = grid(times, Span(Fraction(0), Fraction(2)), range(10, 20))
    assert set(clock.shown.tolist()) == set(range(10, 20))
    assert clock.count == 50
    assert grid(times, Span(Fraction(1), Fraction(1)), range(25, 26)).count == 1


@given(st.integers(1, 700), st.sampled_from([9, 17, 25, 49, 121]), st.integers(0, 24))
def test_windows_cover_everything_evenly(count, frames, overlap):
    overlap = min(overlap, frames // 3)
    times = every(Fraction(25), count)
    parts = windows(grid(times, times.whole, range(count)), frames, overlap)
    assert parts[0].start == 0
    assert parts[-1].stop == count
    assert len({len(part) for part in parts}) == 1
    for a, b in pairwise(parts):
        assert a.start < b.start
        assert a.stop - b.start >= overlap
    for a, c in zip(parts, parts[2:], strict=False):
        assert a.stop <= c.start
    assert max(map(len, parts)) <= frames


def test_windows_hold_no_more_frames_of_the_clip_than_they_may():
    times = every(Fraction(60), 600)
    clock = grid(times, times.whole, range(600))
    parts = windows(clock, 121, 24)
    assert max(int(clock.shown[p[-1]] - clock.shown[p[0]]) + 1 for p in parts) <= 121


def test_lengths_are_padded_to_8_k_plus_1():
    assert [padded(n) for n in (1, 3, 8, 9, 10, 17, 18, 120, 121)] == [9, 9, 9, 9, 17, 17, 25, 121, 121]
