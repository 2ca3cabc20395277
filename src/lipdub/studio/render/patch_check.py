"""Every patched face is measured again: where its landmarks are now, and what shape its mouth has."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lipdub.anatomy.motion import measure_motion
from lipdub.engines.seam import Redetect
from lipdub.studio.dub_plan import FacePlan
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import PassthroughSpan
from lipdub.timeline.face_track import FaceTrack
from lipdub.timeline.patch import FaceView, Passthrough, Patch, patched
from lipdub.timeline.picture import window_around
from lipdub.timeline.runs import consecutive
from lipdub.timeline.spool import Spool
from lipdub.timeline.time import Span

Answer = Patch | Passthrough
"""What an engine gives for one view."""

_LOST = np.full((478, 3), np.nan, np.float32)


@dataclass(eq=False)
class PatchCheck:
    """Looks at the patches of one face in ``frames`` of the clip, which lie in its track.

    ``landmarks`` (in the file ``file``) has a row for each of these frames: as found again in the patched picture, as
    filmed where nothing was changed, NaN where the face is lost or was not looked at. ``changed`` are the frames
    whose picture a patch changes, ``seconds`` is the time that the engine took.
    """

    plan: FacePlan
    frames: range
    file: Path
    redetect: Redetect
    changed: list[int] = field(default_factory=list)
    refused: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    landmarks: Spool = field(init=False)

    def __post_init__(self) -> None:
        self.file.unlink(missing_ok=True)
        self.landmarks = Spool(self.file, (478, 3), np.float32)

    @property
    def rows(self) -> slice:
        """The rows of the track that ``frames`` are."""
        first = self.plan.face.track.first
        return slice(self.frames.start - first, self.frames.stop - first)

    def timed(self, answers: Iterator[Answer], upstream: list[float]) -> Iterator[Answer]:
        """Pass an engine's answers on, adding up its own time. ``upstream`` collects the seconds it waited for
        frames."""
        while True:
            begun, waited = time.perf_counter(), sum(upstream)
            answer = next(answers, None)
            self.seconds += time.perf_counter() - begun - (sum(upstream) - waited)
            upstream[:] = [sum(upstream)]
            if answer is None:
                return
            yield answer

    def add(self, view: FaceView, answer: Answer) -> None:
        """Note the answer to the next view of ``frames``."""
        landmarks = _LOST if view.landmarks is None else view.landmarks
        if isinstance(answer, Passthrough):
            if answer.reason:
                self.refused.setdefault(answer.reason, []).append(answer.index)
            self.landmarks.append(landmarks)
            return
        if answer.mask.any():
            self.changed.append(answer.index)
        if not self._worth_detecting(answer.index - self.plan.face.track.first):
            self.landmarks.append(_LOST)
            return
        window = window_around(landmarks, view.size)
        corner = np.array([window.left, window.top, 0], np.float32)
        again = self.redetect(patched(view, answer, window), landmarks - corner)
        self.landmarks.append(_LOST if again is None else again + corner)

    def _worth_detecting(self, row: int) -> bool:
        """Every other frame, and every closure: to detect in all of them would cost as much as to render."""
        closed = self.plan.trajectory.closed
        return row % 2 == 0 or bool(closed[max(0, row - 1) : row + 2].max() > 0)

    def shapes(self) -> Float64[np.ndarray, "n 6"]:
        """Mouth shapes, one row for each of ``frames``, as found again, in the speaker's own units; NaN where
        unknown."""
        track, rows = self.plan.face.track, self.rows
        again = FaceTrack(
            track.id, track.shot, self.frames.start, self.landmarks, track.thumbs, track.redness[rows],
            track.presence[rows],
        )  # fmt: skip
        return measure_motion(again, self.plan.face.motion.mean).shapes

    def spans_changed(self, clip: Clip) -> tuple[Span, ...]:
        """The frames whose picture was changed, as spans."""
        return _spans(clip, self.changed)

    def passthrough(self, clip: Clip) -> tuple[PassthroughSpan, ...]:
        """The frames that the engine left as filmed although they were in cues, as spans with reasons."""
        return tuple(
            PassthroughSpan(span, reason, self.plan.face.id)
            for reason, frames in self.refused.items()
            for span in _spans(clip, frames)
        )


def _spans(clip: Clip, frames: list[int]) -> tuple[Span, ...]:
    """When ``frames`` (ascending) are shown, as spans."""
    return tuple(clip.times.span(int(run[0]), int(run[-1]) + 1) for run in consecutive(np.array(frames)))
