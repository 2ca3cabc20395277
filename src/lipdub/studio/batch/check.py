"""Every job is checked before the first is begun, so that a mistake in row 90 is told now and not in ten hours."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lipdub.disk.regular_file import check_regular_file
from lipdub.disk.temporary_folder import temporary_folder
from lipdub.errors import LipdubError, OutputError
from lipdub.media.probe import clip_as_stated, open_clip
from lipdub.process.exit_codes import as_lipdub_error
from lipdub.studio.batch.in_project import is_planned
from lipdub.studio.batch.jobs import Batch, BatchJob, column_of
from lipdub.studio.batch.recipe import Digests, changes, input_files, recipe_of
from lipdub.studio.batch.rows import Problem
from lipdub.studio.batch.same_tools import SameTools
from lipdub.studio.batch.state import DONE, RUNNING, BatchState, FilmFile, Record
from lipdub.studio.preflight.preflight import check_request
from lipdub.studio.progress import Listener, silent
from lipdub.studio.shard import Shard
from lipdub.timeline.clip import Clip

_NOT_OURS = "exists already, and this batch did not make it"
_REMEDY = "Name another output, or add --overwrite"

LARGE = 1 << 30
"""Size of a clip in bytes above which a check believes its header: to read all packets of a hundred such files can take
an hour where they come over a network."""


@dataclass(frozen=True)
class CheckedJob:
    """A job that can be done. ``kept``: its film is there already and is not made again; this is its record, with which
    it counts as done. ``seconds``: length of its clip (0: not looked at)."""

    job: BatchJob
    kept: Record | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class CheckedBatch:
    """The jobs of one shard in their order; and everything that is wrong, by line: then none is begun."""

    jobs: tuple[CheckedJob, ...]
    problems: tuple[Problem, ...]


def check_batch(batch: Batch, state: BatchState, *, retry: bool = False, listener: Listener = silent) -> CheckedBatch:
    """Check the jobs of ``batch`` that belong to the shard of ``state``.

    Rows, names and outputs are compared for all jobs; files are opened for those of the shard only: clips (up
    to ``LARGE``), dub tracks and scripts are read as for a dry run, each clip once; voices, engine and translator are
    made. A job whose film
    is there, as the state knows it, is compared by its recipe; with ``retry`` it is not looked at.
    """
    inputs = _inputs_by_place(batch.jobs)
    problems = [*batch.problems, *_collisions(batch, inputs), *_projects(batch, state.shard)]
    wrong = {(problem.line, problem.column) for problem in problems}
    mine = [job for job in batch.jobs if state.shard.holds(job.key)]
    checks = _Checks(state, inputs, retry)
    checked: dict[str, CheckedJob] = {}
    for number, job in enumerate(sorted(mine, key=lambda one: str(one.request.source)), 1):
        try:
            checked[job.key] = checks.check(job)
        except LipdubError as error:
            column = column_of(error, job.request)
            problems += [Problem(job.line, column, str(error))] if (job.line, column) not in wrong else []
        except (OSError, MemoryError) as error:
            problems.append(Problem(job.line, "", str(as_lipdub_error(error))))
        listener("preflight", number, len(mine))
    jobs = tuple(checked[job.key] for job in mine if job.key in checked)
    return CheckedBatch(jobs, tuple(sorted(problems, key=lambda one: (one.line, one.column))))


@dataclass(eq=False)
class _Checks:
    """What the checks of several jobs share."""

    state: BatchState
    inputs: Mapping[object, BatchJob]
    retry: bool
    tools: SameTools = field(default_factory=SameTools)
    digests: Digests = field(default_factory=Digests)
    _clip: tuple[tuple[Path, int | None], Clip] | None = None

    def check(self, job: BatchJob) -> CheckedJob:
        """Raises ``LipdubError`` if the job cannot be done."""
        kept = self._kept(job)
        if kept is not None:
            return CheckedJob(job, kept)
        request = job.request
        with _where_it_can_be(job) as output:
            asked = replace(request, output=output, planned=is_planned(request))
            looked = check_request(asked, self.tools.for_options(request.options), self._open)
        for path in (job.output.with_name(name.name) for name in looked.names.every):
            other = self.inputs.get(_place(path))
            if other is not None:
                what = f"would be written over {path.name}, an input of line {other.line}"
                raise OutputError(what, file=job.output, remedy="Choose another name for the output")
        return CheckedJob(job, None, float(looked.clip.span.duration))

    def _open(self, path: Path, sound: int | None) -> Clip:
        """The clip, opened once for jobs that follow each other."""
        if self._clip is None or self._clip[0] != (path, sound):
            large = check_regular_file(path) > LARGE
            stated = clip_as_stated(path, sound) if large else None
            self._clip = ((path, sound), open_clip(path, sound=sound) if stated is None else stated)
        return self._clip[1]

    def _kept(self, job: BatchJob) -> Record | None:
        """The record of a film that is there and need not be made. Raises ``OutputError`` if there is something else
        that may not be overwritten."""
        output, film = job.output, FilmFile.of(job.output)
        if film is None:
            return None
        if not output.is_file() and not output.is_dir():
            raise OutputError("is a device, a pipe or a socket, not a file", file=output)
        record, overwrite = self.state.records.get(job.key), job.request.options.overwrite
        why = self._differs(job, record, film)
        if not why:
            assert record is not None
            return record if record.state == DONE else replace(record, state=DONE, film=film)
        if overwrite or output.is_dir():
            return None  # or refused by the checks that follow
        raise OutputError(why, file=output, remedy=_REMEDY)

    def _differs(self, job: BatchJob, record: Record | None, film: FilmFile) -> str:
        """Why the film that is there is not the one of this job, as a clause; "" if it is."""
        if record is not None and record.state not in (DONE, RUNNING) and record.film == film:
            return "is an older one, which could not be replaced before"
        if record is None or record.state not in (DONE, RUNNING):
            return _NOT_OURS
        if record.state == DONE and record.film != film:
            return "was changed since this batch made it"
        if record.state == RUNNING and record.film == film:
            return _NOT_OURS  # it was there when a run that was killed began to make it
        if self.retry:
            return ""
        changed = changes(record.recipe, recipe_of(job.request, self.digests))
        return f"was made with another {' and another '.join(changed)}" if changed else ""


@contextmanager
def _where_it_can_be(job: BatchJob) -> Iterator[Path]:
    """Where the output of a job is checked: in its own folder; or, if that is one that the batch makes itself and it is
    not there yet, in a folder for the time of the check."""
    if job.named or job.output.parent.exists():
        yield job.output
        return
    with temporary_folder("check") as folder:
        yield folder / job.output.name


def _collisions(batch: Batch, inputs: Mapping[object, BatchJob]) -> Iterator[Problem]:
    """Outputs that two jobs share, and outputs that are an input of any job or the jobs file."""
    first: dict[object, BatchJob] = {}
    stems: dict[object, BatchJob] = {}
    for job in batch.jobs:
        place = _place(job.output)
        if place in first:
            yield _at_output(job, f"{job.output} is the output of {batch.unit} {first[place].line}, too")
        elif place in inputs:
            yield _at_output(job, f"{job.output} is an input of {batch.unit} {inputs[place].line}")
        elif place == _place(batch.path):
            yield _at_output(job, f"{job.output} is the jobs file")
        else:
            stem = _place(job.output.with_suffix(""))
            if stem in stems:
                what = f"its report would have the name of the report of {batch.unit} {stems[stem].line}"
                yield _at_output(job, f"{what}: give {job.output.name} another name")
            stems.setdefault(stem, job)
        first.setdefault(place, job)


def _projects(batch: Batch, shard: Shard) -> Iterator[Problem]:
    """Projects with two sources, and those that several shards would use at once."""
    first: dict[object, BatchJob] = {}
    for job in batch.jobs:
        project = job.request.project
        if project is None:
            continue
        other = first.setdefault(_place(project.folder), job)
        if _place(other.request.source) != _place(job.request.source):
            what = f"{project.folder.name} is the project of another source in {batch.unit} {other.line}"
            yield Problem(job.line, "project", what)
        if any(one.holds(job.key) != one.holds(other.key) for one in _all_shards(shard)):
            what = f"{project.folder.name} is the project of {batch.unit} {other.line}, which another shard makes"
            yield Problem(
                job.line, "project", f"{what}: two cannot work in one project; make this batch without shards"
            )


def _all_shards(shard: Shard) -> list[Shard]:
    return [Shard(number, shard.of) for number in range(1, shard.of + 1)]


def _at_output(job: BatchJob, what: str) -> Problem:
    return Problem(job.line, "output", what)


def _inputs_by_place(jobs: Iterable[BatchJob]) -> dict[object, BatchJob]:
    """The first job that reads each file, by the place of the file."""
    places: dict[object, BatchJob] = {}
    for job in jobs:
        for path in input_files(job.request).values():
            places.setdefault(_place(path), job)
    return places


def _place(path: Path) -> object:
    """What is equal for two names of one file: the file itself if there is one, else where it would be."""
    try:
        state = path.stat()
        return (state.st_dev, state.st_ino)
    except (OSError, ValueError):
        return os.path.realpath(path)
