"""Scores are right on trajectories and pictures with known results."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from evals.scores import CROP, correlation, flicker, lag, lip_zone, mouth_crop, seam, sharpness, stillness
from hypothesis import given
from hypothesis import strategies as st

from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.motion import measure_motion
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.picture import Window
from lipdub.timeline.spool import Spool


def babble(n: int, seed: int, late: float = 0.0) -> np.ndarray:
    """A smooth random path, sampled ``late`` rows later."""
    rng, t = np.random.default_rng(seed), np.arange(n) - late
    waves = zip(rng.uniform(0.05, 0.18, 12), rng.uniform(0, 6.3, 12), strict=True)
    return 0.08 + 0.012 * sum(np.sin(2 * np.pi * f * t + p) for f, p in waves)


@given(st.integers(0, 99), st.floats(-5, 5), st.sampled_from([24, 25, 30, 50]))
def test_a_planted_lag_is_found_below_one_frame(seed: int, late: float, rate: int) -> None:
    found = lag(babble(240, seed, late), babble(240, seed), 1 / rate, reach=8 / rate)
    assert found * rate == pytest.approx(late, abs=0.12)


def test_lag_copes_with_lost_frames_and_with_nothing() -> None:
    late, asked = babble(200, 1, 2.0), babble(200, 1)
    late[50:60] = np.nan
    assert lag(late, asked, 0.04) == pytest.approx(0.08, abs=0.005)
    assert np.isnan(lag(np.full(50, np.nan), asked[:50], 0.04))
    assert np.isnan(lag(np.ones(50), asked[:50], 0.04))


@given(st.integers(0, 99), st.floats(0.1, 9), st.floats(-2, 2))
def test_correlation_does_not_see_gain_and_offset(seed: int, gain: float, offset: float) -> None:
    path = babble(80, seed)
    assert correlation(path, gain * path + offset) == pytest.approx(1)
    assert correlation(path, -gain * path) == pytest.approx(-1)
    assert np.isnan(correlation(path, np.full(80, offset)))


def test_stillness_looks_at_silence_alone() -> None:
    aperture = np.r_[babble(100, 3), np.full(50, 0.01)]
    silent = np.r_[np.zeros(100, bool), np.ones(50, bool)]
    still = stillness(aperture, silent, 0.04)
    assert (still.aperture, still.stir, still.frames) == (pytest.approx(0.01), 0, 50)
    assert stillness(aperture, ~silent, 0.04).stir > 0.1
    assert np.isnan(stillness(aperture, np.zeros(150, bool), 0.04).stir)


def noise(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(128 + rng.normal(0, 25, (n, 40, 50, 3)), 0, 255).astype(np.uint8)


def test_flicker_is_a_ratio_of_restlessness() -> None:
    calm = np.repeat(noise(10), 2, axis=0)
    assert flicker(noise(20), noise(20)) == pytest.approx(1)
    assert flicker(noise(20, 1), calm) == pytest.approx(19 / 9, rel=0.05)
    assert flicker(np.repeat(noise(1), 9, axis=0), noise(9)) == 0


def test_sharpness_falls_with_blur_and_seam_rises_with_a_step() -> None:
    source = cv2.GaussianBlur(noise(1)[0], (0, 0), 1)
    mask = np.zeros((40, 50), np.float32)
    mask[10:30, 12:38] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 2)
    assert sharpness(source, source, mask) == pytest.approx(1)
    assert sharpness(cv2.GaussianBlur(source, (0, 0), 1.5), source, mask) < 0.6
    pasted = np.where((mask > 0.5)[..., None], np.minimum(source, 200) + 55, source).astype(np.uint8)
    assert seam(source, source, mask) == pytest.approx(1)
    assert seam(pasted, source, mask) > 1.5
    assert np.isnan(seam(source, source, (mask > 0.5).astype(np.float32)))
    assert np.isnan(sharpness(source, source, 0 * mask))


def test_the_lip_zone_is_a_soft_ring_around_the_lips() -> None:
    face = np.zeros((478, 3))
    face[:468] = canonical_face() * 100 + [150, 60, 0]
    zone = lip_zone(face, 100.0, Window(80, 90, 220, 200))
    middle = face[[13, 14], :2].mean(0) - [80, 90]
    assert zone.shape == (110, 140)
    assert zone[int(middle[1]), int(middle[0])] == 1
    assert zone[0, 0] == zone[-1, -1] == 0
    left = float(face[61, 0]) - 80
    row = zone[int(middle[1])]
    assert row[round(left - 3)] == 1
    assert 0 < row[round(left - 10)] < 1
    assert row[round(left - 20)] == 0


def test_mouth_crops_do_not_see_the_pose(tmp_path: Path) -> None:
    face = np.zeros((478, 3))
    face[:468] = canonical_face()
    landmarks, thumbs = Spool(tmp_path / "l", (478, 3), np.float32), Spool(tmp_path / "t", (32, 40, 3), np.uint8)
    places, pictures = [(100.0, 0.0, (320.0, 150.0)), (170.0, 0.3, (300.0, 140.0))], []
    for scale, roll, centre in places:
        c, s = np.cos(roll), np.sin(roll)
        landmarks.append(scale * face @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + np.array([*centre, 0]))
        y, x = np.mgrid[:480, :640] + 0.5
        x, y = (x - centre[0]) / scale, (y - centre[1]) / scale
        u, v = x * c + y * s, y * c - x * s
        pictures.append(np.stack([128 + 90 * np.sin(9 * u), 128 + 90 * np.cos(8 * v), 0 * u], -1).astype(np.uint8))
    landmarks.append(np.full((478, 3), np.nan))
    landmarks.close()
    track = FaceTrack(0, Shot(0, 3), 0, landmarks, thumbs, np.zeros(3, np.float32), np.ones(3, np.float32))
    motion = measure_motion(track)
    crops = [
        mouth_crop(motion, i, (640, 480), lambda w, p=p: p[w.top : w.bottom, w.left : w.right].copy())
        for i, p in enumerate(pictures)
    ]
    assert crops[0] is not None
    assert crops[0].shape == (CROP[1], CROP[0], 3)
    assert np.abs(crops[0].astype(int) - crops[1]).mean() < 2
    assert mouth_crop(motion, 2, (640, 480), lambda w: pytest.fail("no face, no pixels")) is None
