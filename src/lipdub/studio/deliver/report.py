"""The report of a dub: what changed, what stayed and why, how it measured, and what it was made with."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lipdub import __version__, weights
from lipdub.media.read import PictureDamage
from lipdub.media.stated_duration import first_examples
from lipdub.media.write import WriteResult
from lipdub.review.report import (
    ClosureCount,
    FaceMetrics,
    MediaFile,
    Recipe,
    RenderedCue,
    Report,
    SpeechReport,
    StageTime,
    StreamSummary,
    SyncScore,
)
from lipdub.studio.deliver.asr_check import AsrCheck
from lipdub.studio.dub_plan import DubPlan, FacePlan
from lipdub.studio.film import Film
from lipdub.studio.job import Job
from lipdub.studio.patch_scores import PatchScores, shapes_of
from lipdub.studio.session import Session
from lipdub.studio.speech_account import speech_account
from lipdub.timeline.clip import Clip
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.runs import consecutive
from lipdub.timeline.take import CuePatches
from lipdub.timeline.time import subtract_spans, timecode

_OWN = frozenset({"sign_key", "sign_cert"})
"""Options that say where a key of the user is: nobody else's business."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was asked for, planned, rendered and assembled, and what the ASR check found."""

    job: Job
    plan: DubPlan
    patches: tuple[CuePatches, ...]
    film: Film
    check: AsrCheck


def make_report(outcome: Outcome, session: Session) -> Report:
    """The report of one dub."""
    job, plan, film = outcome.job, outcome.plan, outcome.film
    clip, written = job.clip, film.written
    return Report(
        source=MediaFile(clip.path, clip.file_times.whole.duration, len(clip.file_times), clip.start),
        dub_track=MediaFile(plan.speech.name, film.sound_length),
        output=MediaFile(job.names.film, clip.span.duration, written.frames, clip.start),
        recipe=_recipe(job, plan, session),
        cues=tuple(_changed(outcome)),
        passthrough=(*plan.passthrough, *(left for made in outcome.patches for left in made.passthrough)),
        faces=tuple(_faces(outcome, session)),
        streams=StreamSummary(written.copied, written.encoded, written.dropped),
        timings=tuple(_timings(outcome, session)),
        consent=job.consent,
        length=job.length,
        notes=(*_length_notes(job), *dict.fromkeys(_notes(plan)), *job.names.notes, *film.notes),
        warnings=(*plan.warnings, *_losses(plan, written), *written.warnings, *_damaged(clip, film.damage)),
        speech=_speech(outcome),
    )


def _speech(outcome: Outcome) -> SpeechReport | None:
    """What is said, how it was mixed and how it measured; None for the user's own dub track, untouched."""
    said, film, check = outcome.plan.speech, outcome.film, outcome.check
    if said.brought and not film.mixed:
        return None
    told = speech_account(said, check.helpers, {**check.metrics, **film.levels}, (*film.mix_notes, *check.notes))
    return replace(told, word_errors=check.lines)


def _recipe(job: Job, plan: DubPlan, session: Session) -> Recipe:
    options, why = job.options, session.tools.analyser.why
    detailed = plan.features.features.encoder_features is not None
    return Recipe(
        lipdub_version=__version__,
        engine=options.engine,
        seed=options.seed,
        prior="the shipped prior" if options.prior is None else f"the prior {options.prior.name}",
        speech_features=f"light speech features: {why}" if why else "speech features with the speech encoder",
        options={k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items() if k not in _OWN},
        models=tuple(_models(detailed, recognised=session.tools.identifier.folder is not None)),
    )


def _models(detailed: bool, recognised: bool) -> Iterator[ModelUsed]:
    names = ["face-landmarks", "face-detector", *(["face-identity"] if recognised else []), "voice-activity"]
    yield from (ModelUsed(name, weights.model(name).licence) for name in names)
    if detailed:
        yield ModelUsed("whisper-base (three layers of its encoder)", "MIT")
    yield ModelUsed("hama", "Apache-2.0")


def _losses(plan: DubPlan, written: WriteResult) -> tuple[str, ...]:
    """What was lost of the dub track in writing, unless it was told when the track was analysed."""
    return () if any(told.startswith("the dub track") for told in plan.warnings) else written.dub_losses


def _changed(outcome: Outcome) -> Iterator[RenderedCue]:
    """Every cue, and which of its frames the engine really changed."""
    made = {patches.cue.id: patches for patches in outcome.patches}
    for cue in (cue for face in outcome.plan.faces for cue in face.cues):
        patches = made.get(cue.id)
        if patches is None:
            yield RenderedCue(cue, 0, ())
            continue
        known = patches.changed or not patches.frames  # a take of an earlier version does not say when
        left = [one.span for one in patches.passthrough]
        yield RenderedCue(cue, patches.frames, patches.changed if known else tuple(subtract_spans([cue.span], left)))


def _faces(outcome: Outcome, session: Session) -> Iterator[FaceMetrics]:
    """What was measured on each face."""
    scores = PatchScores(outcome.job.clip, session.tools.prior, outcome.plan.features.features)
    for plan in outcome.plan.faces:
        shapes = shapes_of(plan, (made for made in outcome.patches if made.cue.face == plan.face.id))
        yield _face_metrics(plan, scores.metrics(plan, slice(0, len(plan.face.track)), shapes))


def _face_metrics(plan: FacePlan, metrics: dict[str, float]) -> FaceMetrics:
    """Sync before and after, closures requested and found, and everything else that was measured on a face."""
    after, requested, found = (
        metrics.pop(name, None) for name in ("sync_score", "closures_requested", "closures_found")
    )
    return FaceMetrics(
        face=plan.face.id,
        coverage=plan.face.facts.coverage,
        source_sync=SyncScore(plan.sync.score, plan.sync.offset) if plan.sync.speech else None,
        dub_sync=None if after is None else SyncScore(after),
        closures=ClosureCount(int(requested or 0), int(found or 0)),
        metrics={**metrics, **plan.face.facts.figures, **plan.predicted.figures},
    )


def _timings(outcome: Outcome, session: Session) -> Iterator[StageTime]:
    """Every stage, and within assembling the time of the engine itself."""
    clock = session.clock
    for stage, seconds in clock.seconds.items():
        yield StageTime(stage, seconds, clock.frames.get(stage, 0))
    made = outcome.patches
    yield StageTime("engine", sum(cue.seconds for cue in made), sum(cue.frames for cue in made))


def _damaged(clip: Clip, damage: PictureDamage) -> Iterator[str]:
    """Sentences on the frames of the source that could not be decoded well."""
    for numbers, what in (
        (damage.repeated, "could not be decoded and repeat the one before"),
        (damage.corrupt, "are damaged"),
    ):
        if numbers:
            spans = (clip.times.span(int(run[0]), int(run[-1]) + 1) for run in consecutive(np.array(numbers)))
            told = first_examples(f"{timecode(span.start)} to {timecode(span.end)}" for span in spans)
            yield f"{len(numbers)} frames of the source {what}: {told}"


def _length_notes(job: Job) -> Iterable[str]:
    return () if job.length is None else (job.length.sentence(),)


def _notes(plan: DubPlan) -> Iterable[str]:
    yield from plan.notes
    for face in plan.faces:
        yield from face.face.facts.notes
        yield from face.predicted.notes
        before = face.face.visibility.occluders
        around = 0 if before is None else int((before.rows & (face.trajectory.weight > 0)).sum())
        if around:
            yield f"in {around} frames of face {face.face.id} something is before the face: it stays as filmed"
