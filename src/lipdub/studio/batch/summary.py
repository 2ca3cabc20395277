"""What became of every job of a batch: for people a table, for programs JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lipdub import __version__
from lipdub.disk.publish import write_text
from lipdub.studio.batch.jobs import Batch, BatchJob
from lipdub.studio.batch.state import (
    DONE,
    FAILED,
    NOT_DONE,
    RUNNING,
    BatchState,
    Record,
    best_records,
    states_there,
    summary_file,
)
from lipdub.studio.shard import Shard

VERSION = 1
SKIPPED = "skipped"
"""The state of a job whose film was there already and is the one that would be made."""

UNFINISHED = 1
"""Exit code if no job failed and some are not done."""


@dataclass(frozen=True)
class JobSummary:
    """One job: its ``state`` (that of its record, or SKIPPED) and its record."""

    state: str
    record: Record

    def to_json(self) -> dict[str, Any]:
        """The job as JSON values; times in seconds."""
        record = self.record
        return {
            "line": record.line,
            "source": record.source,
            "output": record.output,
            "state": self.state,
            "seconds": record.seconds,
            "ended": record.ended,
            "exit_code": record.exit_code,
            "error": record.error,
            "warnings": list(record.warnings),
            "figures": record.figures,
            "left_as_filmed": record.left,
            "peak_memory": record.peak,
        }


@dataclass(frozen=True)
class BatchSummary:
    """All jobs of a batch, or of one shard of it, in the order of their rows. ``seconds``: how long the run took (0:
    several runs). ``notes`` say what is not known."""

    jobs_file: str
    shard: Shard
    jobs: tuple[JobSummary, ...]
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of jobs."""
        return dict(Counter(job.state for job in self.jobs))

    @property
    def exit_code(self) -> int:
        """The highest exit code of all jobs; UNFINISHED if none failed and some are not done."""
        worst = max((job.record.exit_code for job in self.jobs), default=0)
        unfinished = any(job.state in (NOT_DONE, RUNNING) for job in self.jobs)
        return worst or (UNFINISHED if unfinished else 0)

    def to_json(self) -> str:
        """The summary as JSON text."""
        told = {
            "version": VERSION,
            "lipdub": __version__,
            "jobs_file": self.jobs_file,
            "shard": str(self.shard),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "exit_code": self.exit_code,
            "notes": list(self.notes),
            "jobs": [job.to_json() for job in self.jobs],
        }
        return json.dumps(told, indent=1, ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Write the JSON to ``path`` atomically. Raises ``OutputError``."""
        write_text(path, self.to_json() + "\n")


def summary_of(batch: Batch, state: BatchState, kept: Iterable[str] = (), seconds: float = 0.0) -> BatchSummary:
    """The jobs of the shard of ``state``; those with the keys ``kept`` were not made in this run."""
    skipped = set(kept)
    jobs = []
    for job in batch.jobs:
        if state.shard.holds(job.key):
            record = _record(job, state.records.get(job.key))
            jobs.append(JobSummary(SKIPPED if job.key in skipped else record.state, record))
    return BatchSummary(state.jobs_file, state.shard, tuple(jobs), seconds)


def summary_of_shards(batch: Batch, state: Path) -> BatchSummary:
    """The jobs of all shards of a batch whose state would lie at ``state`` if it were run as a whole.

    Of several records of a job the best counts. Raises ``InputError`` if a state cannot be read.
    """
    shards = states_there(state)
    records = best_records(state, batch.name)
    notes = [
        f"shard {shard.number} of {shard.of} has not ended"
        for path, shard in shards.items()
        if shard.of > 1 and not summary_file(path).exists()
    ]
    for of in sorted({shard.of for shard in shards.values() if shard.of > 1}):
        begun = {shard.number for shard in shards.values() if shard.of == of}
        notes += [f"shard {n} of {of} has not begun" for n in range(1, of + 1) if n not in begun]
    jobs = []
    for job in batch.jobs:
        record = _record(job, records.get(job.key))
        jobs.append(JobSummary(record.state, record))
    return BatchSummary(batch.name, Shard(), tuple(jobs), notes=tuple(notes))


def _record(job: BatchJob, record: Record | None) -> Record:
    """The record of a job, on the line where the job is now."""
    if record is None:
        return Record(NOT_DONE, job.line, str(job.request.source), str(job.output))
    return replace(record, line=job.line)


def duration_text(seconds: float) -> str:
    """Seconds as people say them: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def summary_line(summary: BatchSummary) -> str:
    """The numbers of jobs in one line."""
    states = (DONE, FAILED, SKIPPED, RUNNING, NOT_DONE)
    counts = [f"{number} {state}" for state in states if (number := summary.counts.get(state))]
    took = f" in {duration_text(summary.seconds)}" if summary.seconds else ""
    return f"{', '.join(counts) or 'no job'}{took}"


def row_of(job: JobSummary, folder: Path) -> tuple[str, ...]:
    """A job as a row of a table: line, film (relative to ``folder`` if it is in it), state, time, changed, sync, and
    what to know of it."""
    record, figures = job.record, job.record.figures
    output = Path(record.output)
    film = output.relative_to(folder) if output.is_relative_to(folder) else output
    known = "film_seconds" in figures and "changed_seconds" in figures
    changed = f"{figures['changed_seconds']:.1f} of {figures['film_seconds']:.1f} s" if known else ""
    before, after = figures.get("sync_before"), figures.get("sync")
    sync = "" if after is None else f"{after:.2f}" if before is None else f"{before:.2f} → {after:.2f}"
    took = duration_text(record.seconds) if record.seconds else ""
    return (str(record.line), str(film), job.state, took, changed, sync, "\n".join(_remarks(record)))


def _remarks(record: Record) -> Sequence[str]:
    if record.error:
        return (record.error.replace(record.source, Path(record.source).name),)
    told = []
    if record.left:
        reason, seconds = next(iter(record.left.items()))
        more = f" and {len(record.left) - 1} other reasons" if len(record.left) > 2 else " and another reason"
        told.append(f"as filmed: {seconds:.1f} s {reason}{more if len(record.left) > 1 else ''}")
    if record.warnings:
        more = f" (and {len(record.warnings) - 1} more)" if len(record.warnings) > 1 else ""
        told.append(f"warning: {next(iter(record.warnings))}{more}")
    return told
