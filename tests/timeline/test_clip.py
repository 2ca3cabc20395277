"""Frame times are exact, constant rate or not; shots tile a clip."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.clip import FrameTimes, Shot
from lipdub.timeline.time import Span

NTSC = st.sampled_from([Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)] + [Fraction(25), Fraction(24)])


@st.composite
def any_times(draw: st.DrawFn) -> FrameTimes:
    steps = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=40))
    start = draw(st.integers(-90_000, 10**10))
    base = draw(st.sampled_from([Fraction(1, 90_000), Fraction(1, 1000), Fraction(1001, 30_000), Fraction(1, 24)]))
    pts = start + np.cumsum([0, *steps[:-1]], dtype=np.int64)
    return FrameTimes(pts, base, steps[-1])


@given(any_times(), st.data())
def test_the_frame_on_screen_at_an_instant(times: FrameTimes, data: st.DataObject) -> None:
    whole = times.whole
    part = data.draw(st.fractions(0, 1, max_denominator=10**6))
    instant = whole.start + part * whole.duration
    index = times.at(instant)
    assert instant in times.span(index, index + 1) or instant == whole.end
    assert times.at(whole.start - 1) == 0
    assert times.at(whole.end + 1) == len(times) - 1


@given(any_times(), st.data())
def test_frames_within_a_span_are_those_that_appear_in_it(times: FrameTimes, data: st.DataObject) -> None:
    whole = times.whole.widened(Fraction(1, 10))
    parts = data.draw(st.lists(st.fractions(0, 1, max_denominator=10**6), min_size=2, max_size=2))
    start, end = sorted(whole.start + p * whole.duration for p in parts)
    span = Span(start, end)
    assert list(times.within(span)) == [i for i in range(len(times)) if times.instant(i) in span]


@given(any_times(), st.data())
def test_spans_of_frames_and_frames_of_spans_are_inverse(times: FrameTimes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(times) - 1))
    stop = data.draw(st.integers(first + 1, len(times)))
    assert times.within(times.span(first, stop)) == range(first, stop)
    assert sum(times.span(i, i + 1).duration for i in range(first, stop)) == times.span(first, stop).duration


@given(NTSC, st.integers(2, 500), st.integers(0, 10**9))
def test_exact_ticks_give_the_exact_rate(rate: Fraction, frames: int, start: int) -> None:
    times = FrameTimes(
        start + np.arange(frames, dtype=np.int64) * rate.denominator, Fraction(1, rate.numerator), rate.denominator
    )
    assert times.constant_rate == rate
    assert times.whole.duration == frames / rate
    for i in (0, frames // 2, frames - 1):
        assert times.at(Fraction(start, rate.numerator) + i / rate) == i


@given(NTSC, st.integers(2, 300))
def test_millisecond_ticks_still_count_as_constant(rate: Fraction, frames: int) -> None:
    pts = np.array([int(i * 1000 / rate) for i in range(frames)], np.int64)
    found = FrameTimes(pts, Fraction(1, 1000), 33).constant_rate
    assert found is not None
    assert abs(1 / found - 1 / rate) * (frames - 1) <= Fraction(1, 1000)


def test_a_variable_rate_is_no_rate() -> None:
    assert FrameTimes(np.array([0, 40, 100, 120], np.int64), Fraction(1, 1000), 40).constant_rate is None
    assert FrameTimes(np.array([7], np.int64), Fraction(1, 25), 1).constant_rate == 25


def test_a_shot_holds_its_frames() -> None:
    shot = Shot(3, 7)
    assert len(shot) == 4
    assert 3 in shot
    assert 7 not in shot
