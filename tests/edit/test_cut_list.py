from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lipdub.edit.cut_list import CutClip, cut, joined_spans

PIECES = st.lists(st.tuples(st.sampled_from("123"), st.integers(-20, 120), st.integers(0, 60)), max_size=12)


@given(st.integers(1, 100), PIECES)
def test_every_frame_shows_what_was_asked_for_once(frames, drawn):
    pieces = [(line, first, first + length) for line, first, length in drawn]
    clips = cut(frames, pieces)
    assert clips[0].first == 0
    assert clips[-1].stop == frames
    assert all(one.stop == two.first and set(one.lines) != set(two.lines) for one, two in pairwise(clips))
    for clip in clips:
        assert clip.first < clip.stop
        for frame in (clip.first, clip.stop - 1):
            assert set(clip.lines) == {line for line, first, stop in pieces if first <= frame < stop}
        assert clip.dubbed == bool(clip.lines)


def test_lines_that_overlap_share_a_clip():
    assert cut(100, [("1", 10, 40), ("2", 30, 60), ("", 80, 90)]) == (
        CutClip(0, 10),
        CutClip(10, 30, ("1",)),
        CutClip(30, 40, ("1", "2")),
        CutClip(40, 60, ("2",)),
        CutClip(60, 80),
        CutClip(80, 90, ("",)),
        CutClip(90, 100),
    )


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20)), max_size=10), st.integers(0, 30))
def test_joined_spans_hold_every_frame_and_no_short_gap(drawn, gap):
    spans = [(first, first + length) for first, length in drawn]
    joined = joined_spans(spans, gap)
    assert all(b[0] - a[1] > gap for a, b in pairwise(joined))
    assert all(any(a <= first and stop <= b for a, b in joined) for first, stop in spans)
    assert {a for a, _ in joined} <= {first for first, _ in spans}
