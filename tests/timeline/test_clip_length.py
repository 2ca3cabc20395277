"""Pictures that are made longer or shorter: which frames they show, and when."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.clip import Clip, FileFrames, FrameTimes
from lipdub.timeline.clip_length import LengthChange, bounced, cut_short, held, slowed

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
    assert slow.slower == (until - clip.start) / (clip.span.end - clip.start)
    assert len(slow) == len(clip)
    assert slow.own_frames == 0
    before, after = np.diff(clip.times.pts), np.diff(slow.times.pts)
    assert all(a * before[0] == b * after[0] for a, b in zip(after.tolist(), before.tolist(), strict=True))
    assert slow.times.time_base.numerator == 1
    assert slow.times.time_base.denominator < 2**31
    late, wanted = slow.times.instant(0) - clip.start, (clip.times.instant(0) - clip.start) * slow.slower
    assert abs(late - wanted) <= Fraction(1, 1_000_000)


@pytest.mark.parametrize("rate", RATES)
def test_an_hour_that_is_slowed_ends_right(rate: Fraction) -> None:
    base = Fraction(1, 90000)
    pts = [round(i / rate / base) for i in range(int(3600 * rate))]
    until = Fraction(3600) + Fraction(1234567, 48000)
    slow = slowed(clip_of(pts, base, round(1 / rate / base)), until)
    assert abs(slow.span.end - until) < Fraction(1, 1000)
    assert slow.times.constant_rate is not None
    assert float(slow.rate * slow.slower) == pytest.approx(float(rate), rel=1e-5)


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
        (LengthChange("cut", Fraction(-2), -50), "2.000 s shorter", "50 frames would be cut"),
    ],
)
def test_what_was_done_is_told(change: LengthChange, done: str, would: str) -> None:
    assert done in change.sentence()
    assert would in change.sentence(would=True)
