"""The stage ``render``: the engine makes patches for every planned cue, and every patched picture is checked.

A cue is the unit of work: what is made of it depends on its own frames and on the plan only, so any process can
render it, before or after any other.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lipdub.compose.label import Label
from lipdub.compose.patch_reel import PatchReel, PatchReelWriter
from lipdub.engines.seam import ExpectingStudy, Guide, WorkForecast
from lipdub.errors import InputError
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.studio.cue_folder import CueFolders
from lipdub.studio.dub_plan import DubPlan, PlannedCue
from lipdub.studio.face_views import dub_sound, source_sound
from lipdub.studio.film_label import FilmLabel, film_label
from lipdub.studio.job import Job
from lipdub.studio.patch_scores import PatchScores
from lipdub.studio.render.cue_rendering import CueRendering, FrameQueue
from lipdub.studio.render.patch_check import PatchCheck
from lipdub.studio.session import Session
from lipdub.timeline.mouth import MouthTrajectory
from lipdub.timeline.patch import Patch
from lipdub.timeline.picture import Frame
from lipdub.timeline.sound import Sound
from lipdub.timeline.take import CuePatches

AROUND = 3.0
"""Seconds before and after a cue in which the engine knows the trajectory, so that neighbouring cues fit together."""


@dataclass(frozen=True)
class _FinishedCue:
    """A cue whose patches lie in a reel."""

    planned: PlannedCue
    reel: PatchReel


class CueRenderer:
    """Renders the cues of a plan into the frames of the film. Cues that ``folders`` already hold are not rendered
    again: their patches are taken from their reels."""

    def __init__(self, job: Job, plan: DubPlan, folders: CueFolders, session: Session) -> None:
        """For the clip of ``job``."""
        self._job, self._plan, self._folders, self._session = job, plan, folders, session
        self._cues = sorted(plan.cues(job.clip), key=lambda planned: planned.frames.start)
        self._unannounced = tuple(self._cues)
        self._context = session.tools.engine.limits.context
        if isinstance(session.tools.engine, WorkForecast):
            coming = [planned.cue for planned in self._cues if folders.finished(planned.cue.id) is None]
            session.tools.engine.expect(coming, job.clip.times)

    def needed(self, first: int, stop: int) -> range:
        """The frames of the clip that must be decoded to make frames ``[first, stop)`` of the film."""
        shown = [self._shown(planned) for planned in self._within(first, stop)]
        return range(min([first, *(s.start for s in shown)]), max([stop, *(s.stop for s in shown)]))

    def patched(self, first: int, stop: int, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Frames ``[first, stop)`` of the film: with their mouths patched, and all else as decoded.

        ``frames`` are those that ``needed`` names, in order. No cue may reach over ``first`` or ``stop``. What was made
        of each cue lies in its folder afterwards. Raises what the engine raises, ``OSError`` if the disk refuses, and
        ``InputError`` for a damaged reel.
        """
        here = self._within(first, stop)
        kept = [found for planned in here if (found := self._finished(planned)) is not None]
        done = {found.planned.cue.id for found in kept}
        waiting = [planned for planned in here if planned.cue.id not in done]
        active: list[CueRendering] = []
        if waiting:
            self._announce()
        begin = self.needed(first, stop).start
        queue = FrameQueue(iter(frames), begin)
        try:
            for index in range(begin, stop):
                while waiting and self._shown(waiting[0]).start <= index:
                    active.append(self._rendering(waiting.pop(0)))
                patches = [(cue, cue.answer(index, queue)) for cue in active]
                frame = queue.released(index)
                if frame is None:
                    return
                self._apply(frame, patches, kept)
                active = [cue for cue in active if not self._ended(cue, index)]
                if index >= first:
                    yield self._labelled(frame)
        finally:
            for cue in active:
                cue.close()
            for found in kept:
                found.reel.close()

    def _labelled(self, frame: Frame) -> Frame:
        """``frame`` with the film's label, where it has one."""
        label, drawing = self._label
        if label is None or drawing is None or frame.index not in label.frames:
            return frame
        return drawing.draw(frame)

    def _announce(self) -> None:
        """Tell an engine that prepares several calls together, once, what will be rendered."""
        cues, self._unannounced = self._unannounced, ()
        for planned in cues:
            made = self._folders.finished(planned.cue.id)
            if made is None:
                plan = planned.plan
                study = self._session.tools.engine.study(plan.face.study, None, plan.studies)
                if not isinstance(study, ExpectingStudy):
                    return
                study.expect(self._guide(planned))

    def _within(self, first: int, stop: int) -> list[PlannedCue]:
        return [planned for planned in self._cues if planned.frames.start < stop and planned.frames.stop > first]

    def _shown(self, planned: PlannedCue) -> range:
        """The frames of a cue, and those around it that its engine is shown."""
        track, frames = planned.plan.face.track, planned.frames
        return range(max(track.first, frames.start - self._context), min(track.stop, frames.stop + self._context))

    def _finished(self, planned: PlannedCue) -> _FinishedCue | None:
        made = self._folders.finished(planned.cue.id)
        if made is None or made.reel is None or range(made.first, made.stop) != planned.frames:
            return None
        return _FinishedCue(planned, PatchReel(made.reel))

    def _rendering(self, planned: PlannedCue) -> CueRendering:
        plan, tools, clip = planned.plan, self._session.tools, self._job.clip
        engines = LandmarkRedetector(tools.landmarker)
        again = LandmarkRedetector(tools.landmarker, thorough=False, before=engines)
        check = PatchCheck(plan, planned.frames, self._session.scratch / f"again-{planned.cue.id}.f32", again)
        study = tools.engine.study(plan.face.study, engines, plan.studies)
        guide = self._guide(planned)
        rendering = CueRendering(
            planned.cue, check, self._shown(planned), clip.size, lambda views: study.render(guide, views)
        )
        self._folders.begin(planned.cue.id)
        reel = self._folders.reel(planned.cue.id)
        if reel is not None:
            reel.parent.mkdir(parents=True, exist_ok=True)
            rendering.record(PatchReelWriter(reel))
        return rendering

    def _guide(self, planned: PlannedCue) -> Guide:
        """What the engine follows in one cue."""
        dub, source = self._sounds
        own = {line.id for line in self._plan.speech.engine_lines}
        cue, job = planned.cue, self._job
        return Guide(
            trajectory=_near(planned, job.clip.times.seconds()),
            dub_sound=dub,
            source_sound=source,
            cues=(cue,),
            times=job.clip.times,
            seed=self._plan.seeds.get(cue.line_id, job.options.seed),
            own_voice=frozenset([cue.id] if cue.line is not None and cue.line.id in own else []),
        )

    @cached_property
    def _label(self) -> tuple[FilmLabel | None, Label | None]:
        """The film's label and what draws it; None if it has none."""
        label = film_label(self._job.options, self._job.clip)
        return label, None if label is None else label.drawing(self._job.clip)

    @cached_property
    def _sounds(self) -> tuple[Sound | None, Sound | None]:
        """The dub's and the source's sound on the clip's clock; read only if the engine needs them."""
        if "sound" not in self._session.tools.engine.limits.needs:
            return None, None
        return dub_sound(self._plan.speech.track, self._job.clip), source_sound(self._job.clip)

    def _apply(
        self, frame: Frame, answers: Sequence[tuple[CueRendering, object]], kept: Sequence[_FinishedCue]
    ) -> None:
        """Change ``frame`` by the patches of all faces, in the order of the plan's faces."""
        order = {plan.face.id: number for number, plan in enumerate(self._plan.faces)}
        steps: list = [(order[found.planned.cue.face], found) for found in kept if frame.index in found.planned.frames]
        steps += [(order[cue.cue.face], (cue, answer)) for cue, answer in answers if isinstance(answer, Patch)]
        for _, step in sorted(steps, key=lambda each: each[0]):
            if isinstance(step, _FinishedCue):
                self._apply_kept(frame, step)
            else:
                step[0].apply(frame, step[1])

    def _apply_kept(self, frame: Frame, found: _FinishedCue) -> None:
        """Change ``frame`` by patches that were kept. Raises ``InputError`` if they are damaged: they are forgotten
        then, so that the next run makes them anew."""
        try:
            found.reel.apply(frame)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as damage:
            file = self._folders.reel(found.planned.cue.id)
            with suppress(OSError):
                self._folders.begin(found.planned.cue.id)
            raise InputError(
                "these patches are damaged",
                file=file,
                at=self._job.clip.times.instant(frame.index),
                remedy="Run it again: they are made anew, and all else is kept",
            ) from damage

    def _ended(self, cue: CueRendering, index: int) -> bool:
        """True if ``index`` was the cue's last frame; then what was made of it is written down."""
        check = cue.check
        if index < check.frames.stop - 1:
            return False
        cue.close()
        clip = self._job.clip
        scores = PatchScores(clip, self._session.tools.prior, self._plan.features.features)
        shapes = check.shapes()
        made = CuePatches(
            cue=cue.cue,
            first=check.frames.start,
            stop=check.frames.stop,
            reel=self._folders.reel(cue.cue.id),
            frames=len(check.changed),
            changed=check.spans_changed(clip),
            passthrough=check.passthrough(clip),
            metrics=scores.metrics(check.plan, check.rows, shapes),
            seconds=check.seconds,
        )
        self._folders.finish(made, shapes)
        check.landmarks.close()
        check.file.unlink(missing_ok=True)
        return True


def _near(planned: PlannedCue, seconds: np.ndarray) -> MouthTrajectory:
    """The trajectory of a face, with weight only in and around one cue; ``seconds`` are the clip's frame times."""
    path, track, frames = planned.plan.trajectory, planned.plan.face.track, planned.frames
    own = seconds[track.first : track.stop]
    begin, end = seconds[frames.start] - AROUND, seconds[frames.stop - 1] + AROUND
    return replace(path, weight=np.where((own >= begin) & (own <= end), path.weight, 0).astype(np.float32))
