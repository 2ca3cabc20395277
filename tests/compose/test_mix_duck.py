from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mix_sounds import mix_format

from lipdub.compose.mix.duck import DuckEnvelope, DuckGain, lower_gain
from lipdub.timeline.time import Span

F = Fraction
RATE = 8000
instants = st.integers(-1000, 7000).map(lambda n: F(n, 1000))
spans = st.lists(st.tuples(instants, instants).map(lambda pair: Span(min(pair), max(pair))), max_size=6)
lengths = st.integers(0, 500).map(lambda n: F(n, 1000))
ramps = st.builds(
    DuckEnvelope, st.floats(-80, 0), lengths.map(lambda s: s + F(1, 50)), lengths.map(lambda s: s + F(1, 50)),
    lengths, lengths, lengths,
)  # fmt: skip


def whole(speech, ramp, seconds=6.0):
    where = mix_format(seconds, RATE)
    gain = DuckGain(speech, ramp, where).gain(0, where.samples)
    return np.ones(where.samples) if gain is None else gain


@given(spans, ramps)
def test_gains_are_deep_in_speech_whole_elsewhere_and_move_softly(speech, ramp):
    gain = whole(speech, ramp)
    assert gain.min() >= 0
    assert gain.max() <= 1
    steepest = np.pi / 2 * (1 - ramp.depth) / (float(min(ramp.attack, ramp.release)) * RATE)
    assert np.abs(np.diff(gain)).max() <= 1.01 * steepest + 1e-12
    where, far = mix_format(6.0, RATE), np.ones(len(gain), bool)
    for first, stop in where.ranges(speech):
        inside = gain[max(first, 0) : max(stop, 0)]
        np.testing.assert_allclose(inside, ramp.depth, atol=1e-12)
        before = round((ramp.before + ramp.attack + ramp.hold) * RATE) + 2
        after = round((ramp.after + ramp.release + ramp.hold) * RATE) + 2
        far[max(first - before, 0) : max(stop + after, 0)] = False
    assert (gain[far] == 1).all()


@given(spans, ramps, st.lists(st.integers(1, 47_999), max_size=5))
def test_pieces_are_parts_of_the_whole(speech, ramp, cuts):
    where = mix_format(6.0, RATE)
    ducking, edges = DuckGain(speech, ramp, where), [0, *sorted(cuts), where.samples]
    parts = [ducking.gain(a, b) for a, b in pairwise(edges)]
    joined = [np.ones(b - a) if p is None else p for p, (a, b) in zip(parts, pairwise(edges), strict=True)]
    np.testing.assert_array_equal(np.concatenate(joined), whole(speech, ramp))


def test_it_stays_down_between_words_and_comes_back_after_them():
    ramp = DuckEnvelope(-40.0, F(1, 20), F(1, 5), F(0), F(0), F(3, 10))
    words = (Span(F(1), F("1.4")), Span(F("1.6"), F(2)), Span(F(3), F("3.5")))
    gain = whole(words, ramp)
    np.testing.assert_allclose(gain[1 * RATE : 2 * RATE], 0.01)
    assert gain[round(2.5 * RATE)] == 1
    assert DuckGain(words, ramp, mix_format(6.0, RATE)).seconds == F("1.5")


def test_no_speech_and_no_depth_leave_everything():
    ramp = DuckEnvelope(-40.0, F(1, 20), F(1, 5), F(0), F(0), F(0))
    flat = DuckEnvelope(0.0, F(1, 20), F(1, 5), F(0), F(0), F(0))
    assert DuckGain((), ramp, mix_format(1.0)).gain(0, 48000) is None
    assert DuckGain((Span(F(0), F(1)),), flat, mix_format(1.0)).gain(0, 48000) is None


def test_lower_gain_takes_none_for_one():
    one, other = np.array([0.5, 1.0]), np.array([1.0, 0.2])
    np.testing.assert_array_equal(lower_gain(one, other), [0.5, 0.2])
    assert lower_gain(None, None) is None
    assert lower_gain(one, None) is one
    assert lower_gain(None, other) is other


@given(spans, ramps, st.integers(0, 6 * RATE), st.integers(1, 9000))
def test_the_ranges_within_a_stretch_decide_its_gain(speech, ramp, first, length):
    where = mix_format(6.0, RATE)
    gain, again = DuckGain(speech, ramp, where), DuckGain((), ramp, where)
    again._ranges = np.array(gain.within(first, first + length), np.int64).reshape(-1, 2)
    one, other = gain.gain(first, first + length), again.gain(first, first + length)
    assert (one is None) == (other is None)
    if one is not None:
        np.testing.assert_array_equal(one, other)
