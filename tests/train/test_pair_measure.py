"""Pairs that do not fit are refused with the reason, and pairs that do are measured; with a portrait that sways."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.demo.speech_assets import load_speech
from lipdub.errors import OutputError
from lipdub.studio.options import DubOptions
from lipdub.studio.session import Session, open_session
from lipdub.timeline.sound import Sound
from lipdub.train.pair_columns import TrainingPair
from lipdub.train.pair_measure import measure_pair
from lipdub.train.pair_media import read_mask, read_pictures, write_mask, write_pictures, write_stereo
from lipdub.train.prepare_options import PairLimits

RATE, FRAMES = Fraction(25), 25


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    options = DubOptions(speech_features="light", reuse=False)
    with open_session(options, unkept=tmp_path_factory.mktemp("work")) as session:
        yield session


def swaying(face: np.ndarray, frames: int = FRAMES) -> list[np.ndarray]:
    return [np.roll(face, (i % 5) - 2, axis=1) for i in range(frames)]


def spoken(seconds: Fraction) -> Sound:
    voice = load_speech("en").sound
    first = 4 * voice.rate
    return Sound(voice.samples[:, first : first + int(seconds * voice.rate)], voice.rate)


@pytest.fixture(scope="module")
def pair(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> TrainingPair:
    """A pair whose reference has other lips: some pixels of the mouth are moved down."""
    folder = tmp_path_factory.mktemp("pair")
    names = ("video.mp4", "audio.wav", "reference.mp4", "other.wav")
    video, audio, reference, other = (folder / name for name in names)
    write_pictures(video, swaying(face), RATE)
    open_mouth = face.copy()
    open_mouth[150:200, 96:160] = np.roll(face[150:200, 96:160], 6, axis=0)
    write_pictures(reference, swaying(open_mouth), RATE)
    write_stereo(audio, spoken(FRAMES / RATE))
    write_stereo(other, spoken(FRAMES / RATE))
    return TrainingPair("p", video, audio, "Hello.", reference, other)


def test_a_pair_that_fits_is_measured(pair: TrainingPair, session: Session) -> None:
    made = measure_pair(pair, session)
    assert made.fault == ""
    assert (made.frames, made.rate) == (FRAMES, RATE)
    assert made.metrics["changed"] > 0.9
    assert {"sync", "flicker", "seam", "sharpness"} <= made.metrics.keys()
    assert made.mask is not None
    rows, columns = np.nonzero(made.mask.any(0))
    assert 100 < rows.mean() < 220, "the lower face"
    assert 90 < columns.mean() < 166
    assert 0.01 < made.mask.mean() < 0.3


def test_a_reference_with_the_same_mouth_is_not_used(pair: TrainingPair, session: Session) -> None:
    made = measure_pair(replace(pair, reference_video=pair.video), session)
    assert made.metrics["changed"] == 0
    assert "same mouth" in PairLimits(least_sync=-1.0, least_closures=0.0).fault(made.metrics)
    assert made.metrics.get("distance", 0) < 0.01


def test_what_does_not_fit_says_why(pair: TrainingPair, face: np.ndarray, session: Session, tmp_path: Path) -> None:
    def video(name: str, pictures: list[np.ndarray], rate: Fraction = RATE) -> Path:
        write_pictures(tmp_path / name, pictures, rate)
        return tmp_path / name

    def fault(**change: Path) -> str:
        return measure_pair(replace(pair, **change), session).fault

    blank = np.full_like(face, 90)
    assert "rates differ: 25 and 30" in fault(reference_video=video("fast.mp4", swaying(face), Fraction(30)))
    assert "lengths differ: 25 and 9 frames" in fault(reference_video=video("short.mp4", swaying(face, 9)))
    assert "only 5 frames" in fault(
        video=video("five.mp4", swaying(face, 5)), reference_video=video("five.ref.mp4", swaying(face, 5))
    )
    assert "sizes differ" in fault(reference_video=video("wide.mp4", [p[:224] for p in swaying(face)]))
    assert "not multiples of 32" in fault(
        video=video("odd.mp4", [p[:200] for p in swaying(face)]),
        reference_video=video("odd.ref.mp4", [p[:200] for p in swaying(face)]),
    )
    assert "no face" in fault(video=video("blank.mp4", [blank] * FRAMES))
    beside = [np.concatenate([p, p[:, ::-1]], axis=1) for p in swaying(face)]
    two = video("two.mp4", beside)
    assert "two people" in fault(video=two, reference_video=two)
    write_stereo(tmp_path / "long.wav", spoken(Fraction(3)))
    assert "3.00 s of sound, 1.00 s of picture" in fault(audio=tmp_path / "long.wav")
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    assert "broken.mp4" in fault(reference_video=tmp_path / "broken.mp4")
    write_mask(tmp_path / "mask.mp4", np.zeros((9, 256, 256), bool), RATE)
    assert "the mask has 9 frames" in fault(video_mask=tmp_path / "mask.mp4")


def test_pictures_and_masks_come_back(face: np.ndarray, tmp_path: Path) -> None:
    pictures = swaying(face, 9)
    write_pictures(tmp_path / "a.mp4", pictures, RATE)
    assert np.abs(read_pictures(tmp_path / "a.mp4", 9).astype(int) - np.stack(pictures)).mean() < 2.5
    mask = np.zeros((9, 64, 64), bool)
    mask[:, 20:40, 8:30] = True
    write_mask(tmp_path / "m.mp4", mask, RATE)
    assert (read_mask(tmp_path / "m.mp4", 9) != mask).mean() < 0.01


def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(1).integers(0, 255, (9, 64, 64, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        for write in (
            lambda: write_pictures(tmp_path / "a.mp4", noise, RATE),
            lambda: write_stereo(tmp_path / "a.wav", Sound(np.zeros((1, 48_000), np.float32), 48_000)),
        ):
            with pytest.raises(OutputError, match="larger than this disk or a limit"):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ({}, ""),
        ({"sync": 0.5, "closures": 1.0, "changed": 0.9, "flicker": 1.0, "seam": 0.9, "distance": 0.1}, ""),
        ({"sync": 0.1}, "mouth and voice do not agree: 0.10, below 0.2"),
        ({"closures": 0.2}, "lips are open"),
        ({"flicker": 2.0}, "flickers: 2.00, above 1.6"),
        ({"seam": 3.0}, "visible edges"),
        ({"distance": 0.6}, "another one"),
    ],
)
def test_the_limits_name_what_is_wrong(metrics: dict[str, float], told: str) -> None:
    assert told in PairLimits().fault(metrics)
    assert bool(PairLimits().fault(metrics)) == bool(told)
