"""Cuts between segments: every frame once, no changed range divided, copies only of whole closed GOPs."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lipdub.media.segment_cuts import SegmentLengths, cut_segments
from lipdub.timeline.take import Segment

LENGTHS = SegmentLengths(least=20, usual=40, most=80, worth_copying=10)


@st.composite
def films(draw):
    """(Frames, changed ranges, joins) of a film."""
    frames = draw(st.integers(1, 1000))
    borders = sorted(draw(st.sets(st.integers(0, frames), max_size=24)))
    changed = [range(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    joins = sorted(draw(st.sets(st.integers(0, frames), max_size=30)))
    return frames, changed, joins


@given(film=films())
def test_segments_cover_the_film_and_divide_no_changed_range(film):
    frames, changed, joins = film
    segments = cut_segments(frames, changed, joins, LENGTHS)
    assert [s.first for s in segments] == [0, *(s.stop for s in segments[:-1])]
    assert segments[-1].stop == frames
    for part in changed:
        assert any(s.first <= part.start and part.stop <= s.stop for s in segments)


@given(film=films())
def test_copies_are_whole_gops_without_a_change(film):
    frames, changed, joins = film
    for segment in cut_segments(frames, changed, joins, LENGTHS):
        if segment.copied:
            assert segment.first in joins
            assert segment.stop in joins
            assert len(segment) >= LENGTHS.worth_copying
            assert not any(part.start < segment.stop and segment.first < part.stop for part in changed)


@given(film=films())
def test_all_that_is_worth_copying_is_copied(film):
    frames, changed, joins = film
    copied = {i for s in cut_segments(frames, changed, joins, LENGTHS) if s.copied for i in range(s.first, s.stop)}
    touched = {i for part in changed for i in part}
    for a, b in pairwise(joins):
        if b - a >= LENGTHS.worth_copying and not touched & set(range(a, b)):
            assert copied >= set(range(a, b))


@given(film=films())
def test_encoded_segments_have_a_bounded_length(film):
    frames, changed, joins = film
    segments = cut_segments(frames, changed, joins, LENGTHS)
    for segment in segments:
        inside = [len(part) for part in changed if segment.first <= part.start and part.stop <= segment.stop]
        if not segment.copied:
            assert len(segment) <= max(LENGTHS.most, LENGTHS.least + max(inside, default=0))


@given(film=films(), data=st.data())
def test_a_change_of_one_range_leaves_far_cuts_as_they_are(film, data):
    frames, changed, _ = film
    calm = [part for part in changed if len(part) <= LENGTHS.least]
    if not calm:
        return
    left_out = data.draw(st.sampled_from(calm))
    before = cut_segments(frames, calm, (), LENGTHS)
    after = cut_segments(frames, [part for part in calm if part != left_out], (), LENGTHS)
    ends = left_out.start - 2 * LENGTHS.most
    assert [s for s in before if s.stop < ends] == [s for s in after if s.stop < ends]


def test_cuts_lie_on_a_grid_of_four_seconds():
    lengths = SegmentLengths.at_rate(Fraction(25))
    assert cut_segments(430, [], (), lengths) == (
        Segment(0, 100), Segment(100, 200), Segment(200, 300), Segment(300, 430),
    )  # fmt: skip
    assert cut_segments(300, [range(90, 130)], (), lengths) == (Segment(0, 90), Segment(90, 200), Segment(200, 300))
    assert cut_segments(600, [range(10, 500)], (), lengths)[0] == Segment(0, 500)


def test_ranges_that_touch_may_be_divided_between_segments():
    changed = [range(a, a + 50) for a in range(0, 400, 50)]
    assert len(cut_segments(400, changed, (), SegmentLengths.at_rate(Fraction(25)))) == 4


def test_a_film_without_changes_is_copied_as_one():
    assert cut_segments(300, [], (0, 50, 250, 300), LENGTHS) == (Segment(0, 300, copied=True),)
    assert cut_segments(300, [], (25, 250, 300), LENGTHS) == (Segment(0, 25), Segment(25, 300, copied=True))
