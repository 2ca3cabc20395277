"""The stage ``plan``: what is said, and which mouth follows it when."""

from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import DubPlan, DubSpeech
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import brought_speech, spoken_speech
from lipdub.studio.plan.engine_speech import engine_speech
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.lines import lines_to_say
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures, dub_features
from lipdub.words_to_sound.duration_fit.source_timing import source_windows


def plan_dub(job: Job, analysis: Analysis, session: Session) -> DubPlan:
    """The speech of the dub, and for every face the cues in which it follows that speech, and how its mouth moves.

    No face may be left to be dubbed: the plan then holds none. Raises ``OptionError`` if no face is where ``--face``
    points, ``NothingToDub`` if the engine is to speak lines for which there is no face, what recognisers, translators
    and voices raise, and ``OutputError`` if the disk refuses.
    """
    speech = _speech(job, analysis, session)
    features = dub_features(speech.track, job.clip, session)
    with session.clock.stage("assign speakers"):
        following = FollowedSpeech(features.features, speech.engine_lines)
        faces = plan_faces(job.clip, analysis, following, session.tools.prior, job.selectors)
    return DubPlan(
        speech=speech,
        features=features,
        shots=analysis.shots,
        faces=faces.faces,
        passthrough=faces.passthrough,
        notes=faces.notes,
        source_speech=() if analysis.sound is None else source_windows(analysis.sound.features),
        warnings=_warnings(job, analysis, features),
    )


def _warnings(job: Job, analysis: Analysis, dub: TrackFeatures) -> tuple[str, ...]:
    """What a person should know of the given files: what they promise and do not hold, and what is damaged."""
    own = () if analysis.sound is None else analysis.sound.damage.warnings_about("the clip's sound")
    given = () if job.audio is None else dub.damage.warnings_about("the dub track")
    return (*(f"the clip: {doubt}" for doubt in job.clip.warnings), *own, *given)


def _speech(job: Job, analysis: Analysis, session: Session) -> DubSpeech:
    """The user's own track; or the lines, spoken by the engine if it can and no voice is named, else by voices."""
    if job.audio is not None:
        return brought_speech(job.audio, job.speech.to if job.speech.mix else "")
    source = None if analysis.sound is None else analysis.sound.features
    lines = lines_to_say(job.clip, job.speech, job.script, source, session)
    if session.tools.engine_speaks and not job.speech.voice:
        return engine_speech(job, lines, analysis, session)
    return spoken_speech(job, lines, analysis, session)
