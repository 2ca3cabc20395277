"""What a worker needs of the first machine's disk to make segments, and what it made: where they share no disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lipdub.studio.dub_plan import PlannedCue
from lipdub.studio.film_work import FilmWork
from lipdub.studio.sent_files import Reach, reads_of
from lipdub.studio.session import Session


def reach_of(work: FilmWork, numbers: Sequence[int], session: Session) -> Reach:
    """The files that are read to make the segments ``numbers`` of ``work``, and the folders that are written to."""
    cues = [planned.cue.id for number in numbers for planned in _cues_in(work, number)]
    kept = [work.cues.folder(cue) for cue in cues if work.cues.finished(cue) is not None]
    every = tuple(work.cues.folder(planned.cue.id) for planned in work.plan.cues(work.job.clip))
    return Reach(reads_of([*_for_all(work, session), *kept]), (work.folder, *every))


def files_of(work: FilmWork, number: int) -> list[Path]:
    """The files that were written for a finished segment, in the order in which they may appear."""
    cues = [work.cues.folder(planned.cue.id) for planned in _cues_in(work, number)]
    file = work.file(number)
    made = [path for cue in cues for path in work.cues.files_in_order(cue)]
    return [path for path in (*made, file.with_suffix(".damage.json"), file) if path.is_file()]


def _for_all(work: FilmWork, session: Session) -> Iterator[Path]:
    """What is read for any segment: the source, what is known of all faces that are dubbed, and a prior of the user."""
    job, plan = work.job, work.plan
    yield job.clip.path
    for face in plan.faces:
        yield face.face.track.landmarks.path.parent
        yield from (study.parent for study in (face.face.study, *face.studies))
    if job.options.prior is not None:
        yield job.options.prior
    if "sound" in session.tools.engine.limits.needs:
        yield plan.speech.track


def _cues_in(work: FilmWork, number: int) -> list[PlannedCue]:
    segment = work.segments.segments[number]
    cues = work.plan.cues(work.job.clip)
    return [planned for planned in cues if planned.frames.start < segment.stop and planned.frames.stop > segment.first]
