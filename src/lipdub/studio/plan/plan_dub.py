"""The stage ``plan``: what is said, and which mouth follows it when."""

from dataclasses import dataclass, replace

from lipdub.engines.seam import PooledStudy
from lipdub.errors import NothingToDub
from lipdub.studio.analysis import Analysis
from lipdub.studio.dialogue_features import dialogue_features
from lipdub.studio.dub_plan import DubPlan, DubSpeech, FacePlan, LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import brought_speech, spoken_speech
from lipdub.studio.plan.engine_speech import engine_speech
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.line_slots import phrases, timed_lines
from lipdub.studio.plan.lines import DubLines, lines_to_say
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures, dub_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.lines import Line
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merge_spans, subtract_spans
from lipdub.words_to_sound.duration_fit.source_timing import source_windows


@dataclass(frozen=True, eq=False)
class GivenLines:
    """Lines that were planned before (None: they are still to be found), and what was decided for single ones.

    ``timed`` are all lines of the programme, also those that are not made now, with the spans in which the source says
    them (None: they are ``lines``).
    """

    lines: DubLines | None = None
    choices: LineChoices = LineChoices()
    timed: tuple[Line, ...] | None = None


def plan_dub(job: Job, analysis: Analysis, session: Session, given: GivenLines | None = None) -> DubPlan:
    """The speech of the dub, and for every face the cues in which it follows that speech, and how its mouth moves.

    ``given`` are the lines where they were planned before; else they are those of the job's script, line or clip.

    No face may be left to be dubbed: the plan then holds none. Raises ``OptionError`` if no face is where ``--face``
    points, ``NothingToDub`` if the engine is to speak lines for which there is no face, what recognisers, translators
    and voices raise, and ``OutputError`` if the disk refuses.
    """
    source = None if analysis.sound is None else analysis.sound.features
    given = _complete(job, given or GivenLines(), source, session)
    speech = _speech(job, analysis, given, session)
    features = (dub_features if speech.brought else dialogue_features)(speech.track, job.clip, session)
    timed = phrases(features.features) if given.timed is None else given.timed
    with session.clock.stage("assign speakers"):
        following = FollowedSpeech(features.features, speech.engine_lines, timed, given.choices)
        faces = plan_faces(job.clip, analysis, following, session.tools.prior, job.selectors)
    return DubPlan(
        speech=speech,
        features=features,
        shots=analysis.shots,
        faces=tuple(_with_pooled_facts(plan, session) for plan in faces.faces),
        passthrough=faces.passthrough,
        notes=faces.notes,
        source_speech=_replaced_speech(job.clip, source, given.choices),
        warnings=_warnings(job, analysis, features),
        lines=timed,
        seeds=dict(given.choices.seeds),
    )


def _with_pooled_facts(plan: FacePlan, session: Session) -> FacePlan:
    """The plan of a face with what its engine knows of it together with the person's other shots."""
    if len(plan.studies) < 2:
        return plan
    study = session.tools.engine.study(plan.face.study, None, plan.studies)
    if not isinstance(study, PooledStudy):
        return plan
    return replace(plan, face=replace(plan.face, facts=study.pooled_facts()))


def _complete(job: Job, given: GivenLines, source: SpeechFeatures | None, session: Session) -> GivenLines:
    """What is given, with the lines of the job where none are given, and without those that are not to be said."""
    excluded = (*job.excluded, *given.choices.excluded)
    choices = replace(given.choices, excluded=excluded)
    if job.audio is not None:
        return replace(given, choices=choices)
    lines = given.lines or lines_to_say(job.clip, job.speech, job.script, source, session)
    said = [line for line in lines.lines if not any(line.span.start in span for span in excluded)]
    if not said:
        raise NothingToDub(
            "no line begins in the part that is to be dubbed",
            file=job.clip.path,
            remedy="Check --from, --until and --skip, and the times of the script",
        )
    lines = replace(lines, lines=tuple(said))
    timed = timed_lines(lines.lines, source) if given.timed is None else given.timed
    return GivenLines(lines, choices, timed)


def _replaced_speech(clip: Clip, source: SpeechFeatures | None, choices: LineChoices) -> tuple[Span, ...]:
    """When the source speaks and the dub takes its place, and when the picture is longer than the source: there, too,
    room tone is heard."""
    if source is None:
        return ()
    spans = [*subtract_spans(source_windows(source), choices.excluded), *clip.paused_spans]
    if source.span.end < clip.span.end and clip.own_frames != len(clip):
        spans.append(Span(source.span.end, clip.span.end))
    return merge_spans(spans)


def _warnings(job: Job, analysis: Analysis, dub: TrackFeatures) -> tuple[str, ...]:
    """What a person should know of the given files: what they promise and do not hold, and what is damaged."""
    own = () if analysis.sound is None else analysis.sound.damage.warnings_about("the clip's sound")
    given = () if job.audio is None else dub.damage.warnings_about("the dub track")
    return (*(f"the clip: {doubt}" for doubt in job.clip.warnings), *own, *given)


def _speech(job: Job, analysis: Analysis, given: GivenLines, session: Session) -> DubSpeech:
    """The user's own track; or the lines, spoken by the engine if it can and no voice is named, else by voices."""
    if job.audio is not None:
        return brought_speech(job.audio, job.speech.to if job.speech.mix else "")
    assert given.lines is not None, "lines were found"
    if session.tools.engine_speaks and not job.speech.voice:
        return engine_speech(job, given.lines, analysis, session)
    return spoken_speech(job, given.lines, analysis, session, given.choices)
