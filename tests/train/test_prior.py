"""Training on synthetic clips in which mouth shapes are linear in the speech features."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.errors import InputError, LipdubError
from lipdub.sound_to_mouth.encoder import EncoderBasis
from lipdub.sound_to_mouth.prior import DESIGNS, Prior
from lipdub.timeline.mouth import AP, JAW, UL, WD
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.train import prior as training
from lipdub.train.prior import (
    TrainedPrior,
    TrainOptions,
    fit_encoder_basis,
    fit_prior,
    select_clips,
    train_prior,
)
from lipdub.train.training_clip import TrainingClip, VoiceVariant, store_clip

RNG = np.random.default_rng(7)
MAP = RNG.standard_normal((18, 6))
LATE = (0.0, 0.12, -0.2, 0.05)


def smooth(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    window = np.hanning(9) / np.hanning(9).sum()
    noise = rng.standard_normal((rows + 8, columns))
    return np.stack([np.convolve(c, window, "valid") for c in noise.T], 1)


def synthetic_clip(seed: int, late: float) -> TrainingClip:
    """Ten seconds of a person whose mouth follows the smoothed phones, with an own scale and rest."""
    rng = np.random.default_rng(seed)
    phones = np.exp(4 * smooth(560, 17, rng))
    phones /= phones.sum(1, keepdims=True)
    loud = np.clip(0.5 + 0.4 * smooth(560, 2, rng), 0, 1)
    voiced = np.full(560, 0.9)
    f = np.float32
    features = SpeechFeatures(Fraction(-1, 2), phones.astype(f), voiced.astype(f), np.c_[loud, voiced].astype(f))
    seconds = np.arange(250) / 25
    guess = DESIGNS["calm"](features, seconds + late + 0.5) @ MAP
    shapes = guess * 0.03 * rng.uniform(0.5, 2) + rng.standard_normal(6) + rng.standard_normal((250, 6)) * 1e-4
    encoder = np.concatenate([phones, rng.standard_normal((560, 495)) * 0.1], 1).astype(np.float16)
    return TrainingClip(f"p{seed}", seconds, shapes, (VoiceVariant(1.0, features, encoder, encoder),))


@pytest.fixture(scope="module")
def people() -> list[TrainingClip]:
    clips = [synthetic_clip(i, late) for i, late in enumerate(LATE)]
    basis = fit_encoder_basis(clips)
    return [f.encoded(basis) for f in clips]


@pytest.fixture(scope="module")
def trained(people) -> TrainedPrior:
    return fit_prior(people)


def test_linear_mouths_are_recovered(trained, people):
    for prior, clip, offset in zip(trained.leave_one_out, people, trained.offsets, strict=True):
        predicted = prior.predict(clip.features, clip.seconds + offset)
        correlations = [np.corrcoef(predicted[:, j], clip.shapes[:, j])[0, 1] for j in (AP, WD, UL, JAW)]
        assert np.mean(correlations) > 0.8


def test_the_offset_of_every_clip_is_found(trained):
    own = np.array(trained.offsets) - np.median(trained.offsets)
    assert own == pytest.approx(np.array(LATE) - np.median(LATE), abs=0.025)


def test_shares_add_up_to_one(trained):
    for mix in trained.prior.mixes.values():
        assert sum(mix.values()) == pytest.approx(1)


def test_a_basis_whitens(people):
    components = np.concatenate([f.features.encoder_features for f in people])
    assert np.abs(components.mean(0)).max() < 0.05
    assert components[:, :15].std(0) == pytest.approx(np.full(15, 0.93), abs=0.07)


def test_what_another_speed_changes_counts_little():
    """One direction is the sound's, one the speed's; as principal components they would be as large as each other."""
    clips = []
    for seed in range(3):
        clip, rng = synthetic_clip(seed, 0.0), np.random.default_rng(seed)
        heard, own = rng.standard_normal((560, 1)), rng.standard_normal((2, 560, 1))
        rest = rng.standard_normal((560, 510)) * 0.01
        rows = [np.concatenate([heard, each, rest], 1).astype(np.float16) for each in own]
        voices = [VoiceVariant(1.0, clip.features, some, some) for some in rows]
        clips.append(replace(clip, voices=tuple(voices)))
    directions = fit_encoder_basis(clips).directions
    sizes = np.sqrt((directions[:2] ** 2).sum(1))
    assert sizes[1] < 0.3 * sizes[0]


def test_rights_select_the_clips(tmp_path):
    for name in ("a.mp4", "b.mp4", "c.mpg", "d.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in select_clips(tmp_path, ["A"])] == ["a.mp4", "b.mp4", "c.mpg"]
    (tmp_path / "manifest.csv").write_text("file,rights\na.mp4,A cleared\nb.mp4,private only\nc.mpg,B corpus\n")
    assert [p.name for p in select_clips(tmp_path, ["A", "B"])] == ["a.mp4", "c.mpg"]
    assert [p.name for p in select_clips(tmp_path, ["A"])] == ["a.mp4"]
    assert select_clips([Path("z.mp4"), Path("y.mp4")], ["A"]) == [Path("y.mp4"), Path("z.mp4")]


def test_training_from_stored_clips_writes_a_prior(tmp_path, people, monkeypatch):
    monkeypatch.setattr(training, "_ROUNDS", 1)
    for footage in people:
        (tmp_path / f"{footage.name}.mp4").touch()
        store_clip(footage, tmp_path / "cache")
    out, basis, again = (tmp_path / name for name in ("prior.npz", "basis.npz", "again.npz"))
    options = TrainOptions(without=("p3",), basis=basis, cache=tmp_path / "cache")
    train_prior(tmp_path, out, options)
    assert Prior.load(out).maps["calm"].shape == (18, 6)
    assert basis.stat().st_size < 300_000
    train_prior(tmp_path, again, replace(options, overwrite=True))
    assert again.read_bytes() == out.read_bytes()
    with pytest.raises(InputError, match="two clips"):
        train_prior(tmp_path, out, replace(options, without=("p1", "p2", "p3")))


@pytest.mark.parametrize("name", ["p0.mp4", "manifest.csv", "old.npz", "basis.npz"])
def test_training_never_overwrites_inputs_or_existing_files(tmp_path, monkeypatch, name):
    def never(*_: object) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr(training, "measure_clips", never)
    for file in ("p0.mp4", "p1.mp4", "old.npz"):
        (tmp_path / file).write_text(file)
    (tmp_path / "manifest.csv").write_text("file,rights\np0.mp4,A\np1.mp4,A\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    how = TrainOptions(basis=tmp_path / "basis.npz", overwrite=name != "old.npz")
    with pytest.raises(LipdubError, match=r"inputs|exists already|same name"):
        train_prior(tmp_path, tmp_path / name, how)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_shipped_basis_is_there():
    assert EncoderBasis.shipped().directions.shape == (512, 128)
