"""Second pass: the engine performs, the mouth is put back, and every frame of the clip goes on in order."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import measure
from lipdub.compose.patching import apply_patches
from lipdub.engines.seam import Redetect
from lipdub.studio.cast import Part
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView, Passthrough, Patch, patched
from lipdub.timeline.picture import Frame, window_around
from lipdub.timeline.spool import Spool

Answer = Patch | Passthrough
NOWHERE = np.full((478, 3), np.nan, np.float32)
"""The landmarks of a face that is lost."""


@dataclass(frozen=True, eq=False)
class Script:
    """What happens in the second pass: the clip, its shots, and every part in order of first frame."""

    clip: Clip
    shots: Sequence[Shot]
    parts: Sequence[Part]


@dataclass(eq=False)
class Audit:
    """Looks at what was performed: landmarks found again in every performed frame, and frames left untouched."""

    folder: Path
    eye: Redetect
    found: dict[int, Spool] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    untouched: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    engine_seconds: float = 0.0

    def timed(self, answers: Iterator[Answer], upstream: list[float]) -> Iterator[Answer]:
        """Pass an engine's answers on, adding up its own time; ``upstream`` collects what it waited for frames."""
        while True:
            begun, waited = time.perf_counter(), sum(upstream)
            answer = next(answers, None)
            self.engine_seconds += time.perf_counter() - begun - (sum(upstream) - waited)
            upstream[:] = [sum(upstream)]
            if answer is None:
                return
            yield answer

    def saw(self, part: Part, view: FaceView, answer: Answer) -> None:
        """Note the answer of a part's engine to one look, in order."""
        track = part.subject.track
        spool = self.found.setdefault(track.id, Spool(self.folder / f"again-{track.id}.f32", (478, 3), np.float32))
        landmarks = NOWHERE if view.landmarks is None else view.landmarks
        if isinstance(answer, Passthrough):
            if answer.reason:
                self.untouched.setdefault(track.id, {}).setdefault(answer.reason, []).append(answer.index)
            spool.append(landmarks)
            return
        self.changed[track.id] = self.changed.get(track.id, 0) + 1
        if not self._worth_a_look(part, answer.index - track.first):
            spool.append(NOWHERE)
            return
        window = window_around(landmarks, view.size)
        corner = np.array([window.left, window.top, 0], np.float32)
        again = self.eye(patched(view, answer, window), landmarks - corner)
        spool.append(NOWHERE if again is None else again + corner)

    def _worth_a_look(self, part: Part, row: int) -> bool:
        """Every other frame, and every closure: to look again at all of them would cost as much as to perform."""
        path = part.guide.trajectory
        return row % 2 == 0 or path is None or bool(path.closed[max(0, row - 1) : row + 2].max() > 0)

    def shapes(self, part: Part) -> np.ndarray:
        """Mouth shapes (frames of the track, 6) as found again, in the speaker's own units; NaN where lost."""
        track = part.subject.track
        spool = self.found[track.id]
        seen = FaceTrack(track.id, track.shot, track.first, spool, track.thumbs, track.redness, track.presence)
        return measure(seen, part.subject.motion.mean).shapes


def performed(frames: Iterable[Frame], script: Script, audit: Audit) -> Iterator[Frame]:
    """Every frame of the clip, in order, with the mouths of the parts replaced and all else as decoded."""
    source = iter(frames)
    of_shot = {shot: list(some) for shot, some in groupby(script.parts, key=lambda p: p.subject.track.shot)}
    for shot in script.shots:
        parts = of_shot.get(shot, ())
        if parts:
            yield from _shot_performed(source, shot, [_Acting(part, script.clip.size, audit) for part in parts])
        else:
            yield from islice(source, len(shot))


def _shot_performed(source: Iterator[Frame], shot: Shot, acting: "Sequence[_Acting]") -> Iterator[Frame]:
    """The frames of one shot. They wait, once for all faces, while the engine that lags most looks ahead."""
    window = _Window(source, shot)
    try:
        for index in range(shot.first, shot.stop):
            answers = [one.answer(index, window) for one in acting if index in one.part.subject.track]
            performances = [answer for answer in answers if isinstance(answer, Patch)]
            frame = window.released(index)
            if frame is None:
                return
            yield apply_patches(frame, performances) if performances else frame
    finally:
        for one in acting:
            one.close()


class _Window:
    """The frames of a shot between the one that is shown next and the one that was decoded last."""

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


class _Acting:
    """One part being performed: asked for its answers in order, it looks ahead as far as its engine lags."""

    def __init__(self, part: Part, size: tuple[int, int], audit: Audit) -> None:
        self.part = part
        self._size, self._audit = size, audit
        self._shown: deque[FaceView] = deque()
        self._upstream: list[float] = []
        self._answers: Iterator[Answer] | None = None

    def answer(self, index: int, window: _Window) -> Answer | None:
        """The engine's answer to frame ``index``; None if the source ended before."""
        if self._answers is None:
            study = self.part.subject.study
            self._answers = self._audit.timed(study.render(self.part.guide, self._looks(window)), self._upstream)
        answer = next(self._answers, None)
        if answer is not None:
            assert answer.index == index, "an engine answers every look, in order"
            self._audit.saw(self.part, self._shown.popleft(), answer)
        if index == self.part.subject.track.stop - 1:
            assert next(self._answers, None) is None, "an engine answers every look once"
        return answer

    def close(self) -> None:
        """Let go of the engine, wherever it is."""
        self._answers = None
        self._shown.clear()

    def _looks(self, window: _Window) -> Iterator[FaceView]:
        track = self.part.subject.track
        for index in range(track.first, track.stop):
            begun = time.perf_counter()
            frame = window.frame(index)
            self._upstream.append(time.perf_counter() - begun)
            if frame is None:
                return
            self._shown.append(_look(track, self._size, frame))
            yield self._shown[-1]


def looks_of(frames: Iterable[Frame], track: FaceTrack, size: tuple[int, int]) -> Iterator[FaceView]:
    """The looks of a track at its own ``frames``; ``size`` (width, height) is the clip's."""
    return (_look(track, size, frame) for frame in frames)


def _look(track: FaceTrack, size: tuple[int, int], frame: Frame) -> FaceView:
    row = frame.index - track.first
    landmarks = track.landmarks.read(row, row + 1)[0]
    lost = not np.isfinite(landmarks[0, 0])
    return FaceView(frame.index, size, None if lost else landmarks, frame.rgb)
