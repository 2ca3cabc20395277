"""Lines that are too long for their time: the picture is held at their ends, or slowed during them, for as long as is
missing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from lipdub.errors import OptionError
from lipdub.studio.analysis import Analysis
from lipdub.studio.dub_plan import DubSpeech
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import spoken_speech
from lipdub.studio.plan.line_slots import timed_lines
from lipdub.studio.plan.lines import DubLines, lines_to_say
from lipdub.studio.plan.plan_speech import GivenLines, SpeechAhead, plan_speech
from lipdub.studio.session import Session
from lipdub.studio.track_features import TrackFeatures, clip_features
from lipdub.timeline.clip import Clip
from lipdub.timeline.clip_length import LengthChange, paused, slowed_during
from lipdub.timeline.lines import Line
from lipdub.timeline.retiming import AddedTime, Retiming
from lipdub.timeline.said_line import SaidLine
from lipdub.timeline.time import Span
from lipdub.words_to_sound.voices.choose import people_with_voices

_SPARE = Fraction(1, 50)
"""Seconds that are added to what is needed: times are rounded to samples."""

_ROUNDS = 3
"""How often the picture is made longer: on the new clock, speech is fitted anew, and a little may be missing again."""


def fitted_to_lines(job: Job, session: Session) -> tuple[Job, SpeechAhead]:
    """``job`` with a picture that is longer where lines do not fit, and the speech of its lines, on the clip's new
    clock.

    The lines are spoken and fitted to the clip as it is. Where the end of a line would be cut, the picture stands still
    at that end, or is slowed from where the source begins to say the line to that end. Nothing changes, and no speech
    is made, if this is not asked for; the same clip is given if all lines fit. Raises what ``plan_dub`` raises.
    """
    if job.options.if_longer not in ("hold", "slow") or job.audio is not None:
        return job, SpeechAhead(job, session)
    if people := people_with_voices(job.speech.voice):
        raise OptionError(
            f"{people[0]} cannot have a voice with --if-longer {job.options.if_longer}",
            remedy="Then lines are spoken before it is known who is seen: write names into the script",
        )
    sound = _sound(job.clip, session)
    source = None if sound is None else sound.features
    lines = lines_to_say(job.clip, job.speech, job.script, source, session)
    said = lines.outside(job.excluded)
    lines = replace(lines, lines=said)
    if not said or (session.tools.engine_speaks and not job.speech.voice):
        return job, SpeechAhead(job, session)
    speech = spoken_speech(job, lines, Analysis((), (), (), sound), session)
    wanted: dict[str, AddedTime] = {}
    longer, ahead = job, SpeechAhead(job, session)
    for _ in range(_ROUNDS):
        if not any(line.missing for line in speech.said):
            break
        _add_missing(wanted, speech, longer.clip)
        longer, given = _lengthened(job, lines, timed_lines(said, source), list(wanted.values()))
        planned = plan_speech(longer, Analysis((), (), (), _sound(longer.clip, session)), session, given)
        ahead, speech = SpeechAhead(longer, session, given, planned), planned.speech
    return longer, ahead


def _sound(clip: Clip, session: Session) -> TrackFeatures | None:
    return clip_features(clip, session) if clip.has_sound else None


def _add_missing(wanted: dict[str, AddedTime], speech: DubSpeech, clip: Clip) -> None:
    """Add what each line of ``speech``, on the clock of ``clip``, needs to the time that it shall get, by line id: the
    seconds of the voice that are missing, as fast as the rest of the line."""
    for line, said in zip(speech.lines, speech.said, strict=True):
        if not said.missing:
            continue
        end = said.span.end if said.span.duration else said.source_span.end
        span = clip.clock.file_span(Span(min(said.source_span.start, end), end))
        before = wanted.get(line.id, AddedTime(span, Fraction(0)))
        wanted[line.id] = replace(before, seconds=before.seconds + said.missing / _rate(said) + _SPARE)


def _rate(said: SaidLine) -> Fraction:
    return Fraction(said.rate).limit_denominator(1000)


def _lengthened(
    job: Job, lines: DubLines, timed: Iterable[Line], wanted: Sequence[AddedTime]
) -> tuple[Job, GivenLines]:
    """``job`` and its lines with the time that is ``wanted``; ``timed`` are the lines when the source says them."""
    seconds = sum((one.seconds - _SPARE for one in wanted), Fraction(0))
    if job.options.if_longer == "slow":
        clip = slowed_during(job.clip, wanted)
        change = LengthChange("slow", seconds, slower=clip.clock.slowest, lines=len(wanted), clock=clip.clock)
    else:
        clip = paused(job.clip, wanted)
        change = LengthChange("pause", seconds, len(clip) - len(job.clip), lines=len(wanted), clock=clip.clock)
    excluded = tuple(clip.clock.span(span) for span in job.excluded)
    selectors = tuple(replace(one, instant=clip.instant(one.instant)) for one in job.selectors)
    job = replace(job, clip=clip, length=change, excluded=excluded, selectors=selectors, script=None)
    moved = replace(lines, lines=_moved(lines.lines, clip.clock))
    return job, GivenLines(moved, timed=_moved(timed, clip.clock))


def _moved(lines: Iterable[Line], clock: Retiming) -> tuple[Line, ...]:
    return tuple(
        replace(
            line,
            span=clock.span(line.span),
            words=tuple(replace(word, span=clock.span(word.span)) for word in line.words),
        )
        for line in lines
    )
