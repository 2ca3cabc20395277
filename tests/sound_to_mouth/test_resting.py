"""When a mouth rests in the pauses of a dub, and how it gets there."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.sound_to_mouth.mouth_trajectory import DubTiming
from lipdub.sound_to_mouth.resting import settle
from lipdub.timeline.mouth import AP
from sound_to_mouth.sample_speech import babble

FEATURES = babble(500, seed=3)
CLOCK = np.arange(-100, 600) * 0.02


def timing(pauses: list[tuple[int, int]], start: Fraction = Fraction(0)) -> DubTiming:
    """Ten seconds of voice, silent in the rows of ``pauses``."""
    voiced = np.ones(500, np.float32)
    for first, stop in pauses:
        voiced[first:stop] = 0
    return DubTiming.of(replace(FEATURES, start=start, voice_activity=voiced))


def test_in_a_short_pause_the_mouth_does_not_rest():
    rest = timing([(100, 118)]).rest_at(CLOCK)
    assert not rest[(CLOCK > 0) & (CLOCK < 9.9)].any()


def test_in_a_long_pause_it_closes_soon_and_opens_slowly_before_the_voice():
    rest = timing([(100, 200)]).rest_at(np.arange(500) * 0.02)
    assert not rest[:97].any()
    assert rest[102] == pytest.approx(0.5, abs=1e-6), "half closed 40 ms after the voice activity"
    assert rest[108:170] == pytest.approx(np.ones(62))
    assert rest[185] == pytest.approx(0.5, abs=1e-6), "half open 300 ms before the next one"
    assert not rest[200:490].any()
    assert (np.diff(rest[90:150]) >= 0).all()
    assert (np.diff(rest[150:205]) <= 0).all()


def test_in_a_pause_between_the_mouth_closes_in_part():
    rest = timing([(100, 125)]).rest_at(np.arange(500) * 0.02)  # .50 s
    assert 0.2 < rest[100:125].max() < 0.95


def test_before_and_after_a_dub_the_mouth_rests_and_nobody_speaks():
    dub = timing([], Fraction(7, 2))
    rest, quiet = dub.rest_at(CLOCK + 3.5), dub.quiet_at(CLOCK + 3.5)
    assert rest[(CLOCK < -0.61) | (CLOCK > 10.25)] == pytest.approx(1.0)
    assert not rest[(CLOCK > 0) & (CLOCK < 9.91)].any()
    assert np.array_equal(quiet, (CLOCK < -0.005) | (CLOCK > 9.985))
    assert np.array_equal(dub.silences, [[-np.inf, 3.5], [13.5, np.inf]])


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12), st.integers(0, 40))
def test_wherever_the_pauses_are_there_is_hardly_rest_in_a_voice_and_no_jump(runs, shift):
    edges = shift + np.cumsum(runs)
    dub = timing([(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=False)])
    when = np.arange(-100, 600) * 0.02
    rest, quiet = dub.rest_at(when), dub.quiet_at(when)
    assert rest.min() >= 0
    assert rest.max() <= 1
    assert rest[~quiet].max(initial=0) < 0.25, "only when it ends"
    assert np.abs(np.diff(rest)).max() < 0.15


def test_a_wandering_prediction_only_closes_and_then_only_opens():
    seconds = np.arange(100) / 25
    shapes = np.zeros((100, 6))
    shapes[:, AP] = 0.1 + 0.05 * np.sin(seconds * 20)
    silent = np.where((seconds > 1.5) & (seconds < 2.5), 1.0, 0.0)
    settle(shapes, np.zeros(6), silent, seconds, np.array([[1.0, 3.0]]))
    assert (np.diff(shapes[(seconds >= 0.9) & (seconds <= 1.5), AP]) <= 1e-9).all()
    assert (np.diff(shapes[(seconds >= 2.5) & (seconds <= 3.0), AP]) >= -1e-9).all()
    assert shapes[:20, AP] == pytest.approx(0.1 + 0.05 * np.sin(seconds[:20] * 20))
