"""Frames that must stay as filmed, on drawn thumbnails with drawn occluders."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_faces import RATE, motion_of, placed, talking

from lipdub.anatomy.motion import FaceMotion
from lipdub.anatomy.thumbnail import HALF_WIDTH, thumbnail_rows
from lipdub.faces.visibility import Visibility, VisibilityLimits, covered, visibility
from lipdub.timeline.clip import Shot

SKIN, LIPS, DARK = (190, 140, 120), (170, 80, 85), (60, 20, 25)
N = 300


def thumbs_of(openings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Drawn thumbnails (n, 32, 40, 3): skin with some shading and grain, lips, and a dark mouth of that opening."""
    noise = np.random.default_rng(seed)
    top, bottom = thumbnail_rows()
    y, x = np.mgrid[:32, :40] + 0.5
    x, y = x / 40 * 2 * HALF_WIDTH - HALF_WIDTH, top + y / 32 * (bottom - top)
    out = np.empty((len(openings), 32, 40, 3), np.uint8)
    for i, opening in enumerate(openings):
        middle = 0.77 + opening / 2
        picture = np.array(SKIN) * (1 - 0.25 * x[..., None] ** 2 + 0.03 * np.sin(i / 9))
        picture[(x / 0.27) ** 2 + ((y - middle) / (0.09 + opening / 2)) ** 2 < 1] = LIPS
        picture[(x / 0.22) ** 2 + ((y - middle) / (0.01 + opening / 2)) ** 2 < 1] = DARK
        out[i] = np.clip(picture + noise.normal(0, 3, picture.shape), 0, 255)
    return out


def talker(folder: Path, landmarks: np.ndarray, red: float = 12.0, hidden: slice = slice(0, 0)) -> FaceMotion:
    """A talking face whose mouth is ``hidden`` in some rows by something dark."""
    gap = (landmarks[:, 14, 1] - landmarks[:, 13, 1]) / 80
    thumbs = thumbs_of(np.clip(np.nan_to_num(gap - np.nanmin(gap)), 0, 0.2))
    redness = np.random.default_rng(1).normal(red, red / 20, len(landmarks)).astype(np.float32)
    thumbs[hidden, 8:30, 8:32] = (45, 45, 50)
    redness[hidden] = 0
    return motion_of(landmarks, folder, thumbs=thumbs, redness=redness)


def seen(motion: FaceMotion, limits: VisibilityLimits | None = None) -> Visibility:
    return visibility(motion.track, motion, np.arange(len(motion)) / RATE, limits)


def test_a_clear_face_may_be_changed_throughout(tmp_path: Path) -> None:
    out = seen(talker(tmp_path, talking(N)))
    assert (out.weight == 1).all()
    assert out.usable.all()
    assert out.reasons == ()


@pytest.mark.parametrize("red", [12.0, 1.0])
def test_a_covered_mouth_is_left_alone(tmp_path: Path, red: float) -> None:
    out = seen(talker(tmp_path, talking(N), red, slice(100, 140)))
    assert (out.weight[98:142] == 0).all()
    assert (out.weight[:94] == 1).all()
    assert (out.weight[146:] == 1).all()
    assert not out.usable[94:146].any()
    assert out.usable[:90].all()
    assert out.reasons == ((100, 140, "the mouth is covered"),)
    assert np.abs(np.diff(out.weight)).max() < 0.4


def test_a_listener_who_says_one_word_is_not_covered(tmp_path: Path) -> None:
    out = seen(talker(tmp_path, talking(N, 150, 170)))
    assert (out.weight == 1).all()


def test_a_long_track_is_judged_as_a_short_one(tmp_path: Path) -> None:
    n = 1400
    out = seen(talker(tmp_path, talking(n), 12.0, slice(700, 740)))
    assert (out.weight[700:740] == 0).all()
    assert (out.weight[:690] == 1).all()


def test_a_rare_mouth_with_red_lips_is_seen(tmp_path: Path) -> None:
    motion = talker(tmp_path, talking(50))
    thumbs = thumbs_of(np.zeros(50))
    thumbs[20:26, 8:28, 8:32] = (235, 230, 225)
    rare = motion_of(talking(50), tmp_path / "rare", thumbs=thumbs, redness=motion.track.redness)
    assert (seen(rare).weight == 1).all()


def test_lips_that_lose_their_red_are_covered_though_the_picture_is_known(tmp_path: Path) -> None:
    hidden = np.zeros(N, bool)
    hidden[60:90] = hidden[200:208] = True
    motion = talker(tmp_path, talking(N))
    thumbs = thumbs_of(np.zeros(N))
    thumbs[hidden, 8:30, 8:32] = (45, 45, 50)
    redness = np.where(hidden, 0, motion.track.redness)
    out = seen(motion_of(talking(N), tmp_path / "twice", thumbs=thumbs, redness=redness))
    assert (out.weight[hidden] == 0).all()
    assert (out.weight[100:190] == 1).all()


def test_two_pale_frames_are_no_reason(tmp_path: Path) -> None:
    motion = talker(tmp_path, talking(N))
    motion.track.redness[150:152] = 0
    assert (seen(motion).weight == 1).all()


def test_mouths_of_other_shots_are_evidence(tmp_path: Path) -> None:
    opened = np.zeros(100)
    opened[40:50] = 0.2
    landmarks = talking(100)
    thumbs, redness = thumbs_of(opened), np.ones(100, np.float32)
    thumbs[40:50, 8:30, 8:32] //= 2
    short = motion_of(landmarks, tmp_path, thumbs=thumbs, redness=redness)
    alone = seen(short)
    assert (alone.weight[40:50] == 0).all()
    assert covered(alone)
    warmer = np.clip(thumbs * np.array([1.1, 1.0, 0.9]), 0, 255).astype(np.uint8)
    together = visibility(short.track, short, np.arange(100) / RATE, None, warmer)
    assert (together.weight == 1).all()
    unlike = visibility(short.track, short, np.arange(100) / RATE, None, warmer[:30])
    assert (unlike.weight[40:50] == 0).all()
    nothing = visibility(short.track, short, np.arange(100) / RATE, None, warmer[:0])
    np.testing.assert_array_equal(nothing.weight, alone.weight)


@pytest.mark.parametrize("n", [1, 5, 20, 40])
def test_few_frames_give_no_false_alarm(tmp_path: Path, n: int) -> None:
    assert (seen(talker(tmp_path, talking(n))).weight == 1).all()


def test_lost_small_and_turned_faces(tmp_path: Path) -> None:
    landmarks = talking(N)
    landmarks[50:60] = np.nan
    landmarks[100:130] = talking(30, scale=15)
    landmarks[200:230] = talking(30, yaw=0.9)
    out = seen(talker(tmp_path, landmarks))
    texts = [text for _, _, text in out.reasons]
    assert [t.split(" than ")[0] for t in texts] == [
        "the face is lost",
        "the face is smaller",
        "the head is turned by more",
    ]
    for first, stop, _ in out.reasons:
        assert (out.weight[first:stop] == 0).all()
        assert not out.usable[first:stop].any()
    assert (out.weight[70:90] == 1).all()


def test_limits_are_the_engine_s(tmp_path: Path) -> None:
    motion = talker(tmp_path, talking(60, yaw=0.5))
    assert (seen(motion, VisibilityLimits(largest_yaw=20.0)).weight == 0).all()
    assert (seen(motion, VisibilityLimits(largest_yaw=40.0)).weight == 1).all()
    assert (seen(motion, VisibilityLimits(smallest_face=100.0)).weight == 0).all()


def test_a_face_that_comes_in_mid_shot_fades_in(tmp_path: Path) -> None:
    landmarks = talking(60)
    whole = motion_of(landmarks, tmp_path / "a", first=10, shot=Shot(10, 70))
    part = motion_of(landmarks, tmp_path / "b", first=20, shot=Shot(10, 100))
    assert seen(whole).weight[[0, -1]].tolist() == [1, 1]
    assert seen(part).weight[[0, -1]].tolist() == [0, 0]
    assert (seen(part).weight[10:50] == 1).all()


def test_a_glimpse_between_losses_is_not_worth_a_change(tmp_path: Path) -> None:
    landmarks = talking(100)
    landmarks[30:40] = landmarks[45:55] = np.nan
    out = seen(motion_of(landmarks, tmp_path))
    assert (out.weight[30:55] == 0).all()
    assert out.reasons == ((30, 55, "the face is lost"),)


def test_a_track_without_any_face(tmp_path: Path) -> None:
    landmarks = np.full_like(placed(1.0, 1.0, 1.0)[None].repeat(20, 0), np.nan)
    out = seen(motion_of(landmarks, tmp_path))
    assert (out.weight == 0).all()
    assert out.reasons == ((0, 20, "the face is lost"),)


def microphone(thumbs: np.ndarray, rows: slice, height: int) -> None:
    """Draw a thing that comes from below up to the row ``height`` of the thumbnails."""
    y, x = np.mgrid[:32, :40]
    thing = (np.abs(x - 20) < 7) & (y >= height)
    thumbs[rows, thing] = np.clip(
        np.array((40, 45, 70)) + np.random.default_rng(2).normal(0, 3, (thing.sum(), 3)), 0, 255
    )


AROUND = VisibilityLimits(around=True)


def test_a_mouth_that_is_covered_in_part_is_drawn_around_it(tmp_path: Path) -> None:
    motion = talker(tmp_path, talking(N))
    thumbs = motion.track.thumbs.read(0, N)
    microphone(thumbs, slice(100, 140), 12)
    redness = motion.track.redness.copy()
    redness[100:140] = 0
    held = motion_of(talking(N), tmp_path / "held", thumbs=thumbs, redness=redness)
    assert (seen(held).weight[100:140] == 0).all()
    assert seen(held).occluders is None
    out = seen(held, AROUND)
    assert (out.weight == 1).all()
    assert not out.usable[100:140].any()
    assert out.usable[:90].all()
    assert out.occluders is not None
    assert out.occluders.rows[100:140].all()
    assert not out.occluders.rows[:90].any()


def test_a_mouth_that_is_covered_wholly_is_left_alone(tmp_path: Path) -> None:
    motion = talker(tmp_path, talking(N))
    thumbs = motion.track.thumbs.read(0, N)
    microphone(thumbs, slice(100, 140), 3)
    thumbs[100:140, 4:, 4:36] = thumbs[100:140, 20:21, 20:21]
    held = motion_of(talking(N), tmp_path / "held", thumbs=thumbs, redness=motion.track.redness)
    assert (seen(held, AROUND).weight[100:140] == 0).all()


def test_a_clear_face_has_nothing_before_it(tmp_path: Path) -> None:
    out = seen(talker(tmp_path, talking(N)), AROUND)
    assert out.occluders is None
    assert (out.weight == 1).all()
    assert out.usable.all()
