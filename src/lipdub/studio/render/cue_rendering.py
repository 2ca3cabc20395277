"""One cue being rendered: views go to the engine, its answers come back in order and are checked."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from lipdub.compose.patch_reel import PatchReelWriter
from lipdub.compose.patching import apply_patches
from lipdub.studio.face_views import face_view
from lipdub.studio.render.patch_check import Answer, PatchCheck
from lipdub.timeline.cue import Cue
from lipdub.timeline.patch import FaceView, Patch
from lipdub.timeline.picture import Frame

EngineCall = Callable[[Iterable[FaceView]], Iterator[Answer]]
"""An engine that has its study and its guide: views in, one answer for each out."""


class FrameQueue:
    """The decoded frames between the one that is released next and the one that was decoded last."""

    def __init__(self, source: Iterator[Frame], first: int) -> None:
        """``source`` gives the frames of the clip from frame ``first`` on."""
        self._source = source
        self._held: deque[Frame] = deque()
        self._next = first

    def frame(self, index: int) -> Frame | None:
        """Frame ``index``, which stays; None if the source ended before."""
        while self._next <= index and (frame := next(self._source, None)) is not None:
            self._held.append(frame)
            self._next += 1
        return self._held[index - self._next] if index < self._next else None

    def released(self, index: int) -> Frame | None:
        """Frame ``index``, the first that is held, which goes; None if the source ended before."""
        return None if self.frame(index) is None else self._held.popleft()


class CueRendering:
    """One ``cue`` of a face. The engine is shown ``shown`` frames of its track; answers to frames outside
    ``check.frames`` are thrown away."""

    def __init__(self, cue: Cue, check: PatchCheck, shown: range, size: tuple[int, int], engine: EngineCall) -> None:
        """``size`` (width, height) is the clip's."""
        self.cue, self.check, self.shown = cue, check, shown
        self._size, self._engine = size, engine
        self._views: deque[FaceView] = deque()
        self._upstream: list[float] = []
        self._answers: Iterator[Answer] | None = None
        self._resources = ExitStack()
        self._reel: PatchReelWriter | None = None

    def record(self, reel: PatchReelWriter) -> None:
        """Record the patches in ``reel``, which is closed with the rendering."""
        self._reel = self._resources.enter_context(reel)

    def answer(self, index: int, queue: FrameQueue) -> Answer | None:
        """The engine's answer to frame ``index``; None if the source ended before, or if the frame is not the cue's."""
        if self._answers is None:
            self._answers = self.check.timed(self._engine(self._taken(queue)), self._upstream)
        answer = next(self._answers, None)
        if answer is None:
            return None
        assert answer.index == index, "an engine answers every view, in order"
        view = self._views.popleft()
        if index not in self.check.frames:
            return None
        self.check.add(view, answer)
        return answer

    def apply(self, frame: Frame, patch: Patch) -> None:
        """Change ``frame`` by ``patch``."""
        if self._reel is None:
            apply_patches(frame, [patch])
        else:
            self._reel.apply(frame, [patch])

    def close(self) -> None:
        """Let go of the engine, wherever it is, and complete the reel."""
        if self.shown.stop == self.check.frames.stop and len(self.check.landmarks) == len(self.check.frames):
            assert self._answers is None or next(self._answers, None) is None, "an engine answers every view once"
        self._answers = None
        self._views.clear()
        self._resources.close()

    def _taken(self, queue: FrameQueue) -> Iterator[FaceView]:
        """The views that the engine takes."""
        for index in self.shown:
            begun = time.perf_counter()
            frame = queue.frame(index)
            self._upstream.append(time.perf_counter() - begun)
            if frame is None:
                return
            face = self.check.plan.face
            view = face_view(frame, face.track, self._size, face.visibility.occluders)
            self._views.append(view)
            yield view
