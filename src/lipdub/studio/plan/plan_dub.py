"""The stage ``plan``: what is said, and which mouth follows it when."""

from dataclasses import replace

from lipdub.engines.seam import PooledStudy
from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import DubPlan, FacePlan, LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.casting import cast_by_sight
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.line_slots import phrases
from lipdub.studio.plan.plan_speech import GivenLines, PlannedSpeech, complete_lines, plan_speech
from lipdub.studio.plan.speakers import SpeakersFound, find_speakers
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures
from lipdub.timeline.clip import Clip
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.time import Span, merge_spans, subtract_spans
from lipdub.words_to_sound.duration_fit.source_timing import source_windows


def plan_dub(
    job: Job,
    analysis: Analysis,
    session: Session,
    given: GivenLines | None = None,
    ahead: PlannedSpeech | None = None,
) -> DubPlan:
    """The speech of the dub, and for every face the cues in which it follows that speech, and how its mouth moves.

    ``given`` are the lines where they were planned before; else they are those of the job's script, line or clip.
    ``ahead`` is their speech, if it is made already.

    No face may be left to be dubbed: the plan then holds none. Raises ``OptionError`` if no face is where ``--face``
    points, ``NothingToDub`` if the engine is to speak lines for which there is no face, what recognisers, translators
    and voices raise, and ``OutputError`` if the disk refuses.
    """
    source = None if analysis.sound is None else analysis.sound.features
    given = complete_lines(job, analysis, session, given) if ahead is None else ahead.given
    given, found = cast_lines(job, analysis, given, session)
    said = ahead if ahead is not None and not given.choices.speakers else plan_speech(job, analysis, session, given)
    choices, speech, features = said.given.choices, said.speech, said.features
    timed = phrases(features.features) if said.given.timed is None else said.given.timed
    with session.clock.stage("assign speakers"):
        following = FollowedSpeech(features.features, speech.engine_lines, timed, choices)
        faces = plan_faces(job.clip, analysis, following, session.tools.prior, job.selectors, found)
    return DubPlan(
        speech=speech,
        features=features,
        shots=analysis.shots,
        faces=tuple(_with_pooled_facts(plan, session) for plan in faces.faces),
        passthrough=faces.passthrough,
        notes=faces.notes,
        source_speech=_replaced_speech(job.clip, source, choices),
        warnings=_warnings(job, analysis, features),
        lines=timed,
        seeds=dict(choices.seeds),
    )


def cast_lines(job: Job, analysis: Analysis, given: GivenLines, session: Session) -> tuple[GivenLines, SpeakersFound]:
    """The lines that are ``given`` (``complete_lines``), with the speakers whose voices they get, and who speaks when.
    Raises ``OptionError`` if no face is where ``--face`` points."""
    with session.clock.stage("assign speakers"):
        found = _speakers(job, analysis, given, session)
        return _cast(job, analysis, found, given, session), found


def _speakers(job: Job, analysis: Analysis, given: GivenLines, session: Session) -> SpeakersFound:
    """Who speaks when, by the picture and the source's sound."""
    said = [line for line in given.timed or () if line.text]
    prior, names = session.tools.prior, given.choices.names
    return find_speakers(job.clip, analysis, prior, job.selectors, said, names)


def _cast(job: Job, analysis: Analysis, found: SpeakersFound, given: GivenLines, session: Session) -> GivenLines:
    """``given`` with the speakers of lines that name none, where voices speak and several people are seen to."""
    if given.timed is None or (session.tools.engine_speaks and not job.speech.voice):
        return given
    speakers = cast_by_sight(job, analysis, found, given.timed, given.choices, session)
    return replace(given, choices=replace(given.choices, speakers=speakers))


def _with_pooled_facts(plan: FacePlan, session: Session) -> FacePlan:
    """The plan of a face with what its engine knows of it together with the person's other shots."""
    if len(plan.studies) < 2:
        return plan
    study = session.tools.engine.study(plan.face.study, None, plan.studies)
    if not isinstance(study, PooledStudy):
        return plan
    return replace(plan, face=replace(plan.face, facts=study.pooled_facts()))


def _replaced_speech(clip: Clip, source: SpeechFeatures | None, choices: LineChoices) -> tuple[Span, ...]:
    """When the source speaks and the dub takes its place, and when the picture is longer than the source: there, too,
    room tone is heard."""
    if source is None:
        return ()
    spans = [*subtract_spans(source_windows(source), choices.excluded), *clip.clock.still]
    if source.span.end < clip.span.end and clip.own_frames != len(clip):
        spans.append(Span(source.span.end, clip.span.end))
    return merge_spans(spans)


def _warnings(job: Job, analysis: Analysis, dub: TrackFeatures) -> tuple[str, ...]:
    """What a person should know of the given files: what they promise and do not hold, and what is damaged."""
    own = () if analysis.sound is None else analysis.sound.damage.warnings_about("the clip's sound")
    given = () if job.audio is None else dub.damage.warnings_about("the dub track")
    return (*(f"the clip: {doubt}" for doubt in job.clip.warnings), *own, *given)
