"""The segments of a film, made in this process or by the workers of the session."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from lipdub.studio.film_work import FilmWork
from lipdub.studio.processes import FEW_SECONDS, RUN_SECONDS, until_done
from lipdub.studio.session import Session
from lipdub.studio.workers.attempts import attempts_of, forget_attempts
from lipdub.studio.workers.far_reach import files_of, reach_of
from lipdub.studio.workers.segment_run import make_run
from lipdub.timeline.runs import consecutive
from lipdub.timeline.time import timecode


def make_segments(work: FilmWork, session: Session, share: Collection[int] | None = None) -> None:
    """Make all missing segments of ``work`` (those of a ``share``, if one is given), in this process or in several. The
    bytes are the same either way.

    Raises what rendering and encoding raise, and ``MachineError`` if the system ended a worker.
    """
    for file in work.remove_damaged(work.segments.encoded if share is None else share):
        session.store.tell(f"{file}: this part of the film was damaged and is made again")
    missing = [number for number in work.missing if share is None or number in share]
    lengths = {number: len(work.segments.segments[number]) for number in missing}
    clock, total = session.clock, sum(lengths.values())
    with clock.stage("render"):
        frames = clock.counter("render", total)
        for number in _made(work, missing, session, share):
            frames.add(lengths[number])


def runs_of(work: FilmWork, missing: Sequence[int], workers: int) -> list[list[int]]:
    """``missing`` in runs of segments that follow each other, short enough to keep all workers busy."""
    segments, rate = work.segments.segments, float(work.job.clip.rate)
    frames = sum(len(segments[number]) for number in missing)
    most = max(1.0, min(RUN_SECONDS * rate, frames / workers)) if workers > 1 else float("inf")
    runs: list[list[int]] = []
    for together in consecutive(np.array(missing, int)):
        length = 0.0
        for place, number in enumerate(together.tolist()):
            size = len(segments[number])
            if place == 0 or length + size / 2 > most:
                runs.append([])
                length = 0.0
            runs[-1].append(number)
            length += size
    return runs


def _made(work: FilmWork, missing: Sequence[int], session: Session, share: Collection[int] | None) -> Iterator[int]:
    """The numbers of the segments as they are finished."""
    workers = session.worker_count
    seconds = sum(len(work.segments.segments[number]) for number in missing) / float(work.job.clip.rate)
    runs = runs_of(work, missing, 1 if seconds < FEW_SECONDS else workers)
    if workers == 1 or len(runs) < 2:
        for run in runs:
            yield from make_run(work, run, session)
        return
    with ExitStack() as undo:
        undo.callback(work.remove_unfinished, share)
        yield from _made_by_workers(work, runs, min(workers, len(runs)), session)


def _made_by_workers(work: FilmWork, runs: Sequence[Sequence[int]], workers: int, session: Session) -> Iterator[int]:
    remedy = "Run it again with --workers 1: what is finished is kept"
    forget_attempts(session)
    with session.workers(workers, remedy, work.job.clip.path) as submit:
        futures = [
            submit(_run_in_worker, partial(reach_of, work, run, session), work, tuple(run))
            for run in _longest_first(work, runs)
        ]
        left = {number for run in runs for number in run}
        for _ in until_done(futures):
            made = all(future.done() and future.exception() is None for future in futures)
            session.take([work.names[number] for number in left] if made else None)
            finished = sorted(number for number in left if work.file(number).is_file())
            left.difference_update(finished)
            yield from finished


def _longest_first(work: FilmWork, runs: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """``runs`` in the order in which workers begin them: the longest first, so that no worker has a long one left when
    the others have ended (R. L. Graham, SIAM J. Appl. Math. 17, 1969)."""
    segments = work.segments.segments
    return sorted(runs, key=lambda run: (-sum(len(segments[number]) for number in run), run[0]))


def _run_in_worker(session: Session, work: FilmWork, numbers: Sequence[int]) -> None:
    """Make those of the segments ``numbers`` in this process that are not there: another worker may have begun them and
    was lost. Raises ``MachineError`` for a segment with which several workers were lost."""
    attempts, times = attempts_of(session), work.job.clip.times
    left = _left(work, numbers, session)

    def begin(number: int) -> None:
        at = timecode(times.instant(work.segments.segments[number].first))
        attempts.begin(work.names[number], f"{work.job.clip.path}: the part of the film at {at}")

    for together in consecutive(np.array(left, int)):
        run = together.tolist()
        begin(run[0])
        for number, coming in zip(make_run(work, run, session), [*run[1:], None], strict=True):
            session.hand_over(work.names[number], files_of(work, number))
            attempts.finish(work.names[number])
            if coming is not None:
                begin(coming)


def _left(work: FilmWork, numbers: Sequence[int], session: Session) -> list[int]:
    """Those of the segments ``numbers`` that are not made, on this disk or by workers with other disks."""
    if session.fetched is None:
        return [number for number in numbers if not work.file(number).is_file()]
    handed_over = session.fetched.handed_over()
    return [number for number in numbers if work.names[number] not in handed_over]
