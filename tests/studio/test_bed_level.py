"""Whether the sound under speech is worth keeping."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipdub.studio.assemble.bed_level import BedLevel
from lipdub.timeline.time import Span

RATE = 8000
SPEECH = (Span(Fraction(1, 2), Fraction(3, 2)), Span(Fraction(2), Fraction(5, 2)))


def measured(bed: np.ndarray, speech: np.ndarray, sizes: tuple[int, int] = (999, 1000)) -> BedLevel:
    """The level of ``bed`` under ``speech``; the sound is given in blocks of the first of ``sizes``, what is left comes
    in blocks of the second."""
    level = BedLevel(RATE, SPEECH)

    def separate(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        assert sum(block.shape[1] for block in blocks) == bed.shape[1]
        yield from (bed[:, at : at + sizes[1]] for at in range(0, bed.shape[1], sizes[1]))

    sound = bed + speech
    left = level.watched((sound[:, at : at + sizes[0]] for at in range(0, sound.shape[1], sizes[0])), separate)
    np.testing.assert_array_equal(np.concatenate(list(left), 1), bed)
    return level


def noise(level_db: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (10 ** (level_db / 20) * random.standard_normal((2, 3 * RATE))).astype(np.float32)


@pytest.mark.parametrize(("below", "worth"), [(0, True), (-20, True), (-24, False), (-60, False)])
def test_a_bed_is_kept_if_it_is_loud_enough(below: int, worth: bool) -> None:
    level = measured(noise(below - 20), noise(-20, 1))
    assert level.below_speech == pytest.approx(below, abs=0.5)
    assert level.worth_keeping == worth


def test_a_few_loud_moments_are_not_enough() -> None:
    bed = noise(-100)
    bed[:, RATE : RATE + 1600] = noise(-10)[:, :1600]
    level = measured(bed, noise(-20, 1))
    assert level.below_speech > 0
    assert not level.worth_keeping


def test_only_speech_counts_and_without_any_nothing_is_kept() -> None:
    bed = noise(-100)
    bed[:, : RATE // 2] = bed[:, -RATE // 2 :] = 0.5
    assert measured(bed, noise(-20, 1)).below_speech < -70
    assert not measured(noise(-20), np.zeros((2, 3 * RATE), np.float32)).worth_keeping
    assert not BedLevel(RATE, ()).worth_keeping


@settings(max_examples=15)
@given(st.integers(300, 9000), st.integers(300, 9000))
def test_blocks_change_nothing(given_size: int, made_size: int) -> None:
    alike = measured(noise(-30), noise(-20, 1)).below_speech
    assert measured(noise(-30), noise(-20, 1), (given_size, made_size)).below_speech == pytest.approx(alike, abs=1e-9)
