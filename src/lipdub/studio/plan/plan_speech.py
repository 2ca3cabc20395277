"""What a dub says: its lines, their speech, and the features of that speech. Mostly no face is needed for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lipdub.errors import NothingToDub
from lipdub.studio.analysis import Analysis
from lipdub.studio.dialogue_features import dialogue_features
from lipdub.studio.dub_plan import DubSpeech, LineChoices
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import brought_speech, spoken_speech
from lipdub.studio.plan.engine_speech import engine_speech
from lipdub.studio.plan.line_slots import timed_lines
from lipdub.studio.plan.lines import DubLines, lines_to_say
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures, dub_features
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.voices.choose import people_with_voices


@dataclass(frozen=True, eq=False)
class GivenLines:
    """Lines that were planned before (None: they are still to be found), and what was decided for single ones.

    ``timed`` are all lines of the programme, also those that are not made now, with the spans in which the source says
    them (None: they are ``lines``).
    """

    lines: DubLines | None = None
    choices: LineChoices = LineChoices()
    timed: tuple[Line, ...] | None = None


@dataclass(frozen=True, eq=False)
class PlannedSpeech:
    """The ``speech`` of a dub with its ``features``, and the lines that it says (``given``)."""

    given: GivenLines
    speech: DubSpeech
    features: TrackFeatures


def plan_speech(job: Job, analysis: Analysis, session: Session, given: GivenLines | None = None) -> PlannedSpeech:
    """What the dub says. ``given`` are the lines where they were planned before; else they are those of the job's
    script, line or clip.

    Raises ``NothingToDub`` if no line is left, or if the engine is to speak lines for which there is no face, what
    recognisers, translators and voices raise, and ``OutputError`` if the disk refuses.
    """
    given = complete_lines(job, analysis, session, given)
    speech = _speech(job, analysis, given, session)
    features_of = dub_features if speech.brought else dialogue_features
    return PlannedSpeech(given, speech, features_of(speech.track, job.clip, session))


@dataclass(eq=False)
class SpeechAhead:
    """The speech of a dub that is made while the picture is analysed: ``planned``, or None if it is made afterwards.

    It may be ``planned`` already. It is made ahead where voices of this machine speak lines that are at hand
    (``given``, or the job's script). A service, which may cost money, is asked once it is known that there are faces.
    """

    job: Job
    session: Session
    given: GivenLines | None = None
    planned: PlannedSpeech | None = None

    def speak(self, sound: TrackFeatures | None) -> None:
        """Make the speech if that can be done ahead and was not; ``sound`` is the clip's. Raises what ``plan_speech``
        raises."""
        lines = self._at_hand() if self.planned is None else ()
        if not lines or (self.session.tools.engine_speaks and not self.job.speech.voice):
            return
        if people_with_voices(self.job.speech.voice):
            return
        voices = self.session.tools.voices(lines, self.job.speech.voice)
        if all(assigned.voice.card.local for assigned in voices.values()):
            self.planned = plan_speech(self.job, Analysis((), (), (), sound), self.session, self.given)

    def _at_hand(self) -> Sequence[Line]:
        """The lines that need no recogniser and no translator."""
        if self.given is not None and self.given.lines is not None:
            return self.given.lines.lines
        script = None if self.job.audio is not None or self.job.speech.translator else self.job.script
        return () if script is None else script.lines


def complete_lines(job: Job, analysis: Analysis, session: Session, given: GivenLines | None = None) -> GivenLines:
    """What is ``given``, with the lines of the job where none are given, and without those that are not to be said.

    Raises what ``plan_speech`` raises, but for voices.
    """
    given = given or GivenLines()
    source = None if analysis.sound is None else analysis.sound.features
    excluded = tuple(dict.fromkeys((*job.excluded, *given.choices.excluded)))
    choices = replace(given.choices, excluded=excluded)
    if job.audio is not None:
        return replace(given, choices=choices)
    lines = given.lines or lines_to_say(job.clip, job.speech, job.script, source, session)
    said = lines.outside(excluded)
    if not said:
        raise NothingToDub(
            "no line begins in the part that is to be dubbed",
            file=job.clip.path,
            remedy="Check --from, --until and --skip, and the times of the script",
        )
    lines = replace(lines, lines=said)
    timed = timed_lines(lines.lines, source) if given.timed is None else given.timed
    return GivenLines(lines, choices, timed)


def _speech(job: Job, analysis: Analysis, given: GivenLines, session: Session) -> DubSpeech:
    """The user's own track; or the lines, spoken by the engine if it can and no voice is named, else by voices."""
    if job.audio is not None:
        return brought_speech(job.audio, job.speech.to if job.speech.mix else "")
    assert given.lines is not None, "lines were found"
    if session.tools.engine_speaks and not job.speech.voice:
        return engine_speech(job, given.lines, analysis, session)
    return spoken_speech(job, given.lines, analysis, session, given.choices)
