"""Drawn occluders: where they are is known, and they come and go."""

import numpy as np
import pytest
from evals.occluder_drawing import KINDS, MovingThing
from evals.occluders import alpha_in

from lipdub.timeline.picture import Window

FRAMES, SIZE = 60, (160, 160)


def thing(kind: str) -> MovingThing:
    return MovingThing(kind, (80.0, 90.0), 40.0, FRAMES, SIZE, (190.0, 140.0, 120.0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_comes_before_the_mouth_and_goes(kind: str) -> None:
    moving = thing(kind)
    around = Window(60, 80, 100, 120)
    shares = [float(alpha_in(moving, i, around).mean()) for i in range(FRAMES)]
    assert shares[0] == shares[-1] == 0
    assert max(shares) > 0.2
    for frame in range(0, FRAMES, 7):
        drawn = moving.drawn(frame)
        if drawn is None:
            continue
        assert drawn.colour.shape == (*drawn.alpha.shape, 3)
        assert 0 <= drawn.alpha.min()
        assert drawn.alpha.max() <= 1.001
        assert drawn.colour[drawn.alpha > 0.5].max() <= 256
        again = moving.drawn(frame)
        assert again is not None
        np.testing.assert_array_equal(again.alpha, drawn.alpha)


def test_alpha_in_a_window_is_that_of_the_picture() -> None:
    moving = thing("microphone")
    whole = alpha_in(moving, 30, Window(0, 0, *SIZE))
    part = Window(70, 85, 120, 130)
    np.testing.assert_array_equal(alpha_in(moving, 30, part), whole[85:130, 70:120])
    assert whole.any()
