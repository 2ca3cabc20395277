import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.timeline.mouth import AP, MouthTrajectory
from lipdub.timeline.repeats import first_showing, repeated_rows


def changes(kinds: str, noise: float = 0.02) -> np.ndarray:
    """A change for each letter: "." a new picture, "r" one that repeats up to the ``noise`` of a codec."""
    usual = np.random.default_rng(4).uniform(1, 3, len(kinds))
    return np.where(np.array(list(kinds)) == "r", noise * usual, usual)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    "kinds",
    [
        "....r....r....r....r....r....r",  # 25 in 30
        ".r.r.r.r.r.r.r.r.r.r.r.r",  # every picture twice
        "..........rrrr..........",  # a pause of a camera
        "...................",
    ],
)
def test_repeats_are_found_whatever_the_codec_adds(kinds: str, noise: float) -> None:
    assert "".join("r" if one else "." for one in repeated_rows(changes(kinds, noise))) == kinds


def test_where_a_repeat_is_due_a_codec_may_add_more() -> None:
    kinds = "....r....r....r....r....r....r...."
    some = changes(kinds)
    some[14] = some[12] = 0.3 * np.percentile(some, 75)
    found = repeated_rows(some)
    assert found[14]
    assert not found[12]


def test_a_picture_that_stands_still_is_no_repeat() -> None:
    assert not repeated_rows(changes("............rrrrrrrrrrrr............")).any()
    assert not repeated_rows(np.full(50, 0.01)).any(), "a still picture: the mouth must move"
    assert not repeated_rows(np.zeros(50)).any()


def test_unknown_changes_are_no_repeats() -> None:
    some = changes("....r....r....r....r")
    some[[0, 9]] = np.nan
    assert np.flatnonzero(repeated_rows(some)).tolist() == [4, 14, 19]
    assert not repeated_rows(np.full(9, np.nan)).any()
    assert not repeated_rows(np.zeros(0)).any()


@given(st.lists(st.booleans(), max_size=30))
def test_each_row_shows_the_first_picture_of_its_run(flags: list[bool]) -> None:
    repeats = np.array([False, *flags])
    rows = first_showing(repeats)
    assert not repeats[rows].any()
    assert all(repeats[row + 1 : k + 1].all() for k, row in enumerate(rows))


def test_a_held_mouth_repeats_with_the_picture_and_still_closes() -> None:
    shapes = np.zeros((6, 6), np.float32)
    shapes[:, AP] = [0.1, 0.2, 0.0, 0.3, 0.4, 0.5]
    closed = np.array([0, 0, 1, 0, 0, 0], np.float32)
    repeats = np.array([False, False, True, False, False, True])
    held = MouthTrajectory(shapes, np.linspace(0, 1, 6, dtype=np.float32), closed).held(repeats)
    assert np.allclose(held.shapes[:, AP], [0.1, 0.0, 0.0, 0.3, 0.4, 0.4])
    assert held.closed.tolist() == [0, 1, 1, 0, 0, 0]
    assert held.weight[1] == held.weight[2]
    assert held.weight[4] == held.weight[5]
