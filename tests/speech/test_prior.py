import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from voices import babble, hush, linear_world

from lipdub.errors import WeightsError
from lipdub.speech.prior import LEVELS, Prior
from lipdub.timeline.sound import Heard


def test_the_shipped_prior_is_small_and_knows_all_kinds():
    prior = Prior.load()
    assert prior.rise.shape == (len(LEVELS), 6)
    assert (np.diff(prior.rise, axis=0) >= 0).all()
    for heard in (babble(50), babble(50, encoded=False), replace(babble(50), phones=np.zeros((50, 17), np.float32))):
        assert np.isfinite(prior.predict(heard, np.arange(20) / 25)).all()


def test_kinds_of_hearing():
    prior = linear_world()
    deaf = replace(babble(50), phones=np.zeros((50, 17), np.float32))
    assert prior.kind(babble(50)) == "encoder and phones"
    assert prior.kind(babble(50, encoded=False)) == "phones"
    assert prior.kind(deaf) == "loudness"
    assert prior.kind(hush(50)) == "phones"


def test_saved_and_loaded_it_is_the_same(tmp_path):
    prior, when = linear_world(), np.arange(40) / 30
    prior.save(tmp_path / "prior.npz")
    again = Prior.load(tmp_path / "prior.npz")
    assert np.allclose(again.predict(babble(80), when), prior.predict(babble(80), when), atol=0.02)
    assert [p.name for p in tmp_path.iterdir()] == ["prior.npz"]


def test_a_broken_prior_is_refused_in_words(tmp_path):
    (tmp_path / "prior.npz").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="prior"):
        Prior.load(tmp_path / "prior.npz")


def test_clip_time_is_what_counts():
    prior, when = linear_world(), np.arange(60) / 25
    late = babble(200, start=Fraction(5, 2))
    assert np.allclose(
        prior.predict(late, when + 2.5), prior.predict(replace(late, start=Fraction(0)), when), atol=1e-4
    )


def test_nothing_heard_gives_zeros():
    empty = Heard(Fraction(0), *(np.zeros(s, np.float32) for s in ((0, 17), (0,), (0, 3))))
    assert not linear_world().predict(empty, np.arange(5) / 25).any()


def test_memory_is_flat():
    prior, heard = linear_world(), babble(30_000)  # ten minutes
    when = np.arange(0, 600, 0.04)

    def peak(n):
        tracemalloc.start()
        prior.predict(heard, when[:n])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(15_000) < peak(1_500) + 15_000 * 6 * 4 + 200_000
