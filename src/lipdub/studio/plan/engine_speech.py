"""Lines that the engine itself speaks: they go to the engine, face by face, and its voice becomes the dub's speech."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from lipdub.engines.seam import ExpectingStudy, Guide, SpeakingStudy
from lipdub.errors import NothingToDub, OptionError
from lipdub.faces.redetect import LandmarkRedetector
from lipdub.media.read import read_frames
from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import DubSpeech, FacePlan
from lipdub.studio.face_views import face_views, source_sound
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import VoicedLines, written_speech
from lipdub.studio.plan.face_plans import FollowedSpeech, plan_faces
from lipdub.studio.plan.lines import DubLines
from lipdub.studio.session import Session
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.notes import Notes, short
from lipdub.timeline.sound import ANALYSIS_RATE, Sound
from lipdub.timeline.speech_features import SpeechFeatures
from lipdub.timeline.spoken_lines import PlacedLine


def engine_speech(job: Job, lines: DubLines, analysis: Analysis, session: Session) -> DubSpeech:
    """``lines`` as the engine speaks them on the faces they belong to.

    Raises ``NothingToDub`` if no face can say any of them, ``OptionError`` for an engine that cannot speak, and what
    the engine raises.
    """
    clip, tools = job.clip, session.tools
    with session.clock.stage("speak"):
        following = FollowedSpeech(features_before(job, analysis, session), lines.lines)
        plans = plan_faces(clip, analysis, following, tools.prior, job.selectors)
        speaking = [(plan, *_speaker(job, plan, session)) for plan in plans.faces]
        for _, study, guide in speaking:
            if isinstance(study, ExpectingStudy):
                study.expect(guide)
        placed = [line for each in speaking for line in _spoken(job, *each)]
    if not placed:
        raise NothingToDub(
            "no face speaks where the lines are to be said",
            file=clip.path,
            remedy="Name the face: --face largest, left, right or X,Y@TIME; or check the script's times",
        )
    model = ModelUsed(f"the engine {tools.engine.name}", "that of its models")
    ordered = sorted(placed, key=lambda line: line.span)
    voiced = VoicedLines(ordered, {line.line.id: model for line in ordered}, _unsaid(lines, placed))
    return replace(written_speech(job, lines, voiced, session), engine_lines=lines.lines)


def features_before(job: Job, analysis: Analysis, session: Session) -> SpeechFeatures:
    """What the plan follows while the lines have no voice yet: the source's speech, or silence as long as the clip."""
    if analysis.sound is not None:
        return analysis.sound.features
    rows = int(job.clip.span.duration * ANALYSIS_RATE)
    silence = Sound(np.zeros((1, rows), np.float32), ANALYSIS_RATE, job.clip.start)
    return session.tools.analyser.analyser.analyse(silence)


def _unsaid(lines: DubLines, placed: Iterable[PlacedLine]) -> Notes:
    """Notes on the lines that no face could say."""
    said, notes = {line.line.id for line in placed}, Notes()
    for text in (short(line.text) for line in lines.lines if line.id not in said):
        notes.add("nobody's face could say {} lines", f"nobody's face could say: {text}", f"'{text}'")
    return notes


def _speaker(job: Job, plan: FacePlan, session: Session) -> tuple[SpeakingStudy, Guide]:
    """The study that speaks the lines of one face, and what it is told.

    Raises ``OptionError`` if its engine cannot speak.
    """
    study = session.tools.engine.study(plan.face.study, LandmarkRedetector(session.tools.landmarker))
    if not isinstance(study, SpeakingStudy):
        raise OptionError("this engine says that it speaks and cannot", remedy="Name a voice with --voice")
    clip = job.clip
    return study, Guide(plan.trajectory, None, source_sound(clip), plan.cues, clip.times, job.options.seed)


def _spoken(job: Job, plan: FacePlan, study: SpeakingStudy, guide: Guide) -> Iterator[PlacedLine]:
    """The lines of one face as its engine speaks them, each a piece of its sound."""
    clip, track = job.clip, plan.face.track
    voice = study.speak(guide, face_views(read_frames(clip, track.first, track.stop), track, clip.size))
    for cue in plan.cues:
        if cue.line is not None:
            first = max(0, round((cue.span.start - voice.start) * voice.rate))
            stop = max(first, round((cue.span.end - voice.start) * voice.rate))
            start = voice.start + Fraction(first, voice.rate)
            piece = Sound(voice.samples.mean(0, keepdims=True)[:, first:stop], voice.rate, start)
            yield PlacedLine(cue.line, piece, 1.0, cue.span)
