"""Rendering: every frame in order, engines that lag, several faces, several shots."""

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipdub.anatomy.landmarks import canonical_face
from lipdub.anatomy.motion import FaceMotion, measure_motion
from lipdub.engines.seam import EngineLimits, Guide, Redetect, StudyFacts
from lipdub.faces.active_speaker import FaceSelector
from lipdub.faces.landmarker import FaceLandmarker, FaceMesh, FaceRoi
from lipdub.faces.visibility import Visibility
from lipdub.media.sound_damage import SoundDamage
from lipdub.sound_to_mouth.mouth_trajectory import PredictedMouth
from lipdub.sound_to_mouth.sync import Sync
from lipdub.studio.analysis import FaceAnalysis
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan, DubSpeech, FacePlan, PlannedCue
from lipdub.studio.inputs import Inputs
from lipdub.studio.job import Job, OutputNames
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.progress import Clock
from lipdub.studio.render.render import CueRenderer
from lipdub.studio.session import Session, SessionSpec
from lipdub.studio.tools import Tools
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip, FrameTimes, Shot
from lipdub.timeline.cue import Cue
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import FaceView, Passthrough, Patch
from lipdub.timeline.picture import Frame, PixelLayout, Rgb, Window
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span

SIZE = (16, 12)
FACE = np.concatenate([canonical_face(), canonical_face()[:10]]).astype(np.float32) * 5 + [8, 4, 0]
LAYOUT = PixelLayout("gbrp", 8, (1, 1), "rgb", True)


class Marker:
    """A study that paints one pixel of its window, after having taken ``lag`` looks more than it answered."""

    def __init__(
        self, lag: int, colour: int, skip: frozenset[int] = frozenset(), same: frozenset[int] = frozenset()
    ) -> None:
        self.lag, self.colour, self.skip, self.same = lag, colour, skip, same

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
        return Patch(view.index, window, base, np.full_like(base, self.colour), self._mask(view.index))

    def _mask(self, index: int) -> np.ndarray:
        return np.full((2, 2), 0 if index in self.same else 1, np.float32)


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


def planned(face: FaceTrack) -> FacePlan:
    seen = Visibility(np.ones(len(face), np.float32), np.ones(len(face), bool), ())
    motion = measure_motion(face)
    analysed = FaceAnalysis(face, motion, seen, Path(f"study-{face.id}"), StudyFacts(1.0), motion.ok)
    trajectory = MouthTrajectory(*path_of(len(face)))
    whole = Span(Fraction(face.first, 25), Fraction(face.stop, 25))
    cue = Cue(whole, face.id, id=f"cue-{face.id}")
    return FacePlan(analysed, (cue,), trajectory, Sync.unknown(), PredictedMouth(trajectory))


@dataclass(frozen=True)
class Markers:
    """An engine whose studies are ``markers``, by the id of their face."""

    markers: dict[int, Marker]
    name = "markers"
    limits = EngineLimits()

    def study(self, folder: Path, redetect: Redetect | None = None, same_person: Sequence[Path] = ()) -> Marker:
        return self.markers[int(folder.name.removeprefix("study-"))]


class Seeing(FaceLandmarker):
    """Stands for the landmark models: it finds every face, and notes the brightest sample of every picture."""

    def __init__(self) -> None:
        self.brightest: list[int] = []

    def mesh(self, pixels: Callable[[Window], Rgb], size: tuple[int, int], roi: FaceRoi) -> FaceMesh:
        self.brightest.append(int(pixels(Window(0, 0, *size)).max()))
        return FaceMesh(FACE.astype(np.float32), 1.0)


def rendering(
    scratch: Path, count: int, shots: tuple[Shot, ...], faces: dict[FaceTrack, Marker], reels: bool = False
) -> tuple[CueRenderer, Seeing]:
    """A renderer of ``count`` frames in which each of ``faces`` has a marker, and one cue over its whole track."""
    clip = Clip(Path("x.mp4"), FrameTimes(np.arange(count), Fraction(1, 25)), SIZE, Fraction(25), False)
    names, selector = OutputNames(Path("out.mp4"), Path("out.report.json")), FaceSelector("auto")
    job = Job(clip, "", None, SpeechOptions(), DubOptions(), names, (selector,), None, {})
    silence = TrackFeatures(
        SpeechFeatures(Fraction(0), *(np.zeros((0, *n), np.float32) for n in ((17,), (), (3,)))), SoundDamage()
    )
    speech = DubSpeech(Path("dub.wav"), Path("dub.wav"), brought=True)
    plan = DubPlan(speech, silence, shots, tuple(planned(face) for face in faces), ())
    seeing = Seeing()
    markers = Markers({face.id: marker for face, marker in faces.items()})
    tools = Tools(job.options)
    vars(tools).update(engine=markers, landmarker=seeing)
    scratch.mkdir(exist_ok=True)
    spec = SessionSpec(job.options, scratch, scratch)
    folders = CueFolders(scratch / "cues", reels)
    return CueRenderer(job, plan, folders, Session(job.options, Clock(), Inputs(), tools, ExitStack(), spec)), seeing


def path_of(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((rows, 6), np.float32), np.ones(rows, np.float32), np.zeros(rows, np.float32)


@pytest.mark.parametrize("lag", [0, 1, 3, 50])
def test_every_frame_passes_in_order_with_its_faces(tmp_path: Path, lag: int) -> None:
    shots = (Shot(0, 6), Shot(6, 12))
    faces = {
        track(tmp_path, 0, shots[0], 1, 4): Marker(lag, 200),
        track(tmp_path, 1, shots[0], 0, 6): Marker(0, 212),
        track(tmp_path, 2, shots[1], 7, 5): Marker(lag, 220, frozenset({9})),
    }
    render, seeing = rendering(tmp_path / "scratch", 12, shots, faces, reels=True)
    out = list(render.patched(0, 12, frames(12)))
    assert [f.index for f in out] == list(range(12))
    for frame in out:
        np.testing.assert_array_equal(np.stack(frame.planes, -1), marked(frame.index))
    made = [CueFolders(tmp_path / "scratch" / "cues", True).finished(f"cue-{face}") for face in range(3)]
    assert [(one.cue.face, one.frames, one.first, one.stop) for one in made if one] == [
        (0, 4, 1, 5),
        (1, 6, 0, 6),
        (2, 4, 7, 12),
    ]
    assert [[(str(a.span.start), a.reason) for a in one.passthrough] for one in made if one] == [
        [],
        [],
        [("9/25", "covered")],
    ]
    assert sorted(seeing.brightest) == [200] * 2 + [212] * 3 + [220] * 2, "every other frame is looked at again"
    assert [np.load(one.shapes).shape for one in made if one and one.shapes] == [(4, 6), (6, 6), (5, 6)]
    again, unseen = rendering(tmp_path / "scratch", 12, shots, {face: Marker(0, 9) for face in faces}, reels=True)
    for frame in again.patched(0, 12, frames(12)):  # from the reels: no engine is asked
        np.testing.assert_array_equal(np.stack(frame.planes, -1), marked(frame.index))
    assert not unseen.brightest


def marked(index: int) -> np.ndarray:
    """What frame ``index`` looks like with the marks of three faces."""
    expected = np.full((SIZE[1], SIZE[0], 3), index, np.uint8)
    if 1 <= index < 5:
        expected[2:4, 0:2] = 200
    if index < 6:
        expected[2:4, 4:6] = 212
    if 7 <= index < 12 and index != 9:
        expected[2:4, 4:6] = 220
    return expected


@pytest.mark.parametrize("lag", [0, 3])
def test_parts_that_are_rendered_by_themselves_give_the_same_frames(tmp_path: Path, lag: int) -> None:
    shots = (Shot(0, 6), Shot(6, 12))
    faces = {
        track(tmp_path, 0, shots[0], 1, 4): Marker(lag, 200),
        track(tmp_path, 1, shots[0], 0, 6): Marker(0, 212),
        track(tmp_path, 2, shots[1], 7, 5): Marker(lag, 220, frozenset({9})),
    }
    for first, stop in ((6, 12), (0, 6)):
        render, _ = rendering(tmp_path / "scratch", 12, shots, faces)
        needed = render.needed(first, stop)
        given = [frame for frame in frames(12) if frame.index in needed]
        out = list(render.patched(first, stop, given))
        assert [frame.index for frame in out] == list(range(first, stop))
        for frame in out:
            np.testing.assert_array_equal(np.stack(frame.planes, -1), marked(frame.index))


@pytest.mark.parametrize("context", [0, 2])
def test_an_engine_is_shown_the_views_around_a_cue_that_it_needs(tmp_path: Path, context: int) -> None:
    marker = Marker(1, 200)
    face = track(tmp_path, 0, Shot(0, 12), 0, 12)
    render, _ = rendering(tmp_path / "scratch", 12, (Shot(0, 12),), {face: marker})
    seen: list[int] = []
    plain = marker.render

    def watched(guide: Guide, views: Iterable[FaceView]) -> Iterator[Patch | Passthrough]:
        assert guide.trajectory is not None
        return plain(guide, (view for view in views if not seen.append(view.index)))

    marker.render = watched  # type: ignore[method-assign]
    render._context = context
    only = render._cues[0]
    render._cues = [PlannedCue(only.plan, only.cue, range(4, 8))]
    needed = render.needed(4, 8)
    assert needed == range(4 - context, 8 + context)
    out = list(render.patched(4, 8, [frame for frame in frames(12) if frame.index in needed]))
    assert [frame.index for frame in out] == [4, 5, 6, 7]
    for frame in out:
        assert frame.planes[0][2, 0] == 200
    assert seen[: 8 - needed.start] == list(range(needed.start, 8))
    assert set(seen) <= set(needed)


def test_only_frames_whose_picture_is_changed_count(tmp_path: Path) -> None:
    """The engine leaves frames 2 to 4 as they are, and its patches for frames 7 and 9 change nothing."""
    face = track(tmp_path, 0, Shot(0, 12), 0, 12)
    marker = Marker(0, 200, skip=frozenset({2, 3, 4}), same=frozenset({7, 9}))
    renderer, _ = rendering(tmp_path / "scratch", 12, (Shot(0, 12),), {face: marker})
    list(renderer.patched(0, 12, frames(12)))
    made = renderer._folders.finished("cue-0")
    assert made is not None
    assert made.frames == 7
    assert made.changed == tuple(Span(Fraction(a, 25), Fraction(b, 25)) for a, b in ((0, 2), (5, 7), (8, 9), (10, 12)))
    assert [(one.span, one.reason) for one in made.passthrough] == [(Span(Fraction(2, 25), Fraction(5, 25)), "covered")]


def test_without_planned_faces_nothing_changes(tmp_path: Path) -> None:
    render, _ = rendering(tmp_path, 3, (Shot(0, 3),), {})
    assert [int(f.planes[0][0, 0]) for f in render.patched(0, 3, frames(3))] == [0, 1, 2]


@pytest.mark.parametrize("lag", [0, 3])
def test_frames_do_not_wait_for_faces_that_are_not_there(tmp_path: Path, lag: int) -> None:
    """Before a face comes and after it has gone no frame is held, however many faces there are."""
    count, alive = 120, []
    shot = Shot(0, count)
    faces = {
        track(tmp_path, 0, shot, 0, 10): Marker(lag, 200),
        track(tmp_path, 1, shot, 0, count): Marker(lag, 212),
        track(tmp_path, 2, shot, 100, 20): Marker(lag, 220),
    }

    def watched() -> Iterator[Frame]:
        for frame in frames(count):
            alive.append(weakref.ref(frame.planes[0]))
            yield frame

    most, seen = 0, 0
    render, _ = rendering(tmp_path / "scratch", count, (shot,), faces)
    for seen, frame in enumerate(render.patched(0, count, watched()), 1):
        assert frame.index == seen - 1
        most = max(most, sum(ref() is not None for ref in alive))
        assert len(alive) - seen <= lag, "faces wait for the same frames"
    assert seen == count
    assert most <= lag + 3
