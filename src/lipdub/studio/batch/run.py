"""Runs a batch that was checked, and remembers what is done after every job."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lipdub.errors import OutputError
from lipdub.studio.batch.check import CheckedJob
from lipdub.studio.batch.outcome import JobOutcome, outcome_in_report
from lipdub.studio.batch.recipe import Recipe
from lipdub.studio.batch.runner import run_jobs
from lipdub.studio.batch.runners import RunJobs, Runners
from lipdub.studio.batch.state import DONE, FAILED, NOT_DONE, RUNNING, BatchState, FilmFile, Record
from lipdub.studio.processes import available_cores


@dataclass(frozen=True)
class Now:
    """How far a batch is: ``ended`` of ``total`` jobs; the jobs that are being made, each with its stage, the steps of
    it that are done, and how many there are (0: unknown); ``left``: seconds until the end (None: not known yet)."""

    ended: int
    total: int
    running: tuple[tuple[CheckedJob, str, int, int], ...]
    left: float | None


@dataclass(frozen=True)
class BatchListener:
    """Is told how a batch goes: ``now`` now and then; ``ended`` with each job that ended, its record, and how far the
    batch is; ``trouble`` with what goes wrong besides, as a sentence."""

    now: Callable[[Now], None] = lambda now: None
    ended: Callable[[CheckedJob, Record, Now], None] = lambda job, record, now: None
    trouble: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class HowMany:
    """How many ``jobs`` are made at a time, and by how many ``workers`` each (0: the cores, divided by the jobs; or as
    in ``DubOptions``)."""

    jobs: int = 1
    workers: int | str = 0


def run_batch(
    jobs: Sequence[CheckedJob],
    state: BatchState,
    how_many: HowMany = HowMany(),
    listener: BatchListener = BatchListener(),
    target: RunJobs = run_jobs,
) -> None:
    """Make the films of ``jobs`` that are not kept; ``state`` gets a record of each, and is written before and after
    every job. ``target`` is what the processes do.

    If the run is stopped (an exception, Ctrl-C), the jobs that were being made are recorded as NOT_DONE first. A state
    that cannot be written is told, and the work goes on.
    """
    for job in jobs:
        if job.kept is not None:
            state.records[job.job.key] = _told_by_report(job)
    work = [_with_workers(job, how_many) for job in jobs if job.kept is None]
    keeper = _Keeper(state, listener, _Pace(tuple(job.seconds for job in work)))
    keeper.write()
    try:
        with Runners(how_many.jobs, target) as runners:
            runners.make(work, keeper)
    finally:
        keeper.stopped(work)


def _told_by_report(job: CheckedJob) -> Record:
    """The record of a kept film. A run that was killed between the film and its record left it without figures."""
    record = job.kept
    assert record is not None
    if record.figures:
        return record
    told = outcome_in_report(job.job.request)
    return replace(record, warnings=told.warnings, figures=told.figures, left=told.left)


def _with_workers(job: CheckedJob, how_many: HowMany) -> CheckedJob:
    request = job.job.request
    workers = how_many.workers or (max(1, available_cores() // how_many.jobs) if how_many.jobs > 1 else 0)
    request = replace(request, options=replace(request.options, workers=workers))
    return replace(job, job=replace(job.job, request=request))


@dataclass(eq=False)
class _Pace:
    """How fast the work goes, in seconds of film in a second. ``films``: lengths of all films that are to be made."""

    films: tuple[float, ...]
    began: float = field(default_factory=time.monotonic)
    ended: int = 0
    done: float = 0.0
    at: float = 0.0

    def add(self, film: float) -> None:
        """A job ended whose clip has ``film`` seconds."""
        self.ended, self.done, self.at = self.ended + 1, self.done + film, time.monotonic()

    def left(self) -> float | None:
        """Seconds until all are made, by the pace so far; None before the first job has ended."""
        if not self.ended or not self.done:
            return None
        needed = (sum(self.films) - self.done) * (self.at - self.began) / self.done
        return max(0.0, needed - (time.monotonic() - self.at))


@dataclass(eq=False)
class _Keeper:
    """Keeps the records, and tells the listener: a ``Watcher``."""

    state: BatchState
    listener: BatchListener
    pace: _Pace
    running: dict[str, tuple[CheckedJob, str, int, int]] = field(default_factory=dict)
    unwritten: str = ""

    def begins(self, job: CheckedJob, recipe: Recipe) -> None:
        """Record what the output was before: if this run is killed, the next one knows whose film it finds."""
        self.running[job.job.key] = (job, "", 0, 0)
        self._record(job, Record(RUNNING, *_names(job), recipe, FilmFile.of(job.job.output)))
        self.listener.now(self.now())

    def progress(self, job: CheckedJob, stage: str, done: int, total: int) -> None:
        """Pass it on."""
        self.running[job.job.key] = (job, stage, done, total)
        self.listener.now(self.now())

    def waits(self) -> None:
        """The time that is left changes."""
        self.listener.now(self.now())

    def ended(self, job: CheckedJob, outcome: JobOutcome) -> None:
        """Record what came of a job."""
        self.running.pop(job.job.key, None)
        before, film = self.state.records.get(job.job.key), FilmFile.of(job.job.output)
        begun = before if before is not None and before.state == RUNNING else None
        if outcome.exit_code and begun is not None and film is not None and film != begun.film:
            outcome = _completed(job, outcome)
        record = Record(
            FAILED if outcome.exit_code else DONE,
            *_names(job),
            recipe={} if begun is None else begun.recipe,
            film=film,
            seconds=round(outcome.seconds, 3),
            peak=outcome.peak,
            exit_code=outcome.exit_code,
            error=outcome.error,
            warnings=outcome.warnings,
            figures=outcome.figures,
            left=outcome.left,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._record(job, record)
        self.pace.add(job.seconds)
        self.listener.ended(job, record, self.now())

    def stopped(self, work: Sequence[CheckedJob]) -> None:
        """The run ends: jobs without an end are not done."""
        changed = False
        for job in work:
            record = self.state.records.get(job.job.key)
            if record is None or record.state == RUNNING:
                film = FilmFile.of(job.job.output)
                done = record is not None and film is not None and film != record.film
                if not done:  # else it was published just before, and the next run takes it as it is
                    self.state.records[job.job.key] = Record(NOT_DONE, *_names(job), film=film)
                    changed = True
        if changed or self.unwritten:
            self.write()

    def now(self) -> Now:
        """How far the batch is."""
        return Now(self.pace.ended, len(self.pace.films), tuple(self.running.values()), self.pace.left())

    def _record(self, job: CheckedJob, record: Record) -> None:
        self.state.records[job.job.key] = record
        self.write()

    def write(self) -> None:
        """Write the state. If that is refused, say so once for each reason."""
        try:
            self.state.write()
            self.unwritten = ""
        except OutputError as refused:
            if str(refused) != self.unwritten:
                self.unwritten = str(refused)
                what = "The work goes on; if it is killed before this can be written, films are not known as done"
                self.listener.trouble(f"{refused} {what}")


def _completed(job: CheckedJob, outcome: JobOutcome) -> JobOutcome:
    """The outcome of a job whose film appeared, and is complete therefore, before something went wrong."""
    told = outcome_in_report(job.job.request)
    warnings = (*told.warnings, f"after the film was complete: {outcome.error}")
    return replace(told, warnings=warnings, seconds=outcome.seconds, peak=outcome.peak)


def _names(job: CheckedJob) -> tuple[int, str, str]:
    return job.job.line, str(job.job.request.source), str(job.job.output)


def clip_keys(jobs: Sequence[CheckedJob]) -> dict[str, str]:
    """The clips of ``jobs`` for which consent must be known: a key that changes with the file -> its name."""
    keys = {}
    for job in jobs:
        source = job.job.request.source
        if job.kept is None and not job.job.request.options.consent:
            film = FilmFile.of(source)
            keys[f"{source}|{film.size}|{film.modified}" if film else str(source)] = source.name
    return keys


def ask_once(jobs: Sequence[CheckedJob], state: BatchState, ask: Callable[[str], None]) -> None:
    """State the consent of the people in all clips that are to be dubbed: ``ask`` is called once, with what to call
    them, unless it is known for each of them. Raises what ``ask`` raises."""
    keys = clip_keys(jobs)
    new = {key: name for key, name in keys.items() if key not in state.consent}
    if not new:
        return
    names = sorted(set(new.values()))
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more clips" if len(names) > 3 else "")
    ask(told)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    state.consent |= dict.fromkeys(new, f"{when}, stated when asked")
