"""Two streams of pictures become one, lazily."""

from collections.abc import Iterator

import numpy as np
import pytest

from lipdub.review.side_by_side import captioned, side_by_side


def grey(value: int, height: int = 120, width: int = 161) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_halves_stand_next_to_each_other_with_captions() -> None:
    (out,) = side_by_side([grey(40)], [grey(200)])
    assert out.shape == (120, 320, 3)
    assert (out[60:, :160] == 40).all()
    assert (out[60:, 160:] == 200).all()
    assert out[:40, :160].max() > 200
    assert out[:40, 160:].min() < 100


@pytest.mark.parametrize("width", [None, 64, 200, 801])
def test_sides_are_even_and_no_wider_than_asked(width: int | None) -> None:
    (out,) = side_by_side([grey(40, 97)], [grey(200, 180, 301)], width=width)
    assert out.shape[0] % 2 == out.shape[1] % 2 == 0
    if width is not None:
        assert abs(out.shape[1] - width) <= 4


def test_pictures_are_taken_one_at_a_time() -> None:
    taken = []

    def endless(name: str) -> Iterator[np.ndarray]:
        while True:
            taken.append(name)
            yield grey(9)

    both = side_by_side(endless("l"), endless("r"))
    next(both)
    next(both)
    assert taken == ["l", "r", "l", "r"]
    assert len(list(side_by_side([grey(1)] * 3, [grey(1)] * 2))) == 2


def test_the_given_picture_is_not_written_to() -> None:
    picture = grey(50)
    assert captioned(picture, "source").max() > 200
    assert (picture == 50).all()
