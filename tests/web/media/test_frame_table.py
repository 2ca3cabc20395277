"""Tables of frames are those that were measured, in player time, also when they are read from what was kept."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import Extra, make_video

from lipdub.edit.frame_table import frame_table as table_of
from lipdub.errors import InputError, NotMedia
from lipdub.media.probe import open_clip
from lipdub.timeline.clip import FrameTimes
from lipdub.timeline.frame_table import FrameTable
from lipdub.web.media import frames
from lipdub.web.media.frames import clip_of, frame_table, kept_table


def unpacked(told: dict) -> np.ndarray:
    """What ``frames.js`` makes of the short form."""
    runs = (entry if isinstance(entry, list) else [entry, 1] for entry in told["steps"])
    units = np.cumsum([told["first"], *(step for step, count in runs for _ in range(count))])
    return units * told["unit"][0] / told["unit"][1]


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=40),
    st.sampled_from([Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 1000)]),
    st.fractions(0, 3, max_denominator=500),
)
def test_both_forms_tell_the_same_times(steps: Sequence[int], unit: Fraction, start: Fraction) -> None:
    times = FrameTimes(np.cumsum([7, *steps[:-1]]), unit, steps[-1])
    table = FrameTable(times, start, Fraction(25), False)
    exact = [float(times.instant(i) - start) for i in range(len(times))] + [float(times.whole.end - start)]
    assert np.allclose(table.pts, exact, atol=1e-9)
    assert np.allclose(table.told()["pts"], exact, atol=6e-7)
    assert np.allclose(unpacked(table.told_short()), exact, atol=1e-9)
    assert all(table.at(times.instant(i) - start) == i for i in range(len(times)))


def test_a_table_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_video(tmp_path / "a.mp4", Extra(sound_seconds=1.0), rate=Fraction(30000, 1001), count=30)
    assert kept_table(clip) is None
    made = frame_table(clip)
    assert (made.rate, made.constant, len(made)) == (Fraction(30000, 1001), True, 30)

    def never(file: Path) -> None:
        raise AssertionError("the film is read again")

    monkeypatch.setattr(frames, "open_clip", never)
    again = frame_table(clip)
    assert np.array_equal(again.pts, made.pts)
    kept = kept_table(clip)
    assert kept is not None
    assert kept.told() == made.told()
    monkeypatch.undo()
    known, measured = clip_of(clip), open_clip(clip)
    same = ("path", "size", "rate", "has_sound", "start", "stream", "sound", "matched_by_order", "warnings")
    assert all(getattr(known, name) == getattr(measured, name) for name in same)
    assert np.array_equal(known.times.pts, measured.times.pts)
    assert known.times.last == measured.times.last


def test_another_file_under_the_name_has_another_table(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", count=30)
    assert len(frame_table(clip)) == 30
    make_video(clip, count=12)
    assert kept_table(clip) is None
    assert len(frame_table(clip)) == 12


def test_a_damaged_table_is_made_again(tmp_path: Path, own_cache: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", count=30)
    frame_table(clip)
    [pts] = own_cache.glob("work/frames-*/pts.npy")
    pts.write_bytes(b"nothing of the kind")
    assert kept_table(clip) is None
    assert len(frame_table(clip)) == 30
    assert kept_table(clip) is not None


def test_files_that_have_no_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(NotMedia):
        frame_table(tmp_path / "text.mp4")
    with pytest.raises(InputError):
        kept_table(tmp_path / "not there.mp4")
    with pytest.raises(InputError):
        kept_table(Path("nul\0byte"))


@pytest.mark.parametrize(
    ("told", "rate", "text", "drop"),
    [
        ("01:00:00;00", Fraction(30000, 1001), "01:00:00;00", True),
        ("10:00:00:00", Fraction(25), "10:00:00:00", False),
        ("", Fraction(25), "", False),
        ("01:00:00;00", Fraction(25), "", False),
        ("99:99", Fraction(25), "", False),
    ],
)
def test_the_first_timecode_is_that_of_the_file(told: str, rate: Fraction, text: str, drop: bool) -> None:
    times = FrameTimes(np.arange(50), 1 / rate)
    table = table_of(times, Fraction(0), rate, told)
    assert (table.timecode, table.drop, table.constant) == (text, drop, True)


def test_varying_frames_have_the_rate_that_most_of_them_have() -> None:
    times = FrameTimes(np.cumsum([0, *[3000] * 40, *[6000, 9000] * 5]), Fraction(1, 90000), 3000)
    table = table_of(times, Fraction(0), Fraction(24), "")
    assert (table.rate, table.constant) == (Fraction(30), False)
