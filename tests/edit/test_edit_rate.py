from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.edit.edit_rate import EditRate, edit_rate, usual_rate
from lipdub.timeline.clip import FrameTimes

F = Fraction
RATES = [F(24000, 1001), F(24), F(25), F(30000, 1001), F(30), F(48), F(50), F(60000, 1001), F(60)]


@given(
    st.sampled_from([*RATES, F(15), F(25, 2)]),
    st.sampled_from([F(1, 1000), F(1, 90000), F(1, 30000), F(1, 24000), F(1, 12800)]),
    st.integers(0, 5000),
    st.integers(2, 300),
)
def test_an_even_picture_has_its_rate_whatever_its_clock(rate, base, first, frames):
    at = [round((first * base + k / rate) / base) for k in range(frames)]
    assert edit_rate(FrameTimes(np.array(at), base), rate) == EditRate(rate, True)


def test_a_rate_that_is_stated_in_milliseconds_is_the_usual_one_that_is_meant():
    times = FrameTimes(np.array([round(k * F(1001, 30)) for k in range(2000)]), F(1, 1000))
    assert edit_rate(times, F(19001, 634)) == EditRate(F(30000, 1001), True)


@pytest.mark.parametrize(("stated", "usual"), [(F(2997, 100), F(30000, 1001)), (F(2997, 125), F(24000, 1001))])
def test_a_rounded_rate_is_the_usual_one_however_long_the_picture(stated, usual):
    times = FrameTimes(np.arange(600_000) * 400, 1 / (stated * 400))
    assert edit_rate(times, stated) == EditRate(usual, True)


@pytest.mark.parametrize(
    ("steps", "rate"),
    [
        ([3003, 3003, 6006, 3003, 9009, 3003, 3003], F(30000, 1001)),
        ([3600, 3600, 3500, 3700, 3600, 7200], F(25)),
        ([6500, 6500, 6400, 6600, 9000], F(14)),
    ],
)
def test_an_uneven_picture_has_the_rate_of_its_usual_step(steps, rate):
    at = np.cumsum([0, *steps])
    stated = F(len(steps) * 90000, int(at[-1]))
    assert edit_rate(FrameTimes(at, F(1, 90000)), stated) == EditRate(rate, False)


def test_rates_as_people_write_them():
    assert [usual_rate(text) for text in ("25", "24000/1001", "23.976", "23.98", "29.97", "59.94", "24.0", "12.5")] == [
        F(25), F(24000, 1001), F(24000, 1001), F(24000, 1001), F(30000, 1001), F(60000, 1001), F(24), F(25, 2)
    ]  # fmt: skip
    for text, why in (("fast", "not a number"), ("0", "above 0"), ("1/0", "not a number")):
        with pytest.raises(ValueError, match=why):
            usual_rate(text)
