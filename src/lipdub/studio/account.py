"""Giving account: what the second pass did, judged and put into the report."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lipdub import __version__, weights
from lipdub.media.probe import probe
from lipdub.media.promise import examples
from lipdub.media.read import Damage
from lipdub.media.write import Written
from lipdub.review.report import (
    Changed,
    Closures,
    FaceFigures,
    MediaFile,
    Recipe,
    Report,
    StageTime,
    Streams,
    SyncFigure,
)
from lipdub.review.scores import closures
from lipdub.sound_to_mouth.sync import score
from lipdub.studio.cast import Audible, Cast, Part, seconds_of
from lipdub.studio.dialogue import Dialogue
from lipdub.studio.options import DubOptions
from lipdub.studio.progress import Clock
from lipdub.studio.stage import Audit
from lipdub.timeline.clip import Clip
from lipdub.timeline.cue import LeftAlone
from lipdub.timeline.model_used import ModelUsed
from lipdub.timeline.mouth import AP
from lipdub.timeline.time import timecode

ACTING = 0.5
"""A frame counts as performed from this weight on."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was made: of which clip, with which parts, and what was seen when looking again."""

    clip: Clip
    cast: Cast
    audible: Audible
    audit: Audit
    written: Written
    damage: Damage


@dataclass(frozen=True, eq=False)
class Circumstances:
    """How it came about: the dialogue, the options, why the ears are not the best (or ""), the consent, the time, and
    sentences on what is strange about the given files."""

    dialogue: Dialogue
    options: DubOptions
    hard_of_hearing: str
    consent: dict[str, str]
    clock: Clock
    doubts: tuple[str, ...] = ()


def account(outcome: Outcome, how: Circumstances) -> Report:
    """The report of one dub."""
    clip, written = outcome.clip, outcome.written
    track = how.dialogue.track
    keen = outcome.audible.dub.encoded is not None
    hearing = f"light hearing: {how.hard_of_hearing}" if how.hard_of_hearing else "hearing with the whisper encoder"
    return Report(
        source=MediaFile(clip.path, clip.span.duration, len(clip), clip.start),
        dub=MediaFile(how.dialogue.name, probe(track).duration),
        output=MediaFile(written.path, clip.span.duration, written.frames, clip.start),
        recipe=Recipe(
            lipdub=__version__,
            engine=how.options.engine,
            seed=how.options.seed,
            prior="the shipped prior" if how.options.prior is None else f"the prior {how.options.prior.name}",
            hearing=hearing,
            options={k: str(v) if isinstance(v, Path) else v for k, v in asdict(how.options).items()},
            models=tuple(_models(keen)),
        ),
        changed=tuple(c for part in outcome.cast.parts for c in _changed(clip, part)),
        left_alone=(*outcome.cast.left_alone, *_refused(clip, outcome)),
        faces=tuple(_figures(clip, part, outcome) for part in outcome.cast.parts),
        streams=Streams(written.copied, written.encoded, written.dropped),
        timings=tuple(_timings(how.clock, outcome.audit)),
        consent=how.consent,
        notes=tuple(dict.fromkeys(_notes(outcome))),
        warnings=(*how.doubts, *_not_told(how.doubts, written), *written.warnings, *_damaged(clip, outcome.damage)),
        speech=how.dialogue.account,
    )


def _not_told(doubts: Iterable[str], written: Written) -> tuple[str, ...]:
    """What was lost of the dub track in writing, unless it was told when the track was heard."""
    return () if any(doubt.startswith("the dub track") for doubt in doubts) else written.dub_losses


def _changed(clip: Clip, part: Part) -> Iterable[Changed]:
    path, track = part.guide.trajectory, part.subject.track
    assert path is not None
    for cue in part.cues:
        rows = np.arange(track.first, track.stop)
        inside = clip.times.within(cue.span)
        acting = (rows >= inside.start) & (rows < inside.stop) & (path.weight > 0)
        yield Changed(cue, int(acting.sum()))


def _refused(clip: Clip, outcome: Outcome) -> Iterable[LeftAlone]:
    """Frames that an engine left as filmed though they were cued, as spans."""
    for face, reasons in outcome.audit.untouched.items():
        for reason, frames in reasons.items():
            for run in np.split(np.array(frames), np.flatnonzero(np.diff(frames) > 1) + 1):
                yield LeftAlone(clip.times.span(int(run[0]), int(run[-1]) + 1), reason, face)


def _figures(clip: Clip, part: Part, outcome: Outcome) -> FaceFigures:
    """Sync before and after, closures asked and met, as the finished pictures show them."""
    path, motion, audible = part.guide.trajectory, part.subject.motion, outcome.audible
    assert path is not None
    again = outcome.audit.shapes(part)
    acting = path.weight > ACTING
    seconds = seconds_of(clip, part.subject)
    enough = acting.sum() >= 3
    asked, met = closures(np.where(acting, again[:, AP], np.nan), path.closed * acting)
    untouched = score(audible.prior, audible.dub, seconds, motion.shapes, motion.ok & acting)
    figures = {"sync_of_dub_with_untouched_mouth": untouched, **part.subject.facts.figures, **part.lips.figures}
    return FaceFigures(
        face=part.subject.track.id,
        coverage=part.subject.facts.coverage,
        before=SyncFigure(part.before.score, part.before.offset) if part.before.speech else None,
        after=SyncFigure(score(audible.prior, audible.dub, seconds, again, acting)) if enough else None,
        closures=Closures(asked, met),
        figures=figures,
    )


def _timings(clock: Clock, audit: Audit) -> Iterable[StageTime]:
    """Every stage, and within performing the time of the engine itself."""
    for stage, seconds in clock.seconds.items():
        yield StageTime(stage, seconds, clock.frames.get(stage, 0))
    yield StageTime("engine", audit.engine_seconds, sum(audit.changed.values()))


def _damaged(clip: Clip, damage: Damage) -> Iterable[str]:
    for frames, what in (
        (damage.repeated, "could not be decoded and repeat the one before"),
        (damage.corrupt, "are damaged"),
    ):
        if frames:
            runs = np.split(np.array(frames), np.flatnonzero(np.diff(frames) > 1) + 1)
            spans = (clip.times.span(int(run[0]), int(run[-1]) + 1) for run in runs)
            told = examples(f"{timecode(span.start)} to {timecode(span.end)}" for span in spans)
            yield f"{len(frames)} frames of the source {what}: {told}"


def _models(keen: bool) -> Iterable[ModelUsed]:
    used = ["face-landmarks", "face-detector", "voice-activity", *(["whisper-base"] if keen else [])]
    for name in used:
        yield ModelUsed(name, weights.model(name).licence)
    yield ModelUsed("hama", "Apache-2.0")


def _notes(outcome: Outcome) -> Iterable[str]:
    yield from outcome.cast.notes
    for part in outcome.cast.parts:
        yield from part.subject.facts.notes
        yield from part.lips.notes
