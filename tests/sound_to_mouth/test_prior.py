import re
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest

from lipdub.errors import WeightsError
from lipdub.sound_to_mouth.prior import DESIGNS, QUANTILE_LEVELS, Prior
from lipdub.timeline.speech_features import SpeechFeatures
from sound_to_mouth.sample_speech import babble, hush, linear_world


def test_the_shipped_prior_is_small_and_knows_all_kinds():
    prior = Prior.load()
    assert prior.rise.shape == (len(QUANTILE_LEVELS), 6)
    assert (np.diff(prior.rise, axis=0) >= 0).all()
    for features in (
        babble(50),
        babble(50, encoded=False),
        replace(babble(50), phone_posteriors=np.zeros((50, 17), np.float32)),
        replace(babble(50, encoded=False), phone_posteriors=np.zeros((50, 17), np.float32)),
    ):
        assert np.isfinite(prior.predict(features, np.arange(20) / 25)).all()


def test_which_features_a_prediction_uses():
    prior = linear_world()
    no_phones = np.zeros((50, 17), np.float32)
    assert prior.kind(babble(50)) == "encoder and phones"
    assert prior.kind(replace(babble(50), phone_posteriors=no_phones)) == "encoder"
    assert prior.kind(babble(50, encoded=False)) == "phones"
    assert prior.kind(replace(babble(50, encoded=False), phone_posteriors=no_phones)) == "loudness"
    assert prior.kind(hush(50)) == "phones"


def test_without_phones_the_encoder_alone_is_asked():
    prior, when = linear_world(), np.arange(40) / 30
    alone = replace(babble(80), phone_posteriors=np.zeros((80, 17), np.float32))
    expected = DESIGNS["encoder"](alone, when) @ prior.maps["encoder"]
    assert np.allclose(prior.predict(alone, when), expected, atol=1e-5)
    assert prior.design(alone, when).shape == (40, 918)


def test_a_file_that_tells_no_share_for_the_encoder_alone_can_do_it_too(tmp_path):
    prior = linear_world()
    older = replace(prior, mixes={kind: mix for kind, mix in prior.mixes.items() if kind != "encoder"})
    older.save(tmp_path / "prior.npz")
    assert Prior.load(tmp_path / "prior.npz").mixes["encoder"] == {"encoder": 1.0}


def test_a_saved_prior_loads_unchanged(tmp_path):
    prior, when = linear_world(), np.arange(40) / 30
    prior.save(tmp_path / "prior.npz")
    again = Prior.load(tmp_path / "prior.npz")
    assert np.allclose(again.predict(babble(80), when), prior.predict(babble(80), when), atol=0.02)
    assert [p.name for p in tmp_path.iterdir()] == ["prior.npz"]


def test_a_broken_prior_is_refused_in_words(tmp_path):
    (tmp_path / "prior.npz").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="prior"):
        Prior.load(tmp_path / "prior.npz")


def _arrays() -> dict[str, np.ndarray]:
    with (files("lipdub.sound_to_mouth") / "prior.npz").open("rb") as file, np.load(file) as data:
        return dict(data)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("map_calm", np.zeros((3, 6)), r"map_calm is \(3, 6\)"),
        ("map_phones", np.full((341, 6), np.nan), "no number"),
        ("rise", np.zeros(6), "rise"),
        ("kinds", np.array(["a", "b", "c"]), "it knows a, b, c"),
        ("spread", np.array([object()] * 6), "pickle"),
        ("spread", None, "spread"),
    ],
)
def test_a_prior_of_the_wrong_make_is_refused_in_words(tmp_path, name, value, says):
    arrays = _arrays() | {name: value}
    np.savez(tmp_path / "mine.npz", **{n: a for n, a in arrays.items() if a is not None})
    with pytest.raises(WeightsError, match="prior") as refused:
        Prior.load(tmp_path / "mine.npz")
    assert str(refused.value).startswith(str(tmp_path / "mine.npz"))
    # With shapes checked at run time, as in these tests, the array's own check may be the first to speak.
    assert re.search(f"{says}|Type-check error", str(refused.value))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_prior_that_was_cut_off_is_refused_in_words(tmp_path, part):
    whole = (files("lipdub.sound_to_mouth") / "prior.npz").read_bytes()
    (tmp_path / "mine.npz").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(WeightsError, match="damaged"):
        Prior.load(tmp_path / "mine.npz")


def test_an_array_alone_and_a_missing_file_are_no_prior(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(WeightsError, match="no mouth shape prior"):
        Prior.load(tmp_path / "one.npy")
    with pytest.raises(WeightsError, match="is not there"):
        Prior.load(tmp_path / "none.npz")


def test_predictions_follow_clip_time():
    prior, when = linear_world(), np.arange(60) / 25
    late = babble(200, start=Fraction(5, 2))
    assert np.allclose(
        prior.predict(late, when + 2.5), prior.predict(replace(late, start=Fraction(0)), when), atol=1e-4
    )


def test_empty_features_give_zeros():
    empty = SpeechFeatures(Fraction(0), *(np.zeros(s, np.float32) for s in ((0, 17), (0,), (0, 3))))
    assert not linear_world().predict(empty, np.arange(5) / 25).any()


def test_memory_does_not_grow_with_the_number_of_instants():
    prior, features = linear_world(), babble(30_000)  # ten minutes
    when = np.arange(0, 600, 0.04)

    def peak(n):
        tracemalloc.start()
        prior.predict(features, when[:n])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(15_000) < peak(1_500) + 15_000 * 6 * 4 + 200_000
