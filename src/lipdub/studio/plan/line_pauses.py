"""Lines that are too long for their time: the picture is held at their ends, for as long as is missing."""

from dataclasses import replace
from fractions import Fraction

from lipdub.studio.analysis import Analysis
from lipdub.studio.job import Job
from lipdub.studio.plan.dub_speech import spoken_speech
from lipdub.studio.plan.lines import DubLines, lines_to_say
from lipdub.studio.plan.plan_speech import GivenLines
from lipdub.studio.session import Session
from lipdub.studio.track_features import clip_features
from lipdub.timeline.clip import Clip, Pause
from lipdub.timeline.clip_length import LengthChange, paused
from lipdub.timeline.lines import Line
from lipdub.timeline.time import Span

_SPARE = Fraction(1, 50)
"""Seconds that are added to what is missing: times are rounded to samples."""


def held_for_lines(job: Job, session: Session) -> tuple[Job, GivenLines | None]:
    """``job`` with a picture that is held where lines do not fit, and its lines on the clip's new clock.

    The lines are spoken and fitted to the clip as it is; the picture stands still at the end of each line whose end
    would be cut. Nothing changes (None) if all lines fit, or if this is not asked for. The speech is kept, so that it
    is not made twice. Raises what ``plan_dub`` raises.
    """
    if job.options.if_longer != "hold" or job.audio is not None:
        return job, None
    sound = clip_features(job.clip, session) if job.clip.has_sound else None
    source = None if sound is None else sound.features
    lines = lines_to_say(job.clip, job.speech, job.script, source, session)
    said = tuple(line for line in lines.lines if not any(line.span.start in span for span in job.excluded))
    lines = replace(lines, lines=said)
    if not said or (session.tools.engine_speaks and not job.speech.voice):
        return job, None
    made = spoken_speech(job, lines, Analysis((), (), (), sound), session)
    long = [line for line in made.said if line.missing > 0]
    if not long:
        return job, None
    clip = paused(job.clip, [Pause(line.span.end, line.missing + _SPARE) for line in long])
    change = LengthChange("pause", sum((line.missing for line in long), Fraction(0)), len(clip) - len(job.clip))
    change = replace(change, lines=len(long))
    excluded = tuple(_moved(clip, span) for span in job.excluded)
    selectors = tuple(replace(one, instant=clip.instant(one.instant)) for one in job.selectors)
    job = replace(job, clip=clip, length=change, excluded=excluded, selectors=selectors, script=None)
    return job, GivenLines(_on_clock_of(clip, lines))


def _on_clock_of(clip: Clip, lines: DubLines) -> DubLines:
    return replace(lines, lines=tuple(_moved_line(clip, line) for line in lines.lines))


def _moved_line(clip: Clip, line: Line) -> Line:
    words = tuple(replace(word, span=_moved(clip, word.span)) for word in line.words)
    return replace(line, span=_moved(clip, line.span), words=words)


def _moved(clip: Clip, span: Span) -> Span:
    return Span(clip.instant(span.start), max(clip.instant(span.start), clip.instant(span.end, end=True)))
