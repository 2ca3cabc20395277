"""The command batch: many dubs of one jobs file, with live progress and a summary. It imports what it needs when it
runs."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from lipdub.cli.project_commands import named_options
from lipdub.cli.screen import STAGES, ScreenOptions, note, progress, stderr, stdout
from lipdub.errors import OptionError
from lipdub.studio.options import DubOptions, SpeechMakingOptions, SpeechOptions
from lipdub.studio.shard import Shard

if TYPE_CHECKING:
    from lipdub.studio.batch.check import CheckedBatch, CheckedJob
    from lipdub.studio.batch.jobs import Batch
    from lipdub.studio.batch.rows import Problem
    from lipdub.studio.batch.run import BatchListener, Now
    from lipdub.studio.batch.state import BatchState, Record
    from lipdub.studio.batch.summary import BatchSummary

_REFUSED = 2


@dataclass(frozen=True)
class SpeechForAll(SpeechMakingOptions):
    """What is said where a row does not tell."""

    to: str = ""
    """Language of the dubs whose rows name none, e.g. es."""


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is run."""

    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    """Folder for the films whose rows name no output: talk.es.mp4 and so on. It is made if it is not there."""

    jobs: int = 1
    """Number of jobs that are made at a time, each in a process of its own."""

    retry: bool = False
    """Make only the jobs that failed or were not done; what is done is not compared again."""

    shard: str = ""
    """I/N, make only this share of the jobs, e.g. 3/8: for schedulers that start the command N times."""

    summary: bool = False
    """Make nothing; put together what this batch and all its shards have done so far."""

    state: Path | None = None
    """File in which the batch remembers what is done; by default jobs.batch.json beside jobs.csv."""


def register(app: App) -> None:
    """Add the command to ``app``."""
    app.command(batch)


def batch(
    jobs_file: Path,
    /,
    *,
    run: Annotated[BatchOptions, Parameter(name="*")] = BatchOptions(),
    speech: Annotated[SpeechForAll, Parameter(name="*")] = SpeechForAll(),
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
    screen: Annotated[ScreenOptions, Parameter(name="*")] = ScreenOptions(),
) -> int:
    """Dub many clips: one job for each row of a file, or for each dub track and script beside the clips of a folder.

    All rows are checked before the first job is begun. A job that fails stops no other. A second run makes only what is
    missing. The options of a dub hold for all rows that do not say otherwise.

    Parameters
    ----------
    jobs_file
        A table (.csv, .tsv) or JSON Lines (.jsonl) with the columns source, audio or script or line, to, output,
        project, and any option of `lipdub dub`; or a folder of clips.
    """
    if run.jobs < 1:
        raise OptionError(f"--jobs {run.jobs} is below 1", remedy="Give 1 or more")
    shard = Shard.parse(run.shard) if run.shard else Shard()
    read = _read(jobs_file, run, speech, options)
    if run.summary:
        return _summarise(read, run, screen)
    return _run(read, run, shard, screen)


def _read(jobs_file: Path, run: BatchOptions, speech: SpeechForAll, options: DubOptions) -> "Batch":
    from lipdub.studio.batch.clip_folder import read_clip_folder
    from lipdub.studio.batch.job_table import read_jobs_file
    from lipdub.studio.batch.jobs import BatchDefaults, batch_of

    folder = jobs_file.is_dir()
    if folder and (run.output is None or (run.output.exists() and run.output.samefile(jobs_file))):
        raise OptionError(
            "the films of a folder of clips need a folder of their own",
            file=jobs_file,
            remedy="Name one with -o",
        )
    rows = read_clip_folder(jobs_file, alone=bool(speech.to)) if folder else read_jobs_file(jobs_file)
    for_all = SpeechOptions(**{f.name: getattr(speech, f.name) for f in fields(SpeechForAll)})
    return batch_of(jobs_file, rows, BatchDefaults(options, for_all, run.output, named_options()))


def _summarise(read: "Batch", run: BatchOptions, screen: ScreenOptions) -> int:
    from lipdub.studio.batch.state import state_file, summary_file
    from lipdub.studio.batch.summary import summary_of_shards

    state = state_file(read.path, run.state, run.output)
    _tell_problems(read, read.problems)
    summary = summary_of_shards(read, state)
    summary.write(summary_file(state))
    _show(summary, read, run, screen)
    _tell_written(screen, summary_file(state))
    return max(summary.exit_code, _REFUSED if read.problems else 0)


def _run(read: "Batch", run: BatchOptions, shard: Shard, screen: ScreenOptions) -> int:
    """Check, and make, unless anything is wrong or it is a dry run."""
    from lipdub.studio.batch.check import check_batch
    from lipdub.studio.batch.state import load_with_others, locked, state_file
    from lipdub.studio.languages import make_folder

    whole = state_file(read.path, run.state, run.output)
    state = load_with_others(whole, read.name, shard)
    for text in read.notes:
        note(text)
    with progress(quiet=screen.json) as listener:
        checked = check_batch(read, state, retry=run.retry, listener=listener)
    if checked.problems:
        _tell_problems(read, checked.problems)
        note("lipdub: no job was begun.")
        return _REFUSED
    if screen.dry_run:
        _tell_plan(read, checked)
        return 0
    if run.output is not None:
        make_folder(run.output)
    with locked(state.path):
        return _make(read, checked, state, run, screen)


def _tell_problems(read: "Batch", problems: "Sequence[Problem]") -> None:
    for problem in problems:
        note(f"{read.path}, {problem.told(read.unit)}" if problem.line else f"{read.path}: {problem.told(read.unit)}")
    if problems:
        note(f"lipdub: {len(problems)} {'thing is' if len(problems) == 1 else 'things are'} wrong.")


def _tell_plan(read: "Batch", checked: "CheckedBatch") -> None:
    work = [job for job in checked.jobs if job.kept is None]
    for job in checked.jobs:
        what = "would be made" if job.kept is None else "is done"
        stdout.print(f"{read.unit} {job.job.line}: {job.job.output} {what}", soft_wrap=True)
    minutes = sum(job.seconds for job in work) / 60
    stdout.print(f"{len(work)} to make ({minutes:.1f} minutes of film), {len(checked.jobs) - len(work)} done")


def _make(read: "Batch", checked: "CheckedBatch", state: "BatchState", run: BatchOptions, screen: ScreenOptions) -> int:
    from lipdub.cli.consent import ask_people
    from lipdub.process.exit_codes import SIGNAL_BASE, StoppedBySignal
    from lipdub.studio.batch.run import HowMany, ask_once, run_batch
    from lipdub.studio.batch.state import summary_file
    from lipdub.studio.batch.summary import summary_of

    ask_once(checked.jobs, state, ask_people)
    ended, stopped = summary_file(state.path), 0
    ended.unlink(missing_ok=True)
    began = time.monotonic()
    workers = next((job.job.request.options.workers for job in checked.jobs), 0)
    try:
        with _live(quiet=screen.json) as listener:
            run_batch(checked.jobs, state, HowMany(run.jobs, workers), listener)
    except KeyboardInterrupt:
        stopped = SIGNAL_BASE + 2
    except StoppedBySignal as signal:
        stopped = SIGNAL_BASE + signal.number
    kept = [job.job.key for job in checked.jobs if job.kept is not None]
    summary = summary_of(read, state, kept, time.monotonic() - began)
    _show(summary, read, run, screen)
    if stopped:
        note("lipdub: stopped; the jobs that are not done are made by the next run.")
        return stopped
    summary.write(ended)
    _tell_written(screen, ended)
    return summary.exit_code


def _tell_written(screen: ScreenOptions, written: Path) -> None:
    """Say where the summary was written, unless JSON is printed."""
    if not screen.json:
        stdout.print(f"written to {written}", soft_wrap=True)


def _show(summary: "BatchSummary", read: "Batch", run: BatchOptions, screen: ScreenOptions) -> None:
    """Print the summary: JSON, or a table for people."""
    from rich.table import Table

    from lipdub.studio.batch.summary import row_of, summary_line

    if screen.json:
        stdout.out(summary.to_json())
        return
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(read.unit, justify="right", no_wrap=True)
    table.add_column("film", overflow="fold")
    for name in ("state", "time", "changed", "sync"):
        table.add_column(name, no_wrap=True)
    table.add_column("to know", overflow="fold", ratio=1)
    folder = run.output if run.output is not None and read.path.is_dir() else read.path.parent
    for job in summary.jobs:
        table.add_row(*row_of(job, folder))
    stdout.print(table)
    for text in (*summary.notes, summary_line(summary)):
        stdout.print(text, soft_wrap=True)


@contextmanager
def _live(*, quiet: bool) -> Iterator["BatchListener"]:
    """Shows how a batch goes: bars in a terminal, else a line for each job that ends; nothing if ``quiet``."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    from lipdub.studio.batch.run import BatchListener

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        console=stderr,
        disable=quiet or not stderr.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def show(now: "Now") -> None:
        if "" not in tasks:
            tasks[""] = bars.add_task("", total=now.total, told="")
        bars.update(tasks[""], description=_place(now), completed=now.ended, told=_left(now))
        running = {job.job.key: (stage, done, total) for job, stage, done, total in now.running}
        for key in tasks.keys() - running.keys() - {""}:
            bars.remove_task(tasks.pop(key))
        for job, stage, done, total in now.running:
            if job.job.key not in tasks:
                tasks[job.job.key] = bars.add_task(f"  {job.job.output.name}", total=None, told="")
            told = STAGES.get(stage, stage)
            bars.update(tasks[job.job.key], completed=done, total=total or None, told=told)

    def ended(job: "CheckedJob", record: "Record", now: "Now") -> None:
        from lipdub.studio.batch.summary import duration_text

        told = f"{record.state} in {duration_text(record.seconds)}" + (f": {record.error}" if record.error else "")
        if not quiet and (bars.disable or record.error):
            left = "" if bars.disable is False else _left(now)
            note(f"job {now.ended} of {now.total}, {job.job.output.name}: {told}{'; ' if left else ''}{left}")
        show(now)

    with bars:
        yield BatchListener(show, ended, note)


def _place(now: "Now") -> str:
    number = min(now.ended + max(1, len(now.running)), now.total)
    return f"job {number} of {now.total}"


def _left(now: "Now") -> str:
    from lipdub.studio.batch.summary import duration_text

    if now.left is None or now.ended == now.total:
        return ""
    return f"about {duration_text(now.left)} left" if now.left >= 10 else "a few seconds left"
