from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.edit.timecode import Timecode, counted_rate, may_drop, parse_timecode, timecode_text

F = Fraction
RATES = st.sampled_from(
    [F(24000, 1001), F(24), F(25), F(30000, 1001), F(30), F(48), F(50), F(60000, 1001), F(60), F(15), F(12)]
)


@given(RATES, st.integers(0, 24 * 3600 * 24 - 1), st.booleans())
def test_text_and_frame_belong_together(rate, frames, drop):
    drop = drop and may_drop(rate)
    assert parse_timecode(timecode_text(frames, rate, drop), rate) == Timecode(frames, drop)


@given(st.sampled_from([F(30000, 1001), F(60000, 1001)]), st.integers(0, 23 * 3600 * 29))
def test_dropped_frames_keep_to_the_clock(rate, frames):
    hours, minutes, rest = timecode_text(frames, rate, True).split(":")
    seconds, frame = rest.split(";")
    shown = (int(hours) * 60 + int(minutes)) * 60 + int(seconds) + F(int(frame), counted_rate(rate))
    # 9 minutes are counted at 30 frames a second before the tenth catches up: 18 labels; a day is 86 ms off.
    assert abs(shown - frames / rate) < F(1, 10) + F(4, 60)


@pytest.mark.parametrize(
    ("text", "rate", "frames"),
    [
        ("00:01:00;02", F(30000, 1001), 1800),
        ("00:00:59;29", F(30000, 1001), 1799),
        ("00:10:00;00", F(30000, 1001), 17982),
        ("01:00:00;00", F(30000, 1001), 107892),
        ("00:01:00;04", F(60000, 1001), 3600),
        ("01:00:00:00", F(24000, 1001), 86400),
        ("01:00:00:00", F(30000, 1001), 108000),
    ],
)
def test_known_timecodes(text, rate, frames):
    assert parse_timecode(text, rate) == Timecode(frames, ";" in text)
    assert timecode_text(frames, rate, ";" in text) == text


@pytest.mark.parametrize(
    ("text", "rate", "why"),
    [
        ("one", F(25), "is not a timecode"),
        ("00:00:00:25", F(25), "is not a timecode at 25"),
        ("00:60:00:00", F(25), "is not a timecode at 25"),
        ("00:01:00;00", F(30000, 1001), "left out"),
        ("00:01:00;02", F(25), "drops frames"),
        ("00:01:00;02", F(30), "drops frames"),
    ],
)
def test_what_is_no_timecode_is_refused(text, rate, why):
    with pytest.raises(ValueError, match=why):
        parse_timecode(text, rate)
