from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from mix_sounds import babble, mix_format, noise
from scipy.signal import lfilter, welch

from lipdub.compose.mix.room_tone import RoomToneEstimator, scaled_tone
from lipdub.timeline.time import Span

F = Fraction


def learnt(samples, speech, where, seed=0, size=32768):
    learner = RoomToneEstimator(speech, where)
    for first in range(0, samples.shape[1], size):
        learner.add(samples[:, first : first + size])
    return learner.estimate(seed)


def db(samples):
    return 10 * np.log10((samples.astype(np.float64) ** 2).mean(-1))


def room(where, seed=0):
    """A dull hiss, alike by 0.8 in two channels."""
    white = lfilter([1], [1, -0.9], noise(where.samples, 2, 0.002, seed)).astype(np.float32)
    return np.stack([white[0], 0.8 * white[0] + 0.6 * white[1]])


@pytest.mark.parametrize("rate", [16000, 44100, 96000])
def test_tone_is_as_loud_as_dull_and_as_wide_as_the_room(rate):
    where, speech = mix_format(8.0, rate), (Span(F(1), F(3)), Span(F(4), F(7)))
    filmed = room(where)
    made = learnt(filmed + babble(where, speech, 0.2, 2), speech, where).samples(0, where.samples)
    np.testing.assert_allclose(db(made), db(filmed), atol=0.7)
    assert np.corrcoef(made)[0, 1] == pytest.approx(0.8, abs=0.03)
    for one, other in zip(made, filmed, strict=True):
        hertz, power = welch(one, rate, nperseg=1024)
        _, true = welch(other, rate, nperseg=1024)
        for low, high in ((60, 300), (300, 1000), (1000, 3000), (3000, 7000)):
            here = (hertz > low) & (hertz < high)
            assert 10 * np.log10(power[here].mean() / true[here].mean()) == pytest.approx(0, abs=1.5)


def test_a_knock_in_a_pause_is_no_room_tone():
    where, speech = mix_format(6.0), (Span(F(1), F(2)),)
    filmed = room(where)
    knocked = filmed + babble(where, (Span(F(4), F("4.3")),), 0.3, 2)
    tone = learnt(knocked, speech, where)
    np.testing.assert_allclose(db(tone.samples(0, 96000)), db(filmed), atol=1)


def test_without_pauses_the_tone_comes_from_the_quietest_moments():
    where = mix_format(8.0)
    words = tuple(Span(F(n, 2), F(n, 2) + F("0.4")) for n in range(16))
    filmed = room(where)
    tone = learnt(filmed + babble(where, words, 0.2, 2), (Span(F(0), F(8)),), where)
    assert not tone.pauses
    np.testing.assert_allclose(db(tone.samples(0, 96000)), db(filmed), atol=4)


def test_rooms_change_with_time():
    where = mix_format(45.0, 8000)
    filmed = room(where) * np.where(np.arange(where.samples) < 22.5 * 8000, 1, 10).astype(np.float32)
    tone = learnt(filmed, (), where)
    assert db(tone.samples(0, 5 * 8000))[0] == pytest.approx(db(filmed[:, :40000])[0], abs=1)
    assert db(tone.samples(40 * 8000, 45 * 8000))[0] == pytest.approx(db(filmed[:, -40000:])[0], abs=1)


def test_digital_silence_stays_so():
    where, speech = mix_format(4.0), (Span(F(1), F(2)),)
    tone = learnt(babble(where, speech, 0.2, 2), speech, where)
    assert tone.level_db is None
    assert not tone.samples(0, 96000).any()
    assert not learnt(np.zeros((2, 100), np.float32), (), mix_format(0.002)).samples(0, 100).any()


def test_any_sample_at_any_time_the_same():
    where = mix_format(3.0)
    tone, again = (learnt(room(where), (), where, size=size) for size in (32768, 777))
    whole = tone.samples(0, where.samples)
    edges = [0, 1, 5000, 70_000, where.samples]
    parts = [again.samples(a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, 1), whole)
    other = learnt(room(where), (), where, seed=1).samples(0, where.samples)
    assert np.abs(np.corrcoef(np.concatenate([whole, other]))[0, 2]) < 0.05
    filled = scaled_tone(tone, 100, np.linspace(0, 1, 500))
    np.testing.assert_allclose(filled, whole[:, 100:600] * np.linspace(0, 1, 500), atol=1e-9)
