"""Rows become jobs: each has a request as ``lipdub dub`` would have it, and a key by which it is known again."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lipdub.errors import LipdubError, OptionError
from lipdub.studio.batch.columns import FILES, CellReading, is_given, value_of
from lipdub.studio.batch.recipe import input_files
from lipdub.studio.batch.rows import Problem, Row, Rows
from lipdub.studio.job import DubRequest, InProject
from lipdub.studio.language_names import check_language, language_in_name
from lipdub.studio.languages import output_for
from lipdub.studio.options import DubOptions, SpeechOptions


@dataclass(frozen=True)
class BatchDefaults:
    """What holds for all jobs whose rows do not say otherwise: options, the ``folder`` for films without a name, and
    the names of the options that were ``named`` for all."""

    options: DubOptions = DubOptions()
    speech: SpeechOptions = SpeechOptions()
    folder: Path | None = None
    named: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BatchJob:
    """A job: the ``line`` of its row, its request, and its ``key``: the output's path, relative to the jobs file where
    that is above it. Keys of one batch differ, and are the same on every machine that sees the same folders.

    ``named``: the row itself names the output.
    """

    line: int
    key: str
    request: DubRequest = field(compare=False)
    named: bool = True

    @property
    def output(self) -> Path:
        """Where the film goes."""
        assert self.request.output is not None
        return self.request.output


@dataclass(frozen=True)
class Batch:
    """The jobs of a jobs file (or folder) ``path`` in their order, what is wrong with other rows, and notes.

    ``unit`` is what a row is called.
    """

    path: Path
    jobs: tuple[BatchJob, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    unit: str = "line"

    @property
    def name(self) -> str:
        """The name of the jobs file or folder."""
        return self.path.name or self.path.resolve().name


def batch_of(path: Path, rows: Rows, defaults: BatchDefaults = BatchDefaults()) -> Batch:
    """The jobs of ``rows``, which were read from ``path``. Nothing but the rows is looked at."""
    base = path if rows.unit == "job" else path.parent
    reading = CellReading(base, rows.split, rows.decimal)
    jobs, problems = [], list(rows.problems)
    for row in rows.rows:
        values, wrong = _values(row, reading)
        problems += wrong
        if wrong:
            continue
        try:
            jobs.append(_job(row, values, defaults, base))
        except _Wrong as found:
            problems.append(found.problem)
    ordered = tuple(sorted(problems, key=lambda one: one.line))
    return Batch(path, tuple(jobs), ordered, rows.notes, rows.unit)


class _Wrong(Exception):
    """A row is no job."""

    def __init__(self, line: int, column: str, what: str) -> None:
        self.problem = Problem(line, column, what)
        super().__init__(what)


def _values(row: Row, reading: CellReading) -> tuple[dict[str, Any], list[Problem]]:
    """The values of a row by column, and what is wrong with its cells."""
    values: dict[str, Any] = {}
    problems = []
    for column, cell in row.cells.items():
        if is_given(cell):
            try:
                values[column] = value_of(column, cell, reading)
            except ValueError as wrong:
                problems.append(Problem(row.line, column, str(wrong)))
    return values, problems


def _job(row: Row, values: dict[str, Any], defaults: BatchDefaults, base: Path) -> BatchJob:
    """Raises ``_Wrong``."""
    if "source" not in values:
        raise _Wrong(row.line, "source", "it names no clip")
    options = replace(defaults.options, **_fields(DubOptions, values))
    speech = replace(_words_for(defaults.speech, values), **_fields(SpeechOptions, values))
    audio = values.get("audio")
    output = values.get("output") or _own_name(row, values["source"], audio, (options, speech), defaults.folder)
    project = None
    if "project" in values:
        project = InProject(values["project"], defaults.named | {name for name in values if name not in FILES})
    request = DubRequest(values["source"], output, audio, speech, options, project=project)
    return BatchJob(row.line, job_key(output, base), request, named="output" in values)


def _words_for(shared: SpeechOptions, values: dict[str, Any]) -> SpeechOptions:
    """The speech options for all jobs, without the words of those if the row has a track, a script or a line itself."""
    if not {"audio", "script", "line"} & values.keys():
        return shared
    without = replace(shared, line="")
    return replace(without, to="") if "audio" in values else without


def _fields(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values that are fields of the options class ``kind``, by the names of the fields."""
    names = {f.name.rstrip("_"): f.name for f in fields(kind)}
    return {names[column]: value for column, value in values.items() if column in names and column not in FILES}


def _own_name(
    row: Row, source: Path, audio: Path | None, given: tuple[DubOptions, SpeechOptions], folder: Path | None
) -> Path:
    """The name of a film for which the row has none: ``talk.es.mp4`` in ``folder``. Raises ``_Wrong``."""
    options, speech = given
    if folder is None:
        raise _Wrong(row.line, "output", "it names no output; name one, or a folder for all with -o")
    if audio is not None:
        language = options.language or language_in_name(audio)
    else:
        language = speech.to or ("" if speech.script is None else language_in_name(speech.script))
    column = "language" if audio is not None else "to"
    try:
        check_language(language, column)
        return output_for(folder, source, language, several=True)
    except OptionError:
        what = "the language of the dub is not known, so its film has no name: write the language, or an output"
        raise _Wrong(row.line, column, what) from None


def job_key(output: Path, base: Path) -> str:
    """The key of the job that writes ``output``: its path, relative to ``base`` if it lies in it, with ``/``."""
    full, above = Path(os.path.abspath(output)), Path(os.path.abspath(base))
    return (full.relative_to(above) if full.is_relative_to(above) else full).as_posix()


def column_of(error: LipdubError, request: DubRequest) -> str:
    """The column that an error about a request is about, by the option or the file that it names; "" if none."""
    by_file = {"output": request.output, **input_files(request)}
    if request.project is not None and error.file and Path(error.file).is_relative_to(request.project.folder):
        return "project"
    about = error.file
    by_name = (column for column, path in by_file.items() if about and Path(about) == path)
    return next(_options_in(error.what), None) or next(by_name, "")


def _options_in(text: str) -> Iterator[str]:
    """The columns whose options a text names, in their order in it."""
    names = {f.name.rstrip("_") for kind in (DubOptions, SpeechOptions) for f in fields(kind)} | set(FILES)
    for word in text.replace(",", " ").replace(":", " ").split():
        column = word.lstrip("-").replace("-", "_")
        if word.startswith("--") and column in names:
            yield column
