"""The plan of one language: lines with ids and times, who says them, and what stays as filmed."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.engine_speech import features_before
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.line_slots import phrases, timed_lines
from lipdub.studio.plan.lines import DubLines, lines_to_say, shortening
from lipdub.studio.session import Session
from lipdub.studio.track_features import dub_features
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.project import InputFile
from lipdub.words_to_sound.translate.glossary import read_glossary


def make_plan(
    job: Job, analysis: Analysis, language: str, session: Session, names: Mapping[str, str] = MappingProxyType({})
) -> LanguagePlan:
    """What will be said in ``language``, by whom and when, and what stays as filmed. Nothing is spoken or rendered.

    ``names`` are the ids of people by name, as far as the user named them.

    Raises what recognisers and translators raise, and what ``plan_faces`` raises.
    """
    source = None if analysis.sound is None else analysis.sound.features
    if job.audio is not None:
        dub = dub_features(job.audio, job.clip, session).features
        found = DubLines(phrases(dub), language, job.audio)
        track, script = InputFile(job.audio.absolute(), session.inputs.digest(job.audio)), None
    else:
        found = lines_to_say(job.clip, job.speech, job.script, source, session)
        dub, track = features_before(job, analysis, session), None
        given = job.speech.script
        script = None if given is None else InputFile(given.absolute(), session.inputs.digest(given))
    faces = plan_faces(
        job.clip,
        analysis,
        FollowedSpeech(
            dub, timed=timed_lines(found.lines, None if job.audio else source), choices=LineChoices(names=names)
        ),
        session.tools.prior,
        job.selectors,
    )
    return LanguagePlan(
        language=language or found.language,
        lines=tuple(PlannedLine(replace(line, words=()), faces.people.get(line.id)) for line in found.lines),
        track=track,
        script=script,
        originals=dict(found.originals),
        source_language=found.source_language,
        left=faces.passthrough,
        voices=job.speech.voice,
        notes=(*found.notes, *faces.notes),
    )


def dub_lines(job: Job, plan: LanguagePlan, session: Session) -> DubLines:
    """The lines of a plan as they are to be spoken; those that stay as filmed are left out. Lines that were translated
    can be put shorter, if the job names a translator."""
    name = plan.script.path if plan.script is not None else job.clip.path
    lines = tuple(replace(planned.line, language=plan.language) for planned in plan.lines if not planned.leave)
    found = DubLines(lines, plan.language, name, dict(plan.originals), notes=plan.notes)
    if not job.speech.translator or not plan.originals:
        return found
    originals = {
        line.id: replace(line, text=plan.originals[line.id], language=plan.source_language)
        for line in lines
        if line.id in plan.originals
    }
    glossary = read_glossary(job.speech.glossary) if job.speech.glossary else {}
    shorten = shortening(originals, plan.language, job.speech.translator, glossary, session)
    return replace(found, shorten=shorten, source_language=plan.source_language)
