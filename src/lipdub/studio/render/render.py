"""The stage ``render``: the engine makes patches for every planned face, and every patched picture is checked."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path

from lipdub.compose.patch_reel import PatchReelWriter
from lipdub.compose.patching import apply_patches
from lipdub.engines.seam import Guide
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.media.read import prefetch, read_frames
from lipdub.studio.dub_plan import DubPlan, FacePlan
from lipdub.studio.face_views import dub_sound, face_view, source_sound
from lipdub.studio.job import Job
from lipdub.studio.render.patch_check import Answer, PatchCheck
from lipdub.studio.session import Session
from lipdub.timeline.clip import Shot
from lipdub.timeline.patch import FaceView, Patch
from lipdub.timeline.picture import Frame
from lipdub.timeline.sound import Sound
from lipdub.timeline.take import Take


def render(job: Job, plan: DubPlan, session: Session) -> "Rendering":
    """The patches of all planned faces, applied to the frames of the film while they come by: source and patches are
    decoded once for rendering and assembling. Raises what the engine raises when frames are taken."""
    return Rendering(job, plan, session)


def render_takes(job: Job, plan: DubPlan, folder: Path, session: Session) -> tuple[Take, ...]:
    """The same, with the patches of each face in a reel in ``folder``, to be assembled later or elsewhere.

    Raises what the engine raises, and ``OSError`` if the disk refuses.
    """
    with ExitStack() as stack:
        reels = {p.face.id: folder / f"face-{p.face.id}.reel" for p in plan.faces}
        writers = {face: stack.enter_context(PatchReelWriter(path)) for face, path in reels.items()}
        rendering = Rendering(job, plan, session, writers)
        for _ in rendering(prefetch(read_frames(job.clip))):
            pass
    return rendering.takes(reels)


class Rendering:
    """Renders the faces of a plan, frame by frame. Called with all frames of the clip in order, it gives them back in
    order, patched; ``takes`` tells afterwards what was made."""

    def __init__(
        self, job: Job, plan: DubPlan, session: Session, reels: "dict[int, PatchReelWriter] | None" = None
    ) -> None:
        """For the clip of ``job``. The patches of a face that has one of ``reels`` are recorded there, too."""
        self._job, self._plan, self._session, self._reels = job, plan, session, reels or {}
        redetect = LandmarkRedetector(session.tools.landmarker, thorough=False)
        self.checks = [PatchCheck(p, session.scratch / f"again-{p.face.id}.f32", redetect) for p in plan.faces]

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Every frame of the clip, in order, with the planned mouths patched and all else as decoded."""
        source = iter(frames)
        of_shot = {shot: list(some) for shot, some in groupby(self.checks, key=lambda c: c.plan.face.track.shot)}
        for shot in self._plan.shots:
            checks = of_shot.get(shot, ())
            if checks:
                yield from self._rendered_shot(source, shot, [self._face(check) for check in checks])
            else:
                yield from islice(source, len(shot))

    def takes(self, reels: "dict[int, Path] | None" = None) -> tuple[Take, ...]:
        """One take for each planned face, once all frames came by; ``reels`` are the files with their patches."""
        with self._session.clock.stage("score"):
            return tuple(self._take(number, check, reels or {}) for number, check in enumerate(self.checks, 1))

    def _take(self, number: int, check: PatchCheck, reels: dict[int, Path]) -> Take:
        clip, tools, face = self._job.clip, self._session.tools, check.plan.face.id
        return Take(
            id=str(number),
            cues=tuple(cue.id for cue in check.plan.cues),
            face=face,
            engine=tools.engine.name,
            seed=self._job.options.seed,
            reel=reels.get(face),
            frames=check.frames,
            passthrough=check.passthrough(clip),
            metrics=check.metrics(clip, tools.prior, self._plan.features.features),
            seconds=check.seconds,
        )

    def _face(self, check: PatchCheck) -> "_FaceRendering":
        plan, engine = check.plan, self._session.tools.engine
        study = engine.study(plan.face.study, LandmarkRedetector(self._session.tools.landmarker))
        return _FaceRendering(check, self._job.clip.size, lambda views: study.render(self._guide(plan), views))

    def _guide(self, plan: FacePlan) -> Guide:
        """What the engine follows."""
        dub, source = self._sounds
        own = {line.id for line in self._plan.speech.engine_lines}
        return Guide(
            trajectory=plan.trajectory,
            dub_sound=dub,
            source_sound=source,
            cues=plan.cues,
            times=self._job.clip.times,
            seed=self._job.options.seed,
            own_voice=frozenset(cue.id for cue in plan.cues if cue.line is not None and cue.line.id in own),
        )

    @cached_property
    def _sounds(self) -> tuple[Sound | None, Sound | None]:
        """The dub's and the source's sound on the clip's clock; read only if the engine needs them."""
        if "sound" not in self._session.tools.engine.limits.needs:
            return None, None
        return dub_sound(self._plan.speech.track, self._job.clip), source_sound(self._job.clip)

    def _rendered_shot(self, source: Iterator[Frame], shot: Shot, faces: "Sequence[_FaceRendering]") -> Iterator[Frame]:
        """The frames of one shot. They wait, once for all faces, while the engine that lags most takes later ones."""
        window = _FrameQueue(source, shot)
        try:
            for index in range(shot.first, shot.stop):
                patches = [(face, face.answer(index, window)) for face in faces if index in face.track]
                frame = window.released(index)
                if frame is None:
                    return
                yield self._patched(frame, [(f, patch) for f, patch in patches if isinstance(patch, Patch)])
        finally:
            for face in faces:
                face.close()

    def _patched(self, frame: Frame, patches: "list[tuple[_FaceRendering, Patch]]") -> Frame:
        for face, patch in patches:
            reel = self._reels.get(face.track.id)
            if reel is None:
                apply_patches(frame, [patch])
            else:
                reel.apply(frame, [patch])
        return frame


class _FrameQueue:
    """The frames of a shot between the one that is given back next and the one that was decoded last."""

    def __init__(self, source: Iterator[Frame], shot: Shot) -> None:
        self._source, self._shot = source, shot
        self._held: deque[Frame] = deque()
        self._next = shot.first

    def frame(self, index: int) -> Frame | None:
        """Frame ``index``, which stays; None if the source ended before."""
        while self._next <= index and (frame := next(self._source, None)) is not None:
            self._held.append(frame)
            self._next += 1
        return self._held[index - self._next] if index < self._next else None

    def released(self, index: int) -> Frame | None:
        """Frame ``index``, the first that is held, which goes; None if the source ended before."""
        return None if self.frame(index) is None else self._held.popleft()


class _FaceRendering:
    """One face being rendered: asked for its answers in order, it takes views as far ahead as its engine lags."""

    def __init__(
        self, check: PatchCheck, size: tuple[int, int], engine: Callable[[Iterable[FaceView]], Iterator[Answer]]
    ) -> None:
        self.check, self.track = check, check.plan.face.track
        self._size, self._engine = size, engine
        self._views: deque[FaceView] = deque()
        self._upstream: list[float] = []
        self._answers: Iterator[Answer] | None = None

    def answer(self, index: int, window: _FrameQueue) -> Answer | None:
        """The engine's answer to frame ``index``; None if the source ended before."""
        if self._answers is None:
            self._answers = self.check.timed(self._engine(self._taken(window)), self._upstream)
        answer = next(self._answers, None)
        if answer is not None:
            assert answer.index == index, "an engine answers every view, in order"
            self.check.add(self._views.popleft(), answer)
        if index == self.track.stop - 1:
            assert next(self._answers, None) is None, "an engine answers every view once"
        return answer

    def close(self) -> None:
        """Let go of the engine, wherever it is."""
        self._answers = None
        self._views.clear()

    def _taken(self, window: _FrameQueue) -> Iterator[FaceView]:
        """The views that the engine takes."""
        for index in range(self.track.first, self.track.stop):
            begun = time.perf_counter()
            frame = window.frame(index)
            self._upstream.append(time.perf_counter() - begun)
            if frame is None:
                return
            self._views.append(face_view(frame, self.track, self._size))
            yield self._views[-1]
