"""The second pass: every frame in order, engines that lag, several faces, several shots."""

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.engines.seam import Guide, StudyFacts
from lipdub.faces.visibility import Visibility
from lipdub.sound_to_mouth.mouth_trajectory import PredictedMouth
from lipdub.sound_to_mouth.sync import Sync
from lipdub.studio.cast import Part
from lipdub.studio.stage import Audit, Script, performed
from lipdub.studio.study import Subject
from lipdub.timeline.clip import Clip, FrameTimes, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Frame, PixelLayout, Window
from lipdub.timeline.spool import Spool

SIZE = (16, 12)
FACE = np.concatenate([canonical_face(), canonical_face()[:10]]).astype(np.float32) * 5 + [8, 4, 0]
LAYOUT = PixelLayout("gbrp", 8, (1, 1), "rgb", True)


class Marker:
    """A study that paints one pixel of its window, after having taken ``lag`` looks more than it answered."""

    def __init__(self, lag: int, colour: int, skip: frozenset[int] = frozenset()) -> None:
        self.lag, self.colour, self.skip = lag, colour, skip

    def see(self, view: FaceView) -> None:
        """Nothing to learn."""

    def finish(self, motion: FaceMotion, usable: np.ndarray) -> StudyFacts:
        return StudyFacts(1.0)

    def render(self, guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        waiting: deque[FaceView] = deque()
        for view in views:
            waiting.append(view)
            if len(waiting) > self.lag:
                yield self._answer(waiting.popleft())
        for view in waiting:
            yield self._answer(view)

    def _answer(self, view: FaceView) -> Patch | Passthrough:
        if view.index in self.skip:
            return Passthrough(view.index, "covered")
        window = Window(self.colour % 8, 2, self.colour % 8 + 2, 4)
        base = view.pixels(window)
        return Patch(view.index, window, base, np.full_like(base, self.colour), np.ones((2, 2), np.float32))


def frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        planes = tuple(np.full((SIZE[1], SIZE[0]), index, np.uint8) for _ in range(3))

        def rgb(window: Window, planes: tuple[np.ndarray, ...] = planes) -> np.ndarray:
            cut = [p[window.top : window.bottom, window.left : window.right] for p in planes]
            return np.stack(cut, -1)

        yield Frame(index, index, planes, LAYOUT, rgb)


def track(folder: Path, face: int, shot: Shot, first: int, length: int) -> FaceTrack:
    landmarks = Spool(folder / f"{face}.landmarks", (478, 3), np.float32)
    thumbs = Spool(folder / f"{face}.thumbs", (32, 40, 3), np.uint8)
    for _ in range(length):
        landmarks.append(FACE)
        thumbs.append(np.zeros((32, 40, 3), np.uint8))
    flat = np.zeros(length, np.float32)
    return FaceTrack(face, shot, first, landmarks, thumbs, flat, flat)


def part(face: FaceTrack, study: Marker) -> Part:
    seen = Visibility(np.ones(len(face), np.float32), np.ones(len(face), bool), ())
    subject = Subject(face, measure_motion(face), seen, study, StudyFacts(1.0))
    return Part(subject, Guide(), (), Sync.unknown(), PredictedMouth(MouthTrajectory(*path_of(len(face)))))


def path_of(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((rows, 6), np.float32), np.ones(rows, np.float32), np.zeros(rows, np.float32)


@pytest.mark.parametrize("lag", [0, 1, 3, 50])
def test_every_frame_passes_in_order_with_its_faces(tmp_path: Path, lag: int) -> None:
    shots = (Shot(0, 6), Shot(6, 12))
    parts = (
        part(track(tmp_path, 0, shots[0], 1, 4), Marker(lag, 200)),
        part(track(tmp_path, 1, shots[0], 0, 6), Marker(0, 212)),
        part(track(tmp_path, 2, shots[1], 7, 5), Marker(lag, 220, frozenset({9}))),
    )
    clip = Clip(Path("x.mp4"), FrameTimes(np.arange(12), Fraction(1, 25)), SIZE, Fraction(25), False)
    seen_by: list[int] = []

    def eye(rgb: np.ndarray, near: np.ndarray) -> np.ndarray:
        seen_by.append(int(rgb.max()))
        return near

    audit = Audit(tmp_path / "audit", eye)
    out = list(performed(frames(12), Script(clip, shots, parts), audit))
    assert [f.index for f in out] == list(range(12))
    for frame in out:
        i, picture = frame.index, np.stack(frame.planes, -1)
        expected = np.full_like(picture, i)
        if 1 <= i < 5:
            expected[2:4, 0:2] = 200
        if i < 6:
            expected[2:4, 4:6] = 212
        if 7 <= i < 12 and i != 9:
            expected[2:4, 4:6] = 220
        np.testing.assert_array_equal(picture, expected)
    assert audit.changed == {0: 4, 1: 6, 2: 4}
    assert audit.untouched == {2: {"covered": [9]}}
    assert sorted(seen_by) == [200] * 4 + [212] * 6 + [220] * 4
    assert len(audit.found[2]) == 5


def test_without_parts_nothing_changes(tmp_path: Path) -> None:
    clip = Clip(Path("x.mp4"), FrameTimes(np.arange(3), Fraction(1, 25)), SIZE, Fraction(25), False)
    out = list(performed(frames(3), Script(clip, (Shot(0, 3),), ()), Audit(tmp_path, lambda rgb, near: near)))
    assert [int(f.planes[0][0, 0]) for f in out] == [0, 1, 2]


@pytest.mark.parametrize("lag", [0, 3])
def test_frames_do_not_wait_for_faces_that_are_not_there(tmp_path: Path, lag: int) -> None:
    """Before a face comes and after it has gone no frame is held, however many faces there are."""
    count, alive = 120, []
    shot = Shot(0, count)
    parts = (
        part(track(tmp_path, 0, shot, 0, 10), Marker(lag, 200)),
        part(track(tmp_path, 1, shot, 0, count), Marker(lag, 212)),
        part(track(tmp_path, 2, shot, 100, 20), Marker(lag, 220)),
    )
    clip = Clip(Path("x.mp4"), FrameTimes(np.arange(count), Fraction(1, 25)), SIZE, Fraction(25), False)

    def watched() -> Iterator[Frame]:
        for frame in frames(count):
            alive.append(weakref.ref(frame.planes[0]))
            yield frame

    most, seen = 0, 0
    script = Script(clip, (shot,), parts)
    for seen, frame in enumerate(performed(watched(), script, Audit(tmp_path / "audit", lambda rgb, near: near)), 1):
        assert frame.index == seen - 1
        most = max(most, sum(ref() is not None for ref in alive))
        assert len(alive) - seen <= lag, "faces wait for the same frames"
    assert seen == count
    assert most <= lag + 3
