"""The measures of ``evals.beds``, and the sounds that it computes."""

import numpy as np
import pytest
from evals.bed_sounds import BEDS, RATE
from evals.beds import si_sdr, speech_left


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, np.ndarray]:
    """Two noises that have nothing in common, one in bursts."""
    random = np.random.default_rng(0)
    bursts = np.sin(2 * np.pi * 3 * np.arange(RATE) / RATE) > 0
    return random.normal(size=RATE) * bursts, random.normal(size=RATE)


@pytest.mark.parametrize("left_db", [0.0, -10.0, -20.0, -30.0])
def test_speech_that_is_left_is_found(parts: tuple[np.ndarray, np.ndarray], left_db: float) -> None:
    speech, bed = parts
    made = 0.7 * bed + 10 ** (left_db / 20) * speech
    assert speech_left(made, speech, bed) == pytest.approx(left_db, abs=0.1)
    assert speech_left(made + 0.001, speech, bed) > speech_left(0.7 * bed, speech, bed) + 20


def test_the_scale_of_a_bed_does_not_matter_and_its_errors_do(parts: tuple[np.ndarray, np.ndarray]) -> None:
    speech, bed = parts
    small = speech / np.sqrt((speech**2).mean() / (bed**2).mean()) * 0.1
    assert si_sdr(bed + small, bed) == pytest.approx(20, abs=0.2)
    assert si_sdr(5 * (bed + small), bed) == pytest.approx(si_sdr(bed + small, bed))


@pytest.mark.parametrize("name", BEDS)
def test_every_bed_is_as_long_as_asked_and_the_same_each_time(name: str) -> None:
    made = [BEDS[name](2 * RATE + 7, np.random.default_rng(3)) for _ in range(2)]
    assert made[0].shape == (2 * RATE + 7,)
    assert np.isfinite(made[0]).all()
    assert made[0].std() > 0
    np.testing.assert_array_equal(*made)
