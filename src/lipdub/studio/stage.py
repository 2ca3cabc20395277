"""Second pass: the engine performs, the mouth is put back, and every frame of the clip goes on in order."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from lipdub.anatomy.motion import measure
from lipdub.compose.put_back import put_back
from lipdub.engines.seam import Eye
from lipdub.studio.cast import Part
from lipdub.timeline.clip import Clip, Shot
from lipdub.timeline.face import FaceTrack
from lipdub.timeline.picture import Frame, Look, Performance, Untouched, repainted, window_around
from lipdub.timeline.spool import Spool

Staged = tuple[Frame, list[Performance]]
Answer = Performance | Untouched
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
    eye: Eye
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

    def saw(self, part: Part, look: Look, answer: Answer) -> None:
        """Note the answer of a part's engine to one look, in order."""
        track = part.subject.track
        spool = self.found.setdefault(track.id, Spool(self.folder / f"again-{track.id}.f32", (478, 3), np.float32))
        landmarks = NOWHERE if look.landmarks is None else look.landmarks
        if isinstance(answer, Untouched):
            if answer.reason:
                self.untouched.setdefault(track.id, {}).setdefault(answer.reason, []).append(answer.index)
            spool.append(landmarks)
            return
        self.changed[track.id] = self.changed.get(track.id, 0) + 1
        if not self._worth_a_look(part, answer.index - track.first):
            spool.append(NOWHERE)
            return
        window = window_around(landmarks, look.size)
        corner = np.array([window.left, window.top, 0], np.float32)
        again = self.eye(repainted(look, answer, window), landmarks - corner)
        spool.append(NOWHERE if again is None else again + corner)

    def _worth_a_look(self, part: Part, row: int) -> bool:
        """Every other frame, and every closure: to look again at all of them would cost as much as to perform."""
        path = part.guide.path
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
        staged: Iterator[Staged] = ((frame, []) for frame in islice(source, len(shot)))
        for part in of_shot.get(shot, ()):
            staged = _with_part(staged, part, script.clip.size, audit)
        for frame, performances in staged:
            yield put_back(frame, performances) if performances else frame


def _with_part(staged: Iterator[Staged], part: Part, size: tuple[int, int], audit: Audit) -> Iterator[Staged]:
    """Add one face's performances to the frames as they pass; frames wait while the engine lags.

    Only frames of the face's own track wait: a shot may go on for an hour after somebody has left it.
    """
    track = part.subject.track
    yield from islice(staged, track.first - track.shot.first)
    waiting: deque[Staged] = deque()
    shown: deque[Look] = deque()
    upstream: list[float] = []

    def looks() -> Iterator[Look]:
        begun = time.perf_counter()
        for item in islice(staged, len(track)):
            upstream.append(time.perf_counter() - begun)
            waiting.append(item)
            shown.append(_look(track, size, item[0]))
            yield shown[-1]
            begun = time.perf_counter()

    for answer in audit.timed(part.subject.study.perform(part.guide, looks()), upstream):
        audit.saw(part, shown.popleft(), answer)
        while waiting[0][0].index < answer.index:
            yield waiting.popleft()
        frame, performances = waiting.popleft()
        if isinstance(answer, Performance):
            performances = [*performances, answer]
        yield frame, performances
    yield from waiting
    yield from staged


def looks_of(frames: Iterable[Frame], track: FaceTrack, size: tuple[int, int]) -> Iterator[Look]:
    """The looks of a track at its own ``frames``; ``size`` (width, height) is the clip's."""
    return (_look(track, size, frame) for frame in frames)


def _look(track: FaceTrack, size: tuple[int, int], frame: Frame) -> Look:
    row = frame.index - track.first
    landmarks = track.landmarks.read(row, row + 1)[0]
    lost = not np.isfinite(landmarks[0, 0])
    return Look(frame.index, size, None if lost else landmarks, frame.rgb)
