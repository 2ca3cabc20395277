"""Pictures that are made longer or shorter: which frames they show, and when."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.clip import Clip, FileFrames, FrameTimes
from lipdub.timeline.clip_length import LengthChange, bounced, cut_short, held, paused, slowed, slowed_during
from lipdub.timeline.retiming import AddedTime, ClockPoint
from lipdub.timeline.time import Span

RATES = [Fraction(25), Fraction(24), Fraction(30000, 1001), Fraction(60)]
BASES = [Fraction(1, 12800), Fraction(1, 90000), Fraction(1, 1000), Fraction(1001, 30000)]


def clip_of(pts: list[int], base: Fraction, last: int, start: Fraction = Fraction(0)) -> Clip:
    times = FrameTimes(np.array(pts, np.int64), base, last)
    return Clip(Path("talk.mp4"), times, (64, 48), len(pts) / times.whole.duration, has_sound=True, start=start)


@st.composite
def clips(draw: st.DrawFn) -> tuple[list[int], Fraction, int, Fraction]:
    """What ``clip_of`` needs: constant and variable rates, pictures that start late or before zero."""
    count, late = draw(st.integers(1, 60)), draw(st.integers(-2000, 4000))
    base = draw(st.sampled_from(BASES))
    if draw(st.booleans()):
        step = max(Fraction(1), 1 / (draw(st.sampled_from(RATES)) * base))
        pts = [late + round(i * step) for i in range(count + 1)]
    else:
        pts = np.cumsum([late, *draw(st.lists(st.integers(1, 3000), min_size=count, max_size=count))]).tolist()
    start = draw(st.sampled_from([Fraction(0), min(Fraction(0), pts[0] * base)]))
    start = min(start, pts[0] * base)
    return pts[:-1], base, pts[-1] - pts[-2], start


seconds = st.fractions(Fraction(1, 500), Fraction(20), max_denominator=48000)


@given(made=clips(), more=seconds, data=st.data())
def test_added_frames_begin_where_the_picture_ended_and_fill_the_time(made, more: Fraction, data) -> None:
    clip = clip_of(*made)
    until = clip.span.end + more
    first = data.draw(st.integers(0, len(clip) - 1))
    for longer in (held(clip, until), bounced(clip, until, first)):
        own = len(clip)
        assert longer.own_frames == own
        assert longer.times.time_base == clip.times.time_base
        assert longer.times.instant(own) == clip.span.end
        lengths = np.diff(np.append(longer.times.pts, longer.times.pts[-1] + longer.times.last))[own:]
        assert 0 <= longer.span.end - until < int(lengths[-1]) * clip.times.time_base
        assert longer.as_filmed().times is clip.times


@given(made=clips(), more=seconds)
def test_a_held_picture_goes_on_at_the_own_steps(made, more: Fraction) -> None:
    clip = clip_of(*made)
    longer = held(clip, clip.span.end + more)
    assert longer.filmed is not None
    assert set(longer.filmed.order[len(clip) :].tolist()) == {len(clip) - 1}
    own = np.diff(np.append(clip.times.pts, clip.times.pts[-1] + clip.times.last))
    steps = np.diff(np.append(longer.times.pts, longer.times.pts[-1] + longer.times.last))[len(clip) :]
    if clip.times.constant_rate is not None and len(clip) > 1:
        assert set(steps.tolist()) <= {math.floor(own[:-1].mean()), math.ceil(own[:-1].mean())}
    else:
        assert len(set(steps.tolist())) == 1


@given(made=clips(), more=seconds, data=st.data())
def test_a_bounced_picture_moves_by_one_frame_and_stays_in_its_shot(made, more: Fraction, data) -> None:
    clip = clip_of(*made)
    first = data.draw(st.integers(0, len(clip) - 1))
    longer = bounced(clip, clip.span.end + more, first)
    assert longer.filmed is not None
    added = longer.filmed.order[len(clip) :]
    assert added.min() >= first
    if first < len(clip) - 1:
        assert set(np.abs(np.diff(longer.filmed.order)).tolist()) == {1}
        turns = np.flatnonzero(np.diff(np.sign(np.diff(added)))) + 1
        assert set(added[turns].tolist()) <= {first, len(clip) - 1}


def test_a_variable_rate_bounces_with_the_lengths_of_its_frames() -> None:
    clip = clip_of([0, 10, 40, 60, 75], Fraction(1, 100), 5)
    longer = bounced(clip, Fraction(3, 2), 2)
    assert longer.filmed is not None
    assert longer.filmed.order[5:].tolist() == [3, 2, 3, 4, 3]
    assert longer.times.pts[5:].tolist() == [80, 95, 115, 130, 135]
    assert longer.span.end == Fraction(3, 2)


@given(made=clips(), more=seconds)
def test_a_slowed_picture_keeps_its_proportions_and_ends_with_the_dub(made, more: Fraction) -> None:
    clip = clip_of(*made)
    until = clip.span.end + more
    slow = slowed(clip, until)
    assert abs(slow.span.end - until) <= Fraction(1, 5000)
    assert slow.clock.outside == (until - clip.start) / (clip.span.end - clip.start)
    assert len(slow) == len(clip)
    assert slow.own_frames == 0
    before, after = np.diff(clip.times.pts), np.diff(slow.times.pts)
    assert all(a * before[0] == b * after[0] for a, b in zip(after.tolist(), before.tolist(), strict=True))
    assert slow.times.time_base.numerator == 1
    assert slow.times.time_base.denominator < 2**31
    late, wanted = slow.times.instant(0) - clip.start, (clip.times.instant(0) - clip.start) * slow.clock.outside
    assert abs(late - wanted) <= Fraction(1, 1_000_000)


@pytest.mark.parametrize("rate", RATES)
def test_an_hour_that_is_slowed_ends_right(rate: Fraction) -> None:
    base = Fraction(1, 90000)
    pts = [round(i / rate / base) for i in range(int(3600 * rate))]
    until = Fraction(3600) + Fraction(1234567, 48000)
    slow = slowed(clip_of(pts, base, round(1 / rate / base)), until)
    assert abs(slow.span.end - until) < Fraction(1, 1000)
    assert slow.times.constant_rate is not None
    assert float(slow.rate * slow.clock.outside) == pytest.approx(float(rate), rel=1e-5)


@given(made=clips(), part=st.fractions(0, 1, max_denominator=1000))
def test_a_picture_that_is_cut_ends_with_the_frame_that_the_dub_ends_in(made, part: Fraction) -> None:
    clip = clip_of(*made)
    until = clip.span.start + part * clip.span.duration
    short = cut_short(clip, until)
    assert short.own_frames == len(short)
    assert short.times.pts.tolist() == clip.times.pts[: len(short)].tolist()
    last = short.times.span(len(short) - 1, len(short))
    assert last.start < until <= last.end or len(short) == 1
    assert short.span.end == (clip.times.instant(len(short)) if len(short) < len(clip) else clip.span.end)


def test_a_clip_knows_which_of_its_frames_are_the_files_own() -> None:
    clip = clip_of([0, 1, 2, 3], Fraction(1, 25), 1)
    assert clip.own_frames == 4
    assert clip.file_frame(2) == 2
    times = FrameTimes(np.array([0, 1, 3, 4]), Fraction(1, 25))
    odd = Clip(
        Path("a.mp4"), times, (2, 2), Fraction(25), False, filmed=FileFrames(np.arange(4), clip.times, clip.rate)
    )
    assert odd.own_frames == 2
    assert odd.as_filmed().times is clip.times


@pytest.mark.parametrize(
    ("change", "done", "would"),
    [
        (LengthChange("hold", Fraction(2), 50), "last frame is held, 50 frames were added", "would be held"),
        (LengthChange("bounce", Fraction(1, 50), 1), "forwards, 1 frame was added", "would"),
        (LengthChange("slow", Fraction(2), slower=Fraction(5, 4)), "shown 1.2500 times as slowly", "would be shown"),
        (LengthChange("pause", Fraction(2), 50, lines=2), "held after them, 50 frames were added", "would be held"),
        (
            LengthChange("slow", Fraction(2), slower=Fraction(5, 4), lines=1),
            "1 line is 2.000 s too long for the time of the source: the picture is shown 1.2500 times as slowly during",
            "would be shown",
        ),
        (
            LengthChange("slow", Fraction(2), slower=Fraction(2), lines=3),
            "up to 2.0000 times as slowly during them",
            "",
        ),
        (LengthChange("cut", Fraction(-2), -50), "2.000 s shorter", "50 frames would be cut"),
    ],
)
def test_what_was_done_is_told(change: LengthChange, done: str, would: str) -> None:
    assert done in change.sentence()
    assert would in change.sentence(would=True)


@st.composite
def waits(draw: st.DrawFn, most: Fraction = Fraction(0)) -> list[tuple[Fraction, Fraction, Fraction]]:
    """(Place 0..1 in the clip, length as a part of the clip, at most ``most``, seconds) of what is longer."""
    place, length = st.fractions(0, 1, max_denominator=999), st.fractions(0, most, max_denominator=99)
    every = st.tuples(place, length, st.fractions(Fraction(1, 500), 5, max_denominator=999))
    return draw(st.lists(every, min_size=1, max_size=4))


def added(clip: Clip, wanted: list[tuple[Fraction, Fraction, Fraction]]) -> list[AddedTime]:
    begin, whole = clip.span.start, clip.span.duration
    return [
        AddedTime(Span(begin + place * whole, begin + (place + length) * whole), seconds)
        for place, length, seconds in wanted
    ]


@given(made=clips(), wanted=waits())
def test_a_picture_stands_still_where_it_shall_and_everything_comes_later(made, wanted) -> None:
    clip = clip_of(*made)
    pauses = added(clip, wanted)
    held_up = paused(clip, pauses)
    assert held_up.filmed is not None
    assert held_up.filmed.order[held_up.first_shown].tolist() == list(range(len(clip)))
    waited = sum(span.duration for span in held_up.clock.still)
    assert waited >= sum(pause.seconds for pause in pauses)
    assert held_up.span.duration == clip.span.duration + waited
    for index in np.flatnonzero(held_up.first_shown).tolist():
        own = clip.times.instant(held_up.file_frame(index))
        assert held_up.times.instant(index) == held_up.instant(own)
        assert held_up.file_instant(held_up.times.instant(index)) == own
    for pause in pauses:
        later = held_up.instant(pause.span.end) - held_up.instant(clip.start)
        assert later - (pause.span.end - clip.start) >= pause.seconds or clip.times.at(pause.span.end) == 0
    for span in held_up.clock.still:
        inside = held_up.times.within(span)
        assert len({held_up.file_frame(i) for i in inside}) == 1
        assert not held_up.first_shown[inside.start : inside.stop].any()


def test_the_clock_of_a_clip_with_pauses() -> None:
    clip = clip_of(list(range(10)), Fraction(1, 10), 1)
    half, end = Span(Fraction(1, 2), Fraction(1, 2)), Span(Fraction(0), Fraction(1))
    still = paused(clip, [AddedTime(half, Fraction(1, 4)), AddedTime(end, Fraction(1, 10))])
    assert still.filmed is not None
    assert still.filmed.order.tolist() == [0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 9, 9]
    assert still.clock.still == (Span(Fraction(1, 2), Fraction(4, 5)), Span(Fraction(13, 10), Fraction(7, 5)))
    assert still.instant(Fraction(1, 2)) == Fraction(4, 5)
    assert still.instant(Fraction(1, 2), end=True) == Fraction(1, 2)
    assert still.file_instant(Fraction(6, 10)) == Fraction(1, 2)
    assert still.own_frames == 5
    assert still.retimed


@given(made=clips(), wanted=waits(Fraction(1, 2)))
def test_a_picture_is_slowed_where_it_shall_and_everything_after_comes_later(made, wanted) -> None:
    clip = clip_of(*made)
    lines = added(clip, wanted)
    slow = slowed_during(clip, lines)
    assert slow.filmed is not None
    assert slow.filmed.all_in_order
    assert not slow.clock.still
    unit = slow.times.time_base
    assert unit <= Fraction(1, 1000)
    for index in range(len(clip)):
        assert 0 <= slow.instant(clip.times.instant(index)) - slow.times.instant(index) < unit
        assert slow.file_frame(index) == index
    assert slow.span.end == slow.instant(clip.span.end)
    first, last = slow.clock.points[0].file, slow.clock.points[-1].file
    frames = [i for i in range(len(clip)) if not first <= clip.times.instant(i) < last]
    assert all(slow.instant(clip.times.instant(i)) == slow.times.instant(i) for i in frames)
    own = next((i for i in range(len(clip)) if slow.times.instant(i) != clip.times.instant(i)), len(clip))
    assert slow.own_frames == (own if unit == clip.times.time_base else 0)
    for line in lines:
        span = slow.instant(line.span.end) - slow.instant(line.span.start)
        whole = [i for i in range(len(clip)) if inside(clip.times.span(i, i + 1), line.span)]
        assert span - line.span.duration >= line.seconds or not whole
    most = sum(-(-line.seconds // unit) * unit for line in lines)
    assert slow.span.duration - clip.span.duration < most + 2 * len(lines) * unit


def inside(one: Span, other: Span) -> bool:
    return other.start <= one.start and one.end <= other.end


def test_the_clock_of_a_clip_with_slowed_lines() -> None:
    clip = clip_of(list(range(0, 100, 10)), Fraction(1, 100), 10, start=Fraction(-1))
    one = AddedTime(Span(Fraction(18, 100), Fraction(55, 100)), Fraction(15, 100))
    slow = slowed_during(clip, [one])
    assert slow.times.pts.tolist() == [0, 1000, 2000, 3500, 5000, 6500, 7500, 8500, 9500, 10500]
    assert slow.times.time_base == Fraction(1, 10_000)
    assert slow.times.last == 1000
    fifth, half = Fraction(1, 5), Fraction(1, 2)
    assert slow.clock.points == (ClockPoint(fifth, fifth), ClockPoint(half, Fraction(65, 100)))
    assert slow.clock.slowest == Fraction(3, 2)
    assert slow.rate == clip.rate / Fraction(115, 100)
    assert slow.own_frames == 0
    assert slow.as_filmed().times is clip.times


def test_lines_that_touch_overlap_or_come_out_of_order_are_slowed_once() -> None:
    clip = clip_of(list(range(0, 10_000, 1000)), Fraction(1, 10_000), 1000)
    first = AddedTime(Span(Fraction(1, 10), Fraction(5, 10)), Fraction(4, 10))
    then = AddedTime(Span(Fraction(5, 10), Fraction(8, 10)), Fraction(6, 10))
    both = slowed_during(clip, [then, first])
    assert both.times.pts.tolist() == [0, 1000, 3000, 5000, 7000, 9000, 12_000, 15_000, 18_000, 19_000]
    assert both.times.pts.tolist() == slowed_during(clip, [first, then]).times.pts.tolist()
    over = slowed_during(clip, [first, AddedTime(Span(Fraction(3, 10), Fraction(1)), Fraction(14, 10))])
    assert np.diff(over.times.pts).tolist() == [1000, 2000, 2000, *[3000] * 6]
    assert over.times.last == 3000
    again = slowed_during(clip, [first, first])
    assert again.times.pts.tolist() == slowed_during(clip, [first]).times.pts.tolist()


def test_a_line_without_a_whole_frame_slows_the_one_that_is_shown() -> None:
    clip = clip_of([0, 1000, 2000], Fraction(1, 10_000), 1000, start=Fraction(-1))
    for at, frame in ((Fraction(15, 100), 1), (Fraction(9), 2), (Fraction(-1), 0)):
        slow = slowed_during(clip, [AddedTime(Span(at, at + Fraction(1, 100)), Fraction(1))])
        lengths = np.diff(np.append(slow.times.pts, slow.times.pts[-1] + slow.times.last))
        assert lengths.tolist() == [11_000 if i == frame else 1000 for i in range(3)]
