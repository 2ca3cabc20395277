"""Tracks of faces that follow a script: who is who, losses, cuts, and what is not worth keeping."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic_faces import RATE, ScriptedFinder, frame_of, placed

from lipdub.faces.tracker import FaceTracker, intersection_over_union
from lipdub.timeline.clip import Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView

PICTURE = np.full((360, 640, 3), 120, np.uint8)
SIZE = (640, 360)


def followed(
    script: Callable[[int], list[np.ndarray]], frames: int, folder: Path, cuts: tuple[int, ...] = (), most: int = 4
) -> tuple[list[FaceTrack], list[list[tuple[int, FaceView]]], ScriptedFinder]:
    """Tracks, the looks of every frame, and the finder that was asked."""
    finder = ScriptedFinder(script)
    tracker = FaceTracker(folder, SIZE, finder, most)
    views = []
    for i in range(frames):
        finder.index = i
        views.append(tracker.track(frame_of(PICTURE, i), i in cuts))
    return tracker.finish(), views, finder


def test_one_face_all_the_time(tmp_path: Path) -> None:
    tracks, views, finder = followed(lambda i: [placed(200 + i, 150, 60)], 60, tmp_path)
    (track,) = tracks
    assert (track.id, track.first, track.stop, track.shot) == (0, 0, 60, Shot(0, 60))
    assert len(track.landmarks) == len(track.thumbs) == len(track.redness) == 60
    rows = track.landmarks.read(0, 60)
    assert np.array_equal(rows[30], placed(230, 150, 60))
    assert [(face, view.index) for seen in views for face, view in seen] == [(0, i) for i in range(60)]
    assert finder.detections <= 1 + 60 / RATE / 0.5


def test_two_faces_keep_their_ids(tmp_path: Path) -> None:
    tracks, views, _ = followed(lambda i: [placed(150, 150, 50), placed(450, 150 + i, 60)], 40, tmp_path)
    assert [t.id for t in tracks] == [0, 1]
    right = {face for seen in views for face, view in seen if view.landmarks is not None and view.landmarks[1, 0] > 300}
    assert len(right) == 1


def test_a_short_loss_leaves_a_hole_and_the_id_stays(tmp_path: Path) -> None:
    script = lambda i: [] if 20 <= i < 28 else [placed(200 + i, 150, 60)]  # noqa: E731
    (track,), views, _ = followed(script, 60, tmp_path)
    lost = np.isnan(track.landmarks.read(0, 60)[:, 0, 0])
    assert lost[20:28].all()
    assert lost.sum() <= 8 + 4
    assert np.array_equal(np.isnan(track.redness), lost)
    assert (track.presence[lost] == 0).all()
    assert all(len(seen) == 1 and (seen[0][1].landmarks is None) == lost[i] for i, seen in enumerate(views))
    assert (track.thumbs.read(20, 28) == 0).all()


def test_a_face_that_moved_while_lost_is_taken_up_again(tmp_path: Path) -> None:
    script = lambda i: [] if 20 <= i < 24 else [placed(200 + (60 if i >= 24 else 0), 150, 60)]  # noqa: E731
    tracks, _, _ = followed(script, 50, tmp_path)
    assert [t.id for t in tracks] == [0]


@pytest.mark.parametrize("noise", [0, 1])
def test_frames_that_repeat_the_picture_are_found(tmp_path: Path, noise: int) -> None:
    rng = np.random.default_rng(2)
    tracker = FaceTracker(tmp_path, SIZE, ScriptedFinder(lambda i: [placed(300, 170, 60)]))
    picture, repeats = PICTURE, np.arange(40) % 6 == 5
    for i in range(40):
        if not repeats[i]:
            picture = rng.integers(100, 140, PICTURE.shape).astype(np.uint8)
        tracker.track(frame_of(picture + rng.integers(0, noise + 1, PICTURE.shape).astype(np.uint8), i), i == 0)
    (track,) = tracker.finish()
    assert track.changes is not None
    assert np.isnan(track.changes[0])
    assert np.array_equal(track.repeats, repeats)


def test_only_the_picture_around_a_face_says_whether_it_repeats(tmp_path: Path) -> None:
    """Two faces side by side, of which one is filmed with half as many pictures."""
    rng = np.random.default_rng(2)
    tracker = FaceTracker(tmp_path, SIZE, ScriptedFinder(lambda i: [placed(150, 170, 50), placed(480, 170, 50)]))
    picture = PICTURE.copy()
    for i in range(30):
        picture = picture.copy()
        picture[:, 320:] = rng.integers(100, 140, (360, 320, 3))
        if i % 2 == 0:
            picture[:, :320] = rng.integers(100, 140, (360, 320, 3))
        tracker.track(frame_of(picture, i), i == 0)
    left, right = tracker.finish()
    assert np.array_equal(left.repeats, np.arange(30) % 2 == 1)
    assert not right.repeats.any()


def test_a_long_loss_ends_the_track(tmp_path: Path) -> None:
    script = lambda i: [] if 20 <= i < 50 else [placed(200, 150, 60)]  # noqa: E731
    first, second = followed(script, 90, tmp_path)[0]
    assert first.id != second.id
    assert first.stop <= 20 + 0.5 * RATE + 1
    assert 50 <= second.first <= 54
    assert first.shot == second.shot == Shot(0, 90)


def test_a_cut_ends_every_track(tmp_path: Path) -> None:
    tracks, _, _ = followed(lambda i: [placed(200, 150, 60)], 50, tmp_path, cuts=(20,))
    assert [(t.first, t.stop, t.shot) for t in tracks] == [(0, 20, Shot(0, 20)), (20, 50, Shot(20, 50))]


def test_short_and_tiny_faces_are_dropped_with_their_files(tmp_path: Path) -> None:
    def script(i: int) -> list[np.ndarray]:
        return [placed(200, 150, 60), placed(400, 100, 6)] + ([placed(500, 250, 60)] if i < 4 else [])

    tracks, _, _ = followed(script, 40, tmp_path)
    assert len(tracks) == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_face_that_fills_a_short_clip_is_kept(tmp_path: Path, frames: int) -> None:
    (track,) = followed(lambda i: [placed(200, 150, 60)], frames, tmp_path)[0]
    assert (track.first, track.stop) == (0, frames)


def test_a_face_that_fills_a_short_shot_is_kept_and_a_flash_is_not(tmp_path: Path) -> None:
    script = lambda i: [placed(200, 150, 60)] + ([placed(450, 150, 60)] if 20 <= i < 22 else [])  # noqa: E731
    tracks = followed(script, 60, tmp_path, cuts=(20, 25))[0]
    assert [(t.first, t.stop) for t in tracks] == [(0, 20), (20, 25), (25, 60)]


def test_no_more_faces_than_asked_for(tmp_path: Path) -> None:
    script = lambda i: [placed(100 + 150 * k, 150, 40) for k in range(4)]  # noqa: E731
    assert len(followed(script, 20, tmp_path / "a", most=2)[0]) == 2
    assert len(followed(script, 20, tmp_path / "b")[0]) == 4


def test_two_tracks_on_one_face_become_one(tmp_path: Path) -> None:
    def script(i: int) -> list[np.ndarray]:
        return [placed(200, 150, 60)] + ([placed(450 - 10 * i, 150, 60)] if i < 20 else [])

    tracks, views, _ = followed(script, 50, tmp_path)
    assert len(views[5]) == 2
    assert len(views[-1]) == 1
    whole = [t for t in tracks if len(t) == 50]
    assert len(whole) == 1


def test_a_face_that_appears_later_is_found_within_half_a_second(tmp_path: Path) -> None:
    script = lambda i: [placed(200, 150, 60)] + ([placed(450, 150, 60)] if i >= 15 else [])  # noqa: E731
    _, second = followed(script, 60, tmp_path)[0]
    assert 15 <= second.first <= 15 + 0.5 * RATE + 1


def test_what_an_interrupted_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "face-0000.landmarks").write_bytes(b"old")
    (track,) = followed(lambda i: [placed(200, 150, 60)], 20, tmp_path)[0]
    assert len(track.landmarks) == 20


def test_no_face_no_track(tmp_path: Path) -> None:
    tracks, views, finder = followed(lambda i: [], 50, tmp_path)
    assert tracks == []
    assert not any(views)
    assert 10 <= finder.detections <= 25


def test_intersection_over_union() -> None:
    box = (0.0, 0.0, 2.0, 2.0)
    assert intersection_over_union(box, box) == 1
    assert intersection_over_union(box, (1.0, 0.0, 3.0, 2.0)) == 1 / 3
    assert intersection_over_union(box, (2.5, 2.5, 3.0, 3.0)) == 0
